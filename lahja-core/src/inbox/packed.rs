//! Events of a peer that are queued as they came, and decoded one by one when they are consumed.
//!
//! A batch of small events so costs one allocation in the queue, and the allocations of each are
//! made and freed while they are in the cache of whoever consumes it.

use std::sync::Arc;

use super::Credit;
use crate::connection::Inlet;
use crate::credit::charge;
use crate::error::PayloadError;
use crate::event::{Event, Received, Source};
use crate::name::EndpointName;
use crate::payload;

/// The longest payload that is packed: a copy of it costs less than an allocation.
pub(crate) const MAX_PACKED: usize = 4 * 1024;

/// Bytes of the length that precedes each payload.
const PREFIX_LEN: usize = size_of::<u16>();

/// Payloads of one topic from one peer. Dropping it gives back the credit of those it still has.
pub(crate) struct Packed {
    inlet: Arc<Inlet>,
    max_depth: usize,
    // Invariant: payloads, each behind its length, from `start` on.
    bytes: Vec<u8>,
    start: usize,
    // Credit of events that are consumed, not given back yet.
    consumed: u64,
}

/// When an event that is taken out is consumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consumed {
    AtOnce,
    /// When its credit is dropped.
    Later,
}

impl Packed {
    /// Creates one with room for `capacity` bytes.
    pub(crate) fn new(inlet: Arc<Inlet>, max_depth: usize, capacity: usize) -> Self {
        Self { inlet, max_depth, bytes: Vec::with_capacity(capacity), start: 0, consumed: 0 }
    }

    /// Returns where the events come in.
    pub(crate) fn inlet(&self) -> &Inlet {
        &self.inlet
    }

    /// Returns who broadcast the events.
    pub(crate) fn origin(&self) -> &EndpointName {
        self.inlet.origin()
    }

    /// Returns how many events there are.
    pub(super) fn count(&self) -> usize {
        let mut rest = &self.bytes[self.start..];
        let mut count = 0;
        while let Some((len, behind)) = rest.split_first_chunk() {
            rest = &behind[usize::from(u16::from_ne_bytes(*len))..];
            count += 1;
        }
        count
    }

    /// Returns how many bytes are occupied.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Appends a payload of at most [`MAX_PACKED`] bytes.
    pub(crate) fn push(&mut self, payload: &[u8]) {
        let len = u16::try_from(payload.len()).expect("longer payloads are not packed");
        self.bytes.reserve(PREFIX_LEN + payload.len());
        self.bytes.extend_from_slice(&len.to_ne_bytes());
        self.bytes.extend_from_slice(payload);
    }

    /// Decodes the next event. One that is malformed is consumed by that.
    pub(crate) fn next<E: Event>(
        &mut self,
        consumed: Consumed,
    ) -> Option<Result<Received<E>, PayloadError>> {
        let max_depth = self.max_depth;
        let payload = self.next_payload()?;
        let bytes = charge(payload.len());
        let event = payload::decode(payload, max_depth);
        let origin = self.inlet.origin().clone();
        let source = match consumed {
            Consumed::Later if event.is_ok() => {
                Source::with_credit(origin, Credit::new(self.inlet.clone(), bytes))
            }
            _ => {
                self.consumed += bytes;
                self.inlet.release_worthwhile(&mut self.consumed);
                Source::new(origin)
            }
        };
        Some(event.map(|event| Received::new(event, source, None)))
    }

    fn next_payload(&mut self) -> Option<&[u8]> {
        let (prefix, rest) = self.bytes[self.start..].split_first_chunk::<PREFIX_LEN>()?;
        let len = usize::from(u16::from_ne_bytes(*prefix));
        self.start += PREFIX_LEN + len;
        Some(&rest[..len])
    }
}

impl Drop for Packed {
    fn drop(&mut self) {
        let mut credit = self.consumed;
        while let Some(payload) = self.next_payload() {
            credit += charge(payload.len());
        }
        if credit > 0 {
            self.inlet.release(credit);
        }
    }
}
