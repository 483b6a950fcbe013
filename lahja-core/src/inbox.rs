//! The bounded queue of one subscription, and what happens when it is full.

mod charge;
mod packed;
mod queue;
mod whole;

use std::collections::VecDeque;
use std::sync::{Arc, TryLockError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use event_listener::{Event as Notify, EventListener};

use crate::credit::Room;
use crate::event::Received;
use crate::name::EndpointName;
use crate::sync::{
    Brief, BriefGuard, Mutex,
    atomic::{AtomicBool, Ordering},
    lock,
};

pub(crate) use charge::{Charge, Credit};
pub(crate) use packed::{MAX_PACKED, Packed, Row, Unpacking};
pub(crate) use whole::Whole;

use charge::LocalRoom;
use queue::Queue;

/// What happens to events that arrive faster than a subscription consumes them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Overflow {
    /// Nothing is lost: the producer's broadcast waits. The bound is a window of bytes per
    /// producer ([`Limits::window`](crate::Limits::window)), and the capacity for events of the
    /// endpoint itself.
    #[default]
    Wait,
    /// The oldest queued event is dropped. The bound is the capacity, and
    /// [`Limits::queue`](crate::Limits::queue) in bytes.
    DropOldest,
    /// The arriving event is dropped. The bound is the same.
    DropNewest,
    /// Only the newest event is kept, whatever the capacity.
    Latest,
}

/// Says that a subscription lost this many events, at this position among the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{0} events were lost")]
pub struct Lagged(pub u64);

/// A predicate of the user's.
pub(crate) type Filter<E> = Box<dyn Fn(&E) -> bool + Send + Sync>;

/// What one subscription asked for.
pub(crate) struct Config<E> {
    /// The endpoints whose events are wanted; none means all.
    pub(crate) origins: Vec<Box<str>>,
    pub(crate) filter: Option<Filter<E>>,
    pub(crate) capacity: usize,
    /// What is queued at most where some may be dropped, in bytes; one event may exceed it.
    pub(crate) bytes: usize,
    pub(crate) overflow: Overflow,
}

impl<E> Config<E> {
    pub(crate) fn wants(&self, origin: &EndpointName) -> bool {
        self.origins.is_empty() || self.origins.iter().any(|wanted| **wanted == *origin.as_str())
    }
}

/// The queue of one subscription.
pub(crate) struct Inbox<E> {
    pub(crate) config: Config<E>,
    queue: Brief<Queue<E>>,
    // Whether what was taken and not yet consumed is to be dropped, too.
    discarded: AtomicBool,
    discarding: Notify,
    // Room for events of the endpoint itself; used only if nothing may be lost.
    room: Arc<LocalRoom>,
}

/// What a reader of an endpoint holds while it queues a batch for several subscriptions, so that
/// whoever sees a part of the batch sees all of it.
pub(crate) type Gate = Arc<Mutex<()>>;

/// One entry of a queue.
pub(crate) enum Entry<E> {
    Item(Item<E>),
    /// Events of one peer, to be decoded. There are none where some may be dropped.
    Packed(Packed),
    /// A large event of a peer, to be decoded likewise.
    Whole(Whole),
}

/// What a consumer gets.
pub(crate) enum Item<E> {
    /// An event, and what its place costs until it is consumed.
    Event(Received<E>, Charge),
    Lagged(Lagged),
}

impl<E> Entry<E> {
    fn lagged(count: u64) -> Self {
        Self::Item(Item::Lagged(Lagged(count)))
    }
}

impl<E> Item<E> {
    /// Takes the event out and gives back what its place cost.
    pub(crate) fn consume(self) -> Result<Received<E>, Lagged> {
        self.hold().map(|(event, _given_back)| event)
    }

    /// Takes the event out, to be consumed when the charge is dropped.
    pub(crate) fn hold(self) -> Result<(Received<E>, Charge), Lagged> {
        match self {
            Self::Event(event, charge) => Ok((event, charge)),
            Self::Lagged(lagged) => Err(lagged),
        }
    }
}

impl<E> Inbox<E> {
    pub(crate) fn new(config: Config<E>) -> Self {
        let window = u32::try_from(config.capacity).unwrap_or(u32::MAX);
        Self {
            config,
            queue: Brief::new(Queue {
                entries: VecDeque::new(),
                gate: None,
                events: 0,
                bytes: 0,
                waker: None,
                closed: false,
            }),
            discarded: AtomicBool::new(false),
            discarding: Notify::new(),
            room: Arc::new(LocalRoom::new(window)),
        }
    }

    pub(crate) fn is_lossless(&self) -> bool {
        self.config.overflow == Overflow::Wait
    }

    /// Takes a place for an event of the endpoint itself.
    pub(crate) fn reserve(&self) -> Result<Charge, Room> {
        if !self.is_lossless() {
            return Ok(Charge::Queued(size_of::<E>()));
        }
        let (charge, missed) = self.room.take()?;
        self.lagged(missed);
        Ok(charge)
    }

    /// Counts an event of the endpoint itself that finds no place because the consumer is stalled.
    pub(crate) fn miss(&self) {
        self.lagged(self.room.miss());
    }

    /// Says that somebody waits for a place, and listens for it.
    pub(crate) fn listen(&self, now: Instant) -> EventListener {
        self.room.listen(now)
    }

    pub(crate) fn sweep(&self, now: Instant, limit: Duration) -> Option<Instant> {
        self.room.sweep(now, limit)
    }

