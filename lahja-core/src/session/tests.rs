use std::time::Instant;

use super::*;

mod parts;
mod room;
use crate::credit::charge;
use crate::error::ProtocolError;
use crate::frame::FrameDecoder;
use crate::message::Place;
use crate::name::EndpointName;

/// Two sessions whose frames travel as bytes, in pieces of a given size.
struct Pair {
    sessions: [Session; 2],
    decoders: [FrameDecoder; 2],
    piece: usize,
    // What happened at each end, as text.
    log: [Vec<String>; 2],
}

impl Pair {
    fn new(piece: usize, limits: &Limits) -> Self {
        let session = |name: &str, nonce| Session::new(hello(name, nonce, limits), limits);
        Self {
            sessions: [session("a", 1), session("b", 2)],
            decoders: [(); 2].map(|()| FrameDecoder::new(limits.frame as usize)),
            piece,
            log: [Vec::new(), Vec::new()],
        }
    }

    fn established(piece: usize, limits: &Limits) -> Self {
        let mut pair = Self::new(piece, limits);
        pair.run();
        assert!(pair.sessions.iter().all(Session::is_established));
        pair.log = [Vec::new(), Vec::new()];
        pair
    }

    /// Carries bytes to and fro until both ends are silent.
    fn run(&mut self) {
        while self.carry(0) | self.carry(1) {}
    }

    /// Carries one piece from an end to the other. Tells whether there was any.
    fn carry(&mut self, from: usize) -> bool {
        let out = self.sessions[from].out();
        let count = out.len().min(self.piece);
        let to = 1 - from;
        self.decoders[to].feed(&out.bytes()[..count]);
        out.advance(count);
        self.sessions[from].wrote(count as u64);
        while let Some(frame) = self.decoders[to].next_frame().unwrap() {
            let frame = frame.to_vec();
            self.handle(to, Message::decode(&frame).unwrap()).unwrap();
        }
        count > 0
    }

    fn handle(&mut self, end: usize, message: Message<'_>) -> Result<(), ProtocolError> {
        let session = &mut self.sessions[end];
        let happening = session.handle(message)?;
        match &happening {
            Happening::Nothing => return Ok(()),
            Happening::Hello(hello) => {
                session.accept(hello);
                session.ready();
            }
            Happening::Announced { .. } | Happening::Withdrawn { .. } | Happening::Established => {
                session.acknowledge()
            }
            _ => {}
        }
        self.log[end].push(format!("{happening:?}"));
        Ok(())
    }

    /// Announces a topic from `b` to `a` and returns its slot as `a` knows it.
    fn announce(&mut self) -> Slot {
        let slot = self.sessions[1].announce("topic", 0).unwrap();
        self.run();
        assert!(self.sessions[1].is_acknowledged(slot.epoch));
        slot
    }
}

pub(super) fn hello(name: &str, nonce: u128, limits: &Limits) -> Hello {
    Hello {
        oldest_version: OLDEST_VERSION,
        newest_version: VERSION,
        features: 0,
        nonce,
        max_frame: limits.frame,
        max_topics: limits.topics,
        max_requests: limits.requests,
        name: EndpointName::new(name).unwrap(),
        groups: Vec::new(),
    }
}

fn small() -> Limits {
    Limits { frame: 1_000, window: 100, backlog: 300, topics: 2, requests: 2, ..Limits::default() }
}

/// Everything that two sessions can say to each other.
fn conversation(piece: usize) -> [Vec<String>; 2] {
    let limits = Limits::default();
    let mut pair = Pair::new(piece, &limits);
    pair.run();
    let slot = pair.announce();
    let [a, b] = &mut pair.sessions;
    assert_eq!(a.push_event(slot, None, b"event"), Push::Queued);
    assert_eq!(a.push_event(slot, Some(7), b"request"), Push::Queued);
    assert_eq!(a.push_event(slot, Some(8), b"other"), Push::Queued);
    assert_eq!(a.push_event(slot, Some(9), b"third"), Push::Queued);
    b.announce("second", 3);
    pair.run();
    let [a, b] = &mut pair.sessions;
    assert_eq!(b.push_response(7, 1, b"response"), Push::Queued);
    b.push_failure(8, FailureReason::Unanswered);
    a.cancel(9);
    b.push_credit(slot, charge(5));
    b.withdraw(slot);
    pair.run();
    pair.sessions[0].say_goodbye();
    pair.run();
    pair.log
}

#[test]
fn a_conversation_is_the_same_with_frames_split_at_every_byte() {
    let whole = conversation(usize::MAX);
    assert_eq!(whole[0].len(), 8, "{:#?}", whole[0]);
    assert_eq!(whole[1].len(), 11, "{:#?}", whole[1]);
    for piece in 1..200 {
        assert_eq!(conversation(piece), whole, "pieces of {piece} bytes");
    }
}

