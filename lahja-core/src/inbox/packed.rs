//! Events of a peer that are queued as they came, and decoded when they are consumed.
//!
//! A batch of small events thus costs an allocation or two in the queue, and the allocations of each are
//! made and freed while they are in the cache of whoever consumes it. A few are decoded at a time:
//! a processor waits if it is to read in large pieces what it has just written in small ones, which
//! a few events later is over.

use std::collections::VecDeque;
use std::iter;
use std::ops::Deref;
use std::sync::Arc;

use super::{Charge, Credit, Item};
use crate::connection::Inlet;
use crate::credit::charge;
use crate::error::PayloadError;
use crate::event::{Event, Received};
use crate::frame::{ArrivedFrames, PREFIX_LEN};
use crate::message::PlainHeader;
use crate::name::EndpointName;
use crate::payload;

/// The longest payload that is packed: a copy of it costs less than an allocation.
pub(crate) const MAX_PACKED: usize = 4 * 1024;

/// How many events are decoded at a time, at most. The memory of so many goes from one to the next
/// within the part of it that glibc keeps for each thread, which is 7 pieces of a size.
const AT_ONCE: usize = 6;

/// So many bytes into what is decoded at a time no other event begins, which bounds what they claim.
const AT_ONCE_BYTES: usize = 1024;

/// Plain events of one topic from one peer, to which more are added as they come. It is packed before the
/// reader awaits anything, decodes a payload or calls a predicate. Only [`Packed`] gives credit back: a row
/// is dropped only with its connection, whose credit ends with it.
pub(crate) struct Row {
    inlet: Arc<Inlet>,
    max_depth: usize,
    // Invariant: the frames of `count` events.
    bytes: Vec<u8>,
    count: usize,
}

impl Row {
    /// Begins with none, and has room for `capacity` bytes.
    pub(crate) fn new(inlet: Arc<Inlet>, max_depth: usize, capacity: usize) -> Self {
        Self { inlet, max_depth, bytes: Vec::with_capacity(capacity), count: 0 }
    }

    /// Returns where the events come in.
    pub(crate) fn inlet(&self) -> &Inlet {
        &self.inlet
    }

    /// Returns the length of their frames, in bytes.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Appends one, as the content of its frame.
    pub(crate) fn push(&mut self, content: &[u8]) {
        let prefix = u32::try_from(content.len()).expect("longer payloads are not packed");
        self.bytes.reserve(PREFIX_LEN + content.len());
        self.bytes.extend_from_slice(&prefix.to_le_bytes());
        self.bytes.extend_from_slice(content);
        self.count += 1;
    }

    /// Appends `count` more, as their frames came.
    pub(crate) fn extend(&mut self, frames: &[u8], count: usize) {
        self.bytes.extend_from_slice(frames);
        self.count += count;
    }

    /// Packs `count` events that come behind these, and are left where they came.
    pub(crate) fn pack_arrived(&self, frames: ArrivedFrames, count: usize) -> Packed {
        Packed::new(self.inlet.clone(), self.max_depth, Frames::Arrived(frames), count)
    }

    /// Ends it: no more events join.
    pub(crate) fn pack(self) -> Packed {
        Packed::new(self.inlet, self.max_depth, Frames::Copied(trimmed(self.bytes)), self.count)
    }
}

/// Moves bytes to less memory, unless they fill half of theirs.
fn trimmed(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.shrink_to(2 * bytes.len());
    bytes
}

/// Payloads of one topic from one peer. Dropping it gives back the credit of those it still has.
pub(crate) struct Packed {
    inlet: Arc<Inlet>,
    max_depth: usize,
    // Invariant: whole ones of plain events; one begins at `start`, and one at `undecoded`, or they end.
    frames: Frames,
    // How many of them came in, those that are consumed included.
    count: usize,
    start: usize,
    undecoded: usize,
    // Why the last payload before `undecoded` is no event, if it is none.
    failure: Option<PayloadError>,
    // Credit of events that are consumed, not given back yet.
    consumed: u64,
}

/// Frames in a row, copied or left where they came.
enum Frames {
    Copied(Vec<u8>),
    Arrived(ArrivedFrames),
}

impl Packed {
    fn new(inlet: Arc<Inlet>, max_depth: usize, frames: Frames, count: usize) -> Self {
        Self { inlet, max_depth, frames, count, start: 0, undecoded: 0, failure: None, consumed: 0 }
    }

    /// Returns how many events there are, before the first is consumed.
    pub(super) fn count(&self) -> usize {
        debug_assert_eq!(self.start, 0);
        self.count
    }

