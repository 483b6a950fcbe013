//! Requests in flight, next to a list of them that is searched from one end to the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use super::input::Input;
use crate::name::EndpointName;
use crate::pending::{AnyResponse, Asked, Failure, Outcome, Pending, Question};

/// Asks, answers, fails, forgets and waits in any order.
///
/// # Panics
///
/// Panics if a request ends otherwise than by the first thing that ends it, or wakes nobody then.
pub fn pending(data: &[u8]) {
    let mut input = Input::new(data);
    let start = Instant::now();
    let mut both = Both {
        pending: Pending::default(),
        requests: Vec::new(),
        last_id: 0,
        now: start,
        closed: false,
    };
    while !input.is_empty() {
        both.step(&mut input);
        assert_eq!(both.pending.len(), both.requests.len());
    }
}

/// One request, as simple as can be.
struct Request {
    id: u64,
    deadline: Option<Instant>,
    asked: Vec<Asked>,
    is_sealed: bool,
    failure: Option<Ending>,
    ending: Option<Ending>,
    wakes: Arc<Wakes>,
    /// Whether somebody waits, and is to be woken.
    waits: bool,
}

/// How a request ended: a response by its number, or a failure.
type Ending = Result<u32, Failure>;

#[derive(Default)]
struct Wakes(AtomicU32);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Request {
    fn end(&mut self, ending: Ending) {
        if self.ending.is_none() {
            self.ending = Some(ending);
            let woken = u32::from(std::mem::take(&mut self.waits));
            assert_eq!(self.wakes.0.swap(0, Ordering::Relaxed), woken);
        }
    }

    fn fail(&mut self, failure: Failure) {
        match (self.asked.is_empty(), self.is_sealed) {
            (false, _) => {}
            (true, true) => self.end(Err(failure)),
            (true, false) => self.failure = Some(Err(failure)),
        }
    }

    fn take(&mut self, who: u64) -> Option<Asked> {
        let at = self.asked.iter().position(|asked| is_it(asked, who))?;
        Some(self.asked.remove(at))
    }
}

/// Number 0 is the endpoint itself.
fn is_it(asked: &Asked, who: u64) -> bool {
    if who == 0 { asked.is_local() } else { asked.is_peer(who) }
}

fn asked(who: u64, input: &mut Input<'_>) -> Asked {
    match who {
        0 => Asked::Local,
        connection => Asked::Peer { connection, end: u64::from(input.byte() % 4) },
    }
}

struct Both {
    pending: Pending,
    requests: Vec<Request>,
    last_id: u64,
    now: Instant,
    closed: bool,
}

impl Both {
    fn step(&mut self, input: &mut Input<'_>) {
        let kind = input.byte() % 16;
        let at = input.below(self.requests.len());
        let who = u64::from(input.byte() % 4);
        // An id that was never given out, or that of one request.
        let id = self.requests.get(at).map_or(u64::MAX, |request| request.id);
        match kind {
            0 => self.open(None, input),
            1 => self.open(Some(who), input),
            2..5 => self.ask(at, who, input),
            5 => {
                self.pending.seal(id, Failure::Unanswered);
                if let Some(request) = self.requests.get_mut(at) {
                    request.is_sealed = true;
                    if request.asked.is_empty() {
                        let last = request.failure.take();
                        request.end(last.unwrap_or(Err(Failure::Unanswered)));
                    }
                }
            }
            6 | 7 => self.complete(id, at, who, input),
            8 | 9 => {
                let failure = || match who {
                    0 => Failure::WrongType,
                    _ => Failure::RefusedPayload,
                };
                self.pending.fail(id, |asked| is_it(asked, who), failure());
                if let Some(request) = self.requests.get_mut(at) {
                    if request.take(who).is_some() {
                        request.fail(failure());
                    }
                }
            }
            10 => self.lose(who, input),
            11 => self.sweep(input),
            12 => self.forget(id, at),
            13 | 14 => self.poll(id, at),
            _ if input.seldom() => {
                self.pending.close();
                self.closed = true;
                self.requests.iter_mut().for_each(|request| request.end(Err(Failure::Closed)));
            }
            _ => {}
        }
    }

