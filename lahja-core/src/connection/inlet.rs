//! What arrives of one topic on one connection, and the credit that goes back for it.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::Connection;
use crate::credit::{Intake, charge};
use crate::error::ProtocolError;
use crate::limits::Limits;
use crate::name::EndpointName;
use crate::session::{MAX_SPARE, Slot};
use crate::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
    lock,
};
use crate::topic::AnyTopic;

/// What we receive of one topic from one peer.
pub(crate) struct Inlet {
    pub(super) slot: Slot,
    pub(super) topic: Arc<dyn AnyTopic>,
    pub(super) intake: Intake,
    // When little credit was returned last, and how long to wait before the next time.
    returned: Mutex<Instant>,
    patience: Duration,
    origin: EndpointName,
    // Whether the peer has said that it defines the topic otherwise.
    is_mismatched: AtomicBool,
    // An event that a user keeps does not keep the connection.
    connection: Weak<Connection>,
}

impl Inlet {
    pub(super) fn new(
        slot: Slot,
        topic: Arc<dyn AnyTopic>,
        connection: &Arc<Connection>,
        limits: &Limits,
    ) -> Self {
        Self {
            slot,
            topic,
            intake: Intake::new(limits.window),
            returned: Mutex::new(connection.now()),
            patience: limits.stalled_after / 8,
            origin: connection.peer().name.clone(),
            is_mismatched: AtomicBool::new(false),
            connection: Arc::downgrade(connection),
        }
    }

    pub(crate) fn origin(&self) -> &EndpointName {
        &self.origin
    }

    /// Notes that the peer defines the topic otherwise. Tells whether that is new.
    pub(super) fn mismatch(&self) -> bool {
        !self.is_mismatched.swap(true, Ordering::Relaxed)
    }

    pub(super) fn is_mismatched(&self) -> bool {
        self.is_mismatched.load(Ordering::Relaxed)
    }

    /// Counts an event that has come, or has begun to, with a payload of `len` bytes.
    pub(super) fn receive(&self, len: usize) -> Result<(), ProtocolError> {
        self.intake.receive(charge(len))
    }

    /// Returns how much there is room for. The event that exceeds it is the last that may come.
    pub(super) fn room(&self) -> u64 {
        self.intake.room()
    }

    /// Counts events that have come, for which there was [room](Self::room).
    pub(super) fn receive_within(&self, bytes: u64) {
        self.intake.receive_within(bytes);
    }

    /// Keeps the memory of an event that came in parts for the next one.
    pub(crate) fn keep_spare(&self, bytes: Vec<u8>) {
        if bytes.capacity() > MAX_SPARE {
            return;
        }
        if let Some(connection) = self.connection.upgrade() {
            drop(connection.queue(|session| session.keep_spare(bytes)));
        }
    }

    /// Returns credit for what was consumed, when there is enough of it.
    pub(crate) fn release(&self, bytes: u64) {
        let credit = self.intake.release(bytes);
        if credit.is_none() && !self.intake.is_exhausted() {
            return;
        }
        let Some(connection) = self.connection.upgrade() else { return };
        if let Some(credit) = credit.or_else(|| self.overdue(connection.now())) {
            connection.update(|session| session.push_credit(self.slot, credit));
        }
    }

    /// Returns credit for what was consumed if it is much, or if the producer has none left.
    ///
    /// To gather it until then costs nothing but a count.
    pub(crate) fn release_worthwhile(&self, bytes: &mut u64) {
        if *bytes >= self.intake.worthwhile() || self.intake.is_exhausted() {
            self.release(std::mem::take(bytes));
        }
    }

    /// Returns what credit there is, be it little, if a producer that has none left has waited for it
    /// for long: it would take a consumer that is slow for one that consumes nothing.
    fn overdue(&self, now: Instant) -> Option<u64> {
        let mut returned = lock(&self.returned);
        if now.saturating_duration_since(*returned) < self.patience {
            return None;
        }
        *returned = now;
        self.intake.settle()
    }
}
