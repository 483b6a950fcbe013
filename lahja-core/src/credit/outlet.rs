//! The producer's side of flow control.

use std::time::{Duration, Instant};

#[cfg(any(test, fuzzing))]
use super::charge;
use crate::error::ProtocolError;

/// The producer's side.
#[derive(Debug)]
pub(crate) struct Outlet {
    window: u64,
    outstanding: u64,
    // What of it is for events that are not sent yet.
    reserved: u64,
    missed: u64,
    stalled: bool,
    mismatched: bool,
    blocked_since: Option<Instant>,
    parts: Option<Parts>,
}

/// An event that is under way in parts.
#[derive(Debug, Clone, Copy)]
struct Parts {
    // Bytes of it that are not queued yet.
    rest: usize,
    // Where in the connection's output ends what was queued of it.
    end: u64,
}

/// How an [`Outlet`] takes an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// There is room: send it.
    Yes,
    /// There is none: wait for credit.
    Full,
    /// The peer has given no credit for too long: go on without it, and count that as
    /// [missed](Outlet::miss).
    Stalled,
}

impl Outlet {
    pub(crate) fn new(window: u32) -> Self {
        Self {
            window: u64::from(window).max(1),
            outstanding: 0,
            reserved: 0,
            missed: 0,
            stalled: false,
            mismatched: false,
            blocked_since: None,
            parts: None,
        }
    }

    /// Takes room for an event that is charged `bytes`.
    pub(crate) fn take(&mut self, bytes: u64) -> Room {
        if self.stalled {
            return Room::Stalled;
        }
        if self.is_full() || self.exceeds_reservations(bytes) {
            return Room::Full;
        }
        self.outstanding += bytes;
        // A part may wait still.
        if self.parts.is_none() {
            self.blocked_since = None;
        }
        Room::Yes
    }

    /// Returns how much there is room for if events of it alone come next: while less than that is
    /// taken, there is room for another. `None` if an event may have to wait nevertheless.
    pub(crate) fn room(&self) -> Option<u64> {
        let is_free = !self.stalled && self.reserved == 0 && self.parts.is_none();
        self.window.checked_sub(self.outstanding).filter(|&room| is_free && room > 0)
    }

    /// Takes room for events of which each has had [room](Self::room).
    pub(crate) fn take_all(&mut self, bytes: u64) {
        self.outstanding += bytes;
        self.blocked_since = None;
    }

    /// Takes room for an event that is sent later, or not at all.
    pub(crate) fn reserve(&mut self, bytes: u64) -> Room {
        let room = self.take(bytes);
        if room == Room::Yes {
            self.reserved += bytes;
        }
        room
    }

    /// Takes room for an event that is sent in parts, unless another is.
    pub(crate) fn take_for_parts(&mut self, bytes: u64) -> Room {
        match self.parts {
            Some(_) if !self.stalled => Room::Full,
            _ => self.take(bytes),
        }
    }

    /// Begins an event in parts, for which room was taken.
    pub(crate) fn begin(&mut self, total: usize) {
        self.parts = Some(Parts { rest: total, end: 0 });
    }

    /// Returns how many bytes of the event that is under way are not queued yet.
    pub(crate) fn rest(&self) -> Option<usize> {
        self.parts.map(|parts| parts.rest)
    }

    /// Notes that a part of the event is queued, up to `end` of the connection's output. The event
    /// is not under way any more with its last part.
    pub(crate) fn advance(&mut self, len: usize, end: u64) {
        self.blocked_since = None;
        self.parts = self.parts.and_then(|parts| {
            let rest = parts.rest.checked_sub(len).filter(|&rest| rest > 0)?;
            Some(Parts { rest, end })
        });
    }

    /// Gives up the event that is under way. Tells whether there was one. Its room comes back as
    /// credit.
    pub(crate) fn abandon(&mut self) -> bool {
        self.parts.take().is_some()
    }

    /// Tells whether the next part need not wait, since all that was queued before it is among the
    /// `written` bytes that have left.
    pub(crate) fn is_part_due(&self, written: u64) -> bool {
        self.end() <= written
    }

    /// Tells whether somebody has to wait: for room, or with the next part.
    pub(crate) fn is_blocked(&self, written: u64) -> bool {
        self.is_full() || !self.is_part_due(written)
    }

    /// Returns where ends what was queued of the event that is under way.
    pub(crate) fn end(&self) -> u64 {
        self.parts.map_or(0, |parts| parts.end)
    }