#[test]
fn a_withdrawn_topic_takes_no_event_even_when_its_number_lives_again() {
    let mut pair = Pair::established(usize::MAX, &small());
    let old = pair.announce();
    pair.sessions[1].withdraw(old);
    pair.run();
    assert_eq!(pair.sessions[0].push_event(old, None, b"x"), Push::Gone);
    let new = pair.announce();
    assert_eq!(new.number, old.number);
    assert_eq!(pair.sessions[0].push_event(old, None, b"x"), Push::Gone);
    assert_eq!(pair.sessions[0].push_event(new, None, b"x"), Push::Queued);
}

#[test]
fn a_number_is_not_used_again_before_the_withdrawal_is_acknowledged() {
    let mut pair = Pair::established(usize::MAX, &small());
    let slot = pair.announce();
    let b = &mut pair.sessions[1];
    b.withdraw(slot);
    assert_ne!(b.announce("other", 0).unwrap().number, slot.number);
    assert_eq!(b.announce("third", 0), None);
    pair.run();
    let third = pair.sessions[1].announce("third", 0).unwrap();
    assert_eq!(third.number, slot.number);
}

#[test]
fn a_request_is_answered_once_and_only_if_it_was_asked() {
    let mut pair = Pair::established(usize::MAX, &small());
    let slot = pair.announce();
    assert_eq!(pair.sessions[0].push_event(slot, Some(5), b"?"), Push::Queued);
    pair.run();
    let b = &mut pair.sessions[1];
    assert_eq!(b.push_response(6, 0, b"!"), Push::Gone);
    assert_eq!(b.push_response(5, 0, b"!"), Push::Queued);
    assert_eq!(b.push_response(5, 0, b"!"), Push::Gone);
    pair.run();
    let response = |id| Message::Response { id, response_type: 0, payload: b"!" };
    for id in 0..1_000 {
        let happening = pair.sessions[0].handle(response(id));
        assert_eq!(happening, Ok(Happening::Nothing));
    }
}

#[test]
fn a_cancelled_request_gets_no_response() {
    let mut pair = Pair::established(usize::MAX, &small());
    let slot = pair.announce();
    pair.sessions[0].push_event(slot, Some(5), b"?");
    pair.run();
    pair.sessions[0].cancel(5);
    pair.run();
    assert!(pair.log[1].last().unwrap().starts_with("Cancelled"));
    assert_eq!(pair.sessions[1].push_response(5, 0, b"!"), Push::Gone);
}

#[test]
fn more_requests_than_the_peer_allows_have_to_wait() {
    let mut pair = Pair::established(usize::MAX, &small());
    let slot = pair.announce();
    let a = &mut pair.sessions[0];
    assert_eq!(a.push_event(slot, Some(1), b"?"), Push::Queued);
    assert_eq!(a.push_event(slot, Some(2), b"?"), Push::Queued);
    assert_eq!(a.push_event(slot, Some(3), b"?"), Push::Full);
    a.cancel(1);
    assert_eq!(a.push_event(slot, Some(3), b"?"), Push::Queued);
}

