//! One end: what it may do, and what the other end is to see of it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::credit::{Intake, charge};
use crate::frame::FrameDecoder;
use crate::fuzzing::hello::hello;
use crate::fuzzing::input::Input;
use crate::fuzzing::push::Route;
use crate::limits::Limits;
use crate::message::{FailureReason, Place};
use crate::session::{MAX_HEADER, Push, Session, Slot};

const PATIENCE: Duration = Duration::from_secs(10);

/// What an end said and the other has not seen yet.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    Hello,
    Refuse,
    Ready,
    Announce(Slot),
    Withdraw(Slot),
    Acknowledge(u64),
    Credit(u32, u64),
    Event { number: u32, request: Option<u64>, payload: Vec<u8> },
    Response { id: u64, payload: Vec<u8> },
    Failure(u64),
    Cancel(u64),
    Mismatch(u32),
    Begin { number: u32, request: Option<u64>, total: u64 },
    Part { number: u32, place: Place, payload: Vec<u8> },
    Abandon(u32),
    Goodbye,
}

/// A topic that this end announced.
pub(super) struct Topic {
    pub(super) slot: Slot,
    pub(super) intake: Intake,
    /// What each event that waits is charged.
    pub(super) queue: VecDeque<u64>,
    /// How many events have come or were told to be lost.
    pub(super) count: u64,
    /// The epoch of its withdrawal.
    pub(super) withdrawn: Option<u64>,
}

pub(super) struct End {
    pub(super) session: Session,
    pub(super) limits: Limits,
    pub(super) decoder: FrameDecoder,
    pub(super) refuses: bool,
    /// How many topics are announced with the handshake.
    pub(super) early: usize,
    pub(super) is_accepted: bool,
    pub(super) is_established: bool,
    pub(super) expected: VecDeque<Said>,
    pub(super) topics: Vec<Topic>,
    pub(super) routes: Vec<Route>,
    pub(super) asked: Vec<u64>,
    pub(super) asking: Vec<u64>,
    pub(super) acknowledged: u64,
    pub(super) peer_epoch: u64,
    ids: u64,
    now: Instant,
    // Bytes that have left the session and have not arrived.
    wire: VecDeque<u8>,
    late: usize,
}

impl End {
    pub(super) fn new(name: &str, limits: Limits, early: usize, refuses: bool) -> Self {
        Self {
            session: Session::new(hello(name, &limits), &limits),
            decoder: FrameDecoder::new(limits.frame as usize),
            limits,
            refuses,
            early,
            is_accepted: false,
            is_established: false,
            expected: VecDeque::from([Said::Hello]),
            topics: Vec::new(),
            routes: Vec::new(),
            asked: Vec::new(),
            asking: Vec::new(),
            acknowledged: 0,
            peer_epoch: 0,
            ids: 0,
            now: Instant::now(),
            wire: VecDeque::new(),
            late: 0,
        }
    }

    pub(super) fn may_speak(&self) -> bool {
        self.is_accepted && !self.session.has_ended()
    }

    /// Hands everything that is queued to the wire, as a writer does.
    pub(super) fn write(&mut self) {
        let was_backlogged = self.session.is_backlogged();
        let bytes = self.session.out().take_bytes();
        let is_empty = bytes.is_empty();
        self.session.wrote(bytes.len() as u64);
        self.routes.iter_mut().for_each(Route::wrote);
        self.wire.extend(bytes);
        self.late = 0;
        // Nobody writes what is reserved.
        if was_backlogged && !is_empty {
            self.session.resume();
        }
    }

    /// Brings bytes to the other end. Tells whether there were any.
    pub(super) fn carry(&mut self, count: usize, far: &mut Self) -> bool {
        let count = count.min(self.wire.len());
        let bytes: Vec<u8> = self.wire.drain(..count).collect();
        far.decoder.feed(&bytes);
        while let Some(content) = far.decoder.next_frame().expect("frames were written") {
            let content = content.to_vec();
            far.hear(&content, self);
        }
        far.acknowledge(self);
        count > 0
    }

    fn acknowledge(&mut self, far: &mut Self) {
        if self.acknowledged < self.peer_epoch && self.is_established && !self.session.has_ended() {
            self.acknowledged = self.peer_epoch;
            far.expected.push_back(Said::Acknowledge(self.peer_epoch));
        }
        self.session.acknowledge();
    }

