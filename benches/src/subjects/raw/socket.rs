//! Frames on a blocking socket: a length of four bytes, and postcard.

use std::io::{self, IoSlice, Read, Write};
use std::os::unix::net::UnixStream;

use rustix::buffer::spare_capacity;
use serde::{Serialize, de::DeserializeOwned};

use crate::Result;
use crate::payload::Parcel;

/// How much is gathered before a write, and half of what is read at a time at most.
pub(in crate::subjects) const CHUNK: usize = 103 * 1024;

/// What comes before a large payload: its parcel's numbers, and its length.
const HEAD: usize = 24;

/// A socket that sleeps until it can go on, or asks again and again.
#[derive(Debug)]
pub(super) struct Socket(UnixStream);

impl Socket {
    pub(super) fn new(stream: UnixStream, is_polling: bool) -> Result<Self> {
        stream.set_nonblocking(is_polling)?;
        Ok(Self(stream))
    }

    /// Sends a parcel from where it is.
    pub(super) fn send_large(&self, parcel: &Parcel) -> Result<()> {
        let mut head = [0; HEAD];
        let numbers = [parcel.seq, parcel.sent_ns, u64::try_from(parcel.payload.len())?];
        for (place, number) in head.chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        let mut parts = [IoSlice::new(&head), IoSlice::new(&parcel.payload)];
        let mut rest = &mut parts[..];
        while !rest.is_empty() {
            let count = again(|| (&self.0).write_vectored(rest))?;
            IoSlice::advance_slices(&mut rest, count);
        }
        Ok(())
    }

    /// Receives a parcel to where it stays.
    pub(super) fn receive_large(&self) -> Result<Parcel> {
        let mut head = [0; HEAD];
        self.fill(&mut head)?;
        let number = |at: usize| {
            let bytes = head[8 * at..][..8].try_into().expect("eight bytes are as many");
            u64::from_le_bytes(bytes)
        };
        let payload = self.receive_bytes(usize::try_from(number(2))?)?;
        Ok(Parcel { seq: number(0), sent_ns: number(1), payload })
    }

    /// Receives so many bytes, into memory that need not be cleared before.
    fn receive_bytes(&self, len: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(len);
        // What is there is filled, and the next parcel begins behind this one.
        assert_eq!(bytes.capacity(), len, "there is more room than was asked for");
        while bytes.len() < len {
            there(again(|| Ok(rustix::io::read(&self.0, spare_capacity(&mut bytes))?))?)?;
        }
        Ok(bytes)
    }

    fn fill(&self, mut place: &mut [u8]) -> Result<()> {
        while !place.is_empty() {
            let count = self.read(place)?;
            place = &mut place[count..];
        }
        Ok(())
    }

    fn read(&self, place: &mut [u8]) -> Result<usize> {
        there(again(|| (&self.0).read(place))?)
    }
}

/// Returns how many bytes have come, if any have.
fn there(count: usize) -> Result<usize> {
    match count {
        0 => Err("the other end is gone".into()),
        count => Ok(count),
    }
}

/// What is gathered to be written. There is room for the answers to all that an [`Incoming`] holds.
#[derive(Debug)]
pub(in crate::subjects) struct Outgoing {
    bytes: Vec<u8>,
    end: usize,
}

impl Outgoing {
    pub(in crate::subjects) fn new() -> Self {
        Self { bytes: vec![0; 2 * CHUNK], end: 0 }
    }

    pub(in crate::subjects) fn push(&mut self, value: &impl Serialize) -> Result<()> {
        let (_, room) = self.bytes.split_at_mut(self.end);
        let (prefix, room) = room.split_first_chunk_mut::<4>().ok_or("no room for a length")?;
        let len = postcard::to_slice(value, room)?.len();
        *prefix = u32::try_from(len)?.to_le_bytes();
        self.end += 4 + len;
        Ok(())
    }

    pub(in crate::subjects) fn is_full(&self) -> bool {
        self.end >= CHUNK
    }

    /// Takes out everything, to be written before there is more.
    pub(in crate::subjects) fn take(&mut self) -> &[u8] {
        let end = std::mem::take(&mut self.end);
        &self.bytes[..end]
    }

    /// Writes everything to each of the sockets.
    pub(super) fn flush(&mut self, sockets: &[Socket]) -> Result<()> {
        for socket in sockets {
            let mut rest = &self.bytes[..self.end];
            while !rest.is_empty() {
                let count = again(|| (&socket.0).write(rest))?;
                rest = &rest[count..];
            }
        }
        self.end = 0;
        Ok(())
    }
}

/// What has come and is not decoded yet.
#[derive(Debug)]
pub(super) struct Incoming<'a> {
    socket: &'a Socket,
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl<'a> Incoming<'a> {
    pub(super) fn new(socket: &'a Socket) -> Self {
        Self { socket, bytes: vec![0; 2 * CHUNK], start: 0, end: 0 }
    }

    /// Tells whether there is something to receive without a read.
    pub(super) fn has_frame(&self) -> bool {
        self.frame().is_some()
    }

    pub(super) fn receive<T: DeserializeOwned>(&mut self) -> Result<T> {
        loop {
            if let Some(content) = self.frame() {
                let (value, len) = (postcard::from_bytes(content)?, content.len());
                self.start += 4 + len;
                return Ok(value);
            }
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            if self.end == self.bytes.len() {
                return Err("a frame is longer than what is read at a time".into());
            }
            self.end += self.socket.read(&mut self.bytes[self.end..])?;
        }
    }

    fn frame(&self) -> Option<&[u8]> {
        let (prefix, rest) = self.bytes[self.start..self.end].split_first_chunk::<4>()?;
        rest.get(..u32::from_le_bytes(*prefix) as usize)
    }
}

/// Asks again as long as a socket that does not wait has nothing to say.
fn again(mut ask: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match ask() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::hint::spin_loop(),
            result => return result,
        }
    }
}
