//! The protocol state of one connection: no I/O, no clock, no lock.
//!
//! A [`Session`] takes messages with [`handle`](Session::handle), which says what happened, and
//! queues messages in [`out`](Session::out). The two ends are alike: each says hello, each
//! answers the other's hello with its announcements and [`Ready`](Message::Ready) or with a
//! refusal.
//!
//! ```text
//!  Greeting --hello--> Announcing --ready--> Established --goodbye--> Ended
//!      \------------------\--------- refuse, goodbye ------------------^
//! ```

#[cfg(any(test, fuzzing))]
mod check;
mod handle;
mod parts;
mod send;
mod traffic;

use slab::Slab;

use crate::credit::Outlet;
use crate::frame::FrameBuffer;
use crate::hash::IdSet;
use crate::limits::Limits;
use crate::message::{FailureReason, Hello, Message, OLDEST_VERSION, Refusal, VERSION};

pub(crate) use handle::Happening;
pub(crate) use parts::{MAX_SPARE, PART, WHOLE};
pub(crate) use send::Allowance;
pub use traffic::{PeerTraffic, Traffic};

use parts::Gathering;

/// The bytes of an event's or response's header at the most: kind, flags and two numbers, or one
/// number and a type.
pub(crate) const MAX_HEADER: usize = 2 + 10 + 10;

/// What control messages may add to the backlog of a peer that does not read.
const CONTROL_BACKLOG: usize = 1 << 20;

/// The protocol state of one connection.
#[derive(Debug)]
pub(crate) struct Session {
    phase: Phase,
    limits: SessionLimits,
    out: FrameBuffer,
    // Bytes that were ever queued in `out`.
    queued: u64,
    // Bytes of these that the transport has taken.
    written: u64,
    // Bytes of events that follow, for which room was taken.
    reserved: usize,
    // Requests, and what ends requests, in `out` as far as that was not taken.
    exchanges: usize,
    sent: Traffic,

    // What the peer wants: by the number that the peer chose.
    outlets: Vec<Option<(u64, Outlet)>>,
    live_outlets: u32,
    peer_epoch: u64,
    acknowledged_to_peer: u64,
    // Where in what is queued ends a part for which the next one waits.
    awaited: Option<u64>,

    // What we want: the key is the number that we chose.
    announced: Slab<Announced>,
    epoch: u64,
    acknowledged_by_peer: u64,
    gathering: Gathering,

    // Requests that we sent and the peer has not ended.
    asked: IdSet,
    // Requests that the peer sent and we have not ended. The peer chooses the ids, and has no more
    // than `limits.peer_requests` in flight.
    asking: IdSet,
}

/// The bounds that matter to one session: ours until the peer has told its own.
#[derive(Debug)]
struct SessionLimits {
    // Of frames we send.
    frame: usize,
    backlog: usize,
    window: u32,
    // Of topics we announce, and of requests we send.
    topics: u32,
    requests: u32,
    // Of frames the peer sends, of topics it announces, and of requests it sends.
    peer_frame: usize,
    peer_topics: u32,
    peer_requests: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Greeting,
    Announcing,
    Established,
    Ended,
}

/// A topic that we announced.
#[derive(Debug, Clone, Copy)]
enum Announced {
    /// Since this epoch.
    Live(u64),
    /// The number is free once the peer has acknowledged the second epoch.
    Withdrawn(u64, u64),
}

/// One topic of one peer, in one of its lives: numbers are used again, epochs are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) number: u32,
    pub(crate) epoch: u64,
}

/// How a session takes an event or a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Push {
    /// It is queued.
    Queued,
    /// No room: wait for credit, for the backlog to shrink or for a request to end.
    Full,
    /// The peer is stalled: the event is counted as missed.
    Missed,
    /// The peer does not want it any more, or the session has ended.
    Gone,
    /// The frame would be longer than both ends take.
    TooLarge,
}

