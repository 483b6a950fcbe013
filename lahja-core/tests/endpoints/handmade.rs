//! Endpoints joined to a peer that is made by hand: it says on the wire what it likes, and takes
//! as many bytes as the test lets it.

mod batches;
mod closing;
mod flood;
mod hello;
mod leaving;
mod loss;
mod order;
mod parts;
mod polling;
mod reads;
mod requests;
mod room;
mod together;
mod wire;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use crate::common::settle;
use futures_io::{AsyncRead, AsyncWrite};
use lahja_core::{Endpoint, Event, FrameDecoder, StreamTransport};
use serde::{Deserialize, Serialize};

use wire::{Announced, kind};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "handmade.Number")]
struct Number(u64);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "handmade.Text")]
struct Text(String);

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(name = "handmade.Question", response = Text)]
struct Question(u64);

/// What passes between an endpoint and its peer.
#[derive(Default)]
struct Pipe {
    /// What the peer has said and the endpoint has not read.
    said: VecDeque<u8>,
    /// Whether the peer says nothing more.
    is_over: bool,
    reader: Option<Waker>,
    /// The addresses to which the endpoint has read.
    places: Vec<usize>,
    /// What the endpoint has written and the peer has not heard.
    written: VecDeque<u8>,
    /// How many bytes the endpoint may still write, or no byte ever again.
    room: Option<usize>,
    writer: Option<Waker>,
    is_closed: bool,
    hearer: Option<Waker>,
}

/// The endpoint's end of a pipe.
struct End(Arc<Mutex<Pipe>>);

impl AsyncRead for End {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut pipe = self.0.lock().unwrap();
        pipe.places.push(buffer.as_ptr().addr());
        let count = buffer.len().min(pipe.said.len());
        if count == 0 && !pipe.is_over {
            pipe.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        for (slot, byte) in buffer.iter_mut().zip(pipe.said.drain(..count)) {
            *slot = byte;
        }
        Poll::Ready(Ok(count))
    }
}

impl AsyncWrite for End {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut pipe = self.0.lock().unwrap();
        let Some(room) = pipe.room else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        let count = bytes.len().min(room);
        if count == 0 {
            pipe.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        pipe.room = Some(room - count);
        pipe.written.extend(&bytes[..count]);
        pipe.hearer.take().inspect(Waker::wake_by_ref);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut pipe = self.0.lock().unwrap();
        pipe.is_closed = true;
        pipe.hearer.take().inspect(Waker::wake_by_ref);
        Poll::Ready(Ok(()))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let mut pipe = self.0.lock().unwrap();
        pipe.hearer.take().inspect(Waker::wake_by_ref);
    }
}

type Transport = StreamTransport<End, End>;

/// A peer that is made by hand.
struct Peer {
    pipe: Arc<Mutex<Pipe>>,
    decoder: FrameDecoder,
}

impl Peer {
    /// Creates a peer that has said nothing, and the transport to it.
    fn new() -> (Self, Transport) {
        let pipe = Pipe { room: Some(usize::MAX), ..Pipe::default() };
        let pipe = Arc::new(Mutex::new(pipe));
        let transport = StreamTransport::new(End(pipe.clone()), End(pipe.clone()));
        (Self { pipe, decoder: FrameDecoder::new(usize::MAX) }, transport)
    }

    /// Connects a peer that wants these topics, the first of them under the number 0, each with
    /// its window.
    async fn join(endpoint: &Endpoint, name: &str, topics: &[(wire::Topic, u32)]) -> Self {
        let (peer, transport) = Self::new();
        peer.introduce(name, topics);
        endpoint.attach(transport).await.unwrap();
        peer
    }

    /// Says all that a handshake takes.
    fn introduce(&self, name: &str, topics: &[(wire::Topic, u32)]) {
        self.say(&wire::hello(name));
        for (number, (topic, window)) in (0..).zip(topics) {
            self.say(&wire::announce(number + 1, number, *window, *topic));
        }
        self.say(&[kind::READY]);
    }

    /// Sends a frame.
    fn say(&self, content: &[u8]) {
        self.say_all(&[content]);
    }

    /// Sends frames that are read as one chunk.
    fn say_all(&self, contents: &[&[u8]]) {
        let mut pipe = self.pipe();
        for content in contents {
            pipe.said.extend(wire::frame(content));
        }
        pipe.reader.take().inspect(Waker::wake_by_ref);
    }

    /// Ends what the peer says.
    fn hang_up(&self) {
        let mut pipe = self.pipe();
        pipe.is_over = true;
        pipe.reader.take().inspect(Waker::wake_by_ref);
    }

    /// Takes so many bytes from now on, and then none until this is called again.
    fn take(&self, bytes: usize) {
        let mut pipe = self.pipe();
        pipe.room = Some(bytes);
        pipe.writer.take().inspect(Waker::wake_by_ref);
    }

    /// Lets whatever the endpoint writes fail.
    fn fail_writes(&self) {
        let mut pipe = self.pipe();
        pipe.room = None;
        pipe.writer.take().inspect(Waker::wake_by_ref);
    }

    /// Waits for the next frame and returns its content; `None` at the end.
    async fn next(&mut self) -> Option<Vec<u8>> {
        poll_fn(|context| {
            let mut pipe = self.pipe.lock().unwrap();
            self.decoder.feed(pipe.written.make_contiguous());
            pipe.written.clear();
            if let Some(content) = self.decoder.next_frame().unwrap() {
                return Poll::Ready(Some(content.to_vec()));
            }
            if pipe.is_closed || Arc::strong_count(&self.pipe) == 1 {
                return Poll::Ready(None);
            }
            pipe.hearer = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Waits for a frame of a certain kind and returns its content.
    async fn hear(&mut self, kind: u8) -> Vec<u8> {
        loop {
            let content = self.next().await.expect("the endpoint goes on");
            if content[0] == kind {
                return content;
            }
        }
    }

    /// Waits until the endpoint announces the topic of `E`. Returns its number.
    async fn number_of<E: Event>(&mut self) -> u64 {
        loop {
            let Announced { number, name } = wire::announced(&self.hear(kind::ANNOUNCE).await);
            if name == E::NAME {
                return number;
            }
        }
    }

    /// Waits for the endpoint's next request and returns its id.
    async fn asked(&mut self) -> u64 {
        wire::request_id(&self.hear(kind::EVENT).await)
    }

    fn pipe(&self) -> MutexGuard<'_, Pipe> {
        self.pipe.lock().unwrap()
    }
}
