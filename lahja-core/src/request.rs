//! Requests: the builder, and the future it becomes.

use std::borrow::Cow;
use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::delivery::{Begun, Delivery, Refused, begin};
use crate::endpoint::Endpoint;
use crate::error::RequestError;
use crate::event::{Event, Request};
use crate::message::response_type;
use crate::payload;
use crate::pending::{AnyResponse, Asked, Failure, Outcome, Question};
use crate::routing::Reach;
use crate::shared::Shared;

/// A request that is being put together; await it to send it and get the response.
///
/// Made by [`Endpoint::request`]. It asks everybody within reach who has subscribed to the
/// request; the first response counts.
#[must_use = "a request does nothing unless awaited"]
pub struct RequestBuilder<'a, Q> {
    endpoint: &'a Endpoint,
    request: Q,
    reach: Reach<'a>,
    timeout: Option<Duration>,
}

impl<'a, Q: Request> RequestBuilder<'a, Q> {
    pub(crate) fn new(endpoint: &'a Endpoint, request: Q) -> Self {
        const { assert!(Q::RESPONSE.is_some(), "a request says of its response what the wire needs") };
        Self {
            endpoint,
            request,
            reach: Reach::default(),
            timeout: Some(endpoint.shared().limits.request_timeout),
        }
    }

    /// Asks the endpoint of this name alone, which may be this endpoint.
    pub fn to(mut self, name: &'a (impl AsRef<str> + ?Sized)) -> Self {
        self.reach.to = Some(Cow::Borrowed(name.as_ref()));
        self
    }

    /// Asks the members of this group alone.
    pub fn to_group(mut self, group: &'a (impl AsRef<str> + ?Sized)) -> Self {
        self.reach.group = Some(group.as_ref());
        self
    }

    /// Does not ask the endpoint of this name. May be given several times.
    pub fn except(mut self, name: &'a (impl AsRef<str> + ?Sized)) -> Self {
        self.reach.except.push(name.as_ref());
        self
    }

    /// Waits this long for the response at the most, from the first poll on.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Waits for the response however long it takes.
    pub fn without_timeout(mut self) -> Self {
        self.timeout = None;
        self
    }
}

impl<'a, Q: Request> IntoFuture for RequestBuilder<'a, Q> {
    type Output = Result<Q::Response, RequestError<Q>>;
    type IntoFuture = RequestFuture<'a, Q>;

    fn into_future(self) -> RequestFuture<'a, Q> {
        RequestFuture {
            slot: Slot { shared: self.endpoint.shared(), id: None },
            timeout: self.timeout,
            request: Some(self.request),
            reach: self.reach,
            delivery: None,
        }
    }
}

impl<Q> fmt::Debug for RequestBuilder<'_, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBuilder")
            .field("reach", &self.reach)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// Sends a request and waits for the response.
///
/// # Cancel safety
///
/// Nothing happens before the first poll. Dropping the future frees the request's slot and tells
/// those who were asked; whether they acted on the request is not known. Who has not got all of a
/// large request sees nothing of it. While the future of one is kept and not polled, others of the
/// same type may wait, as for [a broadcast](crate::BroadcastFuture#cancel-safety).
#[must_use = "futures do nothing unless polled"]
pub struct RequestFuture<'a, Q> {
    slot: Slot<'a>,
    timeout: Option<Duration>,
    // Until it is sent.
    request: Option<Q>,
    reach: Reach<'a>,
    // Set while somebody who is asked has no room for the request.
    delivery: Option<Box<Delivery<Q>>>,
}

/// A place in the table of requests in flight, freed when dropped.
struct Slot<'a> {
    shared: &'a Arc<Shared>,
    // From the first poll until the outcome is taken.
    id: Option<u64>,
}

impl Slot<'_> {
    fn free(&mut self) {
        if let Some(id) = self.id.take() {
            let (asked, _unused) = self.shared.pending().forget(id);
            self.cancel(id, &asked);
        }
    }

    /// Tells those who were asked that no answer is expected any more.
    fn cancel(&self, id: u64, asked: &[Asked]) {
        for asked in asked {
            if let Asked::Peer { connection, .. } = asked {
                if let Some(connection) = self.shared.connection(*connection) {
                    connection.cancel(id);
                }
            }
        }
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.free();
    }
}

