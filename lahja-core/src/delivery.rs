//! Handing one event to everybody who wants it, first to those who have room.

mod asking;
mod encoding;
mod local;
mod now;
mod parts;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use event_listener::{EventListener, Listener};

use crate::connection::{Burst, Connection, Turn};
use crate::error::PayloadError;
use crate::event::{Event, Received};
use crate::inbox::Inbox;
use crate::name::EndpointName;
use crate::pending::Question;
use crate::routing::{Reach, Target};
use crate::session::Push;
use crate::shared::{Audience, Shared};
use crate::topic::{Offer, offer};

pub(crate) use encoding::encode;
pub(crate) use now::begin_now;

use asking::{Closed, ask, ask_only, open};
use encoding::{Encoding, keep};
use local::{begin_locally, wanting};
use parts::{Recipient, Step, parts_per_turn};

type Peer = Target<Arc<Connection>>;

/// An event for which not everybody has had room.
pub(crate) struct Delivery<E> {
    // What is encoded, for peers.
    payload: Vec<u8>,
    peers: Vec<Peer>,
    // Those who get it in parts.
    recipients: Vec<Recipient>,
    // The event itself, for subscriptions of this endpoint.
    event: Option<Received<E>>,
    inboxes: Vec<Arc<Inbox<E>>>,
    request: Option<u64>,
    // The last peer that ended, rather than lost interest, before it had room.
    gone: Option<EndpointName>,
    listeners: Vec<EventListener>,
}

/// How a delivery began.
pub(crate) enum Begun<E> {
    /// Everybody has it.
    Done(Turn),
    /// It is a request, and the only one to be asked has it. Whoever asks is woken when it has ended.
    Asked,
    /// Somebody has no room yet.
    Waiting(Box<Delivery<E>>),
}

/// Why a delivery did not begin. Nobody has the event.
pub(crate) enum Refused<E> {
    /// The endpoint was closed in the meantime.
    Closed,
    Nobody(E),
    /// Whoever wants the event defines it otherwise, this peer for one.
    Mismatched(E, EndpointName),
    Unencodable(E, PayloadError),
    TooLarge(E, usize, usize),
}

/// Hands an event to everybody within `reach` who has room. With a question, which is opened, the
/// event asks for an answer.
///
/// The event is taken if somebody gets it as it is, or if it is given back.
///
/// # Panics
///
/// Panics if there is no event.
pub(crate) fn begin<E: Event>(
    shared: &Arc<Shared>,
    event: &mut Option<E>,
    reach: &Reach<'_>,
    question: Option<&Question<'_>>,
) -> Result<Begun<E>, Refused<E>> {
    let audience = shared.audience::<E>();
    if let Some(error) = &audience.refusal {
        return Err(Refused::Unencodable(take(event), error.clone()));
    }
    if let (Some(target), true) = (audience.only(), reach.is_everybody()) {
        return begin_with(shared, target, event, question);
    }
    let request = open(shared, question)?;
    let mut reached = false;
    let mut turn = Turn::GoesOn;
    let mut delivery = None;
    let targets = || audience.targets.alike.iter().filter(|t| reach.admits_peer(&t.peer));
    let mut burst = Burst::to(match reach.is_everybody() {
        true => audience.targets.alike.len(),
        false => targets().count(),
    });
    if let Some(max) = audience.max_frame(reach) {
        // Two types of one name at a peer are one place to ask.
        let is_asked = |at: usize, target: &Peer| {
            let is_there = |other: &Peer| other.connection.id == target.connection.id;
            request.is_some() && targets().take(at).any(is_there)
        };
        let send = |encoding: Encoding<'_>| {
            let payload = match encoding {
                Encoding::Short(payload) => payload,
                Encoding::Long(payload) => {
                    let places =
                        targets().enumerate().filter(|(at, target)| !is_asked(*at, target));
                    let places = places.map(|(_, target)| target);
                    (reached, delivery) = Delivery::begin_large(shared, places, request, payload);
                    turn = Turn::IsOver;
                    return;
                }
            };
            if request.is_none() && reach.is_everybody() {
                let peers = &audience.targets.alike;
                if let Some(its_turn) = audience.common.push(peers, payload, &mut burst) {
                    (reached, turn) = (true, its_turn);
                    return;
                }
            }
            for (at, target) in targets().enumerate() {
                if is_asked(at, target) {
                    continue;
                }
                let (push, its_turn) = push(shared, target, request, payload, &mut burst);
                reached |= push != Push::Gone;
                if its_turn == Turn::IsOver {
                    turn = its_turn;
                }
                if push == Push::Full {
                    let delivery = delivery.get_or_insert_with(|| Delivery::boxed(request));
                    delivery.add(target, payload);
                }
            }
        };
        encode(event, max, send)?;
    }
    if let Some(topic) = audience.topic() {
        if reach.admits(&shared.name, &shared.groups) {
            reached |= begin_locally(shared, topic, event, request, &mut delivery);
        }
    }
    let mismatched = leave_out::<E>(shared, &audience, reach);
    if !reached {
        return Err(nobody(shared, take(event), mismatched));
    }
    Ok(match delivery {
        Some(delivery) => Begun::Waiting(delivery),
        None => Begun::Done(turn),
    })
}

