//! zmq.rs on async-std: push and pull, a socket each a consumer since its publishers drop what does
//! not fit, and dealers there and back.

use bytes::Bytes;
use futures_channel::mpsc::Receiver;
use futures_lite::StreamExt;
use lahja_bench::{Case, Parcel, Result};
use zeromq::{
    DealerSocket, PullSocket, PushSocket, Socket, SocketEvent, SocketRecv, SocketSend, ZmqMessage,
};

use crate::codec;
use crate::peer::{Consumer, Peer, Place, Producer};
use crate::shape::Shape;

pub(crate) struct ZmqRs;

pub(crate) struct Near {
    sockets: Sockets,
    /// What happens to each socket.
    monitors: Vec<Receiver<SocketEvent>>,
}

enum Sockets {
    Push(Vec<PushSocket>),
    Dealer(DealerSocket),
}

pub(crate) enum Far {
    Pull(PullSocket),
    Dealer(DealerSocket),
}

impl Peer for ZmqRs {
    const NAME: &'static str = "zmq.rs on async-std";
    const SLOWNESS: u64 = 2;
    type Producer = Near;
    type Consumer = Far;

    fn run<T>(&self, work: impl Future<Output = T>) -> T {
        async_std::task::block_on(work)
    }

    async fn produce(&self, case: &Case, place: &Place) -> Result<Near> {
        if Shape::of(case) == Shape::ThereAndBack {
            let (dealer, monitor) = bound::<DealerSocket>(place, 0).await?;
            return Ok(Near { sockets: Sockets::Dealer(dealer), monitors: vec![monitor] });
        }
        let (mut sockets, mut monitors) = (Vec::new(), Vec::new());
        for index in 0..case.consumers {
            let (push, monitor) = bound(place, index).await?;
            sockets.push(push);
            monitors.push(monitor);
        }
        Ok(Near { sockets: Sockets::Push(sockets), monitors })
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

async fn bound<S: Socket>(place: &Place, index: usize) -> Result<(S, Receiver<SocketEvent>)> {
    let mut socket = S::new();
    let monitor = socket.monitor();
    socket.bind(&place.ipc(&index.to_string())).await?;
    Ok((socket, monitor))
}

fn decode(message: &ZmqMessage) -> Result<Parcel> {
    codec::from_bytes(message.get(0).ok_or("a message has a frame")?)
}

impl Producer for Near {
    /// Sending fails as long as nobody is connected.
    async fn meet(&mut self, _consumers: usize) -> Result<()> {
        for monitor in &mut self.monitors {
            loop {
                match monitor.next().await.ok_or("the socket is closed")? {
                    SocketEvent::Accepted(..) => break,
                    SocketEvent::AcceptFailed(error) => return Err(error.into()),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    async fn send(&mut self, event: Parcel) -> Result<()> {
        let bytes = Bytes::from(codec::to_vec(&event)?);
        match &mut self.sockets {
            Sockets::Push(sockets) => {
                for socket in sockets {
                    socket.send(bytes.clone().into()).await?;
                }
            }
            Sockets::Dealer(dealer) => dealer.send(bytes.into()).await?,
        }
        Ok(())
    }

    async fn answer(&mut self) -> Result<Parcel> {
        match &mut self.sockets {
            Sockets::Push(_) => Err("nobody answers what is pushed".into()),
            Sockets::Dealer(dealer) => decode(&dealer.recv().await?),
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
