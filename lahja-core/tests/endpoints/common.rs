//! A runtime for tests, endpoints joined in memory, and what they tell each other.

use std::sync::Arc;
use std::time::Duration;

use async_executor::Executor;
use futures_lite::future::yield_now;
use lahja_core::{BoxFuture, Endpoint, EndpointBuilder, Event, Limits, Runtime, memory_pair};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub(crate) struct Number(pub(crate) u64);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub(crate) struct Text(pub(crate) String);

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(response = Text)]
pub(crate) struct Question(pub(crate) u64);

/// How long a test may take before it is taken for hung.
const WATCHDOG: Duration = Duration::from_secs(60);

#[derive(Clone, Default)]
pub(crate) struct TestRuntime(Arc<Executor<'static>>);

impl Runtime for TestRuntime {
    fn spawn(&self, future: BoxFuture) {
        self.0.spawn(future).detach();
    }

    fn sleep(&self, duration: Duration) -> BoxFuture {
        Box::pin(async move {
            async_io::Timer::after(duration).await;
        })
    }
}

/// Runs a test on one thread; panics if it hangs.
pub(crate) fn run<F: Future<Output = ()>>(test: impl FnOnce(TestRuntime) -> F) {
    let runtime = TestRuntime::default();
    let executor = runtime.0.clone();
    let hung = async {
        async_io::Timer::after(WATCHDOG).await;
        panic!("the test hangs");
    };
    let test = test(runtime);
    async_io::block_on(executor.run(futures_lite::future::or(test, hung)));
}

/// Creates endpoints of these names, each connected to each.
pub(crate) async fn mesh<const N: usize>(runtime: &TestRuntime, names: [&str; N]) -> [Endpoint; N] {
    let endpoints = names.map(|name| build(runtime, name, |builder| builder));
    for (at, near) in endpoints.iter().enumerate() {
        for far in &endpoints[at + 1..] {
            join(near, far).await;
        }
    }
    endpoints
}

pub(crate) fn build(
    runtime: &TestRuntime,
    name: &str,
    with: impl FnOnce(EndpointBuilder) -> EndpointBuilder,
) -> Endpoint {
    with(Endpoint::builder(name).unwrap()).build(runtime.clone())
}

#[allow(dead_code)]
pub(crate) fn with_limits(runtime: &TestRuntime, name: &str, limits: Limits) -> Endpoint {
    build(runtime, name, |builder| builder.limits(limits))
}

/// Connects two endpoints in memory.
pub(crate) async fn join(near: &Endpoint, far: &Endpoint) {
    let (one, other) = memory_pair();
    let (near, far) = futures_lite::future::zip(near.attach(one), far.attach(other)).await;
    near.unwrap();
    far.unwrap();
}

/// Lets everything run that can.
pub(crate) async fn settle() {
    for _ in 0..200 {
        yield_now().await;
    }
}
