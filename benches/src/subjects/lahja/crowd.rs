//! A peer that is made by hand and subscribes to any number of topics, none of which has a type
//! here. It speaks as the documentation of the wire says and listens to nothing.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::topics::LIMIT;
use crate::Result;

/// Its name.
pub(super) const NAME: &str = "crowd";

const HELLO: u8 = 0x01;
const ANNOUNCE: u8 = 0x03;
const READY: u8 = 0x05;

/// Connects it to the socket of an endpoint, in a thread that lasts as long as the process.
pub(super) fn gather(socket: &Path, topics: u64) -> Result<()> {
    let mut stream = UnixStream::connect(socket)?;
    let words = introduction(topics)?;
    std::thread::spawn(move || {
        // When the endpoint has gone, there is nothing more to do.
        let _ = stream.write_all(&words);
        let mut heard = [0; 4096];
        while stream.read(&mut heard).is_ok_and(|count| count > 0) {}
    });
    Ok(())
}

/// Returns all that a handshake takes.
fn introduction(topics: u64) -> Result<Vec<u8>> {
    let mut words = Vec::new();
    let mut hello = vec![HELLO];
    hello.extend(b"lahja");
    // The versions, none of whose features is used, and a nonce.
    hello.extend([1, 1, 0]);
    hello.extend([7; 16]);
    // The longest frame, topics and requests; then the name, and no groups.
    [16 << 20, LIMIT.into(), 4_096].iter().for_each(|&limit| varint(&mut hello, limit));
    text(&mut hello, NAME)?;
    hello.push(0);
    frame(&mut words, &hello)?;
    for number in 0..topics {
        let mut announce = vec![ANNOUNCE];
        // The epoch, the number, and the window.
        [number + 1, number, 256 << 10].iter().for_each(|&value| varint(&mut announce, value));
        // The fingerprint, which nobody compares.
        announce.extend([0; 8]);
        text(&mut announce, &format!("lahja-bench.Other.{number:05}"))?;
        frame(&mut words, &announce)?;
    }
    frame(&mut words, &[READY])?;
    Ok(words)
}

fn frame(out: &mut Vec<u8>, content: &[u8]) -> Result<()> {
    out.extend(u32::try_from(content.len())?.to_le_bytes());
    out.extend(content);
    Ok(())
}

fn text(out: &mut Vec<u8>, text: &str) -> Result<()> {
    varint(out, u64::try_from(text.len())?);
    out.extend(text.as_bytes());
    Ok(())
}

/// Encodes a number as LEB128.
fn varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_hello_and_announces_and_is_ready() {
        let words = introduction(2).unwrap();
        let mut rest = &words[..];
        let mut kinds = Vec::new();
        while let Some((len, content)) = rest.split_first_chunk::<4>() {
            let (content, after) = content.split_at(u32::from_le_bytes(*len) as usize);
            kinds.push(content[0]);
            rest = after;
        }
        assert_eq!(kinds, [HELLO, ANNOUNCE, ANNOUNCE, READY]);
    }

    #[test]
    fn numbers_are_leb128() {
        let mut out = Vec::new();
        varint(&mut out, 300);
        assert_eq!(out, [0xac, 0x02]);
    }
}
