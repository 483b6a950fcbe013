//! A byte stream in memory, which costs little itself: one end writes, the other reads.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use futures_lite::io::{AsyncRead, AsyncWrite};
use lahja_core::StreamTransport;

/// What is on its way. It has no bound: who measures sends in rounds.
#[derive(Default)]
struct State {
    bytes: VecDeque<u8>,
    reader: Option<Waker>,
    is_closed: bool,
}

pub(crate) struct PipeReader(Arc<Mutex<State>>);

pub(crate) struct PipeWriter(Arc<Mutex<State>>);

pub(crate) type Pipes = StreamTransport<PipeReader, PipeWriter>;

/// Creates two transports that are joined.
pub(crate) fn pair() -> (Pipes, Pipes) {
    let (there, back) = (Arc::default(), Arc::default());
    let near = StreamTransport::new(PipeReader(Arc::clone(&back)), PipeWriter(Arc::clone(&there)));
    (near, StreamTransport::new(PipeReader(there), PipeWriter(back)))
}

impl AsyncRead for PipeReader {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = lock(&self.0);
        if state.bytes.is_empty() && !state.is_closed {
            state.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(state.bytes.read(buffer))
    }
}

impl AsyncWrite for PipeWriter {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = lock(&self.0);
        let written = state.bytes.write(bytes);
        let reader = state.reader.take();
        drop(state);
        reader.inspect(Waker::wake_by_ref);
        Poll::Ready(written)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Drop for PipeWriter {
    fn drop(&mut self) {
        let mut state = lock(&self.0);
        state.is_closed = true;
        let reader = state.reader.take();
        drop(state);
        reader.inspect(Waker::wake_by_ref);
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().expect("nothing panics under it")
}
