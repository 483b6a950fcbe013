//! The same round trips over a bare smol socket: what the runtime itself costs.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::io::dup;
use smol::Async;
use smol::io::{AsyncReadExt, AsyncWriteExt};

use crate::Result;
use crate::work::{Case, Ping, Pong};

pub(crate) const CHILD: &str = "bare-child";

/// Frames are shorter than this.
const MAX_FRAME: usize = 256;

/// Does the work and returns how long it took.
pub(crate) fn measure(case: &Case) -> Result<Duration> {
    let work = case.work;
    let (near, far) = UnixStream::pair()?;
    let mut child = Command::new(std::env::current_exe()?)
        .args([CHILD, &work.count().to_string()])
        .envs(case.variables())
        .stdin(Stdio::from(OwnedFd::from(far)))
        .spawn()?;
    let executor = smol::LocalExecutor::new();
    let took = smol::block_on(executor.run(executor.spawn(async {
        let mut socket = Async::new(near)?;
        // The child is ready when it writes.
        socket.read_exact(&mut [0]).await?;
        let start = Instant::now();
        for seq in 0..work.count() {
            send(&mut socket, &Ping::new(seq)).await?;
            let pong: Pong = receive(&mut socket).await?;
            assert_eq!(pong.seq, seq);
        }
        Ok(start.elapsed())
    })));
    child.wait()?;
    took
}

/// The other end.
pub(crate) fn child() -> Result<()> {
    let count: u64 = std::env::args().nth(2).ok_or("the child needs its work")?.parse()?;
    let executor = smol::LocalExecutor::new();
    smol::block_on(executor.run(executor.spawn(async {
        let mut socket = Async::new(UnixStream::from(dup(rustix::stdio::stdin())?))?;
        socket.write_all(&[0]).await?;
        for _ in 0..count {
            let ping: Ping = receive(&mut socket).await?;
            send(&mut socket, &Pong::from(ping)).await?;
        }
        Ok(())
    })))
}

async fn send(socket: &mut Async<UnixStream>, value: &impl serde::Serialize) -> Result<()> {
    let mut frame = [0; MAX_FRAME];
    let len = postcard::to_slice(value, &mut frame[4..])?.len();
    frame[..4].copy_from_slice(&u32::try_from(len)?.to_le_bytes());
    Ok(socket.write_all(&frame[..4 + len]).await?)
}

/// Receives a frame that comes alone.
async fn receive<T: serde::de::DeserializeOwned>(socket: &mut Async<UnixStream>) -> Result<T> {
    let mut frame = [0; MAX_FRAME];
    let mut end = 0;
    loop {
        if let Some((prefix, rest)) = frame[..end].split_first_chunk::<4>() {
            if let Some(content) = rest.get(..u32::from_le_bytes(*prefix) as usize) {
                return Ok(postcard::from_bytes(content)?);
            }
        }
        match socket.read(&mut frame[end..]).await? {
            0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            count => end += count,
        }
    }
}
