//! smol with a count of what its listeners do.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lahja_core::UnixListener;
use lahja_smol::{BoxFuture, Endpoint, Limits, Platform, Runtime, Smol};
use rustix::net::listen;

/// smol with a count of what its listeners do.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    platform: Smol,
    backlog: Option<i32>,
    count: Arc<Count>,
}

/// What listeners have done.
#[derive(Debug, Default)]
pub(crate) struct Count {
    accepted: AtomicU64,
    failed: AtomicU64,
}

impl Count {
    /// Returns how many peers were accepted.
    pub(crate) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Returns how often the system refused to accept one.
    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Returns how often it was asked for one and had an answer.
    pub(crate) fn attempts(&self) -> u64 {
        self.accepted() + self.failed()
    }
}

impl Door {
    /// Counts what listeners on a platform do.
    pub(crate) fn new(platform: &Smol) -> Self {
        Self { platform: platform.clone(), backlog: None, count: Arc::default() }
    }

    /// Has so few wait for being accepted.
    pub(crate) fn with_backlog(mut self, backlog: i32) -> Self {
        self.backlog = Some(backlog);
        self
    }

    /// Makes an endpoint that serves the socket at `path`.
    pub(crate) fn serve(&self, path: &Path) -> Endpoint {
        self.serve_limited(path, &Limits::default())
    }

    /// As [`serve`](Self::serve), with limits.
    pub(crate) fn serve_limited(&self, path: &Path, limits: &Limits) -> Endpoint {
        let server = Endpoint::builder("server").unwrap().limits(limits.clone());
        let server = server.build(self.clone());
        server.serve(UnixListener::bind_on(self, path).unwrap()).detach();
        server
    }

    pub(crate) fn count(&self) -> &Count {
        &self.count
    }
}

impl Runtime for Door {
    fn spawn(&self, future: BoxFuture) {
        self.platform.spawn(future);
    }

    fn sleep(&self, duration: Duration) -> BoxFuture {
        self.platform.sleep(duration)
    }
}

impl Platform for Door {
    type Stream = <Smol as Platform>::Stream;
    type Listener = (<Smol as Platform>::Listener, Arc<Count>);
    type Command = <Smol as Platform>::Command;
    type Child = <Smol as Platform>::Child;

    fn stream(&self, stream: net::UnixStream) -> io::Result<Self::Stream> {
        self.platform.stream(stream)
    }

    fn listener(&self, listener: net::UnixListener) -> io::Result<Self::Listener> {
        if let Some(backlog) = self.backlog {
            listen(&listener, backlog)?;
        }
        Ok((self.platform.listener(listener)?, self.count.clone()))
    }

    async fn accept((listener, count): &mut Self::Listener) -> io::Result<Self::Stream> {
        let accepted = Smol::accept(listener).await;
        let counter = if accepted.is_ok() { &count.accepted } else { &count.failed };
        counter.fetch_add(1, Ordering::Relaxed);
        accepted
    }

    fn spawn_process(&self, command: Self::Command, stdin: OwnedFd) -> io::Result<Self::Child> {
        self.platform.spawn_process(command, stdin)
    }
}
