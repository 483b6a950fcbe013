//! One session and a peer that says whatever it likes, while the endpoint goes on with its own.

mod parts;
mod said;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::hello::{hello, limits};
use super::input::Input;
use super::push::{Circumstances, Route};
use crate::credit::{Intake, charge};
use crate::error::ProtocolError;
use crate::limits::Limits;
use crate::message::{FailureReason, Hello, Message, Refusal};
use crate::session::{Happening, MAX_HEADER, Push, Session, Slot};

/// What the answer to one message may add to what waits for the peer.
const MAX_ECHO: usize = 32;

const PATIENCE: Duration = Duration::from_secs(10);

/// Joins a session to a peer that breaks every rule.
///
/// # Panics
///
/// Panics if the session takes what it must refuse, or keeps more than its bounds allow.
pub fn session(data: &[u8]) {
    let mut input = Input::new(data);
    let mut end = End::new(&mut input);
    if input.byte() < 0xe0 && end.shake_hands(&mut input).is_err() {
        return;
    }
    while !input.is_empty() && end.step(&mut input).is_ok() {
        end.check();
    }
}

/// A topic that we announced.
struct Topic {
    slot: Slot,
    intake: Intake,
    queued: u64,
    is_withdrawn: bool,
}

/// One end of a connection: what its endpoint knows of it.
struct End {
    session: Session,
    limits: Limits,
    now: Instant,
    is_accepted: bool,
    topics: Vec<Topic>,
    routes: Vec<Route>,
    // A topic that the peer does not want any more.
    gone: Option<Slot>,
    peer_epoch: u64,
    asked: BTreeSet<u64>,
    asking: BTreeSet<u64>,
    // The events of the peer that have begun: how long each will be.
    gathering: BTreeMap<u32, usize>,
    // Bytes that were queued when room had been reserved for them.
    late: usize,
}

impl End {
    fn new(input: &mut Input<'_>) -> Self {
        let limits = limits(input);
        Self {
            session: Session::new(hello("a", &limits), &limits),
            limits,
            now: Instant::now(),
            is_accepted: false,
            topics: Vec::new(),
            routes: Vec::new(),
            gone: None,
            peer_epoch: 0,
            asked: BTreeSet::new(),
            asking: BTreeSet::new(),
            gathering: BTreeMap::new(),
            late: 0,
        }
    }

    /// Has the peer or the endpoint do something. An error ends the connection.
    fn step(&mut self, input: &mut Input<'_>) -> Result<(), ProtocolError> {
        match input.byte() {
            byte @ 0..0x80 => {
                let content = self.said(byte, input);
                self.hear(&content, input)?;
            }
            byte => {
                if self.is_accepted {
                    self.act(byte, input);
                }
            }
        }
        match self.session.is_overrun() {
            false => Ok(()),
            true => Err(ProtocolError::NotReading { backlog: self.session.out().len() }),
        }
    }

    fn hear(&mut self, content: &[u8], input: &mut Input<'_>) -> Result<(), ProtocolError> {
        let message = Message::decode(content)?;
        if let Some((number, payload)) = Message::decode_plain_event(content) {
            assert_eq!(message, Message::Event { number, request: None, payload });
        }
        let had_ended = self.session.has_ended();
        let waiting = self.session.out().len();
        let credit = match message {
            Message::Credit { number, bytes } if !had_ended => Some((number, bytes)),
            _ => None,
        };
        let happening = self.session.handle(message)?;
        if let Some((number, bytes)) = credit {
            self.take_credit(number, bytes);
        }
        assert!(self.session.out().len() <= waiting + MAX_ECHO);
        if had_ended {
            assert!(self.session.has_ended(), "an ended session has come back to life");
        }
        self.follow(happening, input)
    }

    fn check(&self) {
        self.session.check(self.late);
        assert_eq!(self.session.open_requests(), (self.asked.len(), self.asking.len()));
        for route in &self.routes {
            assert_eq!(self.session.outstanding(route.slot), Some(route.outstanding));
        }
    }

