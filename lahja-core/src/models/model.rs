//! Endpoints on a runtime of which each task is a thread of the model.

use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use futures_lite::future::zip;
use shuttle::future;

use crate::{BoxFuture, Endpoint, Limits, Runtime, memory_pair};

/// Runs each task as a thread of the model. No time passes.
#[derive(Clone, Default)]
pub(super) struct Model {
    tasks: Arc<AtomicUsize>,
}

/// Counts a task while it is there.
struct Task(Arc<AtomicUsize>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Model {
    /// Runs a scenario on two endpoints that are connected. The window has room for two numbers.
    pub(super) fn run(scenario: impl AsyncFnOnce(Endpoint, Endpoint)) {
        Self::run_all(&[("a", 20), ("b", 20)], async |endpoints| {
            let [a, b] = endpoints else { unreachable!("there are two") };
            connect(a, b).await;
            scenario(a.clone(), b.clone()).await;
        });
    }

    /// Runs a scenario on endpoints with these names and windows, then closes them and waits until no
    /// task is left: what hangs is a deadlock of the model.
    pub(super) fn run_all(endpoints: &[(&str, u32)], scenario: impl AsyncFnOnce(&[Endpoint])) {
        let model = Self::default();
        future::block_on(async {
            let endpoints = endpoints.iter().map(|(name, window)| {
                let limits =
                    Limits { poll_for: Duration::ZERO, window: *window, ..Limits::default() };
                Endpoint::builder(*name).unwrap().limits(limits).build(model.clone())
            });
            let endpoints: Vec<_> = endpoints.collect();
            scenario(&endpoints).await;
            let closing = endpoints
                .into_iter()
                .map(|endpoint| future::spawn(async move { endpoint.close(Duration::MAX).await }));
            for closing in closing.collect::<Vec<_>>() {
                closing.await.unwrap();
            }
            while model.tasks.load(Ordering::Relaxed) > 0 {
                future::yield_now().await;
            }
        });
    }

    fn task(&self) -> Task {
        self.tasks.fetch_add(1, Ordering::Relaxed);
        Task(self.tasks.clone())
    }
}

impl Runtime for Model {
    fn spawn(&self, future: BoxFuture) {
        let task = self.task();
        drop(future::spawn(async move {
            future.await;
            drop(task);
        }));
    }

    fn sleep(&self, _: Duration) -> BoxFuture {
        Box::pin(pending())
    }

    fn now(&self) -> Instant {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        *START
    }
}

/// Connects two endpoints.
pub(super) async fn connect(a: &Endpoint, b: &Endpoint) {
    let (near, far) = memory_pair();
    let (near, far) = zip(a.attach(near), b.attach(far)).await;
    near.and(far).unwrap();
}
