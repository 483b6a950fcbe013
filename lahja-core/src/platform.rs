//! What an adapter brings beyond a [`Runtime`], so that core can run event buses
//! of several processes on it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::ExitStatus;

use futures_io::{AsyncRead, AsyncWrite};

use crate::runtime::Runtime;

/// A runtime with Unix sockets and child processes.
///
/// # Notes for implementers
///
/// Core makes, binds and connects the sockets, which are non-blocking and close-on-exec; a
/// platform makes them wait for readiness on its reactor. Closing a [`Stream`](Self::Stream) as
/// futures-io has it must shut down the sending direction.
pub trait Platform: Runtime + Clone {
    /// A connected Unix socket. Clones share it, as those of
    /// [`SharedSocket`](crate::SharedSocket) do.
    type Stream: AsyncRead + AsyncWrite + AsFd + Clone + Unpin + Send + 'static;
    /// A listening Unix socket.
    type Listener: Send + 'static;
    /// A program to be run, as this runtime describes it.
    type Command: Send + 'static;
    /// A process that was started.
    type Child: ChildProcess;

    /// Takes over a connected socket.
    ///
    /// # Errors
    ///
    /// The reactor does not take it.
    fn stream(&self, stream: UnixStream) -> io::Result<Self::Stream>;

    /// Takes over a listening socket.
    ///
    /// # Errors
    ///
    /// The reactor does not take it.
    fn listener(&self, listener: UnixListener) -> io::Result<Self::Listener>;

    /// Waits for the next connection.
    ///
    /// # Errors
    ///
    /// An error of one connection, or for want of resources.
    fn accept(
        listener: &mut Self::Listener,
    ) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// Reads what has arrived at a socket, without waiting and without having anyone woken, as
    /// [`SharedSocket::try_read`](crate::SharedSocket::try_read) does. Core reads so while it asks again
    /// and again, under the terms of [`StreamTransport::try_read_with`](crate::StreamTransport). `None`, as
    /// by default: that cannot be done, and a socket is always read as a stream.
    fn try_read(stream: &Self::Stream, bytes: &mut [u8]) -> Option<io::Result<usize>> {
        let _ = (stream, bytes);
        None
    }

    /// Starts a program whose standard input is `stdin`.
    ///
    /// # Errors
    ///
    /// The program cannot be run.
    fn spawn_process(&self, command: Self::Command, stdin: OwnedFd) -> io::Result<Self::Child>;
}

/// A process that was started.
pub trait ChildProcess: Send + 'static {
    /// Returns the process's id.
    fn id(&self) -> u32;

    /// Kills the process with SIGKILL. One that has ended is left alone, which is no error.
    ///
    /// # Errors
    ///
    /// The signal cannot be sent.
    fn kill(&mut self) -> io::Result<()>;

    /// Waits until the process has ended and reaps it. May be called again.
    ///
    /// # Errors
    ///
    /// The process cannot be waited for.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    fn status(&mut self) -> impl Future<Output = io::Result<ExitStatus>> + Send;
}
