//! Frames that were taken together.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// The least that is kept, in bytes. A read of a connection with little traffic is shorter, and cheap to
/// copy.
const LEAST_KEPT: usize = 16 * 1024;

/// Whole frames in a row, as they came: of each the length of its content, as a `u32` in little endian,
/// and its content. Found by [`FrameDecoder::next_alike`](crate::FrameDecoder::next_alike).
///
/// They are in the memory they were read to. Keeping them copies nothing, but keeps all of that memory, so
/// the next read takes other memory.
pub struct ArrivedFrames {
    // Invariant: the frames are `memory[start..end]`.
    memory: Arc<Vec<u8>>,
    start: usize,
    end: usize,
}

impl ArrivedFrames {
    pub(super) fn new(memory: Arc<Vec<u8>>, start: usize, end: usize) -> Self {
        debug_assert!(start <= end && end <= memory.len());
        Self { memory, start, end }
    }

    /// Tells whether keeping them is better than copying them. If so, the memory that is kept is at most
    /// twice as long as they are.
    pub(crate) fn are_worth_keeping(&self) -> bool {
        self.len() >= LEAST_KEPT && self.len() >= self.memory.capacity().div_ceil(2)
    }
}

impl Deref for ArrivedFrames {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.memory[self.start..self.end]
    }
}

impl fmt::Debug for ArrivedFrames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArrivedFrames").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_much_and_half_of_its_memory() {
        let kept = |frames, capacity| {
            let mut memory = Vec::with_capacity(capacity);
            memory.resize(frames + 1, 0);
            ArrivedFrames::new(Arc::new(memory), 1, frames + 1).are_worth_keeping()
        };
        assert!(kept(LEAST_KEPT, LEAST_KEPT + 1));
        assert!(!kept(LEAST_KEPT - 1, LEAST_KEPT));
        assert!(kept(LEAST_KEPT, 2 * LEAST_KEPT));
        assert!(!kept(LEAST_KEPT, 2 * LEAST_KEPT + 1));
    }
}
