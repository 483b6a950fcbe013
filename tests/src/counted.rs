//! A platform with a count of the tasks that lahja has running on it.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lahja_core::{BoxFuture, Platform, Runtime};

/// A platform with a count of the tasks that lahja has running on it.
#[derive(Debug, Clone)]
pub struct Counted<P> {
    platform: P,
    tasks: Arc<AtomicUsize>,
}

impl<P> Counted<P> {
    /// Returns the number of tasks that have not ended.
    pub fn tasks(&self) -> usize {
        self.tasks.load(Ordering::Acquire)
    }
}

impl<P: Platform> From<P> for Counted<P> {
    fn from(platform: P) -> Self {
        let tasks = Arc::default();
        Self { platform, tasks }
    }
}

/// One task, until it is dropped.
struct Running(Arc<AtomicUsize>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

impl<P: Platform> Runtime for Counted<P> {
    fn spawn(&self, future: BoxFuture) {
        self.tasks.fetch_add(1, Ordering::Relaxed);
        let running = Running(self.tasks.clone());
        self.platform.spawn(Box::pin(async move {
            future.await;
            drop(running);
        }));
    }

    fn sleep(&self, duration: Duration) -> BoxFuture {
        self.platform.sleep(duration)
    }
}

impl<P: Platform> Platform for Counted<P> {
    type Stream = P::Stream;
    type Listener = P::Listener;
    type Command = P::Command;
    type Child = P::Child;

    fn stream(&self, stream: net::UnixStream) -> io::Result<Self::Stream> {
        self.platform.stream(stream)
    }

    fn listener(&self, listener: net::UnixListener) -> io::Result<Self::Listener> {
        self.platform.listener(listener)
    }

    async fn accept(listener: &mut Self::Listener) -> io::Result<Self::Stream> {
        P::accept(listener).await
    }

    fn spawn_process(&self, command: Self::Command, stdin: OwnedFd) -> io::Result<Self::Child> {
        self.platform.spawn_process(command, stdin)
    }
}