    pub(super) fn announce(&mut self, far: &mut Self) {
        if !self.may_speak() {
            return;
        }
        let max = self.limits.topics.min(far.limits.topics) as usize;
        let Some(slot) = self.session.announce("topic", 7) else {
            return assert_eq!(self.topics.len(), max, "there is a number left");
        };
        assert!(self.topics.iter().all(|topic| topic.slot.number != slot.number));
        assert!(self.topics.len() < max);
        let (intake, queue) = (Intake::new(self.limits.window), VecDeque::new());
        self.topics.push(Topic { slot, intake, queue, count: 0, withdrawn: None });
        far.expected.push_back(Said::Announce(slot));
    }

    pub(super) fn withdraw(&mut self, input: &mut Input<'_>, far: &mut Self) {
        let at = input.below(self.topics.len());
        if !self.may_speak() || self.topics.get(at).is_none_or(|topic| topic.withdrawn.is_some()) {
            return;
        }
        let topic = &mut self.topics[at];
        self.session.withdraw(topic.slot);
        topic.withdrawn = Some(self.session.epoch());
        far.expected.push_back(Said::Withdraw(topic.slot));
    }

    pub(super) fn broadcast(&mut self, input: &mut Input<'_>, far: &mut Self) {
        self.push(input, None, far);
    }

    pub(super) fn ask(&mut self, input: &mut Input<'_>, far: &mut Self) {
        let id = self.next_id();
        if self.push(input, Some(id), far) == Some(Push::Queued) {
            self.asked.push(id);
        }
    }

    /// An id that no request has had.
    pub(super) fn next_id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    fn push(
        &mut self,
        input: &mut Input<'_>,
        request: Option<u64>,
        far: &mut Self,
    ) -> Option<Push> {
        let (at, len) = (input.below(self.routes.len()), usize::from(input.byte()));
        let mut circumstances = self.circumstances(len, request, far);
        let route = self.routes.get_mut(at)?;
        let payload = payload(route.count, len);
        circumstances.len = payload.len();
        let push = self.session.push_event(route.slot, request, &payload);
        circumstances.judge(push, route);
        if push == Push::Queued {
            route.count += 1;
            far.expected.push_back(Said::Event { number: route.slot.number, request, payload });
        }
        Some(push)
    }

    /// Takes room for an event, and sends it later or not at all.
    pub(super) fn reserve(&mut self, input: &mut Input<'_>, far: &mut Self) {
        let (at, byte) = (input.below(self.routes.len()), input.byte());
        if self.session.has_ended() {
            return;
        }
        let Some(route) = self.routes.get_mut(at) else { return };
        let slot = route.slot;
        match (byte % 4, route.reserved.pop()) {
            (0, Some(payload)) => {
                self.session.unreserve(slot, payload.len());
                route.outstanding -= charge(payload.len());
            }
            (1, Some(reserved)) => {
                let payload = payload(route.count, reserved.len());
                let waiting = self.session.out().len();
                self.session.push_reserved(slot, None, &payload);
                self.late += self.session.out().len() - waiting;
                route.count += 1;
                let number = slot.number;
                far.expected.push_back(Said::Event { number, request: None, payload });
            }
            (_, reserved) => {
                route.reserved.extend(reserved);
                let payload = payload(0, usize::from(byte));
                match self.session.reserve(slot, payload.len()) {
                    Push::Queued => {
                        route.outstanding += charge(payload.len());
                        route.reserved.push(payload);
                    }
                    Push::Missed if byte % 2 == 0 => {
                        self.session.miss(slot);
                        route.count += 1;
                        route.missed += 1;
                    }
                    // To ask for room alone counts nothing.
                    _ => {}
                }
            }
        }
    }

    /// Leaves out an event that the other end could not read.
    pub(super) fn leave_out(&mut self, input: &mut Input<'_>, far: &mut Self) {
        let at = input.below(self.routes.len());
        let Some(route) = self.routes.get_mut(at) else { return };
        if self.session.has_ended() {
            return;
        }
        if self.session.push_mismatched(route.slot) {
            far.expected.push_back(Said::Mismatch(route.slot.number));
        }
        route.count += 1;
        route.missed += 1;
    }

    pub(super) fn answer(&mut self, input: &mut Input<'_>, far: &mut Self) {
        let (at, len) = (input.below(self.asking.len()), usize::from(input.byte()) * 2);
        let Some(&id) = self.asking.get(at) else { return };
        let is_backlogged = self.session.is_backlogged();
        let payload = payload(id, len);
        match self.session.push_response(id, 9, &payload) {
            Push::Queued => {
                assert!(!is_backlogged);
                self.asking.remove(at);
                far.expected.push_back(Said::Response { id, payload });
            }
            Push::Full => assert!(is_backlogged),
            Push::TooLarge => assert!(payload.len() + MAX_HEADER > self.session.max_frame()),
            Push::Gone => assert!(self.session.has_ended()),
            Push::Missed => unreachable!("a response is never missed"),
        }
        assert_eq!(self.session.push_response(self.ids + 1_000, 9, b"!"), Push::Gone);
    }

