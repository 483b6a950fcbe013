//! Frames: delimited bytes, the unit that a transport carries.
//!
//! ```text
//! frame = length (u32, little endian, of what follows) content (1 to `max_frame` bytes)
//! ```
//!
//! [`FrameBuffer`] holds frames on their way out, [`FrameDecoder`] finds them in what arrives,
//! [`ArrivedFrames`] are those that it found together.

mod arrived;
mod decoder;

use std::sync::Arc;

pub use arrived::ArrivedFrames;
pub use decoder::FrameDecoder;

/// Bytes of the length that precedes each frame's content.
pub(crate) const PREFIX_LEN: usize = 4;

/// The most that one read asks for, unless a frame of more than half of it has made the buffer longer.
pub(crate) const READ_CHUNK: usize = 64 * 1024;

/// A buffer that served a burst gives its memory back beyond this many bytes: a few windows, since
/// fresh memory costs more than the copy into it.
const KEEP_CAPACITY: usize = 1024 * 1024;

/// Whole frames that wait to be written, of which the front may have been written in part.
///
/// A [`FrameWriter`](crate::FrameWriter) writes [`bytes`](Self::bytes) and calls
/// [`advance`](Self::advance) with what was taken. What was not taken stays, so a frame is never
/// torn, whoever stops waiting.
#[derive(Debug, Default)]
pub struct FrameBuffer {
    // Invariant: whole frames from index 0 on. Written frames stay until all are written.
    bytes: Vec<u8>,
    // What is held instead, as long as nothing is added: others hold the same frames. Invariant: not
    // empty, and `bytes` is.
    shared: Option<Arc<Vec<u8>>>,
    // The length of what is held, which each event asks for several times.
    end: usize,
    // Invariant: at most `end`; what lies before it has been written.
    written: usize,
}

impl FrameBuffer {
    /// Creates an empty buffer.
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), shared: None, end: 0, written: 0 }
    }

    /// Creates an empty buffer whose frames gather in this memory, which is empty.
    pub(crate) fn over(memory: Vec<u8>) -> Self {
        debug_assert!(memory.is_empty());
        Self { bytes: memory, ..Self::new() }
    }

    /// Returns what is still to be written.
    pub fn bytes(&self) -> &[u8] {
        &self.held()[self.written..]
    }

    /// Returns how many bytes are still to be written.
    #[inline]
    pub fn len(&self) -> usize {
        self.end - self.written
    }

    fn held(&self) -> &Vec<u8> {
        self.shared.as_deref().unwrap_or(&self.bytes)
    }

    /// Tells whether everything has been written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Marks the first `count` of [`bytes`](Self::bytes) as written.
    ///
    /// # Panics
    ///
    /// Panics if `count` is more than [`len`](Self::len).
    pub fn advance(&mut self, count: usize) {
        assert!(count <= self.len(), "more written than there was");
        self.written += count;
        if self.is_empty() {
            self.clear();
        }
    }

    /// Appends a frame with the given content.
    ///
    /// # Panics
    ///
    /// Panics if `content` is empty or longer than `u32::MAX` bytes.
    pub fn push(&mut self, content: &[u8]) {
        self.push_with(|bytes| bytes.extend_from_slice(content));
    }

    /// Takes the unwritten bytes out as one vector and leaves the buffer empty.
    pub fn take_bytes(&mut self) -> Vec<u8> {
        self.own();
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.drain(..self.written);
        (self.end, self.written) = (0, 0);
        bytes
    }

    /// Appends whole frames that others send, too, without a copy of them unless there are more.
    pub(crate) fn push_shared(&mut self, frames: &Arc<Vec<u8>>) {
        if self.is_empty() && !frames.is_empty() {
            self.shared = Some(frames.clone());
        } else {
            self.own();
            self.bytes.extend_from_slice(frames);
        }
        self.end += frames.len();
    }

    /// Holds by itself what it holds.
    #[inline]
    fn own(&mut self) {
        if self.shared.is_some() {
            self.copy_shared();
        }
    }

    #[cold]
    fn copy_shared(&mut self) {
        if let Some(shared) = self.shared.take() {
            self.bytes.extend_from_slice(&shared);
        }
    }

    /// Appends a frame of a short header and what follows it. Returns the frame's length, prefix
    /// included.
    #[inline]
    pub(crate) fn push_parts<const N: usize>(&mut self, header: [u8; N], payload: &[u8]) -> usize {
        let content = N + payload.len();
        let prefix = u32::try_from(content).expect("a frame is shorter than 4 GiB");
        self.own();
        self.bytes.reserve(PREFIX_LEN + content);
        self.bytes.extend_from_slice(&prefix.to_le_bytes());
        self.bytes.extend_from_slice(&header);
        self.bytes.extend_from_slice(payload);
        self.end = self.bytes.len();
        PREFIX_LEN + content
    }

    /// Appends a frame whose content `write` appends to the vector. Returns the frame's length,
    /// prefix included.
    #[inline]
    pub(crate) fn push_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> usize {
        self.own();
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; PREFIX_LEN]);
        write(&mut self.bytes);
        let content = self.bytes.len() - start - PREFIX_LEN;
        assert!(content > 0, "a frame has content");
        let prefix = u32::try_from(content).expect("a frame is shorter than 4 GiB");
        self.bytes[start..start + PREFIX_LEN].copy_from_slice(&prefix.to_le_bytes());
        self.end = self.bytes.len();
        PREFIX_LEN + content
    }

    /// Returns the content of every frame of which a byte is still to be written.
    pub(crate) fn unwritten(&self) -> impl Iterator<Item = &[u8]> {
        let held = self.held();
        let mut start = 0;
        std::iter::from_fn(move || {
            let prefix = held.get(start..start + PREFIX_LEN)?;
            let content = start + PREFIX_LEN;
            start = content + prefix_value(prefix);
            Some((start, &held[content..start]))
        })
        .filter(|&(end, _)| end > self.written)
        .map(|(_, content)| content)
    }

    fn clear(&mut self) {
        (self.end, self.written) = (0, 0);
        self.shared = None;
        self.bytes.clear();
        if self.bytes.capacity() > KEEP_CAPACITY {
            self.bytes = Vec::new();
        }
    }
}

