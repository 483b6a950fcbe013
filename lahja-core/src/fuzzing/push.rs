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
    /// The event that is under way in parts.
    pub(super) parts: Option<Parts>,
}

/// An event that is under way in parts.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) request: Option<u64>,
    pub(super) total: usize,
    pub(super) queued: Vec<u8>,
    /// Whether the last of them has left.
    pub(super) has_left: bool,
}

impl Route {
    pub(super) fn new(slot: Slot, window: u64) -> Self {
        Self {
            slot,
            window,
            outstanding: 0,
            reserved: Vec::new(),
            count: 0,
            missed: 0,
            parts: None,
        }
    }

    fn is_full(&self) -> bool {
        self.outstanding >= self.window
    }

    fn waits_with_a_part(&self) -> bool {
        self.parts.as_ref().is_some_and(|parts| !parts.has_left)
    }

    /// Notes that everything that was queued has left.
    pub(super) fn wrote(&mut self) {
        self.parts.iter_mut().for_each(|parts| parts.has_left = true);
    }

    /// Checks what a session said to the beginning of an event, and notes it.
    pub(super) fn judge_begin(&mut self, push: Push, is: Circumstances, request: Option<u64>) {
        if push == Push::Full && self.parts.is_some() {
            return;
        }
        is.judge(push, self);
        if push == Push::Queued {
            assert!(self.parts.is_none(), "two events are under way");
            let queued = Vec::new();
            self.parts = Some(Parts { request, total: is.len, queued, has_left: true });
        }
    }

    /// Checks what a session said to a part, and notes it. Returns the event if it was the last.
    pub(super) fn judge_part(
        &mut self,
        push: Push,
        is: Circumstances,
        part: &[u8],
    ) -> Option<Parts> {
        let mut parts = self.parts.take().expect("it is under way");
        let is_last = parts.queued.len() + part.len() == parts.total;
        let has_to_wait = is.is_request && is_last && is.is_asking_all;
        let agrees = match push {
            Push::Queued => !is.has_ended && !is.is_backlogged && parts.has_left && !has_to_wait,
            Push::Full => is.is_backlogged || !parts.has_left || has_to_wait,
            Push::Missed => !is.has_ended,
            Push::Gone => is.has_ended,
            Push::TooLarge => false,
        };
        assert!(agrees, "{push:?}, {is:?}, {parts:?}");
        match push {
            Push::Queued => {
                parts.queued.extend(part);
                parts.has_left = false;
                if is_last {
                    self.count += 1;
                    return Some(parts);
                }
            }
            Push::Missed => {
                let count = u64::from(!is.is_request);
                self.count += count;
                self.missed += count;
                return None;
            }
            _ => {}
        }
        self.parts = Some(parts);
        None
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
            Push::Full => {
                is_blocked
                    || is_asking_all
                    || self.exceeds_reservations(route)
                    || self.is_request && route.waits_with_a_part()
            }
            // A part that does not leave stalls the topic, too.
            Push::Missed => {
                !self.has_ended && !self.is_request && (is_blocked || route.waits_with_a_part())
            }
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
