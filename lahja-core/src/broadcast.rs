//! Broadcasting: the builder, its rules, and the future it becomes.

use std::borrow::Cow;
use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use event_listener::EventListener;

use crate::connection::Turn;
use crate::delivery::{Begun, Delivery, Refused, begin, begin_now, encode};
use crate::endpoint::Endpoint;
use crate::error::BroadcastError;
use crate::event::Event;
use crate::name::EndpointName;
use crate::reply::Reply;
use crate::routing::{EVERYBODY, Reach};
use crate::session::Push;
use crate::shared::Shared;

/// Where a broadcast goes: to one endpoint, or back to whoever sent an event.
///
/// [`Received::broadcast_config`](crate::Received::broadcast_config) makes the latter. For a
/// request it is the right to answer it: the first event broadcast with it, of the type that the
/// request declares, is the answer.
#[derive(Clone)]
pub struct BroadcastConfig {
    to: EndpointName,
    reply: Option<Arc<Reply>>,
}

impl BroadcastConfig {
    /// Sends to the endpoint of this name alone.
    pub fn to(name: impl Into<EndpointName>) -> Self {
        let to = name.into();
        Self { to, reply: None }
    }

    pub(crate) fn reply(to: EndpointName, reply: Option<Arc<Reply>>) -> Self {
        Self { to, reply }
    }

    /// Answers the request whose right to an answer this is, if it is one. Gives the response back
    /// if it takes more than that: there is no request, or no room.
    ///
    /// Nobody waiting any more is no error of the answerer, and an answer that cannot be sent leaves
    /// the request unanswered.
    pub(crate) fn answer_now<R: Event>(&self, shared: &Shared, response: R) -> Option<R> {
        let Some(reply) = &self.reply else {
            return Some(response);
        };
        if shared.is_closed() {
            return None;
        }
        match answer(reply, response) {
            Ok(Answered::Full(response)) => Some(response),
            Ok(Answered::Done) | Err(_) => None,
        }
    }

    /// Returns the name of the endpoint that is reached.
    pub fn endpoint(&self) -> &EndpointName {
        &self.to
    }
}

impl fmt::Debug for BroadcastConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BroadcastConfig")
            .field("to", &self.to)
            .field("is_answer", &self.reply.is_some())
            .finish()
    }
}

/// A broadcast that is being put together; await it to send the event.
///
/// Made by [`Endpoint::broadcast`].
#[must_use = "a broadcast does nothing unless awaited"]
pub struct Broadcast<'a, E> {
    endpoint: &'a Endpoint,
    event: E,
    // Set when anything is not as by default, which keeps the common broadcast small to move.
    rules: Option<Box<Rules<'a>>>,
}

/// What a broadcast is told beyond its event.
struct Rules<'a> {
    reach: Reach<'a>,
    reply: Option<Arc<Reply>>,
    require_subscriber: bool,
}

impl<'a, E: Event> Broadcast<'a, E> {
    pub(crate) fn new(endpoint: &'a Endpoint, event: E) -> Self {
        Self { endpoint, event, rules: None }
    }

