//! The subscriptions that one endpoint has for one type of event.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::connection::Inlet;
use crate::credit::{Room, charge};
use crate::error::PayloadError;
use crate::event::{Event, Received, ResponseType};
use crate::inbox::{Charge, Credit, Entry, Gate, Inbox, Item, Packed, Rest, Whole};
use crate::name::EndpointName;
use crate::payload;
use crate::reply::Reply;
use crate::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
    lock,
};

/// Consumers to wake once a batch of frames is dispatched.
pub(crate) type Wakes = Vec<Waker>;

/// The subscriptions for events of type `E`.
pub(crate) struct Topic<E> {
    inboxes: Mutex<Inboxes<E>>,
    // Counts the changes of the list.
    version: AtomicU64,
    max_depth: usize,
    fingerprint: Result<u64, PayloadError>,
}

/// The queues that take part in one delivery. A change replaces the list.
pub(crate) type Inboxes<E> = Arc<[Arc<Inbox<E>>]>;

/// Where a reader puts the events of one topic of one connection until its batch is done.
pub(crate) trait AnyStage: Send {
    /// Tells whether nobody has subscribed or gone since [`refresh`](Self::refresh).
    fn is_current(&self) -> bool;

    /// Looks again at who is subscribed, while nothing is staged.
    fn refresh(&mut self);

    /// Tells whether events that ask for nothing can be [packed](Packed) until the next
    /// [`flush`](Self::flush).
    fn packs(&self) -> bool;

    /// Stages events that were packed.
    fn stage_packed(&mut self, packed: Packed);

    /// Queues an event wherever it is wanted, at the next [`flush`](Self::flush) at the latest.
    /// An error is that of decoding it, if that was not left to who consumes it. The right to an
    /// answer is left where it is then.
    fn receive(
        &mut self,
        payload: &[u8],
        reply: &mut Option<Arc<Reply>>,
        wakes: &mut Wakes,
    ) -> Result<(), PayloadError>;

    /// As [`receive`](Self::receive), of a payload that is long enough to be handed on as it is.
    fn receive_whole(
        &mut self,
        payload: Vec<u8>,
        reply: &mut Option<Arc<Reply>>,
        wakes: &mut Wakes,
    ) -> Result<(), PayloadError>;

    /// Queues what is staged; with the gate of a batch of which it is a part.
    fn flush(&mut self, wakes: &mut Wakes, gate: Option<&Gate>);

    /// Drops what is still staged after [`flush`](Self::flush), since nobody wants it any more.
    fn discard(&mut self);
}

/// The stage for events of type `E`.
///
/// The common case, one subscription that loses nothing, is staged: one lock and one wake-up for
/// a batch, which is decoded where it is consumed. Whatever else there is gets its events at once.
struct Stage<E: Event> {
    topic: Arc<Topic<E>>,
    inlet: Arc<Inlet>,
    version: u64,
    // As they were when the last event came. One that has ended since is let go with the next event
    // or with the stage, at the latest when nobody here wants the topic any more.
    inboxes: Inboxes<E>,
    way: Way,
    // Invariant: empty unless `inboxes` is one lossless inbox, whose they are.
    staged: VecDeque<Entry<E>>,
}

/// How events go to the subscriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// To several, or to one that may drop them.
    Spread,
    /// To one that loses nothing, as far as its predicate agrees.
    Staged,
    /// To one that loses nothing and takes all.
    Packed,
}

/// A [`Topic`] whose type is known to itself alone.
pub(crate) trait AnyTopic: Send + Sync {
    /// Returns the topic's name on the wire.
    fn name(&self) -> &'static str;

    /// Returns the fingerprint of the topic's type, or why it cannot be encoded.
    fn fingerprint(&self) -> Result<u64, PayloadError>;

    /// Returns the wire name of the answer, if the events are requests.
    fn response(&self) -> Option<&'static str>;

    /// Tells whether a subscription wants events of this peer.
    fn wants(&self, peer: &EndpointName) -> bool;

    /// Returns what a connection's reader needs to hand what comes in there to the subscriptions.
    fn stage(self: Arc<Self>, inlet: Arc<Inlet>) -> Box<dyn AnyStage>;

    /// Notes that a peer left out events.
    fn lagged(&self, peer: &EndpointName, count: u64);

    /// Looks for subscriptions that consume nothing. Returns when to look again.
    fn sweep(&self, now: Instant, limit: Duration) -> Option<Instant>;

    /// Returns how many events wait in the subscriptions.
    fn queued(&self) -> usize;

    /// Ends every subscription.
    fn close(&self);

    fn as_any(&self) -> &dyn Any;
}

impl<E: Event> Topic<E> {
    pub(crate) fn new(max_depth: usize, fingerprint: Result<u64, PayloadError>) -> Self {
        let inboxes = Mutex::new(Arc::new([]) as _);
        Self { inboxes, version: AtomicU64::new(0), max_depth, fingerprint }
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

impl<E: Event> AnyTopic for Topic<E> {
    fn name(&self) -> &'static str {
        E::NAME
    }

    fn fingerprint(&self) -> Result<u64, PayloadError> {
        self.fingerprint.clone()
    }

    fn response(&self) -> Option<&'static str> {
        E::RESPONSE.map(ResponseType::name)
    }

