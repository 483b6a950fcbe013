//! Frames: delimited bytes, the unit that a transport carries.
//!
//! ```text
//! frame = length (u32, little endian, of what follows) content (1 to `max_frame` bytes)
//! ```
//!
//! [`FrameBuffer`] holds frames on their way out, [`FrameDecoder`] finds them in what arrives.

mod arrived;

use std::sync::Arc;

pub use arrived::ArrivedFrames;

use crate::error::FrameError;

/// Bytes of the length that precedes each frame's content.
pub(crate) const PREFIX_LEN: usize = 4;

/// The most that one read asks for, unless a frame of more than half of it has made the buffer longer.
pub(crate) const READ_CHUNK: usize = 64 * 1024;

/// What a read asks for before one has found more, and after many that have found little: a connection
/// with little traffic holds no more.
const FIRST_CHUNK: usize = 4 * 1024;

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

/// Finds frames in bytes that arrive in pieces of any size.
///
/// The length is checked before anything is reserved, and the buffer grows with the bytes that
/// arrive, not with the length they promise.
#[derive(Debug)]
pub struct FrameDecoder {
    max_frame: usize,
    // A read asks for half of this at least.
    chunk: usize,
    // How many reads have found little since one found much.
    small_reads: u8,
    // Bytes that arrived and were not yet taken are `buffer[start..end]`. Nothing is written while others
    // keep frames there.
    buffer: Arc<Vec<u8>>,
    start: usize,
    end: usize,
}

impl FrameDecoder {
    /// Creates a decoder that refuses frames with more than `max_frame` bytes of content.
    pub fn new(max_frame: usize) -> Self {
        Self {
            max_frame,
            chunk: FIRST_CHUNK,
            small_reads: 0,
            buffer: Arc::default(),
            start: 0,
            end: 0,
        }
    }

    /// Changes the limit for the frames that were not yet taken.
    pub fn set_max_frame(&mut self, max_frame: usize) {
        self.max_frame = max_frame;
    }

