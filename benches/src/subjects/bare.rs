//! Bare smol sockets: what the runtime itself costs.

use std::future::poll_fn;
use std::os::unix::net::UnixStream;
use std::pin::Pin;

use rustix::io::dup;
use serde::{Serialize, de::DeserializeOwned};
use smol::Async;
use smol::io::{AsyncRead, AsyncWriteExt};

use crate::Result;
use crate::case::{Case, Threads, Waits, Work};
use crate::control::{Children, Control, Receipt};
use crate::meter::{Laps, Meter};
use crate::outcome::{Answer, Outcome};
use crate::payload::Parcel;
use crate::subject::Subject;
use crate::subjects::raw::socket::{CHUNK, Outgoing};

/// Payloads are shorter than this.
const LARGE: usize = 1024;

/// Unix sockets on smol, with frames of the raw socket's shape, gathered as there.
#[derive(Debug)]
pub struct BareSmol;

impl Subject for BareSmol {
    fn name(&self) -> &'static str {
        "bare smol"
    }

    fn measure(&self, case: &Case) -> Result<Answer> {
        if let Some(why) = cannot(case) {
            return Ok(Answer::cannot(why));
        }
        let mut children = Children::new(self, case)?;
        let sockets = children.start_with_sockets()?.into_iter();
        let mut sockets: Vec<_> =
            sockets.map(|stream| Socket::new(stream, case)).collect::<Result<_>>()?;
        children.wait_until_ready()?;
        let outcome = match case.work {
            Work::OneWay { .. } => {
                let meter = Meter::start();
                run(produce(case, &mut sockets))?;
                meter.until_last(case.work.count(), &children.wait_until_done()?)
            }
            _ => {
                let outcome = run(round_trips(case, &mut sockets[0]))?;
                outcome.with_tallies(&children.wait_until_done()?)
            }
        };
        drop(sockets);
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
                if !matches!(case.work, Work::OneWay { .. }) {
                    socket.send(&parcel).await?;
                }
            }
            Ok(())
        })?;
        control.done(&receipt.tally()?)
    }
}

fn cannot(case: &Case) -> Option<&'static str> {
    match case.work {
        _ if case.threads != Threads::One => Some("it has one thread"),
        Work::RoundTrip { .. } | Work::Request { .. } if case.waits == Waits::Usual => {
            Some("it sleeps or polls throughout")
        }
        Work::RoundTrip { .. } | Work::Request { .. } => None,
        Work::OneWay { .. } if case.payload < LARGE => None,
        _ => Some("it only shows what the runtime costs a round trip, and streams of small events"),
    }
}

async fn produce(case: &Case, sockets: &mut [Socket]) -> Result<()> {
    let mut outgoing = Outgoing::new();
    let count = case.work.count();
    for seq in 0..count {
        outgoing.push(&Parcel::new(seq, case.payload))?;
        if outgoing.is_full() || seq + 1 == count {
            let frames = outgoing.take();
            for socket in &mut *sockets {
                socket.stream.write_all(frames).await?;
            }
        }
    }
    Ok(())
}

async fn round_trips(case: &Case, socket: &mut Socket) -> Result<Outcome> {
    let count = case.work.count();
    let meter = Meter::start();
    let mut laps = Laps::start(count);
    for seq in 0..count {
        socket.send(&Parcel::new(seq, case.payload)).await?;
        socket.receive::<Parcel>().await?.expect(seq, case.payload);
        laps.lap();
    }
    Ok(meter.until_now(count).with_latencies(laps.latencies()))
}

fn run<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let executor = smol::LocalExecutor::new();
    smol::block_on(executor.run(executor.spawn(work)))
}

struct Socket {
    stream: Async<UnixStream>,
    // Whether it asks again instead of sleeping.
    polls: bool,
    outgoing: Outgoing,
    // What has come and is not decoded yet is `incoming[start..end]`.
    incoming: Vec<u8>,
    start: usize,
    end: usize,
}

impl Socket {
    fn new(stream: UnixStream, case: &Case) -> Result<Self> {
        Ok(Self {
            stream: Async::new(stream)?,
            polls: case.waits == Waits::Polling,
            outgoing: Outgoing::new(),
            incoming: vec![0; 2 * CHUNK],
            start: 0,
            end: 0,
        })
    }

    async fn send(&mut self, value: &impl Serialize) -> Result<()> {
        self.outgoing.push(value)?;
        Ok(self.stream.write_all(self.outgoing.take()).await?)
    }

    async fn receive<T: DeserializeOwned>(&mut self) -> Result<T> {
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
            match self.read().await? {
                0 => return Err("the other end is gone, or a frame is too long".into()),
                count => self.end += count,
            }
        }
    }

    async fn read(&mut self) -> Result<usize> {
        let read = poll_fn(|context| {
            let space = &mut self.incoming[self.end..];
            let read = Pin::new(&mut self.stream).poll_read(context, space);
            if self.polls && read.is_pending() {
                context.waker().wake_by_ref();
            }
            read
        });
        Ok(read.await?)
    }
}
