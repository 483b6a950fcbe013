//! Requests in flight: whom they were sent to, until when they wait, how they ended.
//!
//! One request may ask several peers. The first response ends it; so does the last peer that
//! cannot answer any more.

use std::any::Any;
use std::collections::hash_map::Entry;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use crate::error::PayloadError;
use crate::hash::IdMap;
use crate::name::EndpointName;

/// A response whose type the requester knows.
pub(crate) type AnyResponse = Box<dyn Any + Send>;

/// Identifies whom a request was sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The endpoint itself.
    Local,
    /// The connection with that id; the request ends at that byte of what it sends.
    Peer { connection: u64, end: u64 },
}

/// Why a request ended without a response.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    TimedOut,
    PeerGone { peer: EndpointName, sent: bool },
    Unanswered,
    WrongType,
    Malformed(PayloadError),
    RefusedPayload,
    Closed,
}

/// How a request ended.
pub(crate) type Outcome = Result<AnyResponse, Failure>;

/// A request that is about to be in flight.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question<'a> {
    /// No other request of the endpoint has it.
    pub(crate) id: u64,
    pub(crate) deadline: Option<Instant>,
    pub(crate) decode: Decode,
    /// Who waits for the response.
    pub(crate) waker: &'a Waker,
}

/// Decodes the payload of a response of the given wire type, nested to the given depth at most.
pub(crate) type Decode = fn(u64, &[u8], usize) -> Result<AnyResponse, Failure>;

/// The requests in flight of one endpoint.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    slots: IdMap<Slot>,
    closed: bool,
}

#[derive(Debug)]
struct Slot {
    deadline: Option<Instant>,
    decode: Decode,
    first: Option<Asked>,
    others: Vec<Asked>,
    // Whether everybody who is to be asked has been.
    sealed: bool,
    state: State,
    waker: Option<Waker>,
}

#[derive(Debug)]
enum State {
    /// It waits. A failure is the last one, kept until everybody has been asked.
    Open(Option<Failure>),
    Ended(Outcome),
}

impl Pending {
    /// Opens a request, unless the table is [closed](Self::close).
    #[must_use]
    pub(crate) fn open(&mut self, question: &Question<'_>) -> bool {
        self.insert(question, None)
    }

    /// Opens a request that one peer alone is asked, as [`open`](Self::open), [`add`](Self::add) and
    /// [`seal`](Self::seal) would.
    #[must_use]
    pub(crate) fn open_for(&mut self, question: &Question<'_>, asked: Asked) -> bool {
        self.insert(question, Some(asked))
    }

    fn insert(&mut self, question: &Question<'_>, only: Option<Asked>) -> bool {
        if self.closed {
            return false;
        }
        let slot = Slot {
            deadline: question.deadline,
            decode: question.decode,
            first: only,
            others: Vec::new(),
            sealed: only.is_some(),
            state: State::Open(None),
            waker: Some(question.waker.clone()),
        };
        let before = self.slots.insert(question.id, slot);
        debug_assert!(before.is_none(), "no two requests have one id");
        true
    }

    /// Tells whether no request is taken any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Notes whom a request is sent to.
    pub(crate) fn add(&mut self, id: u64, asked: Asked) {
        if let Some(slot) = self.slots.get_mut(&id) {
            match slot.first {
                None => slot.first = Some(asked),
                Some(_) => slot.others.push(asked),
            }
        }
    }

    /// Forgets a request. Returns whom it had asked and who has not ended it, with a response
    /// that nobody took.
    pub(crate) fn forget(&mut self, id: u64) -> (Vec<Asked>, Option<Outcome>) {
        let Some(slot) = self.slots.remove(&id) else {
            return (Vec::new(), None);
        };
        let outcome = match slot.state {
            State::Open(_) => None,
            State::Ended(outcome) => Some(outcome),
        };
        (still_asked(slot.first, slot.others), outcome)
    }

    /// Returns how to decode the response to a request that waits for one.
    pub(crate) fn decoder(&self, id: u64) -> Option<Decode> {
        let slot = self.slots.get(&id)?;
        slot.is_open().then_some(slot.decode)
    }

