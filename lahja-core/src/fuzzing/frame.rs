//! Frames out of bytes in pieces, and bytes out of frames.

use super::input::Input;
use crate::error::FrameError;
use crate::frame::{ArrivedFrames, FrameBuffer, FrameDecoder, PREFIX_LEN, READ_CHUNK};

/// Decodes bytes that come in pieces, or frames that are written in pieces.
///
/// # Panics
///
/// Panics if frames are found that are not there, or too much memory is taken for them.
pub fn frame(data: &[u8]) {
    let mut input = Input::new(data);
    match input.byte() % 4 {
        0 => carry(&mut input),
        _ => decode(&mut input),
    }
}

/// Any bytes, in any pieces: the same frames and the same end as a look at all of them finds.
fn decode(input: &mut Input<'_>) {
    let max_frame = input.one_of(&[1, 2, 8, 300, 1 << 17]);
    let pieces = [(); 3].map(|()| piece(input));
    // More than what is read at once comes of long inputs and of these.
    let times = if input.seldom() { 200 } else { 1 };
    // A length around the limit, or what comes.
    let around = (max_frame as u32).wrapping_add(input.below(3) as u32).wrapping_sub(1);
    let mut bytes = if input.byte() < 0x40 { around.to_le_bytes().to_vec() } else { Vec::new() };
    bytes.extend(input.rest().repeat(times));
    let expected = find_all(&bytes, max_frame);
    assert_eq!(decode_pieces(&bytes, max_frame, &[usize::MAX]), expected);
    assert_eq!(decode_pieces(&bytes, max_frame, &pieces), expected, "pieces of {pieces:?}");
}

fn piece(input: &mut Input<'_>) -> usize {
    match input.byte() {
        byte @ 0..0xc0 => usize::from(byte) + 1,
        byte => usize::from(byte) * 512,
    }
}

type Found = (Vec<Vec<u8>>, Result<(), FrameError>);

/// What a decoder is to find.
fn find_all(mut bytes: &[u8], max: usize) -> Found {
    let mut found = Vec::new();
    while let Some((prefix, rest)) = bytes.split_first_chunk() {
        let len = u32::from_le_bytes(*prefix) as usize;
        if len == 0 {
            return (found, Err(FrameError::Empty));
        }
        if len > max {
            return (found, Err(FrameError::TooLong { len, max }));
        }
        if rest.len() < len {
            break;
        }
        found.push(rest[..len].to_vec());
        bytes = &rest[len..];
    }
    let arrived = bytes.len();
    let end = if arrived == 0 { Ok(()) } else { Err(FrameError::Truncated { arrived }) };
    (found, end)
}

fn decode_pieces(bytes: &[u8], max_frame: usize, pieces: &[usize]) -> Found {
    let mut decoder = FrameDecoder::new(max_frame);
    let mut found = Vec::new();
    // A few are kept at a time, so that what comes next is read elsewhere.
    let mut kept = Vec::new();
    let mut rest = bytes;
    for &piece in pieces.iter().cycle() {
        let count = piece.min(rest.len());
        feed(&mut decoder, &rest[..count]);
        rest = &rest[count..];
        let arrived = bytes.len() - rest.len();
        assert!(decoder.capacity() <= READ_CHUNK.max(2 * arrived), "after {arrived} bytes");
        loop {
            let header = match decoder.next_frame() {
                Ok(Some(content)) => {
                    found.push(content.to_vec());
                    content.first_chunk().copied().unwrap_or_default()
                }
                Ok(None) => break,
                Err(error) => return (found, Err(error)),
            };
            let Some(frames) = decoder.next_alike(header, |len| len % 7 > 0) else { continue };
            let (alike, end) = find_all(&frames, max_frame);
            assert_eq!(end, Ok(()), "whole frames are taken");
            let is_alike = |content: &[u8]| content.starts_with(&header) && content.len() % 7 > 0;
            assert!(alike.iter().all(|content| is_alike(content)));
            found.extend_from_slice(&alike);
            kept.push((frames, alike));
            if kept.len() > pieces.len() {
                check_and_drop(&mut kept, max_frame);
            }
        }
        if rest.is_empty() {
            break;
        }
    }
    check_and_drop(&mut kept, max_frame);
    (found, decoder.finish())
}

/// Frames that are kept stay as they came, whatever comes later.
fn check_and_drop(kept: &mut Vec<(ArrivedFrames, Vec<Vec<u8>>)>, max_frame: usize) {
    for (frames, alike) in kept.drain(..) {
        assert_eq!(find_all(&frames, max_frame), (alike, Ok(())));
    }
}

/// Hands bytes over in memory of their own, as a whole, or as a reader does that fills the space itself.
fn feed(decoder: &mut FrameDecoder, bytes: &[u8]) {
    if bytes.len() % 3 == 1 {
        return decoder.take_over(bytes.to_vec());
    }
    let space = decoder.space();
    assert!(!space.is_empty());
    if bytes.len() % 2 == 1 || bytes.len() > space.len() {
        return decoder.feed(bytes);
    }
    space[..bytes.len()].copy_from_slice(bytes);
    decoder.filled(bytes.len());
}

/// Frames that are queued and written in turn arrive as they were.
fn carry(input: &mut Input<'_>) {
    let mut buffer = FrameBuffer::new();
    let mut decoder = FrameDecoder::new(usize::MAX);
    let mut contents = Vec::new();
    let mut arrived = 0;
    while !input.is_empty() {
        match input.byte() {
            0..0x80 => {
                let content = content(input);
                buffer.push(&content);
                contents.push(content);
            }
            byte @ 0x80..0xf0 => {
                let count = usize::from(byte - 0x7f).min(buffer.len());
                decoder.feed(&buffer.bytes()[..count]);
                buffer.advance(count);
            }
            0xf0.. => decoder.feed(&buffer.take_bytes()),
        }
        while let Some(content) = decoder.next_frame().expect("frames were written") {
            assert_eq!(content, contents[arrived]);
            arrived += 1;
        }
        let fed = contents.iter().map(|content| PREFIX_LEN + content.len()).sum::<usize>();
        assert!(decoder.capacity() <= READ_CHUNK.max(2 * fed), "{fed} bytes at most have arrived");
        // A frame counts as unwritten until its last byte is written.
        assert!(buffer.unwritten().eq(&contents[arrived..]));
        assert_eq!(buffer.is_empty(), decoder.finish().is_ok() && arrived == contents.len());
    }
}

fn content(input: &mut Input<'_>) -> Vec<u8> {
    let len = match input.byte() {
        byte @ 0..0xfc => usize::from(byte) + 1,
        byte => usize::from(byte) << 9,
    };
    let mut content = input.bytes(len.min(8)).to_vec();
    content.resize(len, 7);
    content
}