impl Session {
    /// Starts a session by saying `hello`, which tells the limits to the peer.
    pub(crate) fn new(hello: Hello, limits: &Limits) -> Self {
        let mut session = Self {
            phase: Phase::Greeting,
            limits: SessionLimits {
                frame: limits.frame as usize,
                backlog: limits.backlog,
                window: limits.window,
                topics: limits.topics,
                requests: limits.requests,
                peer_frame: limits.frame as usize,
                peer_topics: limits.topics,
                peer_requests: limits.requests,
            },
            out: FrameBuffer::new(),
            queued: 0,
            written: 0,
            reserved: 0,
            exchanges: 0,
            sent: Traffic::default(),
            outlets: Vec::new(),
            live_outlets: 0,
            peer_epoch: 0,
            acknowledged_to_peer: 0,
            awaited: None,
            announced: Slab::new(),
            epoch: 0,
            acknowledged_by_peer: 0,
            gathering: Gathering::default(),
            asked: IdSet::default(),
            asking: IdSet::default(),
        };
        session.push(&Message::Hello(Box::new(hello)));
        session
    }

    /// Gives access to the frames that wait to be written.
    pub(crate) fn out(&mut self) -> &mut FrameBuffer {
        &mut self.out
    }

    /// Returns how many bytes were ever queued: the position of the end of the last frame.
    pub(crate) fn queued(&self) -> u64 {
        self.queued
    }

    /// Returns how many bytes the transport has taken.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Returns what was queued to be sent.
    pub(crate) fn sent(&self) -> Traffic {
        Traffic { bytes: self.queued, ..self.sent }
    }

    #[cfg(test)]
    pub(crate) fn is_established(&self) -> bool {
        self.phase == Phase::Established
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.phase == Phase::Ended
    }

    /// Tells whether the peer has left more unread than any peer that reads would.
    pub(crate) fn is_overrun(&self) -> bool {
        self.out.len() > self.limits.backlog + self.limits.frame + CONTROL_BACKLOG
    }

    /// Tells whether events and responses have to wait for the transport.
    pub(crate) fn is_backlogged(&self) -> bool {
        self.out.len() + self.reserved >= self.limits.backlog
    }

    /// Accepts the peer that said hello. Announce every topic, then call [`ready`](Self::ready).
    pub(crate) fn accept(&mut self, hello: &Hello) {
        debug_assert_eq!(self.phase, Phase::Greeting);
        self.phase = Phase::Announcing;
        self.limits.frame = self.limits.frame.min(hello.max_frame as usize);
        self.limits.topics = self.limits.topics.min(hello.max_topics);
        self.limits.requests = self.limits.requests.min(hello.max_requests);
    }

    /// Refuses the peer and ends the session.
    pub(crate) fn refuse(&mut self, reason: Refusal) {
        self.push(&Message::Refuse(reason));
        self.phase = Phase::Ended;
    }

    /// Tells the peer that all announcements of the handshake are made.
    pub(crate) fn ready(&mut self) {
        self.push(&Message::Ready);
    }

    /// Announces a topic. Returns the slot with the number that its events will carry, or `None`
    /// if the peer takes no more topics.
    pub(crate) fn announce(&mut self, name: &str, fingerprint: u64) -> Option<Slot> {
        if self.announced.len() >= self.limits.topics as usize {
            return None;
        }
        self.epoch += 1;
        let epoch = self.epoch;
        let number = self.announced.insert(Announced::Live(epoch));
        let number = u32::try_from(number).expect("numbers are below the limit, a u32");
        self.push(&Message::Announce {
            epoch,
            number,
            window: self.limits.window,
            fingerprint,
            name,
        });
        Some(Slot { number, epoch })
    }

    /// Withdraws a topic that was announced.
    pub(crate) fn withdraw(&mut self, slot: Slot) {
        self.epoch += 1;
        let epoch = self.epoch;
        let number = slot.number;
        self.announced[number as usize] = Announced::Withdrawn(slot.epoch, epoch);
        self.push(&Message::Withdraw { epoch, number });
    }

    /// Returns the epoch of the last announcement.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Tells whether the peer has acknowledged every announcement up to `epoch`.
    pub(crate) fn is_acknowledged(&self, epoch: u64) -> bool {
        self.acknowledged_by_peer >= epoch
    }