    /// Opens a request, for a peer alone if it says which.
    fn open(&mut self, only: Option<u64>, input: &mut Input<'_>) {
        let deadline = match input.byte() {
            0..0x40 => None,
            byte => Some(self.now + Duration::from_secs(u64::from(byte - 0x40) / 8)),
        };
        self.last_id += 1;
        let id = self.last_id;
        let wakes = Arc::<Wakes>::default();
        let waker = Waker::from(wakes.clone());
        let decode = |_, _: &[u8], _| Err(Failure::WrongType);
        let question = Question { id, deadline, decode, waker: &waker };
        let asked = only.map(|who| asked(who, input));
        let is_open = match asked {
            Some(asked) => self.pending.open_for(&question, asked),
            None => self.pending.open(&question),
        };
        assert_eq!(is_open, !self.closed);
        assert_eq!(self.pending.is_closed(), self.closed);
        if !is_open {
            return;
        }
        self.requests.push(Request {
            id,
            deadline,
            is_sealed: asked.is_some(),
            asked: asked.into_iter().collect(),
            failure: None,
            ending: None,
            wakes,
            waits: true,
        });
    }

    /// Notes whom a request asks, each at most once.
    fn ask(&mut self, at: usize, who: u64, input: &mut Input<'_>) {
        let Some(request) = self.requests.get_mut(at) else { return };
        if request.is_sealed || request.asked.iter().any(|asked| is_it(asked, who)) {
            return;
        }
        let asked = asked(who, input);
        self.pending.add(request.id, asked);
        request.asked.push(asked);
    }

    fn complete(&mut self, id: u64, at: usize, who: u64, input: &mut Input<'_>) {
        let number = u32::from(input.byte());
        let response: AnyResponse = Box::new(number);
        let unused = self.pending.complete(id, |asked| is_it(asked, who), Ok(response));
        let request = self.requests.get_mut(at).filter(|request| request.ending.is_none());
        let taken = request.is_some_and(|request| {
            let taken = request.take(who).is_some();
            if taken {
                request.end(Ok(number));
            }
            taken
        });
        assert_eq!(unused.is_none(), taken);
    }

    fn lose(&mut self, who: u64, input: &mut Input<'_>) {
        let peer = EndpointName::new("b").expect("the name is one");
        let written = u64::from(input.byte() % 4);
        self.pending.peer_gone(who, &peer, written);
        for request in &mut self.requests {
            let gone = if who == 0 { None } else { request.take(who) };
            if let Some(Asked::Peer { end, .. }) = gone {
                request.fail(Failure::PeerGone { peer: peer.clone(), sent: end <= written });
            }
        }
    }

    fn sweep(&mut self, input: &mut Input<'_>) {
        self.now += Duration::from_secs(u64::from(input.byte()) / 16);
        let next = self.pending.sweep(self.now);
        let waiting = self.requests.iter_mut().filter(|request| request.ending.is_none());
        let mut expected: Option<Instant> = None;
        for request in waiting {
            match request.deadline {
                Some(deadline) if deadline <= self.now => request.end(Err(Failure::TimedOut)),
                Some(at) => expected = Some(expected.map_or(at, |expected| expected.min(at))),
                None => {}
            }
        }
        assert_eq!(next, expected);
    }

    fn forget(&mut self, id: u64, at: usize) {
        let (asked, outcome) = self.pending.forget(id);
        if at >= self.requests.len() {
            assert!(asked.is_empty() && outcome.is_none());
            return;
        }
        self.forgotten(at, asked, outcome);
    }

    fn forgotten(&mut self, at: usize, mut asked: Vec<Asked>, outcome: Option<Outcome>) {
        let mut request = self.requests.swap_remove(at);
        let key = |asked: &Asked| match *asked {
            Asked::Local => (0, 0),
            Asked::Peer { connection, end } => (connection, end),
        };
        asked.sort_by_key(key);
        request.asked.sort_by_key(key);
        assert_eq!(asked, request.asked);
        assert_eq!(outcome.map(number), request.ending);
        // Its place may be taken by another, which has nothing to do with it.
        assert!(self.pending.decoder(request.id).is_none());
        match self.pending.poll(request.id, &mut Context::from_waker(Waker::noop())) {
            Poll::Ready((Err(Failure::Closed), asked)) => assert!(asked.is_empty()),
            other => panic!("a request that is forgotten is {other:?}"),
        }
    }

    fn poll(&mut self, id: u64, at: usize) {
        let Some(request) = self.requests.get_mut(at) else { return };
        assert_eq!(self.pending.decoder(id).is_some(), request.ending.is_none());
        let waker = Waker::from(request.wakes.clone());
        match self.pending.poll(id, &mut Context::from_waker(&waker)) {
            Poll::Pending => {
                assert_eq!(request.ending, None);
                request.waits = true;
            }
            Poll::Ready((outcome, asked)) => self.forgotten(at, asked, Some(outcome)),
        }
    }
}

fn number(outcome: Outcome) -> Ending {
    outcome.map(|response| *response.downcast().expect("responses are numbers"))
}
