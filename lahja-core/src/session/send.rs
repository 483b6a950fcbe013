//! Sending events: room, credit and stalls of the topics that the peer announced.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Push, Session, Slot};
use crate::credit::{Outlet, Room, Sweep, charge};
use crate::message::Message;

/// How much may be queued: another event while some of both is left.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowance {
    /// As events are charged.
    pub(crate) credit: u64,
    pub(crate) bytes: usize,
}

impl Allowance {
    pub(crate) const MAX: Self = Self { credit: u64::MAX, bytes: usize::MAX };

    /// Returns what two allow.
    pub(crate) fn and(self, other: Self) -> Self {
        let Self { credit, bytes } = other;
        Self { credit: self.credit.min(credit), bytes: self.bytes.min(bytes) }
    }
}

impl Session {
    /// Queues an event, or a request with its id, for a topic of the peer.
    #[inline(always)]
    pub(crate) fn push_event(&mut self, slot: Slot, request: Option<u64>, payload: &[u8]) -> Push {
        if request.is_some() && self.request_has_to_wait(slot) {
            return Push::Full;
        }
        let room = self.take_room(slot, payload.len(), Outlet::take);
        match room {
            Push::Queued => {
                self.asked.extend(request);
                self.push_unchecked(slot, request, payload);
            }
            Push::Missed => self.miss(slot),
            _ => {}
        }
        room
    }

    /// Tells whether a request has to wait for others to end, or for a stall: it is not counted as
    /// missed, but waits until its time is up.
    pub(super) fn request_has_to_wait(&mut self, slot: Slot) -> bool {
        let is_asking_all = self.is_asking_all();
        let (backlogged, written) = (self.is_backlogged(), self.written);
        let Some(outlet) = self.outlet(slot) else {
            return false;
        };
        is_asking_all || outlet.is_stalled() && (backlogged || outlet.is_blocked(written))
    }

    /// Takes room for an event without sending it yet, or without counting it as missed yet.
    pub(crate) fn reserve(&mut self, slot: Slot, payload_len: usize) -> Push {
        let room = self.take_room(slot, payload_len, Outlet::reserve);
        if room == Push::Queued {
            self.reserved += payload_len;
        }
        room
    }

    #[inline(always)]
    pub(super) fn take_room(
        &mut self,
        slot: Slot,
        payload_len: usize,
        take: impl FnOnce(&mut Outlet, u64) -> Room,
    ) -> Push {
        if self.is_too_large(payload_len) {
            return Push::TooLarge;
        }
        let (backlogged, written) = (self.is_backlogged(), self.written);
        let Some(mut outlet) = self.outlet(slot) else {
            return Push::Gone;
        };
        match (outlet.is_stalled(), backlogged) {
            (false, true) => return Push::Full,
            (true, false) if outlet.is_part_due(written) => {
                let missed = outlet.resume();
                self.push_lagged(slot.number, missed);
                outlet = self.outlet(slot).expect("it is there still");
            }
            _ => {}
        }
        match take(outlet, charge(payload_len)) {
            Room::Yes => Push::Queued,
            Room::Full => Push::Full,
            Room::Stalled => Push::Missed,
        }
    }

    /// Counts an event that a stalled peer misses.
    pub(crate) fn miss(&mut self, slot: Slot) {
        let Some(outlet) = self.outlet(slot) else { return };
        let count = outlet.miss();
        self.sent.missed += 1;
        self.push_lagged(slot.number, count);
    }

    /// Gives back room that was reserved and not used.
    pub(crate) fn unreserve(&mut self, slot: Slot, payload_len: usize) {
        self.reserved -= payload_len;
        if let Some(outlet) = self.outlet(slot) {
            outlet.unreserve(charge(payload_len));
        }
    }

    /// Queues an event for which room was reserved.
    pub(crate) fn push_reserved(&mut self, slot: Slot, request: Option<u64>, payload: &[u8]) {
        self.reserved -= payload.len();
        if let Some(outlet) = self.outlet(slot) {
            outlet.use_reserved(charge(payload.len()));
            // What was left out since is told before the event.
            let missed = outlet.take_missed();
            self.push_lagged(slot.number, missed);
            self.push_unchecked(slot, request, payload);
        }
    }

    #[inline(always)]
    fn push_unchecked(&mut self, slot: Slot, request: Option<u64>, payload: &[u8]) {
        let number = slot.number;
        match Message::plain_event(number, request) {
            Some(header) => {
                self.sent.frames += 1;
                self.sent.events += 1;
                self.queued += self.out.push_parts(header, payload) as u64;
            }
            None => self.push(&Message::Event { number, request, payload }),
        }
    }

