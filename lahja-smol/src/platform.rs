//! Unix sockets and pipes.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net;

use lahja_core::{Platform, StreamTransport};
use smol::Async;
use smol::net::unix::{UnixListener, UnixStream};
use smol::process::Command;

use crate::process::{self, SmolChild};
use crate::runtime::Smol;

impl Platform for Smol {
    type Stream = UnixStream;
    type Listener = UnixListener;
    type Command = Command;
    type Child = SmolChild;

    fn stream(&self, stream: net::UnixStream) -> io::Result<UnixStream> {
        Ok(Async::new(stream)?.into())
    }

    fn listener(&self, listener: net::UnixListener) -> io::Result<UnixListener> {
        Ok(Async::new(listener)?.into())
    }

    async fn accept(listener: &mut UnixListener) -> io::Result<UnixStream> {
        let (stream, _) = listener.accept().await?;
        Ok(stream)
    }

    fn spawn_process(&self, command: Command, stdin: OwnedFd) -> io::Result<SmolChild> {
        process::spawn(self, command, stdin)
    }
}

/// Takes over the standard input and output of this process, which must be pipes, as a transport
/// to the process that started it. In their place are left `/dev/null` and the standard error.
///
/// # Errors
///
/// Either is a file or a terminal, or descriptors have run out.
pub fn stdio() -> io::Result<StreamTransport<Async<File>, Async<File>>> {
    let (stdin, stdout) = lahja_core::take_stdio()?;
    Ok(StreamTransport::new(Async::new(stdin)?, Async::new(stdout)?))
}
