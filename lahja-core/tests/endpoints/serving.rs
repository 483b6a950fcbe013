//! Peers that come faster than anybody can serve them, and those that do not get through at first.

use std::collections::VecDeque;
use std::future::pending;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_lite::future::yield_now;
use lahja_core::{
    BoxFuture, ConnectError, Connector, Endpoint, Limits, Listener, MemoryTransport, Runtime,
    memory_pair,
};
use rustix::io::Errno;

use crate::common::{TestRuntime, build, run};

/// How many come without a pause.
const CROWD: usize = 1_000;

/// Has a peer at hand whenever it is asked for one, until the crowd has come.
struct Crowd(Arc<AtomicUsize>);

impl Listener for Crowd {
    type Transport = MemoryTransport;

    async fn accept(&mut self) -> io::Result<MemoryTransport> {
        if self.0.fetch_add(1, Ordering::Relaxed) >= CROWD {
            pending().await
        }
        // Nobody is at the other end any more.
        let (near, _) = memory_pair();
        Ok(near)
    }
}

#[test]
fn other_tasks_have_their_turn_while_peers_come_without_a_pause() {
    run(async |runtime| {
        let server = build(&runtime, "server", |server| server);
        let come = Arc::new(AtomicUsize::new(0));
        let serving = server.serve(Crowd(come.clone()));
        let mut turns = 0;
        while come.load(Ordering::Relaxed) < CROWD {
            yield_now().await;
            turns += 1;
        }
        serving.stop().await;
        assert!(turns > 10, "{turns} turns while {CROWD} came");
    });
}

/// A runtime whose pauses are noted and over at once. What may take for ever does so.
#[derive(Clone)]
struct Hasty {
    runtime: TestRuntime,
    pauses: Arc<Mutex<Vec<Duration>>>,
}

impl Hasty {
    fn new(runtime: &TestRuntime) -> Self {
        Self { runtime: runtime.clone(), pauses: Arc::default() }
    }

    /// Makes an endpoint that takes no time for too long.
    fn build(&self, name: &str) -> Endpoint {
        let mut limits = Limits::default();
        limits.handshake_timeout = Duration::MAX;
        Endpoint::builder(name).unwrap().limits(limits).build(self.clone())
    }

    fn pauses(&self) -> Vec<Duration> {
        self.pauses.lock().unwrap().clone()
    }
}

impl Runtime for Hasty {
    fn spawn(&self, future: BoxFuture) {
        self.runtime.spawn(future);
    }

    fn sleep(&self, duration: Duration) -> BoxFuture {
        if duration == Duration::MAX {
            return Box::pin(pending());
        }
        self.pauses.lock().unwrap().push(duration);
        Box::pin(std::future::ready(()))
    }
}

/// What comes of one attempt after the other. No other comes to an end.
#[derive(Default)]
struct Attempts(Mutex<VecDeque<Result<MemoryTransport, Errno>>>);

impl Attempts {
    fn add(&self, errors: impl IntoIterator<Item = Errno>) {
        self.0.lock().unwrap().extend(errors.into_iter().map(Err));
    }

    /// Adds one that succeeds, and returns the other end.
    fn succeed(&self) -> MemoryTransport {
        let (near, far) = memory_pair();
        self.0.lock().unwrap().push_back(Ok(near));
        far
    }

    async fn next(&self) -> io::Result<MemoryTransport> {
        let attempt = self.0.lock().unwrap().pop_front();
        match attempt {
            Some(attempt) => Ok(attempt?),
            None => pending().await,
        }
    }
}

impl Listener for Attempts {
    type Transport = MemoryTransport;

    async fn accept(&mut self) -> io::Result<MemoryTransport> {
        self.next().await
    }
}

impl Connector for Attempts {
    type Transport = MemoryTransport;

    async fn connect(&self) -> io::Result<MemoryTransport> {
        self.next().await
    }
}

/// Tells whether each pause is between half of what is expected and all of it.
fn are_about(pauses: &[Duration], expected: &[u64]) -> bool {
    pauses.len() == expected.len()
        && pauses.iter().zip(expected).all(|(pause, &millis)| {
            let longest = Duration::from_millis(millis);
            (longest / 2..=longest).contains(pause)
        })
}

#[test]
fn a_server_without_resources_asks_again_after_pauses_that_grow() {
    run(async |runtime| {
        let hasty = Hasty::new(&runtime);
        let attempts = Attempts::default();
        attempts.add([Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOBUFS, Errno::MFILE]);
        attempts.add([Errno::MFILE; 5]);
        let first = attempts.succeed();
        attempts.add([Errno::MFILE]);
        let second = attempts.succeed();
        let server = hasty.build("server");
        let _serving = server.serve(attempts);
        for (name, end) in [("first", first), ("second", second)] {
            let client = build(&runtime, name, |client| client);
            assert_eq!(client.attach(end).await.unwrap(), "server");
        }
        // From 10 ms to a second, and from 10 ms again after a success.
        let expected = [10, 20, 40, 80, 160, 320, 640, 1_000, 1_000, 1_000, 10];
        let pauses = hasty.pauses();
        assert!(are_about(&pauses, &expected), "{pauses:?}");
    });
}

#[test]
fn an_error_of_one_connection_keeps_no_other_waiting() {
    run(async |runtime| {
        let hasty = Hasty::new(&runtime);
        let attempts = Attempts::default();
        attempts.add([Errno::CONNABORTED, Errno::CONNRESET, Errno::INTR, Errno::NOTCONN]);
        // What a peer of another user comes to.
        attempts.add([Errno::PERM]);
        let good = attempts.succeed();
        let server = hasty.build("server");
        let _serving = server.serve(attempts);
        let client = build(&runtime, "client", |client| client);
        assert_eq!(client.attach(good).await.unwrap(), "server");
        assert_eq!(hasty.pauses(), []);
    });
}

#[test]
fn whoever_may_be_there_later_is_tried_again() {
    run(async |runtime| {
        // What a full backlog comes to by way of a reactor, and without one; nobody who listens, be
        // a socket there or not; one that goes before it accepts; a signal.
        let passing = [
            Errno::NOTCONN,
            Errno::AGAIN,
            Errno::CONNREFUSED,
            Errno::NOENT,
            Errno::CONNRESET,
            Errno::PIPE,
            Errno::INTR,
        ];
        let hasty = Hasty::new(&runtime);
        let attempts = Attempts::default();
        attempts.add(passing);
        let end = attempts.succeed();
        let server = build(&runtime, "server", |server| server);
        let client = hasty.build("client");
        let attaching = server.attach(end);
        let (connected, attached) =
            futures_lite::future::zip(client.connect(attempts), attaching).await;
        assert_eq!(connected.unwrap(), "server");
        assert_eq!(attached.unwrap(), "client");
        let pauses = hasty.pauses();
        assert!(are_about(&pauses, &[10, 20, 40, 80, 160, 320, 640]), "{pauses:?}");

        // One that accepts, and goes before it has said anything.
        let attempts = Attempts::default();
        drop(attempts.succeed());
        let end = attempts.succeed();
        let client = hasty.build("another");
        let attaching = server.attach(end);
        let (connected, _) = futures_lite::future::zip(client.connect(attempts), attaching).await;
        assert_eq!(connected.unwrap(), "server");

        // What will not be otherwise later.
        let hasty = Hasty::new(&runtime);
        let attempts = Attempts::default();
        attempts.add([Errno::ACCESS]);
        match hasty.build("client").connect(attempts).await {
            Err(ConnectError::Io(error)) => {
                assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(hasty.pauses(), []);
    });
}
