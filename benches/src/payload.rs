//! The event of every workload.

use std::hint::black_box;

use serde::{Deserialize, Serialize};

/// What an event carries: what a benchmark needs to know of it, and bytes.
///
/// Subjects whose events have to be types of their own wrap it, which costs nothing on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parcel {
    /// Its place among the producer's events, from 0.
    pub seq: u64,
    /// When it was sent, if that matters, as [`monotonic_ns`](crate::monotonic_ns) tells.
    pub sent_ns: u64,
    /// Bytes of no meaning.
    #[serde(with = "serde_bytes")]
    pub payload: Vec<u8>,
}

impl Parcel {
    /// Returns a parcel whose time of sending nobody looks at. It is as long as any other.
    pub fn new(seq: u64, len: usize) -> Self {
        Self { seq, sent_ns: 1_533_887_070_928_814_200, payload: vec![7; len] }
    }

    /// Looks at an answer, as everybody has to who gets one.
    ///
    /// # Panics
    ///
    /// Panics if it is not the one that is due, or not as long.
    pub fn expect(&self, seq: u64, len: usize) {
        assert_eq!(self.seq, seq, "another answer was due");
        // The compiler could do without bytes that nobody looks at.
        assert_eq!(black_box(&self.payload).len(), len, "an answer came with another payload");
    }

    /// Returns a parcel that is sent now.
    pub fn sent_now(seq: u64, len: usize) -> Self {
        Self { sent_ns: crate::monotonic_ns(), ..Self::new(seq, len) }
    }
}
