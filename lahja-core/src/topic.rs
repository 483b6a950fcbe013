//! The subscriptions that one endpoint has for one type of event.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::connection::Inlet;
use crate::credit::{Room, charge};
use crate::error::PayloadError;
use crate::event::{Event, Received, Source};
use crate::inbox::{Charge, Credit, Inbox, Item, Rest};
use crate::name::EndpointName;
use crate::payload;
use crate::reply::Reply;
use crate::sync::lock;

/// Consumers to wake once a batch of frames is dispatched.
pub(crate) type Wakes = Vec<Waker>;

/// The subscriptions for events of type `E`.
pub(crate) struct Topic<E> {
    inboxes: Mutex<Inboxes<E>>,
    // Counts the changes of the list.
    version: AtomicU64,
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

/// Where a reader puts the events of one topic of one connection until its batch is done.
pub(crate) trait AnyStage: Send {
    /// Decodes an event and queues it wherever it is wanted, at the next
    /// [`flush`](Self::flush) at the latest.
    fn receive(&mut self, arrival: Arrival<'_>, wakes: &mut Wakes) -> Result<(), PayloadError>;

    /// Queues what is staged.
    fn flush(&mut self, wakes: &mut Wakes);
}

/// The stage for events of type `E`.
///
/// The common case, one subscription that loses nothing, is staged: one lock and one wake-up for
/// a batch. Whatever else there is gets its events at once.
struct Stage<E: Event> {
    topic: Arc<Topic<E>>,
    version: u64,
    inboxes: Inboxes<E>,
    // Invariant: empty unless `inboxes` is one lossless inbox, whose they are.
    staged: VecDeque<Item<E>>,
}

/// A [`Topic`] whose type is known to itself alone.
pub(crate) trait AnyTopic: Send + Sync {
    /// Returns the topic's name on the wire.
    fn name(&self) -> &'static str;

    /// Returns the wire name of the answer, if the events are requests.
    fn response(&self) -> Option<&'static str>;

    /// Tells whether a subscription wants events of this peer.
    fn wants(&self, peer: &EndpointName) -> bool;

    /// Returns what a connection's reader needs to hand events to the subscriptions.
    fn stage(self: Arc<Self>) -> Box<dyn AnyStage>;

    /// Notes that a peer left out events.
    fn lagged(&self, peer: &EndpointName, count: u64);

    /// Looks for subscriptions that consume nothing. Returns when to look again.
    fn sweep(&self, now: Instant, limit: Duration) -> Option<Instant>;

    /// Ends every subscription.
    fn close(&self);

    fn as_any(&self) -> &dyn Any;
}

impl<E: Event> Topic<E> {
    pub(crate) fn new(max_depth: usize) -> Self {
        Self { inboxes: Mutex::new(Arc::new([])), version: AtomicU64::new(0), max_depth }
    }

    /// Returns a topic as what it is: the one for events of type `E`.
    pub(crate) fn of(topic: &dyn AnyTopic) -> &Self {
        topic.as_any().downcast_ref().expect("topics are kept by their type")
    }

    pub(crate) fn inboxes(&self) -> Inboxes<E> {
        lock(&self.inboxes).clone()
    }

    pub(crate) fn add(&self, inbox: Arc<Inbox<E>>) {
        let mut inboxes = lock(&self.inboxes);
        *inboxes = inboxes.iter().cloned().chain([inbox]).collect();
        self.version.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn remove(&self, inbox: &Arc<Inbox<E>>) {
        let mut inboxes = lock(&self.inboxes);
        let others = inboxes.iter().filter(|other| !Arc::ptr_eq(other, inbox));
        *inboxes = others.cloned().collect();
        self.version.fetch_add(1, Ordering::Release);
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

    fn wants(&self, peer: &EndpointName) -> bool {
        self.inboxes().iter().any(|inbox| inbox.config.wants(peer))
    }

    fn stage(self: Arc<Self>) -> Box<dyn AnyStage> {
        let mut stage =
            Stage { version: 0, inboxes: Arc::new([]), staged: VecDeque::new(), topic: self };
        stage.refresh();
        Box::new(stage)
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
        inboxes.iter().filter_map(|inbox| inbox.sweep(now, limit)).min()
    }

    fn close(&self) {
        for inbox in self.inboxes().iter() {
            inbox.close(Rest::Keep);
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl<E: Event> Stage<E> {
    /// Takes the list of subscriptions as it is now.
    fn refresh(&mut self) {
        // Read before the list: a change in between is seen the next time.
        self.version = self.topic.version.load(Ordering::Acquire);
        self.inboxes = self.topic.inboxes();
    }

    /// Hands an event to several subscriptions, or to one that may drop it.
    fn spread(
        &self,
        wanting: &[&Arc<Inbox<E>>],
        event: E,
        credit: Credit,
        reply: Option<Arc<Reply>>,
        wakes: &mut Wakes,
    ) {
        let event = Arc::new(event);
        let credit = Arc::new(credit);
        for inbox in wanting {
            if passes(inbox, &event) {
                let charge = match inbox.is_lossless() {
                    true => Charge::Shared(credit.clone()),
                    false => Charge::None,
                };
                let source = Source::Peer(credit.empty());
                let event = Received::shared(event.clone(), source, reply.clone());
                wakes.extend(inbox.push(event, charge));
            }
        }
    }
}

impl<E: Event> AnyStage for Stage<E> {
    fn receive(&mut self, arrival: Arrival<'_>, wakes: &mut Wakes) -> Result<(), PayloadError> {
        let Arrival { inlet, payload, reply } = arrival;
        if self.version != self.topic.version.load(Ordering::Acquire) {
            self.flush(wakes);
            self.refresh();
        }
        let credit = Credit::new(inlet.clone(), charge(payload.len()));
        let max_depth = self.topic.max_depth;
        let origin = inlet.origin();
        if let [inbox] = &self.inboxes[..] {
            if inbox.is_lossless() && inbox.config.wants(origin) {
                let event: E = decode(payload, max_depth)?;
                if passes(inbox, &event) {
                    let event = Received::new(event, Source::Peer(credit), reply);
                    self.staged.push_back(Item::Event(event, Charge::Own));
                }
                return Ok(());
            }
        }
        let wanting = self.inboxes.iter().filter(|inbox| inbox.config.wants(origin));
        let wanting: Vec<_> = wanting.collect();
        if !wanting.is_empty() {
            let event = decode(payload, max_depth)?;
            self.spread(&wanting, event, credit, reply, wakes);
        }
        Ok(())
    }

    fn flush(&mut self, wakes: &mut Wakes) {
        if let [inbox] = &self.inboxes[..] {
            wakes.extend(inbox.push_all(&mut self.staged));
        }
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