    /// Goes on to the next event. Returns what this one is charged.
    #[inline]
    fn skip(&mut self) -> u64 {
        next(&self.frames, &mut self.start).map_or(0, |payload| charge(payload.len()))
    }

    #[inline]
    fn consume(&mut self, bytes: u64) {
        self.consumed += bytes;
        self.inlet.release_worthwhile(&mut self.consumed);
    }

    /// Decodes the next events, up to one that is malformed.
    fn decode<E: Event>(&mut self, decoded: &mut VecDeque<E>) {
        let Self { frames, undecoded, .. } = self;
        let bytes = &frames[..];
        let end = *undecoded + AT_ONCE_BYTES;
        let payloads = iter::from_fn(|| (*undecoded < end).then(|| next(bytes, undecoded))?);
        let take = |event| decoded.push_back(event);
        self.failure = payload::decode_each(payloads.take(AT_ONCE), self.max_depth, take).err();
    }
}

impl Deref for Frames {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Self::Copied(bytes) => bytes,
            Self::Arrived(frames) => frames,
        }
    }
}

/// Returns the payload that begins at `start`, and moves that to the next one.
#[inline]
fn next<'a>(bytes: &'a [u8], start: &mut usize) -> Option<&'a [u8]> {
    let (prefix, content) = bytes[*start..].split_first_chunk()?;
    let len = u32::from_le_bytes(*prefix) as usize;
    *start += PREFIX_LEN + len;
    Some(&content[size_of::<PlainHeader>()..len])
}

impl Drop for Packed {
    fn drop(&mut self) {
        let mut credit = self.consumed;
        while let Some(payload) = next(&self.frames, &mut self.start) {
            credit += charge(payload.len());
        }
        if credit > 0 {
            self.inlet.release(credit);
        }
    }
}

/// Events that were packed, on their way out to a consumer.
pub(crate) struct Unpacking<E> {
    packed: Option<Packed>,
    // Invariant: the next events of `packed`.
    decoded: VecDeque<E>,
}

impl<E: Event> Unpacking<E> {
    /// Creates one that has nothing.
    pub(crate) fn new() -> Self {
        Self { packed: None, decoded: VecDeque::new() }
    }

    /// Begins with others, once there is [nothing more](Self::decode).
    pub(crate) fn begin(&mut self, packed: Packed) {
        debug_assert!(self.decoded.is_empty());
        self.packed = Some(packed);
    }

    /// Takes out an event that is decoded, and is consumed by that.
    #[inline(always)]
    pub(crate) fn take(&mut self) -> Option<Received<E>> {
        let packed = self.packed.as_mut()?;
        let event = self.decoded.pop_front()?;
        let bytes = packed.skip();
        packed.consume(bytes);
        Some(Received::new(event, packed.inlet.origin().clone(), None))
    }

    /// Takes out an event that is decoded, with what it is charged until it is consumed.
    pub(crate) fn take_charged(&mut self) -> Option<Item<E>> {
        let packed = self.packed.as_mut()?;
        let event = self.decoded.pop_front()?;
        let credit = Credit::new(packed.inlet.clone(), packed.skip());
        let event = Received::new(event, packed.inlet.origin().clone(), None);
        Some(Item::Event(event, Charge::Remote(credit)))
    }

    /// Decodes the next events, once those that are decoded are taken out. Tells whether there are
    /// any.
    ///
    /// # Errors
    ///
    /// Who broadcast an event that is malformed, and why it is. It is consumed by that.
    pub(crate) fn decode(&mut self) -> Result<bool, (EndpointName, PayloadError)> {
        let Some(packed) = &mut self.packed else { return Ok(false) };
        if packed.failure.is_none() {
            packed.decode(&mut self.decoded);
        }
        if !self.decoded.is_empty() {
            return Ok(true);
        }
        let Some(failure) = packed.failure.take() else {
            self.packed = None;
            return Ok(false);
        };
        let bytes = packed.skip();
        packed.consume(bytes);
        Err((packed.inlet.origin().clone(), failure))
    }

    /// Drops what there is.
    pub(crate) fn clear(&mut self) {
        self.packed = None;
        self.decoded.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::trimmed;

    #[test]
    fn what_waits_fills_half_of_its_memory() {
        let mut bytes = Vec::with_capacity(1 << 16);
        bytes.extend([7; 100]);
        let bytes = trimmed(bytes);
        assert!(bytes.capacity() <= 200);
        assert_eq!(bytes, [7; 100]);
    }
}
