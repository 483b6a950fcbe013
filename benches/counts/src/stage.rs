//! Endpoints in memory that do nothing by themselves: who measures says whose tasks run, and when
//! time passes.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use async_executor::Executor;
use futures_lite::future::{pending, zip};
use lahja_core::{BoxFuture, Endpoint, Limits, Runtime};

use crate::pipe;

/// How often everybody has a turn before what does not come is an error.
const TURNS: usize = 1_000;

/// How often tasks run in one turn before that is an error.
const TICKS: usize = 100_000;

/// One endpoint and its peers, whose tasks run apart from its own.
pub(crate) struct Stage {
    pub(crate) near: Endpoint,
    pub(crate) peers: Vec<Endpoint>,
    near_side: Side,
    far_side: Side,
}

impl Stage {
    /// Connects an endpoint to `peers` others.
    pub(crate) fn new(peers: usize) -> Self {
        let clock = Arc::new(Clock { start: Instant::now(), passed: AtomicU64::new(0) });
        let [near_side, far_side] =
            [(); 2].map(|()| Side { executor: Arc::default(), clock: clock.clone() });
        let mut limits = Limits::default();
        // Time stands still, so a reader that polls would not end.
        limits.poll_for = Duration::ZERO;
        let endpoint = |name: &str, side: &Side| {
            let builder = Endpoint::builder(name).expect("the name is that of an endpoint");
            builder.limits(limits.clone()).build(side.clone())
        };
        let near = endpoint("near", &near_side);
        let peers = (0..peers).map(|at| endpoint(&format!("far-{at}"), &far_side)).collect();
        let stage = Self { near, peers, near_side, far_side };
        for peer in &stage.peers {
            let (one, other) = pipe::pair();
            let (near, far) = stage.drive(zip(stage.near.attach(one), peer.attach(other)));
            near.and(far).expect("nothing keeps the two from a handshake");
        }
        stage
    }

    /// Runs the endpoint's tasks as far as they go.
    pub(crate) fn run_near(&self) {
        self.near_side.run();
    }

    /// Runs the peers' tasks as far as they go.
    pub(crate) fn run_far(&self) {
        self.far_side.run();
    }

    /// Waits for something that everybody's tasks have a part in.
    pub(crate) fn drive<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        for _ in 0..TURNS {
            if let Poll::Ready(output) =
                future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
            {
                return output;
            }
            self.run_near();
            self.run_far();
        }
        panic!("what is waited for does not come");
    }

    /// Lets so much time pass that the next frame is written at once, as when little is going on.
    pub(crate) fn pass_time(&self) {
        self.near_side.clock.passed.fetch_add(10, Ordering::Relaxed);
    }
}

/// Begins something that takes a while.
pub(crate) fn begin(future: &mut (impl Future + Unpin)) {
    let polled = pin!(future).poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending(), "it takes no time");
}

/// Waits for something that is there.
pub(crate) fn at_once<F: IntoFuture>(future: F) -> F::Output {
    let future = pin!(future.into_future());
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("what should be there is waited for"),
    }
}

/// The runtime of those who run together. No timer of it fires.
#[derive(Clone)]
struct Side {
    executor: Arc<Executor<'static>>,
    clock: Arc<Clock>,
}

impl Side {
    fn run(&self) {
        for _ in 0..TICKS {
            if !self.executor.try_tick() {
                return;
            }
        }
        panic!("a task is never done");
    }
}

struct Clock {
    start: Instant,
    /// In microseconds.
    passed: AtomicU64,
}

impl Runtime for Side {
    fn spawn(&self, future: BoxFuture) {
        self.executor.spawn(future).detach();
    }

    fn sleep(&self, _: Duration) -> BoxFuture {
        Box::pin(pending())
    }

    fn now(&self) -> Instant {
        self.clock.start + Duration::from_micros(self.clock.passed.load(Ordering::Relaxed))
    }
}
