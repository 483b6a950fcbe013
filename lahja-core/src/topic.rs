//! The subscriptions that one endpoint has for one type of event.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::connection::Inlet;
use crate::credit::{Room, charge};
use crate::error::PayloadError;
use crate::event::{Event, Received};
use crate::inbox::{Charge, Inbox, RemoteCharge, Rest};
use crate::name::EndpointName;
use crate::payload;
use crate::reply::Reply;
use crate::sync::lock;

/// Consumers to wake once a batch of frames is dispatched.
pub(crate) type Wakes = Vec<Waker>;

/// The subscriptions for events of type `E`.
pub(crate) struct Topic<E> {
    inboxes: Mutex<Inboxes<E>>,
    max_depth: usize,
}

/// The queues that take part in one delivery. A change replaces the list.
pub(crate) type Inboxes<E> = Arc<[Arc<Inbox<E>>]>;

/// An event on its way from a peer to the subscriptions of this endpoint.
pub(crate) struct Arrival<'a> {
    pub(crate) inlet: &'a Arc<Inlet>,
    pub(crate) payload: &'a [u8],
    pub(crate) reply: Option<Arc<Reply>>,
}

/// A [`Topic`] whose type is known to itself alone.
pub(crate) trait AnyTopic: Send + Sync {
    /// Returns the topic's name on the wire.
    fn name(&self) -> &'static str;

    /// Returns the wire name of the answer, if the events are requests.
    fn response(&self) -> Option<&'static str>;

    /// Tells whether there is no subscription.
    fn is_empty(&self) -> bool;

    /// Tells whether a subscription wants events of this peer.
    fn wants(&self, peer: &EndpointName) -> bool;

    /// Decodes an event and queues it wherever it is wanted.
    fn receive(&self, arrival: Arrival<'_>, wakes: &mut Wakes) -> Result<(), PayloadError>;

    /// Notes that a peer left out events.
    fn lagged(&self, peer: &EndpointName, count: u64);

    /// Looks for subscriptions that consume nothing. Returns when to look again.
    fn sweep(&self, now: Instant, limit: Duration) -> Option<Instant>;

    /// Ends every subscription.
    fn close(&self);

    fn as_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

impl<E: Event> Topic<E> {
    pub(crate) fn new(max_depth: usize) -> Self {
        Self {
            inboxes: Mutex::new(Arc::new([])),
            max_depth,
        }
    }

    pub(crate) fn inboxes(&self) -> Inboxes<E> {
        lock(&self.inboxes).clone()
    }

    pub(crate) fn add(&self, inbox: Arc<Inbox<E>>) {
        let mut inboxes = lock(&self.inboxes);
        *inboxes = inboxes.iter().cloned().chain([inbox]).collect();
    }

    pub(crate) fn remove(&self, inbox: &Arc<Inbox<E>>) {
        let mut inboxes = lock(&self.inboxes);
        let others = inboxes.iter().filter(|other| !Arc::ptr_eq(other, inbox));
        *inboxes = others.cloned().collect();
    }
}

/// Runs a subscription's predicate. One that panics rejects the event.
pub(crate) fn passes<E>(inbox: &Inbox<E>, event: &E) -> bool {
    match &inbox.config.filter {
        None => true,
        Some(filter) => catch_unwind(AssertUnwindSafe(|| filter(event))).unwrap_or(false),
    }
}

fn decode<E: Event>(payload: &[u8], max_depth: usize) -> Result<E, PayloadError> {
    // A type's own `Deserialize` may panic: that costs the event and nothing else.
    catch_unwind(AssertUnwindSafe(|| payload::decode(payload, max_depth)))
        .unwrap_or(Err(PayloadError::Panicked))
}

impl<E: Event> AnyTopic for Topic<E> {
    fn name(&self) -> &'static str {
        E::NAME
    }

    fn response(&self) -> Option<&'static str> {
        E::RESPONSE
    }

    fn is_empty(&self) -> bool {
        lock(&self.inboxes).is_empty()
    }

    fn wants(&self, peer: &EndpointName) -> bool {
        self.inboxes().iter().any(|inbox| inbox.config.wants(peer))
    }

    fn receive(&self, arrival: Arrival<'_>, wakes: &mut Wakes) -> Result<(), PayloadError> {
        let Arrival {
            inlet,
            payload,
            reply,
        } = arrival;
        let credit = RemoteCharge {
            inlet: inlet.clone(),
            bytes: charge(payload.len()),
        };
        let inboxes = self.inboxes();
        let origin = inlet.origin();
        let mut wanting = inboxes.iter().filter(|inbox| inbox.config.wants(origin));
        let Some(first) = wanting.next() else {
            return Ok(());
        };
        let event: E = decode(payload, self.max_depth)?;
        let Some(second) = wanting.next() else {
            if passes(first, &event) {
                let charge = match first.is_lossless() {
                    true => Charge::Remote(credit),
                    false => Charge::None,
                };
                let event = Received::with_reply(event, origin.clone(), reply);
                wakes.extend(first.push(event, charge));
            }
            return Ok(());
        };
        let event = Arc::new(event);
        let credit = Arc::new(credit);
        for inbox in [first, second].into_iter().chain(wanting) {
            if passes(inbox, &event) {
                let charge = match inbox.is_lossless() {
                    true => Charge::Shared(credit.clone()),
                    false => Charge::None,
                };
                let event = Received::shared(event.clone(), origin.clone(), reply.clone());
                wakes.extend(inbox.push(event, charge));
            }
        }
        Ok(())
    }

    fn lagged(&self, peer: &EndpointName, count: u64) {
        for inbox in self.inboxes().iter() {
            if inbox.config.wants(peer) {
                inbox.lagged(count);
            }
        }
    }

    fn sweep(&self, now: Instant, limit: Duration) -> Option<Instant> {
        let inboxes = self.inboxes();
        inboxes
            .iter()
            .filter_map(|inbox| inbox.sweep(now, limit))
            .min()
    }

    fn close(&self) {
        for inbox in self.inboxes().iter() {
            inbox.close(Rest::Keep);
        }
    }

    fn as_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

/// What became of an event of the endpoint itself at one of its own subscriptions.
pub(crate) enum Offer {
    Taken,
    /// There is no place: wait for one.
    Full,
}

/// Offers an event of the endpoint itself to one of its subscriptions.
pub(crate) fn offer<E>(inbox: &Inbox<E>, event: impl FnOnce() -> Received<E>) -> Offer {
    match inbox.reserve() {
        Ok(charge) => {
            inbox.push(event(), charge).inspect(Waker::wake_by_ref);
            Offer::Taken
        }
        Err(Room::Full) if !inbox.is_closed() => Offer::Full,
        Err(_) => Offer::Taken,
    }
}
