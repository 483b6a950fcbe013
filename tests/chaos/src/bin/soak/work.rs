//! What every process does: it broadcasts, consumes, asks and answers.

mod ask;
mod broadcast;
mod subscribe;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lahja_smol::{Endpoint, Limits, Received, Subscription};
use smol::{Executor, Task, Timer};

use crate::events::{Ask, Ignored, Told};
use crate::tally::Tally;
use crate::{AS_ASKED, Result};

/// How long producers wait for a peer that consumes nothing.
pub(crate) const STALLED_AFTER: Duration = Duration::from_millis(300);

/// How many tasks of an endpoint do the same.
const WORKERS: usize = 3;

/// The group that peers are members of.
pub(crate) const GROUP: &str = "workers";

/// Returns the bounds of all endpoints: as by default, but less patient and with small windows, so
/// that in a short run, too, producers wait, and what is abandoned is given up.
pub(crate) fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.stalled_after = STALLED_AFTER;
    limits.handshake_timeout = Duration::from_secs(1);
    limits.handshakes = 16;
    limits.window = 32 << 10;
    limits
}

/// An endpoint that works until it is told to stop.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) endpoint: Endpoint,
    pub(crate) tally: Arc<Tally>,
    stops: AtomicBool,
}

/// The work of an endpoint, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Work {
    tasks: Vec<Task<Result<()>>>,
    _answering: [Subscription; 2],
}

impl Worker {
    pub(crate) fn new(endpoint: Endpoint, tally: Arc<Tally>) -> Self {
        Self { endpoint, tally, stops: AtomicBool::new(false) }
    }

    pub(crate) fn goes_on(&self) -> bool {
        !self.stops.load(Ordering::Relaxed) && !self.endpoint.is_closed()
    }

    /// Has the work come to its end.
    pub(crate) fn stop(&self) {
        self.stops.store(true, Ordering::Relaxed);
    }

    /// Draws somebody who is connected.
    pub(crate) fn peer(&self, dice: &mut fastrand::Rng) -> Option<String> {
        let peers = self.endpoint.connections();
        dice.choice(peers).map(|peer| peer.to_string())
    }
}

/// Begins to work.
pub(crate) fn begin(
    worker: &Arc<Worker>,
    executor: &Arc<Executor<'static>>,
    dice: &mut fastrand::Rng,
) -> Work {
    let answering = worker.endpoint.answer(answer);
    let ignoring = worker.endpoint.subscribe(|_: Received<Ignored>| ());
    let mut tasks = Vec::new();
    for _ in 0..WORKERS {
        tasks.push(executor.spawn(broadcast::broadcast(worker.clone(), dice.fork())));
        tasks.push(executor.spawn(subscribe::subscribe(worker.clone(), dice.fork())));
        tasks.push(executor.spawn(ask::ask(worker.clone(), dice.fork())));
    }
    Work { tasks, _answering: [answering, ignoring] }
}

impl Work {
    /// Waits for the end of the work, which has been told to stop.
    pub(crate) async fn ended(mut self) -> Result<()> {
        for task in self.tasks.drain(..) {
            task.await?;
        }
        Ok(())
    }
}

/// Answers a question as it wants to be answered.
async fn answer(ask: Received<Ask>) -> Told {
    match *ask {
        Ask::Plain => {}
        Ask::Slow(millis) => pause(millis).await,
        Ask::Panics => panic!("{AS_ASKED}"),
    }
    Told(vec![1; 100])
}

/// Waits for some milliseconds.
pub(crate) async fn pause(millis: u64) {
    Timer::after(Duration::from_millis(millis)).await;
}

/// Waits for something, for some milliseconds at most.
pub(crate) async fn within<T>(millis: u64, what: impl Future<Output = T>) -> Option<T> {
    let late = async {
        pause(millis).await;
        None
    };
    futures_lite::future::or(async { Some(what.await) }, late).await
}