    pub(super) fn fail(&mut self, input: &mut Input<'_>, far: &mut Self) {
        let at = input.below(self.asking.len());
        if at < self.asking.len() {
            let id = self.asking.remove(at);
            self.session.push_failure(id, FailureReason::Unanswered);
            if !self.session.has_ended() {
                far.expected.push_back(Said::Failure(id));
            }
        }
    }

    pub(super) fn cancel(&mut self, input: &mut Input<'_>, far: &mut Self) {
        let at = input.below(self.asked.len());
        if at < self.asked.len() {
            let id = self.asked.remove(at);
            self.session.cancel(id);
            if !self.session.has_ended() {
                far.expected.push_back(Said::Cancel(id));
            }
        }
    }

    pub(super) fn consume(&mut self, input: &mut Input<'_>, far: &mut Self) {
        let (at, count) = (input.below(self.topics.len()), input.below(4));
        let Some(topic) = self.topics.get_mut(at) else { return };
        let count = count.min(topic.queue.len());
        let bytes: u64 = topic.queue.drain(..count).sum();
        let credit = match count {
            0 => topic.intake.settle(),
            _ => topic.intake.release(bytes),
        };
        self.give(at, credit, far);
    }

    /// Consumes everything. Tells whether there was anything.
    pub(super) fn consume_all(&mut self, far: &mut Self) -> bool {
        let mut any = false;
        for at in 0..self.topics.len() {
            let topic = &mut self.topics[at];
            let bytes: u64 = topic.queue.drain(..).sum();
            let credit = topic.intake.release(bytes);
            self.give(at, credit, far);
            any |= bytes > 0;
        }
        any
    }

    pub(super) fn give(&mut self, at: usize, credit: Option<u64>, far: &mut Self) {
        let Some(bytes) = credit else { return };
        let topic = &self.topics[at];
        self.session.push_credit(topic.slot, bytes);
        if topic.withdrawn.is_none() && !self.session.has_ended() {
            far.expected.push_back(Said::Credit(topic.slot.number, bytes));
        }
    }

    pub(super) fn wait(&mut self, input: &mut Input<'_>) {
        let at = input.below(self.routes.len());
        if let Some(route) = self.routes.get(at) {
            self.session.wait_for_room(route.slot, self.now);
        }
        self.now += PATIENCE / 64 * u32::from(input.byte());
        self.session.sweep(self.now, PATIENCE);
    }

    pub(super) fn say_goodbye(&mut self, far: &mut Self) {
        if !self.session.has_ended() {
            self.session.say_goodbye();
            far.expected.push_back(Said::Goodbye);
        }
    }

    /// Checks that every loss is told, or is to be when the peer is not stalled any more.
    pub(super) fn check_told(&self) {
        for route in &self.routes {
            assert!(route.missed == 0 || self.session.is_missing(route.slot), "a loss is not told");
        }
    }

    pub(super) fn check(&self) {
        self.session.check(self.late);
        assert_eq!(self.session.open_requests(), (self.asked.len(), self.asking.len()));
        for route in &self.routes {
            assert_eq!(self.session.outstanding(route.slot), Some(route.outstanding));
        }
    }

    /// Checks that nothing is left of what the other end has said.
    pub(super) fn is_at_rest(&mut self, far: &mut Self) {
        assert!(self.is_established, "the handshake is not done");
        assert_eq!(self.expected, []);
        assert!(self.session.is_acknowledged(self.session.epoch()));
        assert!(self.topics.iter().all(|topic| topic.withdrawn.is_none()));
        assert_eq!(self.routes.len(), far.topics.len());
        for at in 0..self.topics.len() {
            let credit = self.topics[at].intake.settle();
            self.give(at, credit, far);
        }
        self.write();
        self.carry(usize::MAX, far);
        for topic in &self.topics {
            let route = far.routes.iter().find(|route| route.slot == topic.slot);
            let route = route.expect("what is announced is routed");
            let under_way = route.parts.iter().map(|parts| parts.total);
            let reserved = route.reserved.iter().map(Vec::len).chain(under_way).map(charge);
            assert_eq!(route.outstanding, reserved.sum::<u64>(), "credit is lost");
            assert_eq!(route.count, topic.count + route.missed, "an event is lost");
        }
    }
}

/// Makes a payload that tells its number.
pub(super) fn payload(number: u64, len: usize) -> Vec<u8> {
    let mut payload = number.to_le_bytes().to_vec();
    payload.resize(len.max(8), 0xee);
    payload
}
