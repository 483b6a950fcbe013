//! Events in parts, so that no small event of another topic waits behind the whole of a large one.
//!
//! A part is queued when what was queued of its event before has left, so there is never more than
//! one part of an event before whatever is sent next.

use std::collections::HashMap;

use super::{Happening, Push, Session, Slot};
use crate::credit::Outlet;
use crate::error::{FrameError, ProtocolError};
use crate::message::{Message, Place};

/// The length of a part, but for the last, in bytes. Writes of this size are as fast as larger ones.
pub(crate) const PART: usize = 64 * 1024;

/// The longest payload that is sent as a whole though it could be sent in parts.
pub(crate) const WHOLE: usize = 2 * PART;

/// The most memory that is kept for the next event: fresh memory costs more than what is done with it.
pub(crate) const MAX_SPARE: usize = 2 << 20;

impl Session {
    /// Begins an event, or a request, whose payload of `total` bytes follows in parts, with room for
    /// all of it. Another large event of the topic waits until it is done.
    pub(crate) fn push_begin(&mut self, slot: Slot, request: Option<u64>, total: usize) -> Push {
        if request.is_some() && self.request_has_to_wait(slot) {
            return Push::Full;
        }
        let push = self.take_room(slot, total, Outlet::take_for_parts);
        match push {
            Push::Queued => {
                let outlet = self.outlet(slot).expect("it has just had room");
                outlet.begin(total);
                let (number, total) = (slot.number, total as u64);
                self.push(&Message::Begin { number, request, total });
            }
            Push::Missed => self.miss(slot),
            _ => {}
        }
        push
    }

    /// Queues the next part of the event that has begun. [`Push::Missed`] says that the peer is
    /// stalled and the event abandoned, which is counted unless it is a request.
    pub(crate) fn push_part(&mut self, slot: Slot, request: Option<u64>, payload: &[u8]) -> Push {
        let (backlogged, written) = (self.is_backlogged(), self.written);
        let is_asking_all = self.is_asking_all();
        let Some(outlet) = self.outlet(slot) else {
            return Push::Gone;
        };
        let rest = outlet.rest().expect("parts follow the beginning");
        if outlet.is_stalled() {
            self.abandon(slot);
            if request.is_none() {
                self.miss(slot);
            }
            return Push::Missed;
        }
        if backlogged || !outlet.is_part_due(written) {
            let end = outlet.end();
            self.awaited = Some(self.awaited.map_or(end, |awaited| awaited.min(end)));
            return Push::Full;
        }
        let is_last = payload.len() == rest;
        if is_last && request.is_some() && is_asking_all {
            return Push::Full;
        }
        // What was left out so far is told before the event, though that has filled the window.
        let missed = outlet.take_missed();
        self.push_lagged(slot.number, missed);
        let place = if is_last { Place::Last } else { Place::Within };
        self.push(&Message::Part { number: slot.number, place, payload });
        let end = self.queued;
        let outlet = self.outlet(slot).expect("it is there still");
        outlet.advance(payload.len(), end);
        if is_last {
            self.asked.extend(request);
        }
        Push::Queued
    }

    /// Gives up the event that has begun. Its room comes back as credit.
    pub(crate) fn abandon(&mut self, slot: Slot) {
        if self.outlet(slot).is_some_and(Outlet::abandon) {
            self.push(&Message::Abandon { number: slot.number });
        }
    }

    /// Notes that the transport has taken bytes. Tells whether a part may follow that had to wait.
    pub(crate) fn wrote(&mut self, count: u64) -> bool {
        self.written += count;
        let written = self.written;
        let is_awaited = self.awaited.is_some_and(|end| end <= written);
        if is_awaited {
            self.awaited = None;
            self.tell_missed(|outlet| outlet.resume_parts(written));
        }
        is_awaited
    }

    /// Keeps the memory of an event that came in parts for the next one. Returns what is not kept.
    pub(crate) fn keep_spare(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        match self.has_ended() {
            true => bytes,
            false => self.gathering.keep_spare(bytes),
        }
    }

