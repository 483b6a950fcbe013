//! The subscriber's side of flow control.

use crate::error::ProtocolError;
use crate::sync::atomic::{AtomicU64, Ordering};

/// The subscriber's side. Shared by the reader, which receives, and the consumers, who release.
#[derive(Debug)]
pub(crate) struct Intake {
    window: u64,
    received: AtomicU64,
    released: AtomicU64,
    // Invariant: `returned <= released <= received`.
    returned: AtomicU64,
}

impl Intake {
    pub(crate) fn new(window: u32) -> Self {
        Self {
            window: u64::from(window).max(1),
            received: AtomicU64::new(0),
            released: AtomicU64::new(0),
            returned: AtomicU64::new(0),
        }
    }

    /// Counts an event that arrived. Only the connection's reader calls this.
    pub(crate) fn receive(&self, bytes: u64) -> Result<(), ProtocolError> {
        if self.room() == 0 {
            let window = self.window;
            return Err(ProtocolError::WindowExceeded { window });
        }
        self.receive_within(bytes);
        Ok(())
    }

    /// Returns how much there is room for. The event that exceeds it is the last that may come.
    pub(crate) fn room(&self) -> u64 {
        let received = self.received.load(Ordering::Relaxed);
        let returned = self.returned.load(Ordering::Relaxed);
        self.window.saturating_sub(received - returned)
    }

    /// Counts events that arrived, for which there was [room](Self::room). Only the connection's
    /// reader calls this.
    pub(crate) fn receive_within(&self, bytes: u64) {
        let received = self.received.load(Ordering::Relaxed);
        self.received.store(received + bytes, Ordering::Relaxed);
    }

    /// Returns what is charged for events that were received and not released.
    pub(crate) fn unconsumed(&self) -> u64 {
        let received = self.received.load(Ordering::Relaxed);
        received.saturating_sub(self.released.load(Ordering::Relaxed))
    }

    /// Returns how much may be consumed before it is [released](Self::release): a small part of what
    /// is given back at once.
    pub(crate) fn worthwhile(&self) -> u64 {
        self.window / 32
    }

    /// Tells whether the producer has no credit left but what is due to it.
    pub(crate) fn is_exhausted(&self) -> bool {
        let received = self.received.load(Ordering::Relaxed);
        let returned = self.returned.load(Ordering::Relaxed);
        received.saturating_sub(returned) >= self.window
    }

    /// Returns all the credit that is due, be it little.
    pub(crate) fn settle(&self) -> Option<u64> {
        let released = self.released.load(Ordering::Relaxed);
        let due = released - self.returned.fetch_max(released, Ordering::Relaxed).min(released);
        (due > 0).then_some(due)
    }

    /// Counts what was consumed. Returns the credit to give back, if there is enough of it.
    pub(crate) fn release(&self, bytes: u64) -> Option<u64> {
        let released = self.released.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let portion = self.window.div_ceil(4);
        let mut returned = self.returned.load(Ordering::Relaxed);
        loop {
            let due = released.saturating_sub(returned);
            if due < portion {
                return None;
            }
            match self.returned.compare_exchange_weak(
                returned,
                released,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Some(due),
                Err(current) => returned = current,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credit_is_returned_in_quarters_of_the_window() {
        let intake = Intake::new(100);
        intake.receive(60).unwrap();
        assert_eq!(intake.release(24), None);
        assert_eq!(intake.release(1), Some(25));
        assert_eq!(intake.release(35), Some(35));
    }

    #[test]
    fn an_event_beyond_the_window_is_the_peers_fault() {
        let intake = Intake::new(100);
        intake.receive(99).unwrap();
        intake.receive(50).unwrap();
        let window = 100;
        assert_eq!(intake.receive(1), Err(ProtocolError::WindowExceeded { window }));
        intake.release(50);
        assert_eq!(intake.receive(1), Ok(()));
    }

    #[test]
    fn little_credit_can_be_returned_all_the_same() {
        let intake = Intake::new(100);
        intake.receive(100).unwrap();
        assert!(intake.is_exhausted());
        assert_eq!(intake.release(10), None);
        assert_eq!(intake.settle(), Some(10));
        assert_eq!(intake.settle(), None);
        assert_eq!(intake.release(24), None);
        assert_eq!(intake.release(1), Some(25));
    }
}
