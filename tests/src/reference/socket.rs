//! Unix sockets, whose every blocking call has a thread.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;

use async_channel::Receiver;
use futures_io::{AsyncRead, AsyncWrite};

/// How many bytes each direction holds between the thread and the tasks.
const CAPACITY: usize = 16 * 1024;

/// A connected socket. It is shut down with its last clone.
#[derive(Clone)]
pub struct Socket(Arc<Ends>);

struct Ends {
    stream: Arc<UnixStream>,
    incoming: Arc<Pipe>,
    outgoing: Arc<Pipe>,
}

impl Socket {
    pub(super) fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(false)?;
        let stream = Arc::new(stream);
        let (incoming, outgoing) = (Arc::new(Pipe::default()), Arc::new(Pipe::default()));
        let (from, into) = (stream.clone(), incoming.clone());
        thread::spawn(move || into.end(read_all(&from, &into)));
        let (into, from) = (stream.clone(), outgoing.clone());
        thread::spawn(move || from.end(write_all(&into, &from)));
        Ok(Self(Arc::new(Ends { stream, incoming, outgoing })))
    }
}

fn read_all(mut stream: &UnixStream, pipe: &Pipe) -> io::Result<()> {
    let mut bytes = vec![0; CAPACITY];
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => return Ok(()),
            Ok(count) if pipe.push(&bytes[..count]) => {}
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn write_all(mut stream: &UnixStream, pipe: &Pipe) -> io::Result<()> {
    while let Some(bytes) = pipe.next() {
        stream.write_all(&bytes)?;
        pipe.written();
    }
    stream.shutdown(Shutdown::Write)
}

impl Drop for Ends {
    fn drop(&mut self) {
        // Ends the threads, whatever they wait for.
        let _ = self.stream.shutdown(Shutdown::Both);
        self.incoming.abandon();
        self.outgoing.abandon();
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.0.incoming.poll_take(context, bytes)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.outgoing.poll_put(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.outgoing.poll_drained(context)
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.outgoing.poll_ended(context)
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.stream.as_fd()
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Socket").field(&self.0.stream).finish()
    }
}

/// Bytes on their way between a thread, which blocks, and a task, which is woken.
#[derive(Default)]
struct Pipe {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    // Whether the thread has bytes that it has not written yet.
    is_writing: bool,
    // Whether nobody puts anything in, or takes anything out, any more.
    is_closed: bool,
    end: Option<io::Result<()>>,
    waker: Option<Waker>,
}

impl Pipe {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn update<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.lock();
        let result = change(&mut state);
        let waker = state.waker.take();
        drop(state);
        self.changed.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
        result
    }

    /// The thread's: waits until `ready` or closed.
    fn wait(&self, ready: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let waiting = |state: &mut State| !state.is_closed && !ready(state);
        let state = self.lock();
        self.changed.wait_while(state, waiting).unwrap_or_else(PoisonError::into_inner)
    }

    /// The reading thread's: hands bytes over. Returns whether anybody wants more.
    fn push(&self, bytes: &[u8]) -> bool {
        drop(self.wait(|state| state.bytes.len() + bytes.len() <= CAPACITY));
        self.update(|state| {
            state.bytes.extend_from_slice(bytes);
            !state.is_closed
        })
    }

    /// The writing thread's: takes what there is, or `None` if there is nothing and never will be.
    fn next(&self) -> Option<Vec<u8>> {
        drop(self.wait(|state| !state.bytes.is_empty()));
        self.update(|state| {
            state.is_writing = !state.bytes.is_empty();
            state.is_writing.then(|| std::mem::take(&mut state.bytes))
        })
    }

    fn written(&self) {
        self.update(|state| state.is_writing = false);
    }

    fn end(&self, result: io::Result<()>) {
        self.update(|state| state.end = Some(result));
    }

    fn abandon(&self) {
        self.update(|state| {
            state.is_closed = true;
            state.bytes.clear();
        });
    }

    fn poll_take(&self, context: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut state = self.lock();
        if state.bytes.is_empty() {
            return state.poll_end(context).map_ok(|()| 0);
        }
        let count = into.len().min(state.bytes.len());
        into[..count].copy_from_slice(&state.bytes[..count]);
        state.bytes.drain(..count);
        drop(state);
        self.changed.notify_all();
        Poll::Ready(Ok(count))
    }

    fn poll_put(&self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut state = self.lock();
        let count = bytes.len().min(CAPACITY - state.bytes.len());
        if count == 0 || state.is_closed || state.end.is_some() {
            return state.poll_end(context).map(|end| Err(end.err().unwrap_or_else(broken_pipe)));
        }
        state.bytes.extend_from_slice(&bytes[..count]);
        drop(state);
        self.changed.notify_all();
        Poll::Ready(Ok(count))
    }

    fn poll_drained(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.lock();
        if state.bytes.is_empty() && !state.is_writing && state.end.is_none() {
            return Poll::Ready(Ok(()));
        }
        state.poll_end(context)
    }

    fn poll_ended(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.lock();
        if !state.is_closed {
            state.is_closed = true;
            self.changed.notify_all();
        }
        state.poll_end(context)
    }
}

impl State {
    /// Tells how the thread has ended, as often as it is asked.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.end {
            None => {
                self.waker = Some(context.waker().clone());
                Poll::Pending
            }
            Some(Ok(())) => Poll::Ready(Ok(())),
            Some(Err(error)) => Poll::Ready(Err(error.kind().into())),
        }
    }
}

fn broken_pipe() -> io::Error {
    io::ErrorKind::BrokenPipe.into()
}

/// A listening socket, which a thread accepts from.
#[derive(Debug)]
pub struct Listener {
    listener: Arc<UnixListener>,
    accepted: Receiver<io::Result<UnixStream>>,
}

impl Listener {
    pub(super) fn new(listener: UnixListener) -> io::Result<Self> {
        listener.set_nonblocking(false)?;
        let listener = Arc::new(listener);
        let (accepts, accepted) = async_channel::bounded(1);
        let accepting = listener.clone();
        thread::spawn(move || {
            loop {
                let stream = accepting.accept().map(|(stream, _)| stream);
                if accepts.send_blocking(stream).is_err() {
                    return;
                }
            }
        });
        Ok(Self { listener, accepted })
    }

    pub(super) async fn accept(&mut self) -> io::Result<Socket> {
        Socket::new(self.accepted.recv().await.map_err(|_| broken_pipe())??)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.accepted.close();
        // A call of `accept` that waits fails on Linux once its socket is shut down.
        let _ = rustix::net::shutdown(&self.listener, rustix::net::Shutdown::Both);
    }
}
