//! Unix sockets and pipes.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};

use lahja_core::{Pipe, Platform, SharedSocket, StreamTransport};
use smol::Async;
use smol::process::Command;

use crate::process::SmolChild;
use crate::runtime::Smol;

impl Platform for Smol {
    type Stream = SharedSocket<Async<UnixStream>>;
    type Listener = Async<UnixListener>;
    type Command = Command;
    type Child = SmolChild;

    fn stream(&self, stream: UnixStream) -> io::Result<Self::Stream> {
        Async::new(stream).map(SharedSocket::new)
    }

    fn listener(&self, listener: UnixListener) -> io::Result<Self::Listener> {
        Async::new(listener)
    }

    async fn accept(listener: &mut Self::Listener) -> io::Result<Self::Stream> {
        let (stream, _) = listener.accept().await?;
        Ok(SharedSocket::new(stream))
    }

    fn try_read(stream: &Self::Stream, bytes: &mut [u8]) -> Option<io::Result<usize>> {
        stream.try_read(bytes)
    }

    fn spawn_process(&self, command: Command, stdin: OwnedFd) -> io::Result<SmolChild> {
        SmolChild::start(self, command, stdin)
    }
}

/// The standard input or output of this process.
pub type Stdio = SharedSocket<Async<Pipe>>;

/// Takes over the standard input and output of this process, which must be pipes or sockets, as a
/// transport to the process that started it. In their place are left `/dev/null` and the standard
/// error.
///
/// # Errors
///
/// Either is something else, such as a file or a terminal; both are then left as they were. Or
/// descriptors have run out.
pub fn stdio() -> io::Result<StreamTransport<Stdio, Stdio>> {
    let (stdin, stdout) = lahja_core::take_stdio()?;
    let stream = |end| Async::new(end).map(SharedSocket::new);
    Ok(StreamTransport::new(stream(stdin)?, stream(stdout)?))
}
