//! The two ends of a transport as the cases use them.

use std::future::poll_fn;
use std::io;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, JoinHandle};

use futures_lite::future::block_on;
use lahja_core::{FrameBuffer, FrameError, FrameReader, FrameWriter, Transport};

/// The longest frame that the cases send, unless they say otherwise.
const MAX_FRAME: usize = 16 * 1024 * 1024;

/// Splits a transport.
pub(super) fn split<T: Transport>(transport: T) -> (Receiver<T::Reader>, Sender<T::Writer>) {
    let (mut reader, writer) = transport.split();
    reader.set_max_frame(MAX_FRAME);
    (Receiver(reader), Sender { writer, frames: FrameBuffer::new() })
}

/// Content that tells which frame it is of, at every byte.
pub(super) fn content(number: usize, len: usize) -> Vec<u8> {
    (0..len).map(|at| (number.wrapping_mul(31) + at) as u8).collect()
}

/// The sending half, with what waits to be written.
pub(super) struct Sender<W> {
    pub(super) writer: W,
    pub(super) frames: FrameBuffer,
}

impl<W: FrameWriter> Sender<W> {
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.poll_write(context, &mut self.frames)
    }

    pub(super) async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|context| self.poll(context)).await
    }

    pub(super) async fn send(&mut self, content: &[u8]) {
        self.frames.push(content);
        self.flush().await.unwrap();
    }

    pub(super) async fn close(&mut self) {
        poll_fn(|context| self.writer.poll_close(context)).await.unwrap();
    }

    /// Writes frames of this length, numbered on from `first`, until one does not go at once.
    /// Returns the number after that one's.
    pub(super) fn fill(&mut self, first: usize, len: usize) -> usize {
        for number in first..first + 10_000 {
            self.frames.push(&content(number, len));
            if self.poll(&mut Context::from_waker(Waker::noop())).is_pending() {
                return number + 1;
            }
        }
        panic!("there is room for everything");
    }
}

/// The receiving half.
pub(super) struct Receiver<R>(pub(super) R);

impl<R: FrameReader> Receiver<R> {
    /// Takes the next frame; `None` at an orderly end.
    pub(super) async fn next(&mut self) -> Option<Vec<u8>> {
        self.try_next().await.unwrap()
    }

    pub(super) async fn try_next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(content) = self.take().expect("these are frames") {
                return Ok(Some(content));
            }
            if !poll_fn(|context| self.0.poll_fill(context)).await? {
                self.0.finish().map_err(io::Error::other)?;
                return Ok(None);
            }
        }
    }

    pub(super) fn take(&mut self) -> Result<Option<Vec<u8>>, FrameError> {
        Ok(self.0.next_frame()?.map(<[u8]>::to_vec))
    }

    /// Takes frames of these lengths, numbered on from 0.
    pub(super) async fn expect(&mut self, lens: impl IntoIterator<Item = usize>) {
        for (number, len) in lens.into_iter().enumerate() {
            let arrived = self.next().await.expect("there is another frame");
            assert!(arrived == content(number, len), "frame {number} is not as it was sent");
        }
    }
}

/// What runs on a thread of its own, so that it is polled only when it is woken.
pub(super) struct Apart<T>(JoinHandle<T>);

pub(super) fn apart<T: Send + 'static>(
    future: impl Future<Output = T> + Send + 'static,
) -> Apart<T> {
    Apart(thread::spawn(move || block_on(future)))
}

impl<T> Apart<T> {
    pub(super) fn joined(self) -> T {
        self.0.join().unwrap_or_else(|panic| resume_unwind(panic))
    }
}

/// A waker that notes that it was called, and the thread that waits for that.
pub(super) struct Alarm {
    rang: AtomicBool,
    thread: thread::Thread,
}

impl Alarm {
    pub(super) fn of_this_thread() -> Arc<Self> {
        Arc::new(Self { rang: AtomicBool::new(false), thread: thread::current() })
    }

    pub(super) fn wait(&self) {
        while !self.rang.swap(false, Ordering::AcqRel) {
            thread::park();
        }
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.rang.store(true, Ordering::Release);
        self.thread.unpark();
    }
}