    fn rules(&mut self) -> &mut Rules<'a> {
        self.rules.get_or_insert_with(|| {
            Box::new(Rules { reach: Reach::default(), reply: None, require_subscriber: true })
        })
    }

    /// Sends to the endpoint of this name alone, which may be this endpoint.
    pub fn to(mut self, name: &'a (impl AsRef<str> + ?Sized)) -> Self {
        self.rules().reach.to = Some(Cow::Borrowed(name.as_ref()));
        self
    }

    /// Sends to the members of this group alone.
    pub fn to_group(mut self, group: &'a (impl AsRef<str> + ?Sized)) -> Self {
        self.rules().reach.group = Some(group.as_ref());
        self
    }

    /// Does not send to the endpoint of this name. May be given several times.
    pub fn except(mut self, name: &'a (impl AsRef<str> + ?Sized)) -> Self {
        self.rules().reach.except.push(name.as_ref());
        self
    }

    /// Sends to subscriptions of this endpoint alone.
    pub fn internal(mut self) -> Self {
        self.rules().reach.internal = true;
        self
    }

    /// Sends where `config` says: with that of a received event, to whoever sent it; with that of
    /// a received request, as its answer.
    pub fn with(mut self, config: BroadcastConfig) -> Self {
        let rules = self.rules();
        rules.reach.to = Some(Cow::Owned(config.to.as_str().to_owned()));
        rules.reply = config.reply;
        self
    }

    /// Says whether it is an error if nobody within reach has subscribed to the event. It is by
    /// default. That whoever has subscribed defines the event otherwise is always one.
    pub fn require_subscriber(mut self, required: bool) -> Self {
        self.rules().require_subscriber = required;
        self
    }

    /// Sends without waiting: to everybody within reach, or if somebody has no room to nobody.
    ///
    /// A large event leaves as a whole, and what is sent after it waits for that. Where small events
    /// are not to wait for large ones, await the broadcast of those: it sends them in parts.
    ///
    /// # Errors
    ///
    /// As for awaiting the broadcast, and [`BroadcastError::Full`] with the event if a subscriber
    /// has no room.
    pub fn now(self) -> Result<(), BroadcastError<E>> {
        let shared = self.endpoint.shared();
        if shared.is_closed() {
            return Err(BroadcastError::Closed);
        }
        let rules = self.rules.as_deref();
        if let Some(reply) = rules.and_then(|rules| rules.reply.as_ref()) {
            return match answer(reply, self.event)? {
                Answered::Done => Ok(()),
                Answered::Full(event) => Err(BroadcastError::Full(event)),
            };
        }
        match begin_now(shared, self.event, rules.map_or(&EVERYBODY, |rules| &rules.reach)) {
            Ok(None) => Ok(()),
            Ok(Some(event)) => Err(BroadcastError::Full(event)),
            Err(refused) => refusal(refused, rules),
        }
    }
}

impl<'a, E: Event> IntoFuture for Broadcast<'a, E> {
    type Output = Result<(), BroadcastError<E>>;
    type IntoFuture = BroadcastFuture<'a, E>;

    fn into_future(self) -> BroadcastFuture<'a, E> {
        let Broadcast { endpoint, event, rules } = self;
        BroadcastFuture { endpoint, event: Some(event), rules, state: State::New }
    }
}

impl<E> fmt::Debug for Broadcast<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broadcast")
            .field("reach", &self.rules.as_ref().map(|rules| &rules.reach))
            .finish_non_exhaustive()
    }
}

/// Sends an event: ready when everybody within reach has it in their queue or on the way.
///
/// # Cancel safety
///
/// Nothing happens before the first poll. Dropped while it waits for room, it has sent the event
/// to all who had room and will not send it to the others. An event of more than 128 KiB leaves in
/// parts: dropped before the last, the future takes it back from those who have not got all of it,
/// and they see nothing of it. While the future is kept and not polled, others of the same type may
/// wait, as for a slow consumer: for [`Limits::stalled_after`](crate::Limits::stalled_after) at the
/// most, then the event is missed by who has not got all of it, and so is what waits.
#[must_use = "futures do nothing unless polled"]
pub struct BroadcastFuture<'a, E> {
    endpoint: &'a Endpoint,
    // Taken by whoever gets the event itself, rather than its encoding.
    event: Option<E>,
    rules: Option<Box<Rules<'a>>>,
    state: State<E>,
}

enum State<E> {
    New,
    Delivering(Box<Delivery<E>>),
    Answering(Box<Answering<E>>),
    /// Everything is sent; others have their turn first.
    Yielding,
    Done,
}

/// An answer for which there may be no room yet.
struct Answering<E> {
    response: E,
    reply: Arc<Reply>,
    room: Option<EventListener>,
}

// No field is ever pinned.
impl<E> Unpin for BroadcastFuture<'_, E> {}