    /// Ends the stall of an event in parts, now that the next part may be sent. Returns how many
    /// other events the peer missed.
    pub(crate) fn resume_parts(&mut self, written: u64) -> u64 {
        if self.parts.is_none() || !self.is_part_due(written) {
            return 0;
        }
        self.stalled = false;
        // The peer goes on, whoever waits is told, and waits from now on.
        self.blocked_since = None;
        self.take_missed()
    }

    /// Notes that an event is sent for which there is room.
    pub(crate) fn use_reserved(&mut self, bytes: u64) {
        self.reserved = self.reserved.saturating_sub(bytes);
    }

    /// Counts an event that the consumer cannot read. Tells whether it is the first one.
    pub(crate) fn mismatch(&mut self) -> bool {
        self.missed += 1;
        !std::mem::replace(&mut self.mismatched, true)
    }

    /// Tells whether the consumer could not read an event.
    pub(crate) fn is_mismatched(&self) -> bool {
        self.mismatched
    }

    /// Counts an event that found no room because the peer was stalled. Returns how many are to be
    /// told at once, since it has come back meanwhile.
    pub(crate) fn miss(&mut self) -> u64 {
        self.missed += 1;
        match self.stalled {
            true => 0,
            false => self.take_missed(),
        }
    }

    /// Undoes a [`reserve`](Self::reserve) for an event that is not sent after all.
    pub(crate) fn unreserve(&mut self, bytes: u64) {
        self.use_reserved(bytes);
        // A peer may have returned credit for what it was never sent.
        self.outstanding = self.outstanding.saturating_sub(bytes);
    }

    /// Says that somebody waits for room. Who waits for a stalled peer changes nothing.
    pub(crate) fn wait(&mut self, now: Instant) {
        if !self.stalled {
            self.blocked_since.get_or_insert(now);
        }
    }

    /// Says that nobody waits for room any more.
    pub(crate) fn stop_waiting(&mut self) {
        self.blocked_since = None;
    }

    /// Takes back credit. A stalled peer stays so until [`resume`](Self::resume).
    pub(crate) fn give_back(&mut self, bytes: u64) -> Result<(), ProtocolError> {
        if bytes == 0 {
            return Err(ProtocolError::NoCredit);
        }
        let outstanding = self.outstanding.checked_sub(bytes);
        self.outstanding = outstanding.ok_or(ProtocolError::ExcessCredit { bytes })?;
        self.blocked_since = None;
        Ok(())
    }

    /// Takes back credit. Returns how many events the peer missed, unless it is stalled still.
    pub(crate) fn give(&mut self, bytes: u64) -> Result<u64, ProtocolError> {
        self.give_back(bytes)?;
        Ok(self.resume())
    }

    /// Ends a stall if there is room again. Returns how many events the peer missed, unless it is
    /// stalled still.
    pub(crate) fn resume(&mut self) -> u64 {
        if self.stalled && self.is_full() {
            return 0;
        }
        self.stalled = false;
        self.take_missed()
    }

    /// Returns how many events found no room since this was asked last, whether there is room by
    /// now or not.
    pub(crate) fn take_missed(&mut self) -> u64 {
        std::mem::take(&mut self.missed)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.outstanding >= self.window
    }

    /// Tells whether an event would exceed the window before those that have room in it: were it to
    /// overtake them, the peer would have to refuse them.
    fn exceeds_reservations(&self, bytes: u64) -> bool {
        self.reserved > 0 && self.outstanding + bytes > self.window
    }

    pub(crate) fn is_stalled(&self) -> bool {
        self.stalled
    }

    /// Declares the peer stalled if somebody has waited for `limit` without any credit.
    pub(crate) fn sweep(&mut self, now: Instant, limit: Duration) -> Sweep {
        match self.blocked_since {
            Some(since) if now.saturating_duration_since(since) >= limit => {
                self.blocked_since = None;
                self.stalled = true;
                Sweep::Stalled
            }
            Some(since) => since.checked_add(limit).map_or(Sweep::Idle, Sweep::At),
            None => Sweep::Idle,
        }
    }
}

#[cfg(any(test, fuzzing))]
impl Outlet {
    /// Panics if more was sent than a window and the event that exceeded it.
    pub(crate) fn check(&self, max_frame: usize) {
        assert!(self.outstanding < self.window + charge(max_frame));
        assert!(self.missed == 0 || self.stalled || self.mismatched);
    }