/// Hands an event to the only one who wants it, which is a peer.
#[inline]
fn begin_with<E: Event>(
    shared: &Shared,
    target: &Peer,
    event: &mut Option<E>,
    question: Option<&Question<'_>>,
) -> Result<Begun<E>, Refused<E>> {
    let send = |encoding: Encoding<'_>| {
        let payload = match encoding {
            Encoding::Short(payload) => payload,
            Encoding::Long(payload) => {
                let request = open(shared, question)?;
                let (reached, rest) = Delivery::begin_large(shared, [target], request, payload);
                let done = Begun::Done(Turn::IsOver);
                return Ok(reached.then(|| rest.map_or(done, Begun::Waiting)));
            }
        };
        let (push, done) = match question {
            None => {
                let connection = &target.connection;
                let (push, turn) =
                    connection.push_event(target.slot, payload, &mut Burst::default());
                (push, Begun::Done(turn))
            }
            Some(question) => (ask_only(shared, target, question, payload)?, Begun::Asked),
        };
        Ok(match push {
            Push::Full => {
                let mut delivery = Delivery::boxed(open(shared, question)?);
                delivery.add(target, payload);
                Some(Begun::Waiting(delivery))
            }
            Push::Gone | Push::TooLarge => None,
            Push::Queued | Push::Missed => Some(done),
        })
    };
    let begun: Result<_, Closed> = encode(event, target.peer.max_frame, send)?;
    begun?.ok_or_else(|| nobody(shared, take(event), None))
}

/// Says why nobody has an event: an endpoint that is closed, or is about to be and has said goodbye,
/// reaches nobody.
fn nobody<E>(shared: &Shared, event: E, mismatched: Option<&Peer>) -> Refused<E> {
    match mismatched {
        _ if shared.is_closed() || shared.pending().is_closed() => Refused::Closed,
        Some(target) => Refused::Mismatched(event, target.peer.name.clone()),
        None => Refused::Nobody(event),
    }
}

/// Tells those within `reach` who cannot read an event that they miss it. Returns one of them.
fn leave_out<'a, E: Event>(
    shared: &Shared,
    audience: &'a Audience,
    reach: &Reach<'_>,
) -> Option<&'a Peer> {
    let mismatched = audience.targets.mismatched.iter();
    if mismatched.len() == 0 {
        return None;
    }
    let mut mismatched = mismatched.filter(|target| reach.admits_peer(&target.peer)).peekable();
    let first = mismatched.peek().copied();
    for target in mismatched {
        if target.connection.push_mismatched(target.slot) {
            shared.trouble.mismatched(&target.peer.name, E::NAME);
            shared.subscriptions_changed();
        }
    }
    first
}