impl<E: Event> Future for BroadcastFuture<'_, E> {
    type Output = Result<(), BroadcastError<E>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let shared = self.endpoint.shared();
        if let State::New = self.state {
            let Self { event, rules, state, .. } = &mut *self;
            *state = State::Done;
            if shared.is_closed() {
                return Poll::Ready(Err(BroadcastError::Closed));
            }
            let rules = rules.as_deref();
            if let Some(reply) = rules.and_then(|rules| rules.reply.clone()) {
                let response = event.take().expect("the event is still there");
                *state = State::Answering(Box::new(Answering { response, reply, room: None }));
            } else {
                let reach = rules.map_or(&EVERYBODY, |rules| &rules.reach);
                match begin(shared, event, reach, None) {
                    Ok(Begun::Done(Turn::GoesOn)) => return Poll::Ready(Ok(())),
                    Ok(Begun::Done(Turn::IsOver)) => {
                        *state = State::Yielding;
                        context.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    Ok(Begun::Asked) => unreachable!("a broadcast asks nothing"),
                    Ok(Begun::Waiting(delivery)) => *state = State::Delivering(delivery),
                    Err(refused) => return Poll::Ready(refusal(refused, rules)),
                }
            }
        }
        match std::mem::replace(&mut self.state, State::Done) {
            State::New => unreachable!("it has begun above"),
            State::Delivering(mut delivery) => {
                if delivery.poll(shared, context).is_pending() {
                    self.state = State::Delivering(delivery);
                    return Poll::Pending;
                }
                Poll::Ready(match shared.is_closed() {
                    true => Err(BroadcastError::Closed),
                    false => Ok(()),
                })
            }
            State::Answering(answering) => match answering.poll(context)? {
                Ok(()) => Poll::Ready(Ok(())),
                Err(answering) => {
                    self.state = State::Answering(answering);
                    Poll::Pending
                }
            },
            State::Yielding => Poll::Ready(Ok(())),
            State::Done => panic!("a broadcast is polled after it was ready"),
        }
    }
}

impl<R: Event> Answering<R> {
    /// Sends the answer, or comes back to wait for room.
    fn poll(
        mut self: Box<Self>,
        context: &mut Context<'_>,
    ) -> Result<Result<(), Box<Self>>, BroadcastError<R>> {
        loop {
            if let Some(room) = &mut self.room {
                if Pin::new(room).poll(context).is_pending() {
                    return Ok(Err(self));
                }
            }
            let room = self.reply.connection().map(|connection| connection.listen());
            let Self { response, reply, .. } = *self;
            match answer(&reply, response)? {
                Answered::Done => return Ok(Ok(())),
                Answered::Full(response) => {
                    self = Box::new(Self { response, reply, room });
                }
            }
        }
    }
}

/// Says what a broadcast that did not begin comes to.
fn refusal<E>(refused: Refused<E>, rules: Option<&Rules<'_>>) -> Result<(), BroadcastError<E>> {
    match refused {
        Refused::Nobody(_) if rules.is_some_and(|rules| !rules.require_subscriber) => Ok(()),
        refused => Err(refused.into()),
    }
}

impl<E> fmt::Debug for BroadcastFuture<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BroadcastFuture").finish_non_exhaustive()
    }
}

enum Answered<R> {
    Done,
    Full(R),
}

/// Sends the answer to a request.
fn answer<R: Event>(reply: &Reply, response: R) -> Result<Answered<R>, BroadcastError<R>> {
    if let Some(expected) = reply.expected().filter(|&expected| expected != R::NAME) {
        return Err(BroadcastError::WrongResponse { event: response, expected });
    }
    let Some(connection) = reply.connection() else {
        let unused = reply.respond(response);
        return unused.map(|()| Answered::Done).map_err(BroadcastError::NoSubscribers);
    };
    let mut response = Some(response);
    let max = connection.peer().max_frame;
    let push = encode(&mut response, max, |encoding| reply.push::<R>(encoding.bytes()))?;
    match (push, response) {
        (Push::Full, Some(response)) => Ok(Answered::Full(response)),
        (Push::Missed | Push::Gone | Push::TooLarge, Some(response)) => {
            Err(BroadcastError::NoSubscribers(response))
        }
        _ => Ok(Answered::Done),
    }
}

impl<E> From<Refused<E>> for BroadcastError<E> {
    fn from(refused: Refused<E>) -> Self {
        match refused {
            Refused::Closed => Self::Closed,
            Refused::Nobody(event) => Self::NoSubscribers(event),
            Refused::Mismatched(event, peer) => Self::SchemaMismatch { event, peer },
            Refused::Unencodable(event, source) => Self::Unencodable { event, source },
            Refused::TooLarge(event, len, max) => Self::TooLarge { event, len, max },
        }
    }
}