/// Every message in every phase is either taken or an error of the peer: nothing else, and an
/// ended session is never revived.
#[test]
fn every_message_in_every_phase_is_legal_or_refused() {
    let limits = small();
    let messages = || {
        let fixed: [&[u8]; 20] = [
            b"\x02\x01",
            b"\x03\x01\0\x01\0\0\0\0\0\0\0\0\x01t",
            b"\x04\x01\0",
            b"\x05",
            b"\x06\x01",
            b"\x07\0\x01",
            b"\x08\0\0",
            b"\x08\x01\0\0",
            b"\x09\0\0\0\0\0\0\0\0\0\0",
            b"\x0a\0\x01",
            b"\x0b\0",
            b"\x0c\0\x01",
            b"\x0d",
            b"\x0e\0\0\x03",
            b"\x0e\0\0\x01",
            b"\x0f\0\0x",
            b"\x0f\x01\0x",
            b"\x10\0",
            b"\x80\0",
            b"\xff",
        ];
        let fixed = fixed.map(|bytes| Message::decode(bytes).unwrap());
        [Message::Hello(Box::new(hello("c", 3, &limits)))].into_iter().chain(fixed)
    };
    let greeting = || Session::new(hello("a", 1, &limits), &limits);
    let announcing = || {
        let mut session = greeting();
        session.accept(&hello("b", 2, &limits));
        session
    };
    let established = || {
        let mut session = announcing();
        session.handle(Message::Ready).unwrap();
        session
    };
    let ended = || {
        let mut session = established();
        session.say_goodbye();
        session
    };
    // What has been said before decides, too: topics of ours, seen by the peer or not, withdrawn or
    // not; a request of the peer; a topic of the peer, and an event that used its credit.
    let subscribed = || {
        let mut session = established();
        session.announce("t", 0).unwrap();
        session
    };
    let acknowledged = || {
        let mut session = subscribed();
        session.handle(Message::Acknowledge { epoch: 1 }).unwrap();
        session
    };
    let withdrawn = || {
        let mut session = acknowledged();
        session.withdraw(Slot { number: 0, epoch: 1 });
        session
    };
    let freed = || {
        let mut session = withdrawn();
        session.handle(Message::Acknowledge { epoch: 2 }).unwrap();
        session
    };
    let asked = || {
        let mut session = subscribed();
        let request = Message::Event { number: 0, request: Some(0), payload: &[] };
        session.handle(request).unwrap();
        session
    };
    // An event of two bytes has begun, and one of them has come.
    let begun = |mut session: Session| {
        session.handle(Message::Begin { number: 0, request: None, total: 2 }).unwrap();
        let part = Message::Part { number: 0, place: Place::Within, payload: b"x" };
        session.handle(part).unwrap();
        session
    };
    let gathering = || begun(subscribed());
    let gathering_in_vain = || {
        let mut session = begun(acknowledged());
        session.withdraw(Slot { number: 0, epoch: 1 });
        session
    };
    let forgotten = || {
        let mut session = gathering_in_vain();
        session.handle(Message::Acknowledge { epoch: 2 }).unwrap();
        session
    };
    let wanted = || {
        let mut session = established();
        let (number, epoch) = (0, 1);
        let announce = Message::Announce { epoch, number, window: 9, fingerprint: 0, name: "t" };
        session.handle(announce).unwrap();
        session
    };
    let producing = || {
        let mut session = wanted();
        let slot = Slot { number: 0, epoch: 1 };
        assert_eq!(session.push_event(slot, None, &[]), Push::Queued);
        session
    };
    let unwanted = || {
        let mut session = producing();
        session.handle(Message::Withdraw { epoch: 2, number: 0 }).unwrap();
        session
    };
    // Hello, Refuse, Announce, Withdraw, Ready, Acknowledge, Credit, Event, request, Response,
    // Failure, Cancel, Lagged, Goodbye, Begin of three bytes and of one, Part and last Part of one,
    // Abandon, Mismatch, unknown.
    let table: [(&dyn Fn() -> Session, &str); 15] = [
        (&greeting, "yy-----------y------y"),
        (&announcing, "-yy-y--------y------y"),
        (&established, "-yy------yyy-y------y"),
        (&ended, "yyyyyyyyyyyyyyyyyyyyy"),
        (&subscribed, "-yy--y-yyyyyyyyy---yy"),
        (&acknowledged, "-yy----yyyyyyyyy---yy"),
        (&withdrawn, "-yy----yyyyyyyyy---yy"),
        (&freed, "-yy------yyy-y------y"),
        (&asked, "-yy--y-y-yyyyyyy---yy"),
        (&gathering, "-yy--y-yyyyyyy---yyyy"),
        (&gathering_in_vain, "-yy----yyyyyyy---yyyy"),
        (&forgotten, "-yy------yyy-y------y"),
        (&wanted, "-y-------yyy-y------y"),
        (&producing, "-y----y--yyy-y------y"),
        (&unwanted, "-y-------yyy-y------y"),
    ];
    for (row, (session, legal)) in table.into_iter().enumerate() {
        for (message, legal) in messages().zip(legal.chars()) {
            let mut session = session();
            let phase = session.phase;
            let result = session.handle(message.clone());
            let agrees = result.is_ok() == (legal == 'y');
            assert!(agrees, "{message:?} in row {row}, {phase:?}: {result:?}");
            session.check(0);
            if phase == Phase::Ended {
                assert!(session.has_ended());
            }
        }
    }
}

#[test]
fn a_peer_that_has_more_requests_or_topics_than_allowed_breaks_the_protocol() {
    // Two of each are allowed, and numbers of topics below that.
    let limits = small();
    let established = || {
        let mut session = Session::new(hello("a", 1, &limits), &limits);
        session.accept(&hello("b", 2, &limits));
        session.handle(Message::Ready).unwrap();
        session
    };
    let mut session = established();
    session.announce("t", 0).unwrap();
    let request = |id| Message::Event { number: 0, request: Some(id), payload: &[] };
    for id in [7, 8] {
        session.handle(request(id)).unwrap();
    }
    let one_more = session.handle(request(9)).unwrap_err();
    assert_eq!(one_more, ProtocolError::TooManyRequests { max: 2 });

    let announce =
        |epoch, number| Message::Announce { epoch, number, window: 9, fingerprint: 0, name: "t" };
    let mut session = established();
    for (epoch, number) in [(1, 1), (2, 0)] {
        session.handle(announce(epoch, number)).unwrap();
    }
    for session in [&mut session, &mut established()] {
        let epoch = session.peer_epoch() + 1;
        let one_more = session.handle(announce(epoch, 2)).unwrap_err();
        assert_eq!(one_more, ProtocolError::TooManyTopics { max: 2 });
    }
}

#[test]
fn versions_meet_at_the_newest_that_both_speak() {
    let limits = small();
    let speaks = |oldest_version, newest_version| Hello {
        oldest_version,
        newest_version,
        ..hello("a", 1, &limits)
    };
    assert_eq!(common_version(&speaks(1, 1)), Some(1));
    assert_eq!(common_version(&speaks(1, 9)), Some(1));
    assert_eq!(common_version(&speaks(2, 9)), None);
    assert_eq!(common_version(&speaks(0, 0)), None);
}
