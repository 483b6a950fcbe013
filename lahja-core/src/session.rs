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

use std::collections::HashSet;
use std::time::{Duration, Instant};

use slab::Slab;

use crate::credit::{Outlet, Room, Sweep, charge};
use crate::error::ProtocolError;
use crate::frame::FrameBuffer;
use crate::limits::Limits;
use crate::message::{FailureReason, Hello, Message, OLDEST_VERSION, Refusal, VERSION};

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
    sent: Traffic,

    // What the peer wants: by the number that the peer chose.
    outlets: Vec<Option<(u64, Outlet)>>,
    live_outlets: u32,
    peer_epoch: u64,
    acknowledged_to_peer: u64,

    // What we want: the key is the number that we chose.
    announced: Slab<Announced>,
    epoch: u64,
    acknowledged_by_peer: u64,

    // Requests that we sent and the peer has not ended.
    asked: HashSet<u64>,
    // Requests that the peer sent and we have not ended.
    asking: HashSet<u64>,
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
    // Of topics the peer announces, and of requests it sends.
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

/// What a handled message means to the endpoint.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Happening<'a> {
    Nothing,
    /// Answer with [`Session::accept`] or [`Session::refuse`].
    Hello(Hello),
    Refused(Refusal),
    /// The handshake is done.
    Established,
    /// Route, then call [`Session::acknowledge`].
    Announced {
        slot: Slot,
        name: &'a str,
        fingerprint: u64,
    },
    /// Remove the route, then call [`Session::acknowledge`].
    Withdrawn {
        slot: Slot,
    },
    /// The peer has seen our announcements up to some epoch. The numbers of these are free again.
    Acknowledged {
        freed: Vec<Slot>,
    },
    /// There may be room again.
    Credit,
    Event {
        number: u32,
        request: Option<u64>,
        payload: &'a [u8],
    },
    Response {
        id: u64,
        response_type: u64,
        payload: &'a [u8],
    },
    Failed {
        id: u64,
        reason: FailureReason,
    },
    Cancelled {
        id: u64,
    },
    Lagged {
        number: u32,
        count: u64,
    },
    Goodbye,
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
    /// The frame would be longer than the peer takes.
    TooLarge { len: usize, max: usize },
}

/// What went over one connection in one direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traffic {
    /// Frames of every kind.
    pub frames: u64,
    /// Events, requests among them.
    pub events: u64,
    /// Responses to requests.
    pub responses: u64,
}

