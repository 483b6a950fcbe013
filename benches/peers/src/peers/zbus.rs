//! zbus from peer to peer, without a bus: signals there, method calls and returns there and back.

use std::os::unix::net::{UnixListener, UnixStream};

use futures_lite::StreamExt;
use lahja_bench::{Case, Parcel, Result};
use serde_bytes::{ByteBuf, Bytes};
use zbus::connection::Builder;
use zbus::message::Type;
use zbus::{Connection, Guid, Message, MessageStream};

use crate::peer::{Consumer, Peer, Place, Producer};
use crate::shape::Shape;

pub(crate) struct Zbus;

/// How many signals are written at once.
const BATCH: usize = 64;

pub(crate) struct Near {
    listener: UnixListener,
    shape: Shape,
    connections: Vec<Connection>,
    /// Answers, of the first connection.
    messages: Option<MessageStream>,
    batch: Vec<Message>,
}

pub(crate) struct Far {
    connection: Connection,
    messages: MessageStream,
    /// The last message taken, if it is not answered yet.
    call: Option<Message>,
}

impl Peer for Zbus {
    const NAME: &'static str = "zbus peer to peer";
    const SLOWNESS: u64 = 5;
    type Producer = Near;
    type Consumer = Far;

    fn run<T>(&self, work: impl Future<Output = T>) -> T {
        zbus::block_on(work)
    }

    async fn produce(&self, case: &Case, place: &Place) -> Result<Near> {
        Ok(Near {
            listener: UnixListener::bind(place.path("zbus"))?,
            shape: Shape::of(case),
            connections: Vec::new(),
            messages: None,
            batch: Vec::new(),
        })
    }

    async fn consume(&self, _case: &Case, place: &Place, _index: usize) -> Result<Far> {
        let stream = UnixStream::connect(place.path("zbus"))?;
        let connection = Builder::unix_stream(stream).p2p().build().await?;
        Ok(Far { messages: connection.clone().into(), connection, call: None })
    }
}

fn message(event: &Parcel, shape: Shape) -> Result<Message> {
    let builder = match shape {
        Shape::ThereAndBack => Message::method_call("/bench", "Ask").interface("bench.Events"),
        Shape::There | Shape::Everywhere => Message::signal("/bench", "bench.Events", "Event"),
    };
    Ok(builder.build(&body(event))?)
}

fn body(event: &Parcel) -> (u64, u64, &Bytes) {
    (event.seq, event.sent_ns, Bytes::new(&event.payload))
}

fn decode(message: &Message) -> Result<Parcel> {
    let (seq, sent_ns, payload): (u64, u64, ByteBuf) = message.body().deserialize()?;
    Ok(Parcel { seq, sent_ns, payload: payload.into_vec() })
}

/// Takes the next message of one of the types.
async fn next(messages: &mut MessageStream, types: &[Type]) -> Result<Message> {
    loop {
        let message = messages.next().await.ok_or("the connection is closed")??;
        match message.message_type() {
            Type::Error => return Err(format!("the other end fails: {message}").into()),
            other if types.contains(&other) => return Ok(message),
            _ => {}
        }
    }
}

impl Producer for Near {
    async fn meet(&mut self, consumers: usize) -> Result<()> {
        for _ in 0..consumers {
            let (stream, _) = self.listener.accept()?;
            let builder = Builder::unix_stream(stream).server(Guid::generate()).p2p();
            let connection = builder.build().await?;
            // A stream that nobody reads holds its connection up.
            if self.shape == Shape::ThereAndBack {
                self.messages = Some(connection.clone().into());
            }
            self.connections.push(connection);
        }
        Ok(())
    }

    async fn send(&mut self, event: Parcel) -> Result<()> {
        self.batch.push(message(&event, self.shape)?);
        if self.batch.len() == BATCH {
            self.flush().await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        for connection in &self.connections {
            connection.send_all(&self.batch).await?;
        }
        self.batch.clear();
        Ok(())
    }

    async fn answer(&mut self) -> Result<Parcel> {
        let messages = self.messages.as_mut().ok_or("nobody answers signals")?;
        decode(&next(messages, &[Type::MethodReturn]).await?)
    }
}

impl Consumer for Far {
    async fn receive(&mut self) -> Result<Parcel> {
        let message = next(&mut self.messages, &[Type::Signal, Type::MethodCall]).await?;
        let event = decode(&message)?;
        self.call = Some(message);
        Ok(event)
    }

    async fn answer(&mut self, event: Parcel) -> Result<()> {
        let call = self.call.take().ok_or("there is nothing to answer")?;
        Ok(self.connection.reply(&call.header(), &body(&event)).await?)
    }
}
