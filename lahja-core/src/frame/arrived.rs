//! Frames that were taken together.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// A copy of fewer bytes costs less than other memory for the next read.
const MUCH: usize = 16 * 1024;

/// Whole frames in a row, as they came: each is the length of its content, of four bytes, the lowest
/// first, and its content.
///
/// They are where they were read. To keep them copies nothing, but keeps all that memory, so the next
/// read takes other memory.
#[derive(Clone)]
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

    /// Tells whether to keep them is better than a copy. Of the memory that they keep they fill half
    /// then, so that what is kept is bounded as they are.
    pub(crate) fn are_worth_keeping(&self) -> bool {
        self.len() >= MUCH && self.len() >= self.memory.len() / 2
    }
}

impl Deref for ArrivedFrames {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.memory[self.start..self.end]
    }
}

/// Takes frames that are in memory of their own.
impl From<Vec<u8>> for ArrivedFrames {
    fn from(frames: Vec<u8>) -> Self {
        let end = frames.len();
        Self::new(Arc::new(frames), 0, end)
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
        let kept = |start, end, memory| {
            ArrivedFrames::new(Arc::new(vec![0; memory]), start, end).are_worth_keeping()
        };
        assert!(kept(0, MUCH, MUCH));
        assert!(!kept(0, MUCH - 1, MUCH));
        assert!(kept(MUCH, 2 * MUCH, 2 * MUCH));
        assert!(!kept(MUCH, 2 * MUCH, 2 * MUCH + 2));
    }
}
