//! nng: a pair of sockets for each consumer, since its publishers drop what does not fit.

use lahja_bench::{Case, Parcel, Result};
use nng::options::{Options, RecvBufferSize, RecvMaxSize, SendBufferSize};
use nng::{Message, Protocol, Socket};

use crate::codec;
use crate::peer::{Consumer, Peer, Place, Producer};

pub(crate) struct Nng;

/// How many messages are queued at each end.
const QUEUE: i32 = 1024;

pub(crate) struct Near {
    pairs: Vec<Socket>,
    buffer: Vec<u8>,
}

pub(crate) struct Far {
    pair: Socket,
    buffer: Vec<u8>,
}

impl Peer for Nng {
    const NAME: &'static str = "nng";
    const SLOWNESS: u64 = 8;
    type Producer = Near;
    type Consumer = Far;

    async fn produce(&self, case: &Case, place: &Place) -> Result<Near> {
        let mut pairs = Vec::new();
        for index in 0..case.consumers {
            let pair = pair()?;
            pair.listen(&place.ipc(&index.to_string()))?;
            pairs.push(pair);
        }
        Ok(Near { pairs, buffer: Vec::new() })
    }

    async fn consume(&self, _case: &Case, place: &Place, index: usize) -> Result<Far> {
        let pair = pair()?;
        pair.dial(&place.ipc(&index.to_string()))?;
        pair.send(&b"here"[..]).map_err(|(_, error)| error)?;
        Ok(Far { pair, buffer: Vec::new() })
    }
}

fn pair() -> Result<Socket> {
    let socket = Socket::new(Protocol::Pair0)?;
    socket.set_opt::<SendBufferSize>(QUEUE)?;
    socket.set_opt::<RecvBufferSize>(QUEUE)?;
    // No limit.
    socket.set_opt::<RecvMaxSize>(0)?;
    Ok(socket)
}

fn send(socket: &Socket, message: impl Into<Message>) -> Result<()> {
    Ok(socket.send(message).map_err(|(_, error)| error)?)
}

impl Producer for Near {
    async fn meet(&mut self, _consumers: usize) -> Result<()> {
        for pair in &self.pairs {
            pair.recv()?;
        }
        Ok(())
    }

    async fn send(&mut self, event: Parcel) -> Result<()> {
        let bytes = codec::to_buffer(&event, &mut self.buffer)?;
        for pair in &self.pairs {
            send(pair, bytes)?;
        }
        Ok(())
    }

    async fn answer(&mut self) -> Result<Parcel> {
        codec::from_bytes(&self.pairs[0].recv()?)
    }
}

impl Consumer for Far {
    async fn receive(&mut self) -> Result<Parcel> {
        codec::from_bytes(&self.pair.recv()?)
    }

    async fn answer(&mut self, event: Parcel) -> Result<()> {
        send(&self.pair, codec::to_buffer(&event, &mut self.buffer)?)
    }
}