    /// Ends a request with a response from somebody asked, or gives the response back. It holds
    /// a value of the user's, whose destructor is not to run under the lock of this table.
    #[must_use]
    pub(crate) fn complete(
        &mut self,
        id: u64,
        from: impl Fn(&Asked) -> bool,
        outcome: Outcome,
    ) -> Option<Outcome> {
        match self.slots.get_mut(&id) {
            Some(slot) if slot.is_open() => match slot.take_asked(from) {
                true => {
                    slot.end(outcome);
                    None
                }
                false => Some(outcome),
            },
            _ => Some(outcome),
        }
    }

    /// Notes that one of those asked cannot answer. Ends the request if it was the last.
    pub(crate) fn fail(&mut self, id: u64, from: impl Fn(&Asked) -> bool, failure: Failure) {
        let Some(slot) = self.slots.get_mut(&id) else { return };
        if slot.take_asked(from) {
            slot.fail(failure);
        }
    }

    /// Notes that everybody has been asked. Ends the request with the last failure, or with
    /// `nobody`, if none of them can answer any more.
    pub(crate) fn seal(&mut self, id: u64, nobody: Failure) {
        let Some(slot) = self.slots.get_mut(&id) else { return };
        slot.sealed = true;
        if slot.first.is_none() {
            let failure = match &mut slot.state {
                State::Open(failure) => failure.take(),
                State::Ended(_) => return,
            };
            slot.end(Err(failure.unwrap_or(nobody)));
        }
    }

    /// Notes that a connection ended after having sent `written` bytes.
    pub(crate) fn peer_gone(&mut self, connection: u64, peer: &EndpointName, written: u64) {
        for slot in self.slots.values_mut() {
            let mut sent = false;
            let gone = slot.take_asked(|asked| match *asked {
                Asked::Peer { connection: c, end } if c == connection => {
                    sent = end <= written;
                    true
                }
                _ => false,
            });
            if gone {
                let peer = peer.clone();
                slot.fail(Failure::PeerGone { peer, sent });
            }
        }
    }

    /// Ends the requests whose time is up. Returns when the next one's is.
    pub(crate) fn sweep(&mut self, now: Instant) -> Option<Instant> {
        let mut next = None;
        for slot in self.slots.values_mut() {
            match slot.deadline {
                Some(deadline) if slot.is_open() => {
                    if deadline <= now {
                        slot.end(Err(Failure::TimedOut));
                    } else {
                        next = Some(next.map_or(deadline, |next: Instant| next.min(deadline)));
                    }
                }
                _ => {}
            }
        }
        next
    }

    /// Ends every request and refuses further ones.
    pub(crate) fn close(&mut self) {
        self.closed = true;
        for slot in self.slots.values_mut() {
            slot.end(Err(Failure::Closed));
        }
    }

    /// Returns how many requests are in flight.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Takes the outcome of a request and [forgets](Self::forget) it, or notes whom to wake. With the
    /// outcome comes whom it had asked and who has not ended it.
    pub(crate) fn poll(
        &mut self,
        id: u64,
        context: &mut Context<'_>,
    ) -> Poll<(Outcome, Vec<Asked>)> {
        let Entry::Occupied(mut entry) = self.slots.entry(id) else {
            return Poll::Ready((Err(Failure::Closed), Vec::new()));
        };
        let slot = entry.get_mut();
        if slot.is_open() {
            match &mut slot.waker {
                Some(waker) => waker.clone_from(context.waker()),
                None => slot.waker = Some(context.waker().clone()),
            }
            return Poll::Pending;
        }
        let Slot { first, others, state: State::Ended(outcome), .. } = entry.remove() else {
            unreachable!("it has ended");
        };
        Poll::Ready((outcome, still_asked(first, others)))
    }
}

fn still_asked(first: Option<Asked>, mut others: Vec<Asked>) -> Vec<Asked> {
    others.extend(first);
    others
}

impl Asked {
    pub(crate) fn is_peer(&self, id: u64) -> bool {
        matches!(self, Asked::Peer { connection, .. } if *connection == id)
    }