    fn follow(
        &mut self,
        happening: Happening<'_>,
        input: &mut Input<'_>,
    ) -> Result<(), ProtocolError> {
        let had_said_hello = self.is_accepted;
        match happening {
            Happening::Nothing | Happening::Refused(_) | Happening::Goodbye => return Ok(()),
            Happening::Hello(hello) => {
                assert!(!self.is_accepted, "a peer says hello once");
                self.greet(&hello, input);
                return Ok(());
            }
            Happening::Credit => {}
            Happening::Established => assert!(!self.session.has_ended()),
            Happening::Announced { slot, .. } => {
                self.peer_epoch += 1;
                assert_eq!(slot.epoch, self.peer_epoch);
                assert!(self.routes.iter().all(|route| route.slot.number != slot.number));
                assert!(self.routes.len() < self.limits.topics as usize);
                let window = self.session.window(slot).expect("the topic is new");
                self.routes.push(Route::new(slot, window));
            }
            Happening::Withdrawn { slot } => {
                self.peer_epoch += 1;
                let at = self.routes.iter().position(|route| route.slot == slot);
                self.routes.remove(at.expect("only what was announced is withdrawn"));
                self.gone = Some(slot);
            }
            Happening::Acknowledged { freed } => {
                for slot in freed {
                    let at = self.topics.iter().position(|topic| topic.slot == slot);
                    let topic = self.topics.remove(at.expect("a number is freed once"));
                    assert!(topic.is_withdrawn, "a topic is freed that is alive");
                    self.gathering.remove(&slot.number);
                }
            }
            Happening::Event { number, request, payload } => {
                self.receive(number, payload.len())?;
                if let Some(id) = request {
                    assert!(self.asking.insert(id), "a request came twice");
                }
            }
            Happening::Begun { number, total } => self.begin(number, total)?,
            Happening::Whole { number, request, payload } => {
                assert_eq!(self.gathering.remove(&number), Some(payload.len()));
                if let Some(id) = request {
                    assert!(self.asking.insert(id), "a request came twice");
                }
            }
            Happening::Abandoned { number, total } => self.forget(number, total),
            Happening::Response { id, .. } | Happening::Failed { id, .. } => {
                assert!(self.asked.remove(&id), "nobody asked");
            }
            Happening::Cancelled { id } => assert!(self.asking.remove(&id), "nobody asked"),
            Happening::Lagged { number, .. } | Happening::Mismatched { number } => {
                assert!(self.topics.iter().any(|topic| topic.slot.number == number));
            }
        }
        assert!(had_said_hello, "nothing happens before the peer has said hello");
        assert!(self.asked.iter().all(|id| id % 2 == 0));
        Ok(())
    }

    fn receive(&mut self, number: u32, len: usize) -> Result<(), ProtocolError> {
        let topic = self.topics.iter_mut().find(|topic| topic.slot.number == number);
        let topic = topic.expect("events come for topics that were announced");
        topic.intake.receive(charge(len))?;
        topic.queued += charge(len);
        // Whatever a peer sends: a window, and one frame that exceeds it.
        let bound = u64::from(self.limits.window.max(1)) + charge(len);
        assert!(topic.queued < bound, "{} bytes are queued, of {bound}", topic.queued);
        Ok(())
    }

    fn greet(&mut self, hello: &Hello, input: &mut Input<'_>) {
        if input.seldom() {
            return self.session.refuse(Refusal::Closing);
        }
        self.session.accept(hello);
        self.is_accepted = true;
        for _ in 0..input.below(3) {
            self.announce();
        }
        self.session.ready();
    }

    fn announce(&mut self) {
        match self.session.announce("topic", 0) {
            Some(slot) => {
                assert!(self.topics.iter().all(|topic| topic.slot.number != slot.number));
                let intake = Intake::new(self.limits.window);
                self.topics.push(Topic { slot, intake, queued: 0, is_withdrawn: false });
            }
            None => assert!(self.topics.len() >= self.session.max_topics()),
        }
    }

    /// Does what an endpoint does.
    fn act(&mut self, byte: u8, input: &mut Input<'_>) {
        if byte >= 0xf0 {
            return self.send_parts(input);
        }
        match byte % 13 {
            0 => self.announce(),
            1 => {
                let at = input.below(self.topics.len());
                if let Some(topic) = self.topics.get_mut(at).filter(|topic| !topic.is_withdrawn) {
                    topic.is_withdrawn = true;
                    self.session.withdraw(topic.slot);
                }
            }
            2 | 3 => self.broadcast(input),
            4 => self.answer(input),
            5 => {
                let id = u64::from(input.byte() % 4);
                self.session.push_failure(id, FailureReason::Unanswered);
                self.asking.remove(&id);
                assert!(!self.session.is_asking(id));
            }
            6 => {
                let at = input.below(self.asked.len());
                if let Some(id) = self.asked.iter().copied().nth(at) {
                    self.session.cancel(id);
                    self.asked.remove(&id);
                }
            }
            7 => self.consume(input),
            8 => self.session.acknowledge(),
            9 => self.write(),
            10 => self.wait(input),
            11 => self.leave_out(input),
            _ if input.seldom() => match input.byte() % 2 {
                0 => self.session.say_goodbye(),
                _ => self.session.end(),
            },
            _ => self.reserve(input),
        }
    }