    pub(super) fn handle_begin(
        &mut self,
        number: u32,
        request: Option<u64>,
        total: u64,
    ) -> Result<Happening<'static>, ProtocolError> {
        self.check_number(number)?;
        let max = self.limits.peer_frame;
        let len = usize::try_from(total).unwrap_or(usize::MAX);
        if len > max {
            return Err(FrameError::TooLong { len, max }.into());
        }
        self.gathering.begin(number, request, len)?;
        Ok(Happening::Begun { number, total: len })
    }

    pub(super) fn handle_part(
        &mut self,
        number: u32,
        place: Place,
        payload: &[u8],
    ) -> Result<Happening<'static>, ProtocolError> {
        self.check_number(number)?;
        let Some(Gathered { request, bytes, .. }) = self.gathering.take(number, place, payload)?
        else {
            return Ok(Happening::Nothing);
        };
        if let Some(id) = request {
            self.open_request(id)?;
        }
        Ok(Happening::Whole { number, request, payload: bytes })
    }

    pub(super) fn handle_abandon(
        &mut self,
        number: u32,
    ) -> Result<Happening<'static>, ProtocolError> {
        self.check_number(number)?;
        let total = self.gathering.abandon(number)?;
        Ok(Happening::Abandoned { number, total })
    }
}

/// The events of the peer that have begun, by the numbers of their topics.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    begun: HashMap<u32, Gathered>,
    // Invariant: empty, with a capacity of at most `MAX_SPARE`.
    spare: Vec<u8>,
}

/// An event of which the last part has not come.
#[derive(Debug)]
struct Gathered {
    request: Option<u64>,
    total: usize,
    // Invariant: shorter than `total` until the last part comes. It grows with what comes, never
    // by what was announced.
    bytes: Vec<u8>,
}

impl Gathering {
    fn begin(
        &mut self,
        number: u32,
        request: Option<u64>,
        total: usize,
    ) -> Result<(), ProtocolError> {
        if total == 0 {
            return Err(ProtocolError::WrongTotal { total: 0 });
        }
        if self.begun.contains_key(&number) {
            return Err(ProtocolError::BegunTwice { number });
        }
        // A small event would hold all of it until it is consumed.
        let bytes = match self.spare.capacity() <= 2 * total {
            true => std::mem::take(&mut self.spare),
            false => Vec::new(),
        };
        self.begun.insert(number, Gathered { request, total, bytes });
        Ok(())
    }

    fn keep_spare(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        if bytes.capacity() > MAX_SPARE || bytes.capacity() <= self.spare.capacity() {
            return bytes;
        }
        bytes.clear();
        std::mem::replace(&mut self.spare, bytes)
    }

    /// Takes a part. Returns the event if it was the last.
    fn take(
        &mut self,
        number: u32,
        place: Place,
        part: &[u8],
    ) -> Result<Option<Gathered>, ProtocolError> {
        let gathered = self.begun.get_mut(&number).ok_or(ProtocolError::NotBegun { number })?;
        if part.is_empty() {
            return Err(ProtocolError::EmptyPart);
        }
        let rest = gathered.total - gathered.bytes.len();
        let fits = match place {
            Place::Within => part.len() < rest,
            Place::Last => part.len() == rest,
        };
        if !fits {
            return Err(ProtocolError::WrongTotal { total: gathered.total as u64 });
        }
        gathered.append(part);
        Ok(match place {
            Place::Within => None,
            Place::Last => self.begun.remove(&number),
        })
    }

    fn abandon(&mut self, number: u32) -> Result<usize, ProtocolError> {
        let gathered = self.begun.remove(&number).ok_or(ProtocolError::NotBegun { number })?;
        Ok(gathered.total)
    }

    /// Forgets an event that will not be complete, since its topic is withdrawn.
    pub(super) fn forget(&mut self, number: u32) {
        self.begun.remove(&number);
    }
}

impl Gathered {
    fn append(&mut self, part: &[u8]) {
        let len = self.bytes.len() + part.len();
        if len > self.bytes.capacity() {
            let capacity = (2 * len).min(self.total);
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
        self.bytes.extend_from_slice(part);
    }
}

#[cfg(any(test, fuzzing))]
impl Gathering {
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.begun.values().map(|gathered| gathered.bytes.capacity()).sum()
    }

    /// Panics if more is held than twice what has come, or than was announced, or was there before.
    pub(super) fn check(&self, max_topics: usize) {
        assert!(self.begun.len() <= max_topics);
        assert!(self.spare.is_empty() && self.spare.capacity() <= MAX_SPARE);
        for Gathered { total, bytes, .. } in self.begun.values() {
            assert!(bytes.len() < *total);
            let spare = (2 * total).min(MAX_SPARE);
            assert!(bytes.capacity() <= (2 * bytes.len()).min(*total).max(spare));
        }
    }
}