fn prefix_value(prefix: &[u8]) -> usize {
    let bytes = prefix.try_into().expect("a prefix has four bytes");
    u32::from_le_bytes(bytes) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn frames(contents: &[&[u8]]) -> Vec<u8> {
        let mut buffer = FrameBuffer::new();
        for content in contents {
            buffer.push(content);
        }
        buffer.take_bytes()
    }

    #[test]
    fn a_partly_written_frame_counts_as_unwritten() {
        let mut buffer = FrameBuffer::new();
        buffer.push(b"one");
        buffer.push(b"two");
        assert_eq!(buffer.unwritten().count(), 2);
        buffer.advance(6);
        assert_eq!(buffer.unwritten().count(), 2);
        buffer.advance(1);
        assert_eq!(buffer.unwritten().collect::<Vec<_>>(), [b"two"]);
        buffer.advance(7);
        assert_eq!(buffer.unwritten().count(), 0);
        assert!(buffer.is_empty());
    }

    #[test]
    fn frames_that_others_send_too_are_written_as_ones_own_and_stay_theirs() {
        let theirs = Arc::new(frames(&[b"one", b"two"]));
        for written in 0..=theirs.len() {
            for more in [false, true] {
                let mut buffer = FrameBuffer::new();
                buffer.push_shared(&theirs);
                assert_eq!(buffer.bytes().as_ptr(), theirs.as_ptr());
                buffer.advance(written);
                let mut expected = theirs[written..].to_vec();
                if more {
                    buffer.push(b"three");
                    buffer.push_shared(&theirs);
                    expected.extend(frames(&[b"three", b"one", b"two"]));
                }
                assert_eq!(buffer.len(), expected.len());
                let unwritten = usize::from(written < 7) + usize::from(written < 14);
                assert_eq!(buffer.unwritten().count(), unwritten + if more { 3 } else { 0 });
                assert_eq!(buffer.bytes(), expected);
                assert_eq!(buffer.take_bytes(), expected);
                assert!(buffer.is_empty());
            }
        }
        assert_eq!(Arc::strong_count(&theirs), 1);
    }
}