    /// Acknowledges the peer's announcements, once they are routed. Those of the handshake are when
    /// that is done: the peer counts then.
    pub(crate) fn acknowledge(&mut self) {
        if self.acknowledged_to_peer < self.peer_epoch && self.phase == Phase::Established {
            self.acknowledged_to_peer = self.peer_epoch;
            let epoch = self.peer_epoch;
            self.push(&Message::Acknowledge { epoch });
        }
    }

    /// Tells whether the peer waits for an answer to its request `id`.
    pub(crate) fn is_asking(&self, id: u64) -> bool {
        self.asking.contains(&id) && !self.has_ended()
    }

    /// Returns credit for what was consumed of a topic that we announced.
    pub(crate) fn push_credit(&mut self, slot: Slot, bytes: u64) {
        let number = slot.number;
        match self.announced.get(number as usize) {
            Some(Announced::Live(epoch)) if *epoch == slot.epoch && !self.has_ended() => {
                self.push(&Message::Credit { number, bytes });
            }
            // What was consumed late belongs to a topic that has been withdrawn.
            _ => {}
        }
    }

    /// Answers a request of the peer, which is nothing if the peer has cancelled it.
    pub(crate) fn push_response(&mut self, id: u64, response_type: u64, payload: &[u8]) -> Push {
        if self.is_too_large(payload.len()) {
            return Push::TooLarge;
        }
        if self.is_backlogged() && self.is_asking(id) {
            return Push::Full;
        }
        if self.has_ended() || !self.asking.remove(&id) {
            return Push::Gone;
        }
        self.push(&Message::Response { id, response_type, payload });
        Push::Queued
    }

    /// Returns how many requests, and ends of requests, were queued since `out` was taken last.
    pub(crate) fn exchanges(&self) -> usize {
        self.exchanges
    }

    /// Notes that what is queued is taken out.
    pub(crate) fn taken(&mut self) {
        self.exchanges = 0;
    }

    /// Tells the peer that its request gets no response.
    pub(crate) fn push_failure(&mut self, id: u64, reason: FailureReason) {
        if self.asking.remove(&id) && !self.has_ended() {
            self.push(&Message::Failure { id, reason });
        }
    }

    /// Forgets a request of ours and tells the peer so.
    pub(crate) fn cancel(&mut self, id: u64) {
        if self.asked.remove(&id) && !self.has_ended() {
            self.push(&Message::Cancel { id });
        }
    }

    /// Ends the session in order: what is queued still goes out, then what a stalled peer has missed,
    /// then a goodbye.
    pub(crate) fn say_goodbye(&mut self) {
        if !self.has_ended() {
            self.tell_missed(Outlet::take_missed);
            self.push(&Message::Goodbye);
            self.phase = Phase::Ended;
        }
    }

    /// Ends the session at once, and forgets what has come in part.
    pub(crate) fn end(&mut self) {
        self.gathering = Gathering::default();
        self.phase = Phase::Ended;
    }

    fn outlet(&mut self, slot: Slot) -> Option<&mut Outlet> {
        if self.has_ended() {
            return None;
        }
        match self.outlets.get_mut(slot.number as usize)? {
            Some((epoch, outlet)) if *epoch == slot.epoch => Some(outlet),
            _ => None,
        }
    }

    /// Tells whether as many requests are in flight as the peer allows.
    fn is_asking_all(&self) -> bool {
        self.asked.len() >= self.limits.requests as usize
    }

    fn is_too_large(&self, payload_len: usize) -> bool {
        payload_len + MAX_HEADER > self.limits.frame
    }

    fn push(&mut self, message: &Message<'_>) {
        self.sent.count(message);
        self.exchanges += usize::from(message.is_exchange());
        let len = self.out.push_with(|bytes| message.encode(bytes));
        self.queued += len as u64;
    }
}

/// Finds the version that both ends speak.
pub(crate) fn common_version(hello: &Hello) -> Option<u8> {
    let version = VERSION.min(hello.newest_version);
    (version >= OLDEST_VERSION.max(hello.oldest_version)).then_some(version)
}

#[cfg(test)]
mod tests;