    pub(crate) fn outstanding(&self) -> u64 {
        self.outstanding
    }

    pub(crate) fn window(&self) -> u64 {
        self.window
    }
}

/// What a look at the clock found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sweep {
    /// Nobody waits.
    Idle,
    /// Look again then.
    At(Instant),
    /// The consumer has just been declared stalled.
    Stalled,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_producer_waits_once_the_window_is_used_up() {
        let mut outlet = Outlet::new(100);
        assert_eq!(outlet.take(60), Room::Yes);
        assert_eq!(outlet.take(60), Room::Yes);
        assert_eq!(outlet.take(1), Room::Full);
        assert_eq!(outlet.give(21), Ok(0));
        assert_eq!(outlet.take(1), Room::Yes);
    }

    #[test]
    fn events_that_are_taken_together_have_the_room_of_those_that_are_taken_one_by_one() {
        let mut outlet = Outlet::new(100);
        assert_eq!(outlet.room(), Some(100));
        outlet.take(40);
        assert_eq!(outlet.room(), Some(60));
        outlet.take_all(59);
        assert_eq!(outlet.room(), Some(1));
        outlet.take_all(30);
        assert_eq!((outlet.room(), outlet.take(1)), (None, Room::Full));
        outlet.give(130).unwrap_err();
        outlet.give(129).unwrap();
        outlet.reserve(1);
        assert_eq!(outlet.room(), None);
        outlet.unreserve(1);
        outlet.begin(10);
        assert_eq!(outlet.room(), None);
        // A backlog stalls a topic that has room.
        let (mut outlet, start) = (Outlet::new(100), Instant::now());
        outlet.wait(start);
        assert_eq!(outlet.sweep(start + SECOND, SECOND), Sweep::Stalled);
        assert_eq!(outlet.room(), None);
    }

    #[test]
    fn one_event_may_exceed_the_window() {
        let mut outlet = Outlet::new(100);
        assert_eq!(outlet.take(10_000), Room::Yes);
        assert_eq!(outlet.take(1), Room::Full);
    }

    #[test]
    fn more_credit_than_was_used_is_the_peers_fault() {
        let mut outlet = Outlet::new(100);
        outlet.take(10);
        let bytes = 11;
        assert_eq!(outlet.give(bytes), Err(ProtocolError::ExcessCredit { bytes }));
    }

    #[test]
    fn a_peer_without_credit_for_the_limit_is_stalled_until_it_gives_some() {
        let start = Instant::now();
        let mut outlet = Outlet::new(100);
        outlet.take(100);
        assert_eq!(outlet.sweep(start, SECOND), Sweep::Idle);
        outlet.wait(start);
        outlet.wait(start + SECOND / 2);
        assert_eq!(outlet.sweep(start + SECOND / 2, SECOND), Sweep::At(start + SECOND));
        assert_eq!(outlet.sweep(start + SECOND, SECOND), Sweep::Stalled);
        outlet.wait(start + SECOND);
        assert_eq!(outlet.sweep(start + 3 * SECOND, SECOND), Sweep::Idle);
        assert_eq!(outlet.take(1), Room::Stalled);
        assert_eq!(outlet.miss(), 0);
        assert_eq!(outlet.miss(), 0);
        assert_eq!(outlet.give(50), Ok(2));
        assert_eq!(outlet.miss(), 1);
        assert_eq!(outlet.take(1), Room::Yes);
        assert_eq!(outlet.give(1), Ok(0));
    }

    #[test]
    fn any_credit_restarts_the_clock_of_a_stall() {
        let start = Instant::now();
        let mut outlet = Outlet::new(100);
        outlet.take(1_000);
        outlet.wait(start);
        outlet.give(1).unwrap();
        assert_eq!(outlet.sweep(start + SECOND, SECOND), Sweep::Idle);
        outlet.wait(start + SECOND);
        assert_eq!(outlet.sweep(start + SECOND, SECOND), Sweep::At(start + 2 * SECOND));
    }

    #[test]
    fn room_that_is_found_ends_the_wait() {
        let start = Instant::now();
        let mut outlet = Outlet::new(100);
        outlet.wait(start);
        assert_eq!(outlet.take(1), Room::Yes);
        assert_eq!(outlet.sweep(start + SECOND, SECOND), Sweep::Idle);
    }
}