impl Traffic {
    pub(crate) fn count(&mut self, message: &Message<'_>) {
        self.frames += 1;
        match message {
            Message::Event { .. } => self.events += 1,
            Message::Response { .. } => self.responses += 1,
            _ => {}
        }
    }
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
                peer_topics: limits.topics,
                peer_requests: limits.requests,
            },
            out: FrameBuffer::new(),
            queued: 0,
            sent: Traffic::default(),
            outlets: Vec::new(),
            live_outlets: 0,
            peer_epoch: 0,
            acknowledged_to_peer: 0,
            announced: Slab::new(),
            epoch: 0,
            acknowledged_by_peer: 0,
            asked: HashSet::new(),
            asking: HashSet::new(),
        };
        session.push(&Message::Hello(hello));
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

    /// Returns what was queued to be sent.
    pub(crate) fn sent(&self) -> Traffic {
        self.sent
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
        self.out.len() >= self.limits.backlog
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

    /// Acknowledges the peer's announcements, once they are routed.
    pub(crate) fn acknowledge(&mut self) {
        if self.acknowledged_to_peer < self.peer_epoch && self.phase != Phase::Ended {
            self.acknowledged_to_peer = self.peer_epoch;
            let epoch = self.peer_epoch;
            self.push(&Message::Acknowledge { epoch });
        }
    }

    /// Tells whether the peer waits for an answer to its request `id`.
    pub(crate) fn is_asking(&self, id: u64) -> bool {
        self.asking.contains(&id) && !self.has_ended()
    }

    /// Queues an event, or a request with its id, for a topic of the peer.
    pub(crate) fn push_event(&mut self, slot: Slot, request: Option<u64>, payload: &[u8]) -> Push {
        if request.is_some() {
            let too_many = self.asked.len() >= self.limits.requests as usize;
            match self.outlet(slot) {
                // A request is not counted as missed: it waits until its time is up.
                Some(outlet) if too_many || (outlet.is_stalled() && outlet.is_full()) => {
                    return Push::Full;
                }
                Some(_) => {}
                None => return Push::Gone,
            }
        }
        let room = self.reserve(slot, payload.len());
        if room == Push::Queued {
            self.asked.extend(request);
            self.push_unchecked(slot, request, payload);
        }
        room
    }

    /// Takes room for an event without sending it yet.
    pub(crate) fn reserve(&mut self, slot: Slot, payload_len: usize) -> Push {
        if let Some(too_large) = self.too_large(payload_len) {
            return too_large;
        }
        let backlogged = self.is_backlogged();
        let Some(outlet) = self.outlet(slot) else {
            return Push::Gone;
        };
        if backlogged && !outlet.is_stalled() {
            return Push::Full;
        }
        if outlet.is_stalled() && !backlogged {
            let missed = outlet.resume();
            self.push_lagged(slot.number, missed);
        }
        let Some(outlet) = self.outlet(slot) else {
            return Push::Gone;
        };
        match outlet.take(charge(payload_len)) {
            Room::Yes => Push::Queued,
            Room::Full => Push::Full,
            Room::Stalled => Push::Missed,
        }
    }

    /// Gives back room that was reserved and not used.
    pub(crate) fn unreserve(&mut self, slot: Slot, payload_len: usize) {
        if let Some(outlet) = self.outlet(slot) {
            outlet.untake(charge(payload_len));
        }
    }

    /// Queues an event for which room was reserved.
    pub(crate) fn push_reserved(&mut self, slot: Slot, request: Option<u64>, payload: &[u8]) {
        if self.outlet(slot).is_some() {
            self.push_unchecked(slot, request, payload);
        }
    }

    fn push_unchecked(&mut self, slot: Slot, request: Option<u64>, payload: &[u8]) {
        self.push(&Message::Event { number: slot.number, request, payload });
    }

    /// Says that somebody waits for room, which starts the clock of a stall.
    pub(crate) fn wait_for_room(&mut self, slot: Slot, now: Instant) {
        let backlogged = self.is_backlogged();
        if let Some(outlet) = self.outlet(slot) {
            if backlogged || outlet.is_full() {
                outlet.wait(now);
            }
        }
    }

    /// Ends the stalls for which there is room again, now that the backlog has gone.
    pub(crate) fn resume(&mut self) {
        for number in 0..self.outlets.len() {
            if let Some((_, outlet)) = &mut self.outlets[number] {
                let count = outlet.resume();
                self.push_lagged(number as u32, count);
            }
        }
    }

    /// Declares topics stalled whose producers have waited for `limit`. Returns when to look
    /// again, and whether a topic was declared stalled.
    pub(crate) fn sweep(&mut self, now: Instant, limit: Duration) -> (Option<Instant>, bool) {
        let mut next = None;
        let mut stalled = false;
        let backlogged = self.is_backlogged();
        for (_, outlet) in self.outlets.iter_mut().flatten() {
            if !backlogged && !outlet.is_full() {
                // Whoever waited has given up, and there is room by now.
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
        if let Some(too_large) = self.too_large(payload.len()) {
            return too_large;
        }
        if self.has_ended() || !self.asking.contains(&id) {
            return Push::Gone;
        }
        if self.is_backlogged() {
            return Push::Full;
        }
        self.asking.remove(&id);
        self.push(&Message::Response { id, response_type, payload });
        Push::Queued
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

    /// Ends the session in order: what is queued still goes out, then a goodbye.
    pub(crate) fn say_goodbye(&mut self) {
        if !self.has_ended() {
            self.push(&Message::Goodbye);
            self.phase = Phase::Ended;
        }
    }

    /// Ends the session at once.
    pub(crate) fn end(&mut self) {
        self.phase = Phase::Ended;
    }

    /// Takes a message of the peer.
    ///
    /// # Errors
    ///
    /// The peer broke the protocol: the connection cannot go on.
    pub(crate) fn handle<'a>(
        &mut self,
        message: Message<'a>,
    ) -> Result<Happening<'a>, ProtocolError> {
        match (self.phase, message) {
            // What crosses our own goodbye or refusal still counts where somebody waits for it.
            (Phase::Ended, message) => Ok(self.handle_after_end(message)),
            (_, Message::Unknown) => Ok(Happening::Nothing),
            (Phase::Greeting, Message::Hello(hello)) => Ok(Happening::Hello(hello)),
            (_, Message::Refuse(reason)) => {
                self.phase = Phase::Ended;
                Ok(Happening::Refused(reason))
            }
            (_, Message::Goodbye) => {
                self.phase = Phase::Ended;
                Ok(Happening::Goodbye)
            }
            (Phase::Announcing, Message::Ready) => {
                self.phase = Phase::Established;
                Ok(Happening::Established)
            }
            (
                Phase::Announcing | Phase::Established,
                Message::Announce { epoch, number, window, fingerprint, name },
            ) => {
                let slot = self.open_outlet(epoch, number, window)?;
                Ok(Happening::Announced { slot, name, fingerprint })
            }
            (Phase::Announcing | Phase::Established, Message::Withdraw { epoch, number }) => {
                let slot = self.close_outlet(epoch, number)?;
                Ok(Happening::Withdrawn { slot })
            }
            (Phase::Announcing | Phase::Established, Message::Acknowledge { epoch }) => {
                self.handle_acknowledge(epoch)
            }
            (Phase::Established, message) => self.handle_established(message),
            (_, message) => Err(ProtocolError::OutOfPlace { message: message.kind_name() }),
        }
    }

    fn handle_established<'a>(
        &mut self,
        message: Message<'a>,
    ) -> Result<Happening<'a>, ProtocolError> {
        match message {
            Message::Credit { number, bytes } => self.handle_credit(number, bytes),
            Message::Event { number, request, payload } => {
                self.check_number(number)?;
                if let Some(id) = request {
                    self.open_request(id)?;
                }
                Ok(Happening::Event { number, request, payload })
            }
            Message::Response { id, response_type, payload } if self.asked.remove(&id) => {
                Ok(Happening::Response { id, response_type, payload })
            }
            Message::Failure { id, reason } if self.asked.remove(&id) => {
                Ok(Happening::Failed { id, reason })
            }
            // The response crossed our cancellation, or the id was guessed.
            Message::Response { .. } | Message::Failure { .. } => Ok(Happening::Nothing),
            Message::Cancel { id } if self.asking.remove(&id) => Ok(Happening::Cancelled { id }),
            Message::Cancel { .. } => Ok(Happening::Nothing),
            Message::Lagged { number, count } => {
                self.check_number(number)?;
                Ok(Happening::Lagged { number, count })
            }
            message => Err(ProtocolError::OutOfPlace { message: message.kind_name() }),
        }
    }

    fn handle_after_end<'a>(&mut self, message: Message<'a>) -> Happening<'a> {
        match message {
            Message::Response { id, response_type, payload } if self.asked.remove(&id) => {
                Happening::Response { id, response_type, payload }
            }
            Message::Failure { id, reason } if self.asked.remove(&id) => {
                Happening::Failed { id, reason }
            }
            Message::Refuse(reason) => Happening::Refused(reason),
            Message::Goodbye => Happening::Goodbye,
            _ => Happening::Nothing,
        }
    }

    fn open_outlet(&mut self, epoch: u64, number: u32, window: u32) -> Result<Slot, ProtocolError> {
        self.enter_epoch(epoch)?;
        let max = self.limits.peer_topics;
        if self.live_outlets >= max || number >= max {
            return Err(ProtocolError::TooManyTopics { max });
        }
        let index = number as usize;
        if self.outlets.len() <= index {
            self.outlets.resize_with(index + 1, || None);
        }
        if self.outlets[index].is_some() {
            return Err(ProtocolError::NumberInUse { number });
        }
        self.outlets[index] = Some((epoch, Outlet::new(window)));
        self.live_outlets += 1;
        Ok(Slot { number, epoch })
    }

    fn close_outlet(&mut self, epoch: u64, number: u32) -> Result<Slot, ProtocolError> {
        self.enter_epoch(epoch)?;
        let outlet = self.outlets.get_mut(number as usize).and_then(Option::take);
        let (epoch, _) = outlet.ok_or(ProtocolError::UnknownNumber { number })?;
        self.live_outlets -= 1;
        Ok(Slot { number, epoch })
    }

    fn enter_epoch(&mut self, epoch: u64) -> Result<(), ProtocolError> {
        if epoch != self.peer_epoch + 1 {
            return Err(ProtocolError::WrongEpoch { epoch });
        }
        self.peer_epoch = epoch;
        Ok(())
    }

    fn handle_acknowledge(&mut self, epoch: u64) -> Result<Happening<'static>, ProtocolError> {
        if epoch <= self.acknowledged_by_peer || epoch > self.epoch {
            return Err(ProtocolError::WrongEpoch { epoch });
        }
        self.acknowledged_by_peer = epoch;
        let mut freed = Vec::new();
        self.announced.retain(|number, announced| match announced {
            Announced::Withdrawn(announced, withdrawn) if *withdrawn <= epoch => {
                freed.push(Slot { number: number as u32, epoch: *announced });
                false
            }
            _ => true,
        });
        Ok(Happening::Acknowledged { freed })
    }

    fn handle_credit(
        &mut self,
        number: u32,
        bytes: u64,
    ) -> Result<Happening<'static>, ProtocolError> {
        let outlet = self.outlets.get_mut(number as usize);
        // Credit may cross nothing: its sender withdraws the topic itself.
        let (_, outlet) =
            outlet.and_then(Option::as_mut).ok_or(ProtocolError::UnknownNumber { number })?;
        let count = outlet.give(bytes)?;
        self.push_lagged(number, count);
        Ok(Happening::Credit)
    }

    fn push_lagged(&mut self, number: u32, count: u64) {
        if count > 0 {
            self.push(&Message::Lagged { number, count });
        }
    }

    fn open_request(&mut self, id: u64) -> Result<(), ProtocolError> {
        let max = self.limits.peer_requests;
        if self.asking.len() >= max as usize {
            return Err(ProtocolError::TooManyRequests { max });
        }
        if !self.asking.insert(id) {
            return Err(ProtocolError::RequestInUse { id });
        }
        Ok(())
    }

    fn check_number(&self, number: u32) -> Result<(), ProtocolError> {
        match self.announced.contains(number as usize) {
            true => Ok(()),
            false => Err(ProtocolError::UnknownNumber { number }),
        }
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

    fn too_large(&self, payload_len: usize) -> Option<Push> {
        let len = payload_len + MAX_HEADER;
        let max = self.limits.frame;
        (len > max).then_some(Push::TooLarge { len, max })
    }

    #[inline]
    fn push(&mut self, message: &Message<'_>) {
        self.sent.count(message);
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
