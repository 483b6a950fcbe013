//! smol with a count of the tasks that lahja has running on it.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lahja_smol::{BoxFuture, Platform, Runtime, Smol};

/// smol with a count of the tasks that lahja has running on it.
#[derive(Debug, Clone)]
pub struct Counted {
    smol: Smol,
    tasks: Arc<AtomicUsize>,
}

impl Counted {
    /// Returns the number of tasks that have not ended.
    pub fn tasks(&self) -> usize {
        self.tasks.load(Ordering::Acquire)
    }
}

impl From<Smol> for Counted {
    fn from(smol: Smol) -> Self {
        let tasks = Arc::default();
        Self { smol, tasks }
    }
}

/// One task, until it is dropped.
struct Running(Arc<AtomicUsize>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

impl Runtime for Counted {
    fn spawn(&self, future: BoxFuture) {
        self.tasks.fetch_add(1, Ordering::Relaxed);
        let running = Running(self.tasks.clone());
        self.smol.spawn(Box::pin(async move {
            future.await;
            drop(running);
        }));
    }

    fn sleep(&self, duration: Duration) -> BoxFuture {
        self.smol.sleep(duration)
    }
}

impl Platform for Counted {
    type Stream = <Smol as Platform>::Stream;
    type Listener = <Smol as Platform>::Listener;
    type Command = <Smol as Platform>::Command;
    type Child = <Smol as Platform>::Child;

    fn stream(&self, stream: net::UnixStream) -> io::Result<Self::Stream> {
        self.smol.stream(stream)
    }

    fn listener(&self, listener: net::UnixListener) -> io::Result<Self::Listener> {
        self.smol.listener(listener)
    }

    async fn accept(listener: &mut Self::Listener) -> io::Result<Self::Stream> {
        Smol::accept(listener).await
    }

    fn spawn_process(&self, command: Self::Command, stdin: OwnedFd) -> io::Result<Self::Child> {
        self.smol.spawn_process(command, stdin)
    }
}
