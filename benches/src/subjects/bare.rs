//! A bare smol socket: what the runtime itself costs a round trip.

use std::future::poll_fn;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::process::Stdio;

use rustix::io::dup;
use serde::{Serialize, de::DeserializeOwned};
use smol::Async;
use smol::io::{AsyncRead, AsyncWriteExt};

use crate::Result;
use crate::case::{Case, Threads, Waits, Work};
use crate::control::{Children, Control, Receipt};
use crate::meter::{Laps, Meter};
use crate::outcome::Answer;
use crate::payload::Parcel;
use crate::subject::Subject;

/// Frames are shorter than this.
const MAX_FRAME: usize = 256;

/// A Unix socket on smol, with frames of the raw socket's shape.
#[derive(Debug)]
pub struct BareSmol;

impl Subject for BareSmol {
    fn name(&self) -> &'static str {
        "bare smol"
    }

    fn measure(&self, case: &Case) -> Result<Answer> {
        if !matches!(case.work, Work::RoundTrip { .. } | Work::Request { .. }) {
            return Ok(Answer::cannot("it only shows what a round trip costs the runtime"));
        }
        if case.waits == Waits::Usual || case.threads != Threads::One {
            return Ok(Answer::cannot("it sleeps or polls throughout, on one thread"));
        }
        let (near, far) = UnixStream::pair()?;
        let mut children = Children::new(self, case)?;
        let mut command = children.command(0)?;
        command.stdin(Stdio::from(OwnedFd::from(far)));
        children.start(command)?;
        children.wait_until_ready()?;
        let count = case.work.count();
        let outcome = run(async {
            let mut socket = Socket::new(near, case)?;
            let meter = Meter::start();
            let mut laps = Laps::start(count);
            for seq in 0..count {
                socket.send(&Parcel::new(seq, case.payload)).await?;
                socket.receive::<Parcel>().await?.expect(seq, case.payload);
                laps.lap();
            }
            Ok(meter.until_now(count).with_latencies(laps.latencies()))
        })?;
        let outcome = outcome.with_tallies(&children.wait_until_done()?);
        children.wait_until_ended()?;
        Ok(outcome.into())
    }

    fn child(&self, case: &Case, index: usize) -> Result<()> {
        let stream = UnixStream::from(dup(rustix::stdio::stdin())?);
        let control = Control::ready(index)?;
        let mut receipt = Receipt::new(case);
        run(async {
            let mut socket = Socket::new(stream, case)?;
            while !receipt.is_complete() {
                let parcel: Parcel = socket.receive().await?;
                receipt.take(&parcel);
                socket.send(&parcel).await?;
            }
            Ok(())
        })?;
        control.done(&receipt.tally()?)
    }
}

fn run<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let executor = smol::LocalExecutor::new();
    smol::block_on(executor.run(executor.spawn(work)))
}

struct Socket {
    stream: Async<UnixStream>,
    // Whether it asks again instead of sleeping.
    polls: bool,
}

impl Socket {
    fn new(stream: UnixStream, case: &Case) -> Result<Self> {
        let polls = case.waits == Waits::Polling;
        Ok(Self { stream: Async::new(stream)?, polls })
    }

    async fn send(&mut self, value: &impl Serialize) -> Result<()> {
        let mut frame = [0; MAX_FRAME];
        let len = postcard::to_slice(value, &mut frame[4..])?.len();
        frame[..4].copy_from_slice(&u32::try_from(len)?.to_le_bytes());
        Ok(self.stream.write_all(&frame[..4 + len]).await?)
    }

    /// Receives a frame that comes alone.
    async fn receive<T: DeserializeOwned>(&mut self) -> Result<T> {
        let mut frame = [0; MAX_FRAME];
        let mut end = 0;
        loop {
            if let Some((prefix, rest)) = frame[..end].split_first_chunk::<4>() {
                if let Some(content) = rest.get(..u32::from_le_bytes(*prefix) as usize) {
                    return Ok(postcard::from_bytes(content)?);
                }
            }
            match self.read(&mut frame[end..]).await? {
                0 => return Err("the other end is gone".into()),
                count => end += count,
            }
        }
    }

    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize> {
        let read = poll_fn(|context| {
            let read = Pin::new(&mut self.stream).poll_read(context, bytes);
            if self.polls && read.is_pending() {
                context.waker().wake_by_ref();
            }
            read
        });
        Ok(read.await?)
    }
}