    /// Returns how much may be queued if nothing but events of this topic is. `None` if one may have
    /// to wait, or goes nowhere.
    pub(crate) fn allowance(&mut self, slot: Slot) -> Option<Allowance> {
        let taken = self.out.len() + self.reserved;
        let bytes = self.limits.backlog.checked_sub(taken).filter(|&bytes| bytes > 0)?;
        let credit = self.outlet(slot)?.room()?;
        Some(Allowance { credit, bytes })
    }

    /// Queues frames of so many events, which were [allowed](Self::allowance) and are charged so much.
    pub(crate) fn push_shared(
        &mut self,
        slot: Slot,
        frames: &Arc<Vec<u8>>,
        count: u64,
        charged: u64,
    ) {
        let outlet = self.outlet(slot).expect("a topic for which there is room is there");
        outlet.take_all(charged);
        self.sent.frames += count;
        self.sent.events += count;
        self.queued += frames.len() as u64;
        self.out.push_shared(frames);
    }

    /// Leaves out an event that the peer cannot read, since it defines the topic otherwise. Tells
    /// whether it is the first one.
    pub(crate) fn push_mismatched(&mut self, slot: Slot) -> bool {
        // Room that is reserved takes no memory yet, and nobody looks here when it is given back.
        let is_full = self.out.len() >= self.limits.backlog;
        let Some(outlet) = self.outlet(slot) else {
            return false;
        };
        let is_first = outlet.mismatch();
        // If much is queued, it is told when the writer takes that.
        let missed = if is_full { 0 } else { outlet.take_missed() };
        self.sent.missed += 1;
        let number = slot.number;
        if is_first {
            self.push(&Message::Mismatch { number });
        }
        self.push_lagged(number, missed);
        is_first
    }

    /// Tells whether a topic of the peer is stalled.
    pub(crate) fn is_stalled(&self) -> bool {
        self.outlets.iter().flatten().any(|(_, outlet)| outlet.is_stalled())
    }

    /// Tells whether the peer was left out for defining a topic otherwise.
    pub(crate) fn is_mismatched(&mut self, slot: Slot) -> bool {
        self.outlet(slot).is_some_and(|outlet| outlet.is_mismatched())
    }

    /// Says that somebody waits for room, which starts the clock of a stall.
    pub(crate) fn wait_for_room(&mut self, slot: Slot, now: Instant) {
        let (backlogged, written) = (self.is_backlogged(), self.written);
        if let Some(outlet) = self.outlet(slot) {
            if backlogged || outlet.is_blocked(written) {
                outlet.wait(now);
            }
        }
    }

    /// Ends the stalls for which there is room again, now that the backlog has gone, and says what was
    /// left out meanwhile. Whoever waited for that alone waits for the next one anew: a peer that takes
    /// what is written is not stalled.
    pub(crate) fn resume(&mut self) {
        for (_, outlet) in self.outlets.iter_mut().flatten() {
            if !outlet.is_full() {
                outlet.stop_waiting();
            }
        }
        self.tell_missed(Outlet::resume);
    }

    /// Says what the peer has missed of each topic, as `take` counts it.
    pub(super) fn tell_missed(&mut self, take: impl Fn(&mut Outlet) -> u64) {
        for number in 0..self.outlets.len() {
            if let Some((_, outlet)) = &mut self.outlets[number] {
                let count = take(outlet);
                self.push_lagged(number as u32, count);
            }
        }
    }

