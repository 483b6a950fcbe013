//! The baseline: a blocking Unix socket, frames of the same shape, the same encoding.

use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::io::dup;
use serde::{Serialize, de::DeserializeOwned};

use crate::Result;
use crate::work::{Case, Ping, Pong, Waits, Work};

pub(crate) const CHILD: &str = "raw-child";

/// How much is gathered before a write, as for the fastest of streams.
const CHUNK: usize = 64 * 1024;

/// The longest encoding of a value.
const MAX_VALUE: usize = 256;

/// Does the work and returns how long it took.
pub(crate) fn measure(case: &Case) -> Result<Duration> {
    let work = case.work;
    let (near, far) = UnixStream::pair()?;
    let mut child = Command::new(std::env::current_exe()?)
        .arg(CHILD)
        .envs(case.variables())
        .stdin(Stdio::from(OwnedFd::from(far)))
        .spawn()?;
    let mut socket = Socket::new(near, case.waits)?;
    socket.send(&(matches!(work, Work::OneWay(_)), work.count()))?;
    socket.flush()?;
    // The child is ready when it answers.
    socket.receive::<()>()?;
    let start = Instant::now();
    match work {
        Work::OneWay(count) => {
            for seq in 0..count {
                socket.send(&Ping::new(seq))?;
            }
            socket.flush()?;
            socket.receive::<()>()?;
        }
        Work::RoundTrip(count) | Work::Request(count) => {
            for seq in 0..count {
                socket.send(&Ping::new(seq))?;
                socket.flush()?;
                let pong: Pong = socket.receive()?;
                assert_eq!(pong.seq, seq);
            }
        }
    }
    let took = start.elapsed();
    child.wait()?;
    Ok(took)
}

/// The other end.
pub(crate) fn child() -> Result<()> {
    let stream = UnixStream::from(dup(rustix::stdio::stdin())?);
    let mut socket = Socket::new(stream, Waits::of_child())?;
    let (is_one_way, count): (bool, u64) = socket.receive()?;
    socket.send(&())?;
    socket.flush()?;
    for seq in 0..count {
        let ping: Ping = socket.receive()?;
        assert_eq!(ping.seq, seq);
        if !is_one_way {
            socket.send(&Pong::from(ping))?;
            socket.flush()?;
        }
    }
    if is_one_way {
        socket.send(&())?;
        socket.flush()?;
    }
    Ok(())
}

/// A socket with a buffer on each side.
struct Socket {
    stream: UnixStream,
    outgoing: Vec<u8>,
    incoming: Vec<u8>,
    start: usize,
    end: usize,
}

impl Socket {
    fn new(stream: UnixStream, waits: Waits) -> Result<Self> {
        stream.set_nonblocking(waits == Waits::Polling)?;
        Ok(Self {
            stream,
            outgoing: Vec::with_capacity(2 * CHUNK),
            incoming: vec![0; 2 * CHUNK],
            start: 0,
            end: 0,
        })
    }

    fn send(&mut self, value: &impl Serialize) -> Result<()> {
        let start = self.outgoing.len();
        self.outgoing.extend_from_slice(&[0; 4]);
        let content = start + 4;
        self.outgoing.resize(content + MAX_VALUE, 0);
        let len = postcard::to_slice(value, &mut self.outgoing[content..])?.len();
        self.outgoing.truncate(content + len);
        let len = u32::try_from(len)?;
        self.outgoing[start..start + 4].copy_from_slice(&len.to_le_bytes());
        if self.outgoing.len() >= CHUNK {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let mut rest = &self.outgoing[..];
        while !rest.is_empty() {
            let count = again(|| self.stream.write(rest))?;
            rest = &rest[count..];
        }
        self.outgoing.clear();
        Ok(())
    }

    fn receive<T: DeserializeOwned>(&mut self) -> Result<T> {
        loop {
            let arrived = &self.incoming[self.start..self.end];
            if let Some((prefix, rest)) = arrived.split_first_chunk::<4>() {
                let len = u32::from_le_bytes(*prefix) as usize;
                if let Some(content) = rest.get(..len) {
                    self.start += 4 + len;
                    return Ok(postcard::from_bytes(content)?);
                }
            }
            self.incoming.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            let count = again(|| self.stream.read(&mut self.incoming[self.end..]))?;
            if count == 0 {
                return Err("the other end is gone".into());
            }
            self.end += count;
        }
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
