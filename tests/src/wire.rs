//! A peer that is made by hand: it says on the wire what it likes.
//!
//! Written from the documentation of the format, not with lahja's own encoder.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;

use futures_io::{AsyncRead, AsyncWrite};
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use lahja_core::schema::fingerprint;
use lahja_core::{Event, Platform};

/// The first byte of each message that the tests use.
pub mod kind {
    #![allow(missing_docs, reason = "the names are those of the format")]
    pub const HELLO: u8 = 0x01;
    pub const ANNOUNCE: u8 = 0x03;
    pub const READY: u8 = 0x05;
    pub const ACKNOWLEDGE: u8 = 0x06;
    pub const EVENT: u8 = 0x08;
    pub const RESPONSE: u8 = 0x09;
    pub const GOODBYE: u8 = 0x0d;
}

/// A peer that is made by hand.
#[derive(Debug)]
pub struct RawPeer<T>(T);

impl<T: AsyncRead + AsyncWrite + Unpin> RawPeer<T> {
    /// Connects to a socket and says nothing.
    pub fn connect<P: Platform<Stream = T>>(platform: &P, path: impl AsRef<Path>) -> Self {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_nonblocking(true).unwrap();
        Self(platform.stream(stream).unwrap())
    }

    /// Connects to a socket as the endpoint `name` that has nothing to announce.
    pub async fn introduce<P>(platform: &P, path: impl AsRef<Path>, name: &str) -> Self
    where
        P: Platform<Stream = T>,
    {
        let mut peer = Self::connect(platform, path);
        peer.say(&hello(name)).await;
        peer.say(&[kind::READY]).await;
        peer
    }

    /// Sends a frame.
    pub async fn say(&mut self, content: &[u8]) {
        self.send(&frame(content)).await;
    }

    /// Sends bytes.
    pub async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
        self.0.flush().await.unwrap();
    }

    /// Waits for a frame of a certain kind and returns its content; `None` at the end.
    pub async fn hear(&mut self, kind: u8) -> Option<Vec<u8>> {
        loop {
            let content = self.next().await?;
            if content[0] == kind {
                return Some(content);
            }
        }
    }

    /// Waits until the other end has closed the connection.
    pub async fn closed(&mut self) {
        while self.next().await.is_some() {}
    }

    async fn next(&mut self) -> Option<Vec<u8>> {
        let mut prefix = [0; 4];
        self.read(&mut prefix).await?;
        let mut content = vec![0; u32::from_le_bytes(prefix) as usize];
        self.read(&mut content).await?;
        Some(content)
    }

    async fn read(&mut self, bytes: &mut [u8]) -> Option<()> {
        match self.0.read_exact(bytes).await {
            Ok(()) => Some(()),
            // A peer that leaves something unread resets the connection.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset
                ) =>
            {
                None
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// Puts the length in front of a frame's content.
pub fn frame(content: &[u8]) -> Vec<u8> {
    let len = u32::try_from(content.len()).unwrap();
    [&len.to_le_bytes(), content].concat()
}

/// Encodes an unsigned number as LEB128.
pub fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// Decodes an unsigned number and returns it with what follows.
pub fn split_varint(bytes: &[u8]) -> (u64, &[u8]) {
    let len = 1 + bytes.iter().position(|byte| byte & 0x80 == 0).unwrap();
    let (number, rest) = bytes.split_at(len);
    let bits = number.iter().rev().fold(0, |bits, byte| bits << 7 | u64::from(byte & 0x7f));
    (bits, rest)
}

fn text(text: &str) -> Vec<u8> {
    [&varint(text.len() as u64), text.as_bytes()].concat()
}

/// Introduces an endpoint that is in no group.
pub fn hello(name: &str) -> Vec<u8> {
    let nonce = u128::from(std::process::id()) << 64 | 0x6d61_6465_5f62_795f;
    let mut content = vec![kind::HELLO];
    content.extend(b"lahja");
    content.extend([1, 1, 0]);
    content.extend(nonce.to_le_bytes());
    for limit in [16 << 20, 4_096, 4_096] {
        content.extend(varint(limit));
    }
    content.extend(text(name));
    content.push(0);
    content
}

/// Announces the topic of a type.
pub fn announce<E: Event>(epoch: u64, number: u64) -> Vec<u8> {
    let mut content = vec![kind::ANNOUNCE];
    content.extend(varint(epoch));
    content.extend(varint(number));
    content.extend(varint(256 << 10));
    content.extend(fingerprint::<E>().unwrap().to_le_bytes());
    content.extend(text(E::NAME));
    content
}

/// Acknowledges the announcements up to `epoch`.
pub fn acknowledge(epoch: u64) -> Vec<u8> {
    [&[kind::ACKNOWLEDGE][..], &varint(epoch)].concat()
}

/// Sends an event.
pub fn event(number: u64, payload: &[u8]) -> Vec<u8> {
    [&[kind::EVENT, 0], &varint(number)[..], payload].concat()
}

/// Answers a request with a response of a type.
pub fn response(id: u64, response_type: u64, payload: &[u8]) -> Vec<u8> {
    let mut content = vec![kind::RESPONSE, 0];
    content.extend(varint(id));
    content.extend(response_type.to_le_bytes());
    content.extend_from_slice(payload);
    content
}

/// Returns the type that a response of a topic has: FNV-1a (64 bit) of the topic's name.
pub fn topic_hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