    /// Declares topics stalled whose producers have waited for `limit`. Returns when to look
    /// again, and whether a topic was declared stalled.
    pub(crate) fn sweep(&mut self, now: Instant, limit: Duration) -> (Option<Instant>, bool) {
        let mut next = None;
        let mut stalled = false;
        let (backlogged, written) = (self.is_backlogged(), self.written);
        for (_, outlet) in self.outlets.iter_mut().flatten() {
            if !backlogged && !outlet.is_blocked(written) {
                // Whoever waited has given up, and there is room by now.
                outlet.stop_waiting();
                continue;
            }
            match outlet.sweep(now, limit) {
                Sweep::Idle => {}
                Sweep::At(at) => next = Some(next.map_or(at, |next: Instant| next.min(at))),
                Sweep::Stalled => stalled = true,
            }
        }
        (next, stalled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;
    use crate::session::tests::hello;

    const PATIENCE: Duration = Duration::from_secs(10);
    const LARGE: [u8; 200] = [0; 200];

    /// An established session that one large event backlogs, with two topics of the peer.
    fn session() -> (Session, [Slot; 2]) {
        let limits = Limits { backlog: 100, ..Limits::default() };
        let mut session = Session::new(hello("a", 1, &limits), &limits);
        let peer = hello("b", 2, &limits);
        session.handle(Message::Hello(Box::new(peer.clone()))).unwrap();
        session.accept(&peer);
        session.ready();
        session.handle(Message::Ready).unwrap();
        let slots = [(0, "first"), (1, "second")].map(|(number, name)| {
            let epoch = u64::from(number) + 1;
            let window = limits.window;
            let announce = Message::Announce { epoch, number, window, fingerprint: 0, name };
            session.handle(announce).unwrap();
            Slot { number, epoch }
        });
        drain(&mut session);
        (session, slots)
    }

    fn drain(session: &mut Session) {
        let len = session.out().len();
        session.out().advance(len);
    }

    #[test]
    fn a_request_waits_for_a_topic_that_the_backlog_has_stalled() {
        let (mut session, [slot, _]) = session();
        let start = Instant::now();
        assert_eq!(session.push_event(slot, None, &LARGE), Push::Queued);
        session.wait_for_room(slot, start);
        assert_eq!(session.sweep(start + PATIENCE, PATIENCE), (None, true));
        assert_eq!(session.push_event(slot, None, &[]), Push::Missed);
        assert_eq!(session.push_event(slot, Some(1), &[]), Push::Full);
        drain(&mut session);
        assert_eq!(session.push_event(slot, Some(1), &[]), Push::Queued);
    }

    #[test]
    fn to_ask_a_stalled_topic_for_room_does_not_count_as_missed() {
        let (mut session, [slot, _]) = session();
        let start = Instant::now();
        session.push_event(slot, None, &LARGE);
        session.wait_for_room(slot, start);
        session.sweep(start + PATIENCE, PATIENCE);
        assert_eq!(session.reserve(slot, 0), Push::Missed);
        assert_eq!(session.reserve(slot, 0), Push::Missed);
        session.miss(slot);
        session.out().take_bytes();
        session.resume();
        let contents: Vec<_> = session.out().unwritten().map(Message::decode).collect();
        assert_eq!(contents, [Ok(Message::Lagged { number: slot.number, count: 1 })]);
    }

    #[test]
    fn a_stalled_peer_is_told_what_it_missed_before_a_goodbye() {
        let (mut session, [slot, _]) = session();
        let start = Instant::now();
        session.push_event(slot, None, &LARGE);
        session.wait_for_room(slot, start);
        session.sweep(start + PATIENCE, PATIENCE);
        assert_eq!(session.push_event(slot, None, &[]), Push::Missed);
        session.out().take_bytes();
        session.say_goodbye();
        let contents: Vec<_> = session.out().unwritten().map(Message::decode).collect();
        let lagged = Message::Lagged { number: slot.number, count: 1 };
        assert_eq!(contents, [Ok(lagged), Ok(Message::Goodbye)]);
    }

    #[test]
    fn whoever_waits_for_one_backlog_after_the_other_is_not_stalled() {
        let (mut session, [slot, other]) = session();
        let start = Instant::now();
        for round in 0..3 {
            let now = start + PATIENCE * round / 2;
            session.push_event(other, None, &LARGE);
            assert_eq!(session.push_event(slot, None, &[]), Push::Full);
            session.wait_for_room(slot, now);
            assert_eq!(session.sweep(now, PATIENCE), (Some(now + PATIENCE), false));
            drain(&mut session);
            session.resume();
        }
        assert_eq!(session.push_event(slot, None, &[]), Push::Queued);
    }

    #[test]
    fn room_that_is_reserved_counts_until_it_is_used_or_given_back() {
        let (mut session, [slot, other]) = session();
        for is_used in [true, false] {
            assert_eq!(session.reserve(slot, LARGE.len()), Push::Queued);
            assert_eq!(session.reserve(other, LARGE.len()), Push::Full);
            assert_eq!(session.push_event(other, None, &[]), Push::Full);
            match is_used {
                true => session.push_reserved(slot, None, &LARGE),
                false => session.unreserve(slot, LARGE.len()),
            }
            drain(&mut session);
            assert_eq!(session.push_event(other, None, &[]), Push::Queued);
            drain(&mut session);
        }
    }

    #[test]
    fn a_wait_that_was_given_up_does_not_stall_a_topic_later() {
        let (mut session, [slot, other]) = session();
        let start = Instant::now();
        session.push_event(other, None, &LARGE);
        session.wait_for_room(slot, start);
        drain(&mut session);
        assert_eq!(session.sweep(start + PATIENCE / 2, PATIENCE), (None, false));
        session.push_event(other, None, &LARGE);
        assert_eq!(session.sweep(start + PATIENCE * 2, PATIENCE), (None, false));
    }
}