    fn circumstances(&mut self, len: usize, is_request: bool) -> Circumstances {
        Circumstances {
            len,
            max_frame: self.session.max_frame(),
            is_request,
            has_ended: self.session.has_ended(),
            is_backlogged: self.session.is_backlogged(),
            is_asking_all: self.asked.len() >= self.session.max_requests(),
        }
    }

    fn broadcast(&mut self, input: &mut Input<'_>) {
        let (at, len) = (input.below(self.routes.len() + 1), usize::from(input.byte()) * 2);
        let request = (input.byte() % 2 == 1).then(|| self.next_id());
        let circumstances = self.circumstances(len, request.is_some());
        let payload = vec![1; len];
        let Some(route) = self.routes.get_mut(at) else {
            if let Some(slot) = self.gone {
                let push = self.session.push_event(slot, None, &payload);
                assert!(matches!(push, Push::Gone | Push::TooLarge), "{push:?}");
            }
            return;
        };
        let push = self.session.push_event(route.slot, request, &payload);
        circumstances.judge(push, route);
        if push == Push::Queued {
            self.asked.extend(request);
        }
    }

    fn reserve(&mut self, input: &mut Input<'_>) {
        let at = input.below(self.routes.len());
        let Some(route) = self.routes.get_mut(at) else { return };
        let slot = route.slot;
        match input.byte() % 4 {
            0 => {
                if let Some(payload) = route.reserved.pop() {
                    self.session.unreserve(slot, payload.len());
                }
            }
            1 => {
                if let Some(payload) = route.reserved.pop() {
                    let waiting = self.session.out().len();
                    self.session.push_reserved(slot, None, &payload);
                    self.late += self.session.out().len() - waiting;
                }
            }
            _ => {
                let len = usize::from(input.byte());
                match self.session.reserve(slot, len) {
                    Push::Queued => route.reserved.push(vec![2; len]),
                    Push::Missed => self.session.miss(slot),
                    _ => {}
                }
            }
        }
        if let Some(outstanding) = self.session.outstanding(slot) {
            route.outstanding = outstanding;
        }
    }

    fn leave_out(&mut self, input: &mut Input<'_>) {
        let at = input.below(self.routes.len());
        let Some(route) = self.routes.get(at) else { return };
        let was_mismatched = self.session.is_mismatched(route.slot);
        let is_first = self.session.push_mismatched(route.slot);
        assert_eq!(is_first, !was_mismatched && !self.session.has_ended());
    }

    fn answer(&mut self, input: &mut Input<'_>) {
        let (id, len) = (u64::from(input.byte() % 4), usize::from(input.byte()) * 2);
        let is_asking = self.asking.contains(&id) && !self.session.has_ended();
        let is_backlogged = self.session.is_backlogged();
        assert_eq!(self.session.is_asking(id), is_asking);
        match self.session.push_response(id, 0, &vec![3; len]) {
            Push::Queued => {
                assert!(is_asking && !is_backlogged);
                self.asking.remove(&id);
            }
            Push::Full => assert!(is_asking && is_backlogged),
            Push::Gone => assert!(!is_asking),
            Push::TooLarge => assert!(len + MAX_HEADER > self.session.max_frame()),
            Push::Missed => unreachable!("a response is never missed"),
        }
    }

    fn consume(&mut self, input: &mut Input<'_>) {
        let at = input.below(self.topics.len());
        let Some(topic) = self.topics.get_mut(at) else { return };
        let bytes = topic.queued.min(u64::from(input.byte()));
        topic.queued -= bytes;
        let credit = match bytes {
            0 => topic.intake.settle(),
            bytes => topic.intake.release(bytes),
        };
        if let Some(credit) = credit {
            self.session.push_credit(topic.slot, credit);
        }
    }

    fn write(&mut self) {
        let was_backlogged = self.session.is_backlogged();
        let out = self.session.out();
        let len = out.len();
        out.advance(len);
        self.session.wrote(len as u64);
        self.routes.iter_mut().for_each(Route::wrote);
        self.late = 0;
        if was_backlogged {
            self.session.resume();
        }
    }

    fn wait(&mut self, input: &mut Input<'_>) {
        let at = input.below(self.routes.len());
        if let Some(route) = self.routes.get(at) {
            self.session.wait_for_room(route.slot, self.now);
        }
        self.now += PATIENCE / 64 * u32::from(input.byte());
        let (next, _) = self.session.sweep(self.now, PATIENCE);
        assert!(next.is_none_or(|next| next > self.now && next <= self.now + PATIENCE));
    }
}