    pub(crate) fn is_local(&self) -> bool {
        matches!(self, Asked::Local)
    }
}

impl Slot {
    /// Removes the first of those asked that fits, keeping `first` filled while there is any.
    fn take_asked(&mut self, mut fits: impl FnMut(&Asked) -> bool) -> bool {
        if self.first.as_ref().is_some_and(&mut fits) {
            self.first = self.others.pop();
            return true;
        }
        match self.others.iter().position(fits) {
            Some(at) => {
                self.others.swap_remove(at);
                true
            }
            None => false,
        }
    }

    fn fail(&mut self, failure: Failure) {
        match (self.first, &mut self.state) {
            (Some(_), _) | (_, State::Ended(_)) => {}
            (None, State::Open(last)) if !self.sealed => *last = Some(failure),
            (None, State::Open(_)) => self.end(Err(failure)),
        }
    }

    fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    fn end(&mut self, outcome: Outcome) {
        if self.is_open() {
            self.state = State::Ended(outcome);
            if let Some(waker) = self.waker.take() {
                waker.wake();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn decode(_: u64, _: &[u8], _: usize) -> Result<AnyResponse, Failure> {
        Ok(Box::new(()))
    }

    fn peer(connection: u64) -> Asked {
        Asked::Peer { connection, end: 10 }
    }

    fn poll(pending: &mut Pending, id: u64) -> Poll<Result<u8, Failure>> {
        let mut context = Context::from_waker(Waker::noop());
        let outcome = pending.poll(id, &mut context);
        outcome.map(|(outcome, _)| outcome.map(|response| *response.downcast().unwrap()))
    }

    fn question(id: u64) -> Question<'static> {
        Question { id, deadline: None, decode, waker: Waker::noop() }
    }

    fn opened(asked: &[Asked]) -> (Pending, u64) {
        let mut pending = Pending::default();
        let id = 1;
        assert!(pending.open(&question(id)));
        for &asked in asked {
            pending.add(id, asked);
        }
        pending.seal(id, Failure::Unanswered);
        (pending, id)
    }

    #[test]
    fn the_first_response_of_somebody_asked_counts() {
        let (mut pending, id) = opened(&[peer(1), peer(2)]);
        let mut complete = |connection, number: u8| {
            let response = Ok(Box::new(number) as AnyResponse);
            let refused = pending.complete(id, |asked| asked.is_peer(connection), response);
            refused.is_none()
        };
        assert!(!complete(3, 0));
        assert!(complete(2, 1));
        assert!(!complete(1, 2));
        assert_eq!(poll(&mut pending, id), Poll::Ready(Ok(1)));
    }

    #[test]
    fn a_request_fails_when_the_last_of_those_asked_has_failed() {
        let (mut pending, id) = opened(&[peer(1), Asked::Local, peer(2)]);
        pending.fail(id, |asked| asked.is_peer(1), Failure::Unanswered);
        pending.fail(id, |asked| asked.is_peer(1), Failure::Unanswered);
        pending.fail(id, Asked::is_local, Failure::Unanswered);
        assert_eq!(poll(&mut pending, id), Poll::Pending);
        let name = EndpointName::new("b").unwrap();
        pending.peer_gone(2, &name, 9);
        let gone = Failure::PeerGone { peer: name, sent: false };
        assert_eq!(poll(&mut pending, id), Poll::Ready(Err(gone)));
    }

    #[test]
    fn a_failure_counts_only_when_everybody_has_been_asked() {
        let mut pending = Pending::default();
        let id = 1;
        assert!(pending.open(&question(id)));
        pending.add(id, peer(1));
        pending.fail(id, |asked| asked.is_peer(1), Failure::RefusedPayload);
        assert_eq!(poll(&mut pending, id), Poll::Pending);
        pending.add(id, peer(2));
        pending.seal(id, Failure::Unanswered);
        assert_eq!(poll(&mut pending, id), Poll::Pending);
        pending.fail(id, |asked| asked.is_peer(2), Failure::Unanswered);
        assert_eq!(poll(&mut pending, id), Poll::Ready(Err(Failure::Unanswered)));

        let id = 2;
        assert!(pending.open(&question(id)));
        pending.add(id, peer(1));
        pending.fail(id, |asked| asked.is_peer(1), Failure::RefusedPayload);
        pending.seal(id, Failure::Unanswered);
        assert_eq!(poll(&mut pending, id), Poll::Ready(Err(Failure::RefusedPayload)));
    }

    #[test]
    fn a_gone_peer_is_told_apart_by_whether_the_request_had_left() {
        for (written, expected) in [(9, false), (10, true)] {
            let (mut pending, id) = opened(&[peer(1)]);
            pending.peer_gone(1, &EndpointName::new("b").unwrap(), written);
            let Poll::Ready(Err(Failure::PeerGone { sent, .. })) = poll(&mut pending, id) else {
                panic!("the request did not fail");
            };
            assert_eq!(sent, expected);
        }
    }

    #[test]
    fn a_forgotten_request_is_not_confused_with_the_next() {
        let (mut pending, old) = opened(&[peer(1)]);
        assert_eq!(pending.forget(old).0, [peer(1)]);
        assert_eq!(pending.len(), 0);
        let new = old + 1;
        assert!(pending.open(&question(new)));
        pending.add(new, peer(1));
        assert!(pending.complete(old, |_| true, Ok(Box::new(1_u8))).is_some());
        assert_eq!(poll(&mut pending, new), Poll::Pending);
        assert_eq!(pending.forget(old).0, []);
    }

    #[test]
    fn an_outcome_comes_with_those_who_are_still_asked_and_frees_the_slot() {
        let (mut pending, id) = opened(&[peer(1), peer(2), peer(3)]);
        let response = Ok(Box::new(1_u8) as AnyResponse);
        assert!(pending.complete(id, |asked| asked.is_peer(2), response).is_none());
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready((Ok(_), mut asked)) = pending.poll(id, &mut context) else {
            panic!("the request has no response");
        };
        asked.sort_by_key(|asked| asked.is_peer(3));
        assert_eq!(asked, [peer(1), peer(3)]);
        assert_eq!(pending.len(), 0);
    }

    #[test]
    fn deadlines_end_requests_and_the_next_one_is_told() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pending = Pending::default();
        let ids = [3, 1, 2];
        for id in ids {
            assert!(pending.open(&Question { deadline: Some(at(id)), ..question(id) }));
        }
        assert_eq!(pending.sweep(at(0)), Some(at(1)));
        assert_eq!(pending.sweep(at(1)), Some(at(2)));
        assert_eq!(poll(&mut pending, ids[0]), Poll::Pending);
        let timed_out = Poll::Ready(Err(Failure::TimedOut));
        assert_eq!(poll(&mut pending, ids[1]), timed_out);
        assert_eq!(pending.sweep(at(9)), None);
        assert_eq!(poll(&mut pending, ids[0]), timed_out);
    }

    #[test]
    fn closing_ends_all_and_refuses_more() {
        let (mut pending, id) = opened(&[peer(1)]);
        pending.close();
        assert_eq!(poll(&mut pending, id), Poll::Ready(Err(Failure::Closed)));
        assert!(pending.is_closed());
        assert!(!pending.open(&question(id + 1)));
        assert!(!pending.open_for(&question(id + 1), peer(1)));
        assert_eq!(pending.len(), 0);
    }

    #[test]
    fn a_request_opened_for_one_peer_ends_with_that_peer() {
        let mut pending = Pending::default();
        for id in [1, 2] {
            assert!(pending.open_for(&question(id), peer(1)));
            assert_eq!(poll(&mut pending, id), Poll::Pending);
        }
        let response = Ok(Box::new(7_u8) as AnyResponse);
        assert!(pending.complete(1, |asked| asked.is_peer(1), response).is_none());
        assert_eq!(poll(&mut pending, 1), Poll::Ready(Ok(7)));
        pending.fail(2, |asked| asked.is_peer(1), Failure::RefusedPayload);
        assert_eq!(poll(&mut pending, 2), Poll::Ready(Err(Failure::RefusedPayload)));
    }
}
