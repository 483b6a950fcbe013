//! What a queued event costs: room that is given back when the event is consumed.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use event_listener::{Event, EventListener};

use crate::connection::Inlet;
use crate::credit::{Outlet, Room, Sweep};
use crate::sync::{Mutex, lock};

/// What an event costs somebody until it is consumed. Dropping it gives the room back, wherever
/// that happens.
pub(crate) enum Charge {
    /// So many bytes of the queue's own, which drops events when it is full.
    Queued(usize),
    /// Credit of a peer.
    Remote(#[expect(dead_code, reason = "held for its drop")] Credit),
    /// Credit of a peer that several queues hold; the slowest gives it back.
    Shared(#[expect(dead_code, reason = "held for its drop")] Arc<Credit>),
    /// A place that an event of the endpoint itself takes.
    Local(#[expect(dead_code, reason = "held for its drop")] LocalCharge),
}

impl Charge {
    /// Returns how many bytes of the queue's own it is.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Queued(bytes) => *bytes,
            _ => 0,
        }
    }
}

impl fmt::Debug for Charge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Charge")
    }
}

/// Credit of a peer that an event used. Dropping it gives it back.
pub(crate) struct Credit {
    inlet: Arc<Inlet>,
    bytes: u64,
}

impl Credit {
    pub(crate) fn new(inlet: Arc<Inlet>, bytes: u64) -> Self {
        Self { inlet, bytes }
    }
}

impl Drop for Credit {
    fn drop(&mut self) {
        self.inlet.release(self.bytes);
    }
}

/// The place that one event of the endpoint itself takes in a queue.
pub(crate) struct LocalCharge {
    room: Arc<LocalRoom>,
}

impl Drop for LocalCharge {
    fn drop(&mut self) {
        self.room.give();
    }
}

/// Places for events of the endpoint itself, with the same rules as credit for those of others.
pub(super) struct LocalRoom {
    outlet: Mutex<Outlet>,
    freed: Event,
}

impl LocalRoom {
    pub(super) fn new(window: u32) -> Self {
        Self { outlet: Mutex::new(Outlet::new(window)), freed: Event::new() }
    }

    /// Takes a place. Also returns how many events found none while the consumer was stalled.
    pub(super) fn take(self: &Arc<Self>) -> Result<(Charge, u64), Room> {
        let mut outlet = lock(&self.outlet);
        let missed = outlet.resume();
        match outlet.take(1) {
            Room::Yes => Ok((Charge::Local(LocalCharge { room: self.clone() }), missed)),
            room => {
                // Events are missed while the consumer is stalled, which ends when there is room.
                debug_assert_eq!(missed, 0);
                Err(room)
            }
        }
    }

    /// Counts an event that found no place. Returns how many are to be told at once.
    pub(super) fn miss(&self) -> u64 {
        lock(&self.outlet).miss()
    }

    /// Returns how many events found no place, for a consumer who is to be told now.
    pub(super) fn take_missed(&self) -> u64 {
        lock(&self.outlet).take_missed()
    }

    pub(super) fn listen(&self, now: Instant) -> EventListener {
        let listener = self.freed.listen();
        lock(&self.outlet).wait(now);
        listener
    }

    pub(super) fn sweep(&self, now: Instant, limit: Duration) -> Option<Instant> {
        let swept = lock(&self.outlet).sweep(now, limit);
        match swept {
            Sweep::Idle => None,
            Sweep::At(at) => Some(at),
            Sweep::Stalled => {
                self.notify();
                None
            }
        }
    }

    /// Tells whoever waits for a place to look again.
    pub(super) fn notify(&self) {
        self.freed.notify(usize::MAX);
    }

    fn give(&self) {
        let given = lock(&self.outlet).give_back(1);
        debug_assert!(given.is_ok(), "more places freed than taken");
        self.notify();
    }
}
