//! Unix sockets and pipes.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};

use async_io::Async;
use async_process::Command;
use lahja_core::{Platform, SharedSocket, StreamTransport};

use crate::process::AsyncStdChild;
use crate::runtime::AsyncStd;

impl Platform for AsyncStd {
    type Stream = SharedSocket<Async<UnixStream>>;
    type Listener = Async<UnixListener>;
    type Command = Command;
    type Child = AsyncStdChild;

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

    fn spawn_process(&self, command: Command, stdin: OwnedFd) -> io::Result<AsyncStdChild> {
        AsyncStdChild::start(self, command, stdin)
    }
}

/// Takes over the standard input and output of this process, which must be pipes or sockets, as a
/// transport to the process that started it. In their place are left `/dev/null` and the standard
/// error.
///
/// # Errors
///
/// Either is something else, such as a file or a terminal; both are then left as they were. Or
/// descriptors have run out.
pub fn stdio() -> io::Result<StreamTransport<Async<File>, Async<File>>> {
    let (stdin, stdout) = lahja_core::take_stdio()?;
    Ok(StreamTransport::new(Async::new(stdin)?, Async::new(stdout)?))
}
