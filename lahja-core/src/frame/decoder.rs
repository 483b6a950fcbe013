//! Frames in what arrives.

use std::sync::Arc;

use super::{ArrivedFrames, KEEP_CAPACITY, PREFIX_LEN, READ_CHUNK, prefix_value};
use crate::error::FrameError;

/// What a read asks for before one has found more, and after many that have found little: a connection
/// with little traffic holds no more.
const FIRST_CHUNK: usize = 4 * 1024;

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
    ///
    /// It is in other memory than before if there are [`ArrivedFrames`] still that were found there.
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
        if !has_space || Arc::strong_count(&self.buffer) > 1 {
            self.make_space();
        }
        let buffer = Arc::get_mut(&mut self.buffer).expect("nobody but the decoder hands it out");
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

    /// Takes bytes that arrived in memory of their own, which is not copied if nothing is left of others.
    pub(crate) fn take_over(&mut self, bytes: Vec<u8>) {
        if self.start < self.end {
            return self.feed(&bytes);
        }
        (self.start, self.end) = (0, bytes.len());
        self.buffer = Arc::new(bytes);
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
    /// content in bytes. Returns those frames, if there are any. While they are kept, what comes next is
    /// read to other memory.
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
        (self.start, self.end) = (0, left.len());
        let len = (left.len() * 2).max(self.chunk);
        match Arc::get_mut(&mut self.buffer) {
            Some(buffer) if !buffer.is_empty() => {
                buffer.copy_within(left, 0);
                if buffer.len() - self.end < self.chunk / 2 {
                    buffer.resize(len, 0);
                }
            }
            // Others keep it, or it is empty: to grow it would be slower.
            _ => {
                let mut buffer = vec![0; len];
                buffer[..left.len()].copy_from_slice(&self.buffer[left]);
                self.buffer = Arc::new(buffer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::frames;
    use super::*;

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
        let take_over =
            |decoder: &mut FrameDecoder, bytes: &[u8]| decoder.take_over(bytes.to_vec());
        for feed in [FrameDecoder::feed, take_over] {
            for split in 0..=bytes.len() {
                let mut decoder = FrameDecoder::new(300);
                feed(&mut decoder, &bytes[..split]);
                let mut found = decode_all(&mut decoder).unwrap();
                feed(&mut decoder, &bytes[split..]);
                found.extend(decode_all(&mut decoder).unwrap());
                assert_eq!(found, contents, "split at {split}");
                assert_eq!(decoder.finish(), Ok(()));
            }
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