// No field is ever pinned.
impl<Q> Unpin for RequestFuture<'_, Q> {}

impl<Q: Request> RequestFuture<'_, Q> {
    /// Takes a slot and sends the request to those who have room.
    fn begin(&mut self, waker: &Waker) -> Result<Begun<Q>, RequestError<Q>> {
        assert!(self.request.is_some(), "a request is polled after it was ready");
        let shared = self.slot.shared;
        let deadline = self.timeout.and_then(|timeout| shared.runtime.now().checked_add(timeout));
        // They count up: small numbers take few bytes in a header.
        let id = shared.next_id();
        self.slot.id = Some(id);
        let question = Question { id, deadline, decode: decode::<Q>, waker };
        let begun = begin(shared, &mut self.request, &self.reach, Some(&question))?;
        if let Some(deadline) = deadline {
            shared.look_at(deadline);
        }
        Ok(begun)
    }
}

impl<Q: Request> Future for RequestFuture<'_, Q> {
    type Output = Result<Q::Response, RequestError<Q>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let shared = this.slot.shared;
        let mut everybody_is_asked = false;
        if this.slot.id.is_none() {
            let begun = this.begin(context.waker());
            this.request = None;
            match begun.inspect_err(|_| this.slot.free())? {
                Begun::Asked => return Poll::Pending,
                Begun::Done(_) => everybody_is_asked = true,
                Begun::Waiting(delivery) => this.delivery = Some(delivery),
            }
        }
        let id = this.slot.id.expect("the request has begun");
        if let Some(delivery) = &mut this.delivery {
            everybody_is_asked = delivery.poll(shared, context).is_ready();
        }
        let mut nobody = None;
        if everybody_is_asked {
            let gone = this.delivery.take().and_then(|delivery| delivery.gone());
            nobody = Some(match gone {
                Some(peer) => Failure::PeerGone { peer, sent: false },
                None => Failure::Unanswered,
            });
        }
        let mut pending = shared.pending();
        if let Some(nobody) = nobody {
            pending.seal(id, nobody);
        }
        let outcome = pending.poll(id, context);
        drop(pending);
        let Poll::Ready((outcome, asked)) = outcome else {
            return Poll::Pending;
        };
        this.slot.id = None;
        // What is under way of the request is of use to nobody.
        this.delivery = None;
        this.slot.cancel(id, &asked);
        Poll::Ready(finish(outcome, this.timeout))
    }
}

impl<Q> fmt::Debug for RequestFuture<'_, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestFuture").finish_non_exhaustive()
    }
}

fn decode<Q: Request>(wire_type: u64, bytes: &[u8], depth: usize) -> Result<AnyResponse, Failure> {
    if wire_type != response_type(Q::Response::NAME) {
        return Err(Failure::WrongType);
    }
    let response: Q::Response = payload::decode(bytes, depth).map_err(Failure::Malformed)?;
    Ok(Box::new(response))
}

fn finish<Q: Request>(
    outcome: Outcome,
    timeout: Option<Duration>,
) -> Result<Q::Response, RequestError<Q>> {
    let expected = <Q::Response as Event>::NAME;
    let response = outcome.map_err(|failure| match failure {
        Failure::TimedOut => RequestError::Timeout(timeout.unwrap_or_default()),
        Failure::PeerGone { peer, sent } => RequestError::PeerGone { peer, sent },
        Failure::Unanswered => RequestError::Unanswered,
        Failure::WrongType => RequestError::WrongResponse { expected },
        Failure::Malformed(source) => RequestError::MalformedResponse { source },
        Failure::RefusedPayload => RequestError::Misunderstood,
        Failure::Closed => RequestError::Closed,
    })?;
    let response = response.downcast();
    response.map(|response| *response).map_err(|_| RequestError::WrongResponse { expected })
}

impl<Q> From<Refused<Q>> for RequestError<Q> {
    fn from(refused: Refused<Q>) -> Self {
        match refused {
            Refused::Closed => Self::Closed,
            Refused::Nobody(request) => Self::NoSubscribers(request),
            Refused::Mismatched(request, peer) => Self::SchemaMismatch { request, peer },
            Refused::Unencodable(request, source) => Self::Unencodable { request, source },
            Refused::TooLarge(request, len, max) => Self::TooLarge { request, len, max },
        }
    }
}