    fn wants(&self, peer: &EndpointName) -> bool {
        self.inboxes().iter().any(|inbox| inbox.config.wants(peer))
    }

    fn stage(self: Arc<Self>, inlet: Arc<Inlet>) -> Box<dyn AnyStage> {
        let mut stage = Stage {
            topic: self,
            inlet,
            version: 0,
            inboxes: Arc::new([]),
            way: Way::Spread,
            staged: VecDeque::new(),
        };
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

    fn queued(&self) -> usize {
        self.inboxes().iter().map(|inbox| inbox.queued()).sum()
    }

    fn close(&self) {
        // Whoever still knows the topic does not keep what users gave to its subscriptions.
        let inboxes = std::mem::replace(&mut *lock(&self.inboxes), Arc::new([]));
        self.version.fetch_add(1, Ordering::Release);
        for inbox in inboxes.iter() {
            inbox.close(Rest::Keep);
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl<E: Event> Stage<E> {
    /// Stages an event where the only subscription wants it.
    fn stage(
        &mut self,
        payload: &[u8],
        reply: &mut Option<Arc<Reply>>,
    ) -> Result<(), PayloadError> {
        let [inbox] = &self.inboxes[..] else {
            unreachable!("events are staged for one subscription");
        };
        let credit = self.credit(payload);
        let event: E = payload::decode(payload, self.topic.max_depth)?;
        if passes(inbox, &event) {
            let event = Received::new(event, self.inlet.origin().clone(), reply.take());
            self.staged.push_back(Entry::Item(Item::Event(event, Charge::Remote(credit))));
        }
        Ok(())
    }

    /// Hands an event to every subscription that wants it.
    fn spread(
        &self,
        payload: &[u8],
        reply: &Option<Arc<Reply>>,
        wakes: &mut Wakes,
    ) -> Result<(), PayloadError> {
        let credit = self.credit(payload);
        let origin = self.inlet.origin();
        let wanting = self.inboxes.iter().filter(|inbox| inbox.config.wants(origin));
        let wanting: Vec<_> = wanting.collect();
        if wanting.is_empty() {
            return Ok(());
        }
        let event: Arc<E> = Arc::new(payload::decode(payload, self.topic.max_depth)?);
        let credit = Arc::new(credit);
        for inbox in wanting {
            if passes(inbox, &event) {
                let charge = match inbox.is_lossless() {
                    true => Charge::Shared(credit.clone()),
                    false => Charge::Queued(payload.len()),
                };
                let event = Received::shared(event.clone(), origin.clone(), reply.clone());
                wakes.extend(inbox.push(event, charge));
            }
        }
        Ok(())
    }

    fn credit(&self, payload: &[u8]) -> Credit {
        Credit::new(self.inlet.clone(), charge(payload.len()))
    }
}

impl<E: Event> AnyStage for Stage<E> {
    fn is_current(&self) -> bool {
        self.version == self.topic.version.load(Ordering::Acquire)
    }

    fn refresh(&mut self) {
        debug_assert!(self.staged.is_empty());
        // Read before the list: a change in between is seen the next time.
        self.version = self.topic.version.load(Ordering::Acquire);
        self.inboxes = self.topic.inboxes();
        self.way = match &self.inboxes[..] {
            [inbox] if inbox.is_lossless() && inbox.config.wants(self.inlet.origin()) => {
                match inbox.config.filter {
                    Some(_) => Way::Staged,
                    None => Way::Packed,
                }
            }
            _ => Way::Spread,
        };
    }

    fn packs(&self) -> bool {
        self.way == Way::Packed
    }

    fn stage_packed(&mut self, packed: Packed) {
        self.staged.push_back(Entry::Packed(packed));
    }

    fn receive(
        &mut self,
        payload: &[u8],
        reply: &mut Option<Arc<Reply>>,
        wakes: &mut Wakes,
    ) -> Result<(), PayloadError> {
        match self.way {
            Way::Packed | Way::Staged => self.stage(payload, reply),
            Way::Spread => self.spread(payload, reply, wakes),
        }
    }

    fn receive_whole(
        &mut self,
        payload: Vec<u8>,
        reply: &mut Option<Arc<Reply>>,
        wakes: &mut Wakes,
    ) -> Result<(), PayloadError> {
        if !self.packs() {
            let received = self.receive(&payload, reply, wakes);
            self.inlet.keep_spare(payload);
            return received;
        }
        let whole = Whole::new(self.inlet.clone(), self.topic.max_depth, payload, reply.take());
        self.staged.push_back(Entry::Whole(whole));
        Ok(())
    }

    fn flush(&mut self, wakes: &mut Wakes, gate: Option<&Gate>) {
        if let [inbox] = &self.inboxes[..] {
            wakes.extend(inbox.push_all(&mut self.staged, gate));
        }
    }

    fn discard(&mut self) {
        self.staged.clear();
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
        Err(Room::Stalled) => {
            inbox.miss();
            Offer::Taken
        }
        Err(_) => Offer::Taken,
    }
}
