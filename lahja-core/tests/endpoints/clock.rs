//! Time that stands still until a test has it pass.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use event_listener::Event as Notify;
use lahja_core::{BoxFuture, Runtime};

use crate::common::TestRuntime;

/// A runtime whose time passes when it is told to.
#[derive(Clone)]
pub(crate) struct Clock {
    tasks: TestRuntime,
    start: Instant,
    passed: Arc<(Mutex<Duration>, Notify)>,
}

impl Clock {
    pub(crate) fn new(tasks: &TestRuntime) -> Self {
        Self { tasks: tasks.clone(), start: Instant::now(), passed: Arc::default() }
    }

    pub(crate) fn advance(&self, duration: Duration) {
        *self.passed.0.lock().unwrap() += duration;
        self.passed.1.notify(usize::MAX);
    }
}

impl Runtime for Clock {
    fn spawn(&self, future: BoxFuture) {
        self.tasks.spawn(future);
    }

    fn sleep(&self, duration: Duration) -> BoxFuture {
        let clock = self.clone();
        let end = self.now().checked_add(duration);
        Box::pin(async move {
            loop {
                let advanced = clock.passed.1.listen();
                if end.is_some_and(|end| clock.now() >= end) {
                    return;
                }
                advanced.await;
            }
        })
    }

    fn now(&self) -> Instant {
        self.start + *self.passed.0.lock().unwrap()
    }
}