    /// Queues an event, or drops one as the subscription asked. Returns whom to wake.
    pub(crate) fn push(&self, event: Received<E>, charge: Charge) -> Option<Waker> {
        let Config { capacity, bytes, overflow, .. } = self.config;
        let size = charge.bytes();
        let is_full = |queue: &Queue<E>| {
            let fits = queue.bytes + size <= bytes || queue.events == 0;
            queue.events >= capacity.max(1) || !fits
        };
        let mut queue = self.queue.lock();
        // What is dropped is the user's type: its destructor does not run under the lock.
        loop {
            if queue.closed {
                drop(queue);
                return None;
            }
            let has_to_go = match overflow {
                Overflow::DropOldest => is_full(&queue),
                Overflow::Latest => queue.events > 0,
                Overflow::Wait | Overflow::DropNewest => false,
            };
            if !has_to_go {
                break;
            }
            let dropped = queue.drop_first();
            drop(queue);
            drop(dropped);
            queue = self.queue.lock();
        }
        if overflow == Overflow::DropNewest && is_full(&queue) {
            queue.lag_last(1);
            let waker = queue.waker.take();
            drop(queue);
            return waker;
        }
        queue.push(event, charge);
        queue.waker.take()
    }

    /// Queues events where nothing may be lost, unless the queue is closed; with the gate of a batch
    /// of which they are a part. Returns whom to wake.
    pub(crate) fn push_all(
        &self,
        batch: &mut VecDeque<Entry<E>>,
        gate: Option<&Gate>,
    ) -> Option<Waker> {
        if batch.is_empty() {
            return None;
        }
        debug_assert!(self.is_lossless());
        let mut queue = self.queue.lock();
        if queue.closed {
            return None;
        }
        if let Some(gate) = gate {
            queue.gate = Some(gate.clone());
        }
        if queue.entries.is_empty() {
            std::mem::swap(&mut queue.entries, batch);
        } else {
            queue.entries.append(batch);
        }
        queue.waker.take()
    }

    /// Returns how many events are queued.
    pub(crate) fn queued(&self) -> usize {
        let count = |entry: &Entry<E>| match entry {
            Entry::Item(Item::Event(..)) => 1,
            Entry::Item(_) => 0,
            Entry::Packed(packed) => packed.count(),
            Entry::Whole(_) => 1,
        };
        self.queue.lock().entries.iter().map(count).sum()
    }

    /// Notes that events were lost before they came here.
    pub(crate) fn lagged(&self, count: u64) {
        if count == 0 {
            return;
        }
        let mut queue = self.queue.lock();
        if !queue.closed {
            queue.lag_last(count);
            let waker = queue.waker.take();
            drop(queue);
            waker.inspect(Waker::wake_by_ref);
        }
    }

    /// Moves what is queued to `batch`, which is empty: everything if nothing may be lost, else
    /// the first entry, so that what waits can still be dropped. Ready with `false` at the end.
    pub(crate) fn poll_take(
        &self,
        batch: &mut VecDeque<Entry<E>>,
        context: &mut Context<'_>,
    ) -> Poll<bool> {
        let mut queue = self.lock_settled();
        if queue.entries.is_empty() {
            // The next event, which may never come, is not what tells of those before it.
            self.add_missed(&mut queue);
        }
        if queue.entries.is_empty() {
            if queue.closed {
                return Poll::Ready(false);
            }
            match &mut queue.waker {
                Some(waker) => waker.clone_from(context.waker()),
                None => queue.waker = Some(context.waker().clone()),
            }
            return Poll::Pending;
        }
        if self.is_lossless() {
            std::mem::swap(&mut queue.entries, batch);
        } else {
            batch.extend(queue.pop());
        }
        Poll::Ready(true)
    }

    /// Locks the queue while no batch is under way of which it has a part.
    fn lock_settled(&self) -> BriefGuard<'_, Queue<E>> {
        loop {
            let mut queue = self.queue.lock();
            let Some(gate) = queue.gate.take() else { return queue };
            // The reader has the gate before it takes the lock of a queue, so do not wait here.
            if !matches!(gate.try_lock(), Err(TryLockError::WouldBlock)) {
                return queue;
            }
            queue.gate = Some(gate.clone());
            drop(queue);
            drop(lock(&gate));
        }
    }

    /// Notes the endpoint's own events that found no place.
    fn add_missed(&self, queue: &mut Queue<E>) {
        // The lock of the room is taken under that of the queue, never the other way round.
        let missed = self.room.take_missed();
        if missed > 0 && !queue.closed {
            queue.lag_last(missed);
        }
    }

    /// Ends the queue. Nothing more comes in; what becomes of what is in it, `rest` says.
    pub(crate) fn close(&self, rest: Rest) {
        if rest == Rest::Discard {
            self.discarded.store(true, Ordering::Release);
            self.discarding.notify(usize::MAX);
        }
        let mut queue = self.queue.lock();
        self.add_missed(&mut queue);
        queue.closed = true;
        let waker = queue.waker.take();
        let entries = match rest {
            Rest::Keep => VecDeque::new(),
            Rest::Discard => std::mem::take(&mut queue.entries),
        };
        drop(queue);
        drop(entries);
        waker.inspect(Waker::wake_by_ref);
        self.room.notify();
    }

    pub(crate) fn is_discarded(&self) -> bool {
        self.discarded.load(Ordering::Acquire)
    }

    /// Waits until what was taken and not yet consumed is to be dropped.
    pub(crate) async fn until_discarded(&self) {
        while !self.is_discarded() {
            let discarding = self.discarding.listen();
            if !self.is_discarded() {
                discarding.await;
            }
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.queue.lock().closed
    }
}

/// What becomes of the events in a queue that is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    Keep,
    Discard,
}

#[cfg(test)]
mod tests;
