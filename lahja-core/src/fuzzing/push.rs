//! What a session may say to an event that it is given.

use crate::credit::charge;
use crate::session::{MAX_HEADER, Push, Slot};

/// One topic of the peer, as its producer knows it.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) slot: Slot,
    pub(super) window: u64,
    /// What was sent or reserved, and not given back.
    pub(super) outstanding: u64,
    /// The payloads of events for which there is room, and which were not sent yet.
    pub(super) reserved: Vec<Vec<u8>>,
    /// How many events were sent or missed.
    pub(super) count: u64,
    /// How many were missed since the peer was told last.
    pub(super) missed: u64,
}

impl Route {
    pub(super) fn new(slot: Slot, window: u64) -> Self {
        Self { slot, window, outstanding: 0, reserved: Vec::new(), count: 0, missed: 0 }
    }

    fn is_full(&self) -> bool {
        self.outstanding >= self.window
    }
}

/// What matters to an event besides its topic.
#[derive(Debug, Clone, Copy)]
pub(super) struct Circumstances {
    pub(super) len: usize,
    pub(super) max_frame: usize,
    pub(super) is_request: bool,
    pub(super) has_ended: bool,
    pub(super) is_backlogged: bool,
    /// Whether there are as many requests as the peer allows.
    pub(super) is_asking_all: bool,
}

impl Circumstances {
    /// Checks what a session said to an event for a topic that the peer wants, and counts it.
    pub(super) fn judge(self, push: Push, route: &mut Route) {
        let is_blocked = self.is_backlogged || route.is_full();
        let is_asking_all = self.is_request && self.is_asking_all;
        let agrees = match push {
            Push::Queued => !self.has_ended && !is_blocked && !is_asking_all && self.fits(),
            // An event that would exceed the window has to wait for those that are reserved.
            Push::Full => is_blocked || is_asking_all || self.exceeds_reservations(route),
            Push::Missed => !self.has_ended && !self.is_request && is_blocked,
            Push::Gone => self.has_ended,
            Push::TooLarge => !self.fits(),
        };
        assert!(agrees, "{push:?}, {self:?}, {route:?}");
        match push {
            Push::Queued => route.outstanding += charge(self.len),
            Push::Missed => {
                route.count += 1;
                route.missed += 1;
            }
            _ => {}
        }
    }

    fn exceeds_reservations(self, route: &Route) -> bool {
        !route.reserved.is_empty() && route.outstanding + charge(self.len) > route.window
    }

    fn fits(self) -> bool {
        self.len + MAX_HEADER <= self.max_frame
    }
}
