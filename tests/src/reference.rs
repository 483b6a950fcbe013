//! A runtime that has nothing in common with any other: a thread for each task, a thread for each
//! direction of a socket, and blocking calls alone. There is no reactor.
//!
//! It is slow, wasteful and short, and it shows everything that a [`Platform`] has to do.

mod process;
mod socket;

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net;
use std::process::Command;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use futures_lite::future::block_on;
use lahja_core::{BoxFuture, Platform, Runtime};

use crate::subject::Subject;

pub use process::Process;
pub use socket::{Listener, Socket};

/// One thread for each task.
#[derive(Debug, Clone, Copy, Default)]
pub struct Threads;

impl Runtime for Threads {
    fn spawn(&self, future: BoxFuture) {
        thread::spawn(move || block_on(future));
    }

    fn sleep(&self, duration: Duration) -> BoxFuture {
        let (cancel, cancelled) = mpsc::channel::<()>();
        let (done, is_done) = async_channel::bounded::<()>(1);
        thread::spawn(move || {
            // Ends at once when the future below is dropped, and `cancel` with it.
            if cancelled.recv_timeout(duration) == Err(RecvTimeoutError::Timeout) {
                drop(done);
            }
        });
        Box::pin(async move {
            let _cancel = cancel;
            let _ = is_done.recv().await;
        })
    }
}

impl Platform for Threads {
    type Stream = Socket;
    type Listener = Listener;
    type Command = Command;
    type Child = Process;

    fn stream(&self, stream: net::UnixStream) -> io::Result<Socket> {
        Socket::new(stream)
    }

    fn listener(&self, listener: net::UnixListener) -> io::Result<Listener> {
        Listener::new(listener)
    }

    async fn accept(listener: &mut Listener) -> io::Result<Socket> {
        listener.accept().await
    }

    fn spawn_process(&self, mut command: Command, stdin: OwnedFd) -> io::Result<Process> {
        // The command keeps the descriptor; it is dropped here, so that the child alone has it.
        command.stdin(stdin).spawn().map(Process::new)
    }
}

impl Subject for Threads {
    type Platform = Self;

    fn run<F: Future<Output = ()>>(main: impl FnOnce(Self) -> F) {
        block_on(main(Self));
    }

    fn command(command: Command) -> Command {
        command
    }
}
