//! A runtime that counts its tasks: smol, and a number.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lahja_smol::{BoxFuture, Platform, Runtime, Smol};
use smol::Executor;
use smol::process::Command;

/// smol on an executor of one's own, and how many of lahja's tasks it has.
#[derive(Debug, Clone)]
pub(crate) struct Counted {
    smol: Smol,
    tasks: Arc<AtomicUsize>,
}

impl Counted {
    pub(crate) fn new(executor: Arc<Executor<'static>>) -> Self {
        Self { smol: Smol::from(executor), tasks: Arc::default() }
    }

    /// Returns how many tasks were spawned and have not ended.
    pub(crate) fn tasks(&self) -> usize {
        self.tasks.load(Ordering::Acquire)
    }
}

/// One task that has not ended.
struct Alive(Arc<AtomicUsize>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Runtime for Counted {
    fn spawn(&self, future: BoxFuture) {
        self.tasks.fetch_add(1, Ordering::AcqRel);
        let alive = Alive(self.tasks.clone());
        self.smol.spawn(Box::pin(async move {
            // It is over when the future is gone, too.
            let _alive = alive;
            future.await;
        }));
    }

    fn sleep(&self, duration: Duration) -> BoxFuture {
        self.smol.sleep(duration)
    }
}

impl Platform for Counted {
    type Stream = <Smol as Platform>::Stream;
    type Listener = <Smol as Platform>::Listener;
    type Command = Command;
    type Child = <Smol as Platform>::Child;

    fn stream(&self, stream: UnixStream) -> io::Result<Self::Stream> {
        self.smol.stream(stream)
    }

    fn listener(&self, listener: UnixListener) -> io::Result<Self::Listener> {
        self.smol.listener(listener)
    }

    async fn accept(listener: &mut Self::Listener) -> io::Result<Self::Stream> {
        Smol::accept(listener).await
    }

    fn spawn_process(&self, command: Command, stdin: OwnedFd) -> io::Result<Self::Child> {
        self.smol.spawn_process(command, stdin)
    }
}
