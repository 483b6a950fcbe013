//! zmq.rs on async-std: push and pull, a socket each a consumer since its publishers drop what does
//! not fit, and dealers there and back.

use bytes::Bytes;
use lahja_bench::{Case, Parcel, Result};
use zeromq::{DealerSocket, PullSocket, PushSocket, Socket, SocketRecv, SocketSend, ZmqMessage};

use crate::codec;
use crate::peer::{Consumer, Peer, Place, Producer};
use crate::shape::Shape;

pub(crate) struct ZmqRs;

pub(crate) enum Near {
    Push(Vec<PushSocket>),
    Dealer(DealerSocket),
}

pub(crate) enum Far {
    Pull(PullSocket),
    Dealer(DealerSocket),
}

impl Peer for ZmqRs {
    const NAME: &'static str = "zmq.rs on async-std";
    type Producer = Near;
    type Consumer = Far;

    fn run<T>(&self, work: impl Future<Output = T>) -> T {
        async_std::task::block_on(work)
    }

    async fn produce(&self, case: &Case, place: &Place) -> Result<Near> {
        if Shape::of(case) == Shape::ThereAndBack {
            let mut dealer = DealerSocket::new();
            dealer.bind(&place.ipc("0")).await?;
            return Ok(Near::Dealer(dealer));
        }
        let mut sockets = Vec::new();
        for index in 0..case.consumers {
            let mut push = PushSocket::new();
            push.bind(&place.ipc(&index.to_string())).await?;
            sockets.push(push);
        }
        Ok(Near::Push(sockets))
    }

    async fn consume(&self, case: &Case, place: &Place, index: usize) -> Result<Far> {
        let address = place.ipc(&index.to_string());
        if Shape::of(case) == Shape::ThereAndBack {
            let mut dealer = DealerSocket::new();
            dealer.connect(&address).await?;
            return Ok(Far::Dealer(dealer));
        }
        let mut pull = PullSocket::new();
        pull.connect(&address).await?;
        Ok(Far::Pull(pull))
    }
}

fn decode(message: &ZmqMessage) -> Result<Parcel> {
    codec::from_bytes(message.get(0).ok_or("a message has a frame")?)
}

impl Producer for Near {
    /// A push socket does not wait for those whom it sends to, and says that there are none.
    async fn meet(&mut self, _consumers: usize) -> Result<()> {
        Ok(())
    }

    async fn send(&mut self, event: Parcel) -> Result<()> {
        let bytes = Bytes::from(codec::to_vec(&event)?);
        match self {
            Self::Push(sockets) => {
                for socket in sockets {
                    socket.send(bytes.clone().into()).await?;
                }
            }
            Self::Dealer(dealer) => dealer.send(bytes.into()).await?,
        }
        Ok(())
    }

    async fn answer(&mut self) -> Result<Parcel> {
        match self {
            Self::Push(_) => Err("nobody answers what is pushed".into()),
            Self::Dealer(dealer) => decode(&dealer.recv().await?),
        }
    }
}

impl Consumer for Far {
    async fn receive(&mut self) -> Result<Parcel> {
        let message = match self {
            Self::Pull(pull) => pull.recv().await?,
            Self::Dealer(dealer) => dealer.recv().await?,
        };
        decode(&message)
    }

    async fn answer(&mut self, event: Parcel) -> Result<()> {
        match self {
            Self::Pull(_) => Err("nobody answers what is pulled".into()),
            Self::Dealer(dealer) => Ok(dealer.send(codec::to_vec(&event)?.into()).await?),
        }
    }
}