    /// Returns room for arriving bytes, never empty. Say with [`filled`](Self::filled) how much
    /// of it was used.
    pub fn space(&mut self) -> &mut [u8] {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
            if self.small_reads == u8::MAX {
                self.chunk = FIRST_CHUNK;
            }
            let is_idle = self.chunk < READ_CHUNK && self.buffer.len() >= READ_CHUNK;
            if is_idle || self.buffer.len() > KEEP_CAPACITY {
                self.buffer = Arc::default();
            }
        }
        let has_space = self.buffer.len() - self.end >= self.chunk / 2;
        if !has_space || Arc::get_mut(&mut self.buffer).is_none() {
            self.make_space();
        }
        let buffer = Arc::get_mut(&mut self.buffer).expect("nobody else keeps it");
        &mut buffer[self.end..]
    }

    /// Marks the first `count` bytes of [`space`](Self::space) as arrived.
    ///
    /// # Panics
    ///
    /// Panics if `count` is more than the space there was.
    pub fn filled(&mut self, count: usize) {
        let space = self.buffer.len() - self.end;
        assert!(count <= space, "more filled than space");
        self.end += count;
        if count == space {
            self.chunk = READ_CHUNK;
        }
        match count < FIRST_CHUNK / 2 {
            true => self.small_reads = self.small_reads.saturating_add(1),
            false => self.small_reads = 0,
        }
    }

    /// Appends bytes that arrived.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let space = self.space();
            let count = space.len().min(bytes.len());
            space[..count].copy_from_slice(&bytes[..count]);
            self.filled(count);
            bytes = &bytes[count..];
        }
    }

    /// Returns the content of the next whole frame, or `None` until more bytes arrive.
    ///
    /// # Errors
    ///
    /// An empty frame and one over the limit. The stream cannot be followed any further.
    pub fn next_frame(&mut self) -> Result<Option<&[u8]>, FrameError> {
        let arrived = &self.buffer[self.start..self.end];
        let Some((prefix, rest)) = arrived.split_at_checked(PREFIX_LEN) else {
            return Ok(None);
        };
        let len = prefix_value(prefix);
        if len == 0 {
            return Err(FrameError::Empty);
        }
        if len > self.max_frame {
            return Err(FrameError::TooLong { len, max: self.max_frame });
        }
        if rest.len() < len {
            return Ok(None);
        }
        let content = self.start + PREFIX_LEN;
        self.start = content + len;
        Ok(Some(&self.buffer[content..self.start]))
    }

    /// Takes the frames that come next, as long as they are whole and their contents begin with
    /// `header`, and `take` agrees, which is asked of each such frame, in order, with the length of its
    /// content in bytes. Returns those frames, if there are any.
    ///
    /// A frame over the limit is left to [`next_frame`](Self::next_frame), which tells what is wrong.
    #[inline]
    pub fn next_alike(
        &mut self,
        header: [u8; 3],
        mut take: impl FnMut(usize) -> bool,
    ) -> Option<ArrivedFrames> {
        let arrived = &self.buffer[self.start..self.end];
        let mut rest = arrived;
        while let Some((prefix, behind)) = rest.split_first_chunk() {
            let len = u32::from_le_bytes(*prefix) as usize;
            let Some((content, behind)) = behind.split_at_checked(len) else { break };
            if content.first_chunk() != Some(&header) || len > self.max_frame || !take(len) {
                break;
            }
            rest = behind;
        }
        let (start, end) = (self.start, self.end - rest.len());
        self.start = end;
        (start < end).then(|| ArrivedFrames::new(self.buffer.clone(), start, end))
    }

    /// Checks that the bytes may end here.
    ///
    /// # Errors
    ///
    /// [`FrameError::Truncated`] if a frame has begun and not ended.
    pub fn finish(&self) -> Result<(), FrameError> {
        match self.end - self.start {
            0 => Ok(()),
            arrived => Err(FrameError::Truncated { arrived }),
        }
    }

    /// Returns how much memory is held.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn capacity(&self) -> usize {
        self.buffer.len()
    }

    /// Moves what is left to the front, and grows the buffer to a chunk, or at most to twice what has
    /// arrived. While others keep frames in it, takes another.
    fn make_space(&mut self) {
        let left = self.start..self.end;
        self.start = 0;
        self.end = left.len();
        let len = (self.end * 2).max(self.chunk);
        match Arc::get_mut(&mut self.buffer) {
            Some(buffer) if !buffer.is_empty() => {
                buffer.copy_within(left, 0);
                if buffer.len() - self.end < self.chunk / 2 {
                    buffer.resize(len, 0);
                }
            }
            // Faster than to grow one that is empty, and the usual case.
            _ => {
                let mut buffer = vec![0; len];
                buffer[..self.end].copy_from_slice(&self.buffer[left]);
                self.buffer = Arc::new(buffer);
            }
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

    fn frames(contents: &[&[u8]]) -> Vec<u8> {
        let mut buffer = FrameBuffer::new();
        for content in contents {
            buffer.push(content);
        }
        buffer.take_bytes()
    }

    fn decode_all(decoder: &mut FrameDecoder) -> Result<Vec<Vec<u8>>, FrameError> {
        let mut found = Vec::new();
        while let Some(frame) = decoder.next_frame()? {
            found.push(frame.to_vec());
        }
        Ok(found)
    }

    #[test]
    fn frames_are_found_however_the_bytes_are_split() {
        let contents: [&[u8]; 3] = [b"a", &[7; 300], b"xyz"];
        let bytes = frames(&contents);
        for split in 0..=bytes.len() {
            let mut decoder = FrameDecoder::new(300);
            decoder.feed(&bytes[..split]);
            let mut found = decode_all(&mut decoder).unwrap();
            decoder.feed(&bytes[split..]);
            found.extend(decode_all(&mut decoder).unwrap());
            assert_eq!(found, contents, "split at {split}");
            assert_eq!(decoder.finish(), Ok(()));
        }
    }

    /// Lengths at which the prefix gets another byte, a read is full, or the buffer grows: split at
    /// every byte around the ends of the frames and of reads.
    #[test]
    fn frames_of_every_boundary_of_lengths_are_found_at_every_split_that_matters() {
        let around = |at: usize| [at - 1, at, at + 1];
        let lengths = [2, 128, 256, READ_CHUNK / 2, READ_CHUNK - PREFIX_LEN, READ_CHUNK];
        for len in lengths.into_iter().flat_map(around) {
            let content = vec![7; len];
            let bytes = frames(&[&content, b"x", &content]);
            let ends = [0, len + PREFIX_LEN, len + 2 * PREFIX_LEN + 1, READ_CHUNK / 2, READ_CHUNK];
            let splits = ends.into_iter().flat_map(|end| end.saturating_sub(6)..end + 6);
            for split in splits.map(|split| split.min(bytes.len())) {
                let mut decoder = FrameDecoder::new(len);
                decoder.feed(&bytes[..split]);
                let mut found = decode_all(&mut decoder).unwrap();
                decoder.feed(&bytes[split..]);
                found.extend(decode_all(&mut decoder).unwrap());
                assert!(found == [&content[..], b"x", &content], "{len} bytes split at {split}");
                assert_eq!(decoder.finish(), Ok(()));
            }
        }
    }

    #[test]
    fn up_to_four_bytes_are_a_length_or_less() {
        for bytes in 0..=u16::MAX {
            let [low, high] = bytes.to_le_bytes();
            for prefix in [[low, high, 0, 0], [low, 0, high, 0], [low, 0, 0, high]] {
                let mut decoder = FrameDecoder::new(10);
                // The least that a read gives; the decoder's own buffer is filled by others.
                decoder.buffer = Arc::new(prefix.to_vec());
                for end in 0..PREFIX_LEN {
                    decoder.end = end;
                    assert_eq!(decoder.next_frame(), Ok(None));
                }
                decoder.end = PREFIX_LEN;
                let len = u32::from_le_bytes(prefix) as usize;
                let expected = match len {
                    0 => Err(FrameError::Empty),
                    1..=10 => Ok(None),
                    _ => Err(FrameError::TooLong { len, max: 10 }),
                };
                assert_eq!(decoder.next_frame(), expected, "{prefix:?}");
            }
        }
    }

    #[test]
    fn an_empty_frame_is_refused() {
        let mut decoder = FrameDecoder::new(10);
        decoder.feed(&[0, 0, 0, 0]);
        assert_eq!(decoder.next_frame(), Err(FrameError::Empty));
    }

    #[test]
    fn a_length_over_the_limit_is_refused_before_its_bytes_arrive() {
        let mut decoder = FrameDecoder::new(10);
        decoder.feed(&u32::MAX.to_le_bytes());
        let max = 10;
        let len = u32::MAX as usize;
        assert_eq!(decoder.next_frame(), Err(FrameError::TooLong { len, max }));
        assert!(decoder.buffer.len() <= READ_CHUNK);
    }

    #[test]
    fn what_comes_little_by_little_takes_little_room() {
        let mut decoder = FrameDecoder::new(READ_CHUNK);
        let small = frames(&[&[7; 100]]);
        for _ in 0..1_000 {
            decoder.feed(&small);
            assert_eq!(decoder.next_frame(), Ok(Some(&[7; 100][..])));
        }
        assert_eq!(decoder.capacity(), FIRST_CHUNK);
        decoder.feed(&small.repeat(100));
        assert_eq!(decoder.capacity(), READ_CHUNK);
        for _ in 0..1_000 {
            decoder.feed(&small);
            while decoder.next_frame().unwrap().is_some() {}
        }
        assert_eq!(decoder.capacity(), FIRST_CHUNK);
    }

    #[test]
    fn a_promised_length_reserves_nothing() {
        let mut decoder = FrameDecoder::new(16 << 20);
        decoder.feed(&(16_u32 << 20).to_le_bytes());
        assert_eq!(decoder.next_frame(), Ok(None));
        decoder.space();
        assert!(decoder.buffer.len() <= READ_CHUNK);
    }

    #[test]
    fn an_end_within_a_frame_is_an_error() {
        let mut decoder = FrameDecoder::new(10);
        decoder.feed(&[3, 0, 0, 0, 1]);
        assert_eq!(decoder.next_frame(), Ok(None));
        assert_eq!(decoder.finish(), Err(FrameError::Truncated { arrived: 5 }));
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

    #[test]
    fn frames_alike_are_taken_together_up_to_another() {
        let contents: [&[u8]; 7] = [b"abc1", b"abc22", b"abc", b"abc4444", b"b", b"abc6", b"abc7"];
        let mut decoder = FrameDecoder::new(6);
        let bytes = frames(&contents);
        decoder.feed(&bytes[..bytes.len() - 1]);
        assert!(decoder.next_alike(*b"abd", |_| true).is_none());
        assert_eq!(*decoder.next_alike(*b"abc", |len| len != 5).unwrap(), frames(&contents[..1]));
        assert_eq!(decoder.next_frame(), Ok(Some(contents[1])));
        // What is wrong with one is told as of any other.
        assert_eq!(*decoder.next_alike(*b"abc", |_| true).unwrap(), frames(&contents[2..3]));
        assert_eq!(decoder.next_frame(), Err(FrameError::TooLong { len: 7, max: 6 }));
        decoder.set_max_frame(7);
        assert_eq!(*decoder.next_alike(*b"abc", |_| true).unwrap(), frames(&contents[3..4]));
        assert!(decoder.next_alike(*b"abc", |_| true).is_none());
        assert_eq!(decoder.next_frame(), Ok(Some(contents[4])));
        // The last has not arrived as a whole.
        assert_eq!(*decoder.next_alike(*b"abc", |_| true).unwrap(), frames(&contents[5..6]));
        decoder.feed(&bytes[bytes.len() - 1..]);
        assert_eq!(*decoder.next_alike(*b"abc", |_| true).unwrap(), frames(&contents[6..]));
        assert_eq!(decoder.finish(), Ok(()));
    }

    #[test]
    fn no_byte_is_lost_while_frames_are_kept() {
        let contents: Vec<_> =
            (0..=u8::MAX).map(|n| [b'a', b'b', b'c', n].repeat(1 + usize::from(n))).collect();
        let bytes = frames(&contents.iter().map(Vec::as_slice).collect::<Vec<_>>());
        // What is left when the next read begins: nothing, or a frame of which the end is missing.
        for piece in [bytes.len(), 7, 5_000] {
            let mut decoder = FrameDecoder::new(4 * 256);
            let mut kept = Vec::new();
            for piece in bytes.repeat(3).chunks(piece) {
                decoder.feed(piece);
                kept.extend(decoder.next_alike(*b"abc", |_| true));
            }
            assert_eq!(decoder.finish(), Ok(()));
            let kept: Vec<_> = kept.iter().flat_map(|frames| &frames[..]).copied().collect();
            assert!(kept == bytes.repeat(3), "pieces of {piece}");
        }
    }

    #[test]
    fn memory_is_used_again_once_nobody_keeps_frames_there() {
        let mut decoder = FrameDecoder::new(10);
        let mut read = || {
            decoder.feed(&frames(&[b"abc1"]));
            decoder.next_alike(*b"abc", |_| true).unwrap()
        };
        let first = read();
        let second = read();
        assert_ne!(first.as_ptr(), second.as_ptr());
        let place = second.as_ptr();
        drop(second);
        assert_eq!(read().as_ptr(), place);
    }

    #[test]
    fn every_length_around_the_limit_is_judged_rightly() {
        for len in 1..=9_usize {
            let mut decoder = FrameDecoder::new(8);
            decoder.feed(&frames(&[&vec![1; len]]));
            assert_eq!(decoder.next_frame().is_ok(), len <= 8, "{len}");
        }
    }
}
