//! libzmq: push and pull to one consumer, publish to several, dealers there and back.

use lahja_bench::{Case, Parcel, Result};
use zmq::{Context, Message, Socket, SocketType};

use crate::codec;
use crate::peer::{Consumer, Peer, Place, Producer};
use crate::shape::Shape;

pub(crate) struct LibZmq;

/// A socket, which lives shorter than its context.
pub(crate) struct End {
    socket: Socket,
    kind: SocketType,
    buffer: Vec<u8>,
    _context: Context,
}

impl Peer for LibZmq {
    const NAME: &'static str = "libzmq";
    type Producer = End;
    type Consumer = End;

    async fn produce(&self, case: &Case, place: &Place) -> Result<End> {
        let end = End::new(match Shape::of(case) {
            Shape::There => SocketType::PUSH,
            Shape::Everywhere => SocketType::XPUB,
            Shape::ThereAndBack => SocketType::DEALER,
        })?;
        end.socket.bind(&place.ipc("zmq"))?;
        Ok(end)
    }

    async fn consume(&self, case: &Case, place: &Place, _index: usize) -> Result<End> {
        let end = End::new(match Shape::of(case) {
            Shape::There => SocketType::PULL,
            Shape::Everywhere => SocketType::SUB,
            Shape::ThereAndBack => SocketType::DEALER,
        })?;
        if end.kind == SocketType::SUB {
            end.socket.set_subscribe(b"")?;
        }
        end.socket.connect(&place.ipc("zmq"))?;
        Ok(end)
    }
}

impl End {
    fn new(kind: SocketType) -> Result<Self> {
        let context = Context::new();
        let socket = context.socket(kind)?;
        // A publisher drops what is above its mark, so that it has none here.
        if matches!(kind, SocketType::XPUB | SocketType::SUB) {
            socket.set_sndhwm(0)?;
            socket.set_rcvhwm(0)?;
        }
        if kind == SocketType::XPUB {
            // It is told of each subscriber, not only of the first.
            socket.set_xpub_verbose(true)?;
        }
        Ok(Self { socket, kind, buffer: Vec::new(), _context: context })
    }

    fn send(&mut self, event: Parcel) -> Result<()> {
        Ok(self.socket.send(codec::to_buffer(&event, &mut self.buffer)?, 0)?)
    }

    fn receive(&self) -> Result<Parcel> {
        let mut message = Message::new();
        self.socket.recv(&mut message, 0)?;
        codec::from_bytes(&message)
    }
}

impl Producer for End {
    /// A publisher alone does not wait for those whom it sends to.
    async fn meet(&mut self, consumers: usize) -> Result<()> {
        if self.kind == SocketType::XPUB {
            for _ in 0..consumers {
                self.socket.recv_bytes(0)?;
            }
        }
        Ok(())
    }

    async fn send(&mut self, event: Parcel) -> Result<()> {
        End::send(self, event)
    }

    async fn answer(&mut self) -> Result<Parcel> {
        End::receive(self)
    }
}

impl Consumer for End {
    async fn receive(&mut self) -> Result<Parcel> {
        End::receive(self)
    }

    async fn answer(&mut self, event: Parcel) -> Result<()> {
        End::send(self, event)
    }
}