const IS_THERE: &str = "a delivery begins with an event";

fn take<E>(event: &mut Option<E>) -> E {
    event.take().expect(IS_THERE)
}

#[inline]
fn push(
    shared: &Shared,
    target: &Peer,
    request: Option<u64>,
    payload: &[u8],
    burst: &mut Burst,
) -> (Push, Turn) {
    match request {
        None => target.connection.push_event(target.slot, payload, burst),
        Some(id) => (ask(shared, target, id, payload), Turn::GoesOn),
    }
}

impl<E: Event> Delivery<E> {
    fn boxed(request: Option<u64>) -> Box<Self> {
        Box::new(Self {
            payload: Vec::new(),
            peers: Vec::new(),
            recipients: Vec::new(),
            event: None,
            inboxes: Vec::new(),
            request,
            gone: None,
            listeners: Vec::new(),
        })
    }

    /// Adds a peer that has no room for what is encoded.
    fn add(&mut self, target: &Peer, payload: &[u8]) {
        if self.peers.is_empty() {
            self.payload = payload.to_vec();
        }
        self.peers.push(target.clone());
    }

    /// Returns the last peer that ended, rather than lost interest, before it had room.
    pub(crate) fn gone(&self) -> Option<EndpointName> {
        self.gone.clone()
    }

    /// Hands the event to those who have room by now. Ready when all have it, or are gone, or
    /// are stalled.
    pub(crate) fn poll(&mut self, shared: &Shared, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let now = shared.runtime.now();
            let mut listeners = std::mem::take(&mut self.listeners);
            // Whoever waits for the same was told, too. A listener that is dropped would pass on what
            // it heard, and those who wait keep each other awake that way.
            for listener in listeners.drain(..) {
                listener.discard();
            }
            let Self { payload, request, event, gone, .. } = self;
            let mut burst = Burst::to(self.recipients.len() + self.peers.len());
            let mut goes_on = false;
            let parts = parts_per_turn(&self.recipients);
            self.recipients.retain_mut(|recipient| {
                match recipient.advance(shared, *request, payload, parts, &mut burst) {
                    Step::Done => return false,
                    Step::Gone => {
                        note_gone(gone, recipient.target());
                        return false;
                    }
                    Step::Waits(listener) => listeners.push(listener),
                    Step::GoesOn => goes_on = true,
                }
                true
            });
            self.peers.retain(|target| {
                let listener = target.connection.wait_for_room(target.slot, now);
                let (push, _) = push(shared, target, *request, payload, &mut burst);
                if push == Push::Gone {
                    note_gone(gone, target);
                }
                let is_full = push == Push::Full;
                if is_full {
                    target.connection.wait_on(target.slot, now);
                    listeners.push(listener);
                }
                is_full
            });
            self.inboxes.retain(|inbox| {
                let listener = inbox.listen(now);
                let event = || event.as_ref().expect("kept for its subscriptions").share();
                let is_full = matches!(offer(inbox, event), Offer::Full);
                if is_full {
                    listeners.push(listener);
                }
                is_full
            });
            if listeners.is_empty() && !goes_on {
                keep(std::mem::take(&mut self.payload));
                return Poll::Ready(());
            }
            if let Some(at) = now.checked_add(shared.limits.stalled_after) {
                shared.look_at(at);
            }
            let mut is_notified = goes_on;
            for listener in &mut listeners {
                is_notified |= Pin::new(listener).poll(context).is_ready();
            }
            self.listeners = listeners;
            if !is_notified {
                return Poll::Pending;
            }
            if !self.recipients.is_empty() {
                // What is large takes long enough for others to have their turn.
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }
}

/// Notes a peer that has ended, rather than lost interest.
fn note_gone(gone: &mut Option<EndpointName>, target: &Peer) {
    if target.connection.has_left() {
        *gone = Some(target.peer.name.clone());
    }
}
