//! What the feature `tracing` reports.

use std::fmt;
use std::sync::{Arc, Mutex};

use futures_lite::future::yield_now;
use lahja_core::{Received, StreamTransport};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Metadata, Subscriber, subscriber};

use crate::common::{Number, mesh, run};

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
    subscriber::with_default(log.clone(), || {
        run(|runtime| async move {
            let [a, b] = mesh(&runtime, ["a", "b"]).await;
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
        });
    });
    let mut said = log.0.lock().unwrap().clone();
    said.sort_unstable();
    let expected = [
        "DEBUG message=a peer is connected endpoint=a peer=b",
        "DEBUG message=a peer is connected endpoint=b peer=a",
        "WARN message=a handler has panicked endpoint=b event=lahja-core.Number",
        "WARN message=a handshake has failed endpoint=a error=the peer broke the protocol: \
         message of unknown kind 0x47",
    ];
    assert_eq!(said, expected);
}
