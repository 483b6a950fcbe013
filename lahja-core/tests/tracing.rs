//! What the feature `tracing` reports.
#![cfg(feature = "tracing")]

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_executor::Executor;
use futures_lite::future::{block_on, yield_now, zip};
use lahja_core::{BoxFuture, Endpoint, Event, Received, Runtime, StreamTransport, memory_pair};
use serde::{Deserialize, Serialize};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Metadata, Subscriber};

#[derive(Debug, Serialize, Deserialize, Event)]
struct Number(u64);

#[derive(Clone, Default)]
struct TestRuntime(Arc<Executor<'static>>);

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

/// Keeps what is reported, a line each.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "lahja"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.push_str(&format!(" {field}={value:?}"));
    }
}

#[test]
fn trouble_is_reported_as_it_happens() {
    let log = Log::default();
    let runtime = TestRuntime::default();
    let [a, b] = ["a", "b"].map(|name| Endpoint::new(name, runtime.clone()).unwrap());
    let scenario = async {
        let (near, far) = memory_pair();
        let (_, joined) = zip(a.attach(near), b.attach(far)).await;
        joined.unwrap();
        let mut stream = b.stream::<Number>();
        stream.ready().await.unwrap();
        let panics = b.subscribe(|number: Received<Number>| assert_eq!(number.0, 0));
        panics.ready().await.unwrap();
        a.broadcast(Number(1)).await.unwrap();
        stream.next().await.unwrap().unwrap();
        while b.stats().handler_panics == 0 {
            yield_now().await;
        }
        let stranger = StreamTransport::new(&b"\x03\0\0\0GET"[..], futures_lite::io::sink());
        a.attach(stranger).await.unwrap_err();
    };
    tracing::subscriber::with_default(log.clone(), || block_on(runtime.0.run(scenario)));
    let mut said = log.0.lock().unwrap().clone();
    said.sort_unstable();
    let expected = [
        "DEBUG message=a peer is connected endpoint=a peer=b",
        "DEBUG message=a peer is connected endpoint=b peer=a",
        "WARN message=a handler has panicked endpoint=b event=lahja-core.Number",
        "WARN message=a handshake has failed endpoint=a error=the peer broke the protocol",
        "WARN message=a peer broke the protocol endpoint=a error=message of unknown kind 0x47",
    ];
    assert_eq!(said, expected);
}
