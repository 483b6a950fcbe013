//! Endpoints of one process, joined in memory: the public face from end to end.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use crate::common::{Number, Question, Text, build, join, mesh, run, settle, with_limits};
use futures_lite::future::{poll_once, yield_now, zip};
use lahja_core::{
    BroadcastError, ConnectError, FrameError, FrameReader, Lagged, Limits, MemoryTransport,
    Overflow, Received, Scope, Transport, memory_pair,
};

#[test]
fn an_event_reaches_every_subscriber_and_oneself() {
    run(|runtime| async move {
        let [a, b, c] = mesh(&runtime, ["a", "b", "c"]).await;
        let mut streams = [&a, &b, &c].map(|endpoint| endpoint.stream::<Number>());
        for stream in &streams {
            stream.ready().await.unwrap();
        }
        a.broadcast(Number(7)).await.unwrap();
        for stream in &mut streams {
            let event = stream.next().await.unwrap().unwrap();
            assert_eq!(*event, Number(7));
            assert_eq!(event.origin(), "a");
        }
    });
}

/// A transport that takes one frame after the other.
struct OneByOne(MemoryTransport);

struct OneByOneReader(<MemoryTransport as Transport>::Reader);

impl Transport for OneByOne {
    type Reader = OneByOneReader;
    type Writer = <MemoryTransport as Transport>::Writer;

    fn split(self) -> (Self::Reader, Self::Writer) {
        let (reader, writer) = self.0.split();
        (OneByOneReader(reader), writer)
    }
}

impl FrameReader for OneByOneReader {
    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        self.0.poll_fill(context)
    }

    fn next_frame(&mut self) -> Result<Option<&[u8]>, FrameError> {
        self.0.next_frame()
    }

    fn finish(&self) -> Result<(), FrameError> {
        self.0.finish()
    }

    fn set_max_frame(&mut self, max_frame: usize) {
        self.0.set_max_frame(max_frame);
    }
}

#[test]
fn a_transport_need_not_take_frames_together() {
    run(|runtime| async move {
        let [a, b] = ["a", "b"].map(|name| build(&runtime, name, |builder| builder));
        let (one, other) = memory_pair();
        let (near, far) = zip(a.attach(OneByOne(one)), b.attach(OneByOne(other))).await;
        near.unwrap();
        far.unwrap();
        let (mut numbers, mut texts) = (b.stream::<Number>(), b.stream::<Text>());
        numbers.ready().await.unwrap();
        texts.ready().await.unwrap();
        for n in 0..100 {
            a.broadcast(Number(n)).await.unwrap();
            if n % 7 == 0 {
                a.broadcast(Text(n.to_string())).await.unwrap();
            }
        }
        for n in 0..100 {
            assert_eq!(*numbers.next().await.unwrap().unwrap(), Number(n));
            if n % 7 == 0 {
                assert_eq!(texts.next().await.unwrap().unwrap().0, n.to_string());
            }
        }
    });
}

#[test]
fn a_reach_narrows_who_gets_an_event() {
    run(|runtime| async move {
        let a = build(&runtime, "a", |a| a);
        let b = build(&runtime, "b", |b| b.group("g").unwrap());
        let c = build(&runtime, "c", |c| c);
        for (near, far) in [(&a, &b), (&a, &c), (&b, &c)] {
            join(near, far).await;
        }
        let mut streams = [&a, &b, &c].map(|endpoint| endpoint.stream::<Text>());
        for stream in &streams {
            stream.ready().await.unwrap();
        }
        let text = |text: &str| Text(text.to_owned());
        a.broadcast(text("to b")).to("b").await.unwrap();
        a.broadcast(text("to g")).to_group("g").await.unwrap();
        a.broadcast(text("not b")).except("b").await.unwrap();
        a.broadcast(text("internal")).internal().await.unwrap();
        a.broadcast(text("to a")).to("a").await.unwrap();
        a.broadcast(text("end")).await.unwrap();
        let expected: [&[&str]; 3] =
            [&["not b", "internal", "to a", "end"], &["to b", "to g", "end"], &["not b", "end"]];
        for (stream, expected) in streams.iter_mut().zip(expected) {
            for text in expected {
                assert_eq!(stream.next().await.unwrap().unwrap().0, *text);
            }
        }
        let nobody = a.broadcast(Number(1)).to("z").await;
        assert!(matches!(nobody, Err(BroadcastError::NoSubscribers(Number(1)))));
        a.broadcast(Number(1)).require_subscriber(false).await.unwrap();
        assert_eq!(a.traffic("c").unwrap().sent.events, 2);
        assert_eq!(a.traffic("b").unwrap().sent.events, 3);
    });
}

#[test]
fn an_origin_filter_is_honoured_at_the_sender() {
    run(|runtime| async move {
        let [a, b, c] = mesh(&runtime, ["a", "b", "c"]).await;
        let mut only_a = c.subscription::<Number>().from("a").stream();
        only_a.ready().await.unwrap();
        let refused = b.broadcast(Number(1)).await;
        assert!(matches!(refused, Err(BroadcastError::NoSubscribers(_))));
        assert_eq!(b.traffic("c").unwrap().sent.events, 0);
        assert!(!b.is_subscribed::<Number>(Scope::Endpoint("c")));
        a.broadcast(Number(2)).await.unwrap();
        assert_eq!(only_a.next().await.unwrap().unwrap().0, 2);
    });
}

#[test]
fn a_predicate_filters_before_the_queue() {
    run(|runtime| async move {
        let [a, b] = mesh(&runtime, ["a", "b"]).await;
        let even = b.subscription::<Number>().filter(|number| number.0 % 2 == 0);
        let mut latest = even.overflow(Overflow::Latest).stream();
        latest.ready().await.unwrap();
        for number in 0..10 {
            a.broadcast(Number(number)).await.unwrap();
        }
        settle().await;
        assert_eq!(latest.next().await.unwrap().unwrap_err(), Lagged(4));
        assert_eq!(latest.next().await.unwrap().unwrap().0, 8);
    });
}

#[test]
fn handlers_may_be_plain_or_async_and_their_panics_are_counted() {
    run(|runtime| async move {
        let [a, b] = mesh(&runtime, ["a", "b"]).await;
        let sum = Arc::new(AtomicUsize::new(0));
        let plain = sum.clone();
        let plain = b.subscribe(move |number: Received<Number>| {
            assert!(number.0 != 13, "an unlucky number");
            plain.fetch_add(number.0 as usize, Ordering::Relaxed);
        });
        let later = sum.clone();
        let later = b.subscribe(move |number: Received<Number>| {
            let sum = later.clone();
            async move {
                yield_now().await;
                sum.fetch_add(1_000 * number.0 as usize, Ordering::Relaxed);
            }
        });
        plain.ready().await.unwrap();
        later.ready().await.unwrap();
        for number in [1, 13, 2] {
            a.broadcast(Number(number)).await.unwrap();
        }
        while sum.load(Ordering::Relaxed) < 16_003 {
            yield_now().await;
        }
        assert_eq!(sum.load(Ordering::Relaxed), 16_003);
        assert_eq!(b.stats().handler_panics, 1);
        plain.unsubscribe();
        later.detach();
        assert!(a.is_subscribed::<Number>(Scope::Any));
    });
}

#[test]
fn a_stream_that_is_not_read_makes_the_producer_wait_but_nothing_else() {
    run(|runtime| async move {
        let [a, b, c] = mesh(&runtime, ["a", "b", "c"]).await;
        let mut slow = b.stream::<Number>();
        let mut fast = c.stream::<Number>();
        let mut other = b.stream::<Text>();
        let _answer = b.answer(|question: Received<Question>| Text(question.0.to_string()));
        for ready in [slow.ready().await, fast.ready().await, other.ready().await] {
            ready.unwrap();
        }
        a.wait_until_subscribed::<Question>(Scope::Endpoint("b")).await;
        let mut sent = 0;
        let mut received = 0;
        loop {
            let mut broadcast = a.broadcast(Number(sent)).into_future();
            let done = poll_once(&mut broadcast).await.is_some();
            sent += 1;
            while let Some(event) = poll_once(fast.next()).await {
                assert_eq!(event.unwrap().unwrap().0, received);
                received += 1;
            }
            if done {
                continue;
            }
            settle().await;
            if poll_once(&mut broadcast).await.is_some() {
                continue;
            }
            // The producer waits, for the slow one alone: the fast one has what it waits with.
            let drained = async {
                while received < sent {
                    assert_eq!(fast.next().await.unwrap().unwrap().0, received);
                    received += 1;
                }
            };
            let waits = async { panic!("the slow one has room: {:?}", (&mut broadcast).await) };
            futures_lite::future::or(drained, waits).await;
            assert!(matches!(a.broadcast(Number(0)).now(), Err(BroadcastError::Full(Number(0)))));
            a.broadcast(Text("passes".into())).await.unwrap();
            assert_eq!(other.next().await.unwrap().unwrap().0, "passes");
            assert_eq!(a.request(Question(9)).await.unwrap().0, "9");
            let window = Limits::default().window as u64;
            assert!(sent * 17 <= window + 4_096, "{sent} events were taken");
            for expected in 0..sent {
                assert_eq!(slow.next().await.unwrap().unwrap().0, expected);
                if expected == sent - 2 {
                    broadcast.await.unwrap();
                    return;
                }
            }
        }
    });
}

#[test]
fn a_stalled_consumer_is_left_behind_and_told() {
    run(|runtime| async move {
        let mut limits = Limits::default();
        limits.stalled_after = Duration::from_millis(30);
        limits.window = 1_000;
        let a = with_limits(&runtime, "a", limits.clone());
        let b = with_limits(&runtime, "b", limits);
        join(&a, &b).await;
        let mut slow = b.stream::<Number>();
        slow.ready().await.unwrap();
        for number in 0..200 {
            a.broadcast(Number(number)).await.unwrap();
        }
        let mut next = 0;
        let mut lost = 0;
        while next + lost < 200 {
            match slow.next().await.unwrap() {
                Ok(event) => {
                    assert_eq!(event.0, next + lost);
                    next += 1;
                }
                Err(Lagged(count)) => lost += count,
            }
        }
        assert!(lost > 0);
        assert_eq!(next + lost, 200);
        a.broadcast(Number(200)).await.unwrap();
        assert_eq!(slow.next().await.unwrap().unwrap().0, 200);
    });
}

#[test]
fn connecting_to_oneself_twice_or_under_a_taken_name_is_refused() {
    run(|runtime| async move {
        let [a, b] = mesh(&runtime, ["a", "b"]).await;
        let attach = |one, other| {
            let (near, far) = memory_pair();
            async move {
                zip(
                    lahja_core::Endpoint::attach(one, near),
                    lahja_core::Endpoint::attach(other, far),
                )
                .await
            }
        };
        let (near, far) = attach(&a, &a).await;
        assert!(matches!(near, Err(ConnectError::Myself)), "{near:?}");
        assert!(matches!(far, Err(ConnectError::Myself)), "{far:?}");
        let (near, far) = attach(&a, &b).await;
        assert!(matches!(near, Err(ConnectError::AlreadyConnected)), "{near:?}");
        assert!(matches!(far, Err(ConnectError::AlreadyConnected)), "{far:?}");
        let twin = build(&runtime, "a", |twin| twin);
        let (near, far) = attach(&a, &twin).await;
        assert!(matches!(near, Err(ConnectError::NameTaken)), "{near:?}");
        assert!(matches!(far, Err(ConnectError::NameTaken)), "{far:?}");
        assert_eq!(a.connections(), ["b"]);
    });
}

#[test]
fn closing_delivers_what_was_accepted_and_the_end_comes_last() {
    run(|runtime| async move {
        let [a, b] = mesh(&runtime, ["a", "b"]).await;
        let mut stream = b.stream::<Number>();
        stream.ready().await.unwrap();
        for number in 0..1_000 {
            a.broadcast(Number(number)).await.unwrap();
        }
        let changed = b.connections_changed();
        assert_eq!(a.close(Duration::from_secs(10)).await.undelivered, 0);
        changed.await;
        assert!(!b.is_connected_to("a"));
        for number in 0..1_000 {
            assert_eq!(stream.next().await.unwrap().unwrap().0, number);
        }
        let closed = a.broadcast(Number(0)).await;
        assert!(matches!(closed, Err(BroadcastError::Closed)));
    });
}

#[test]
fn what_one_waits_for_comes() {
    run(|runtime| async move {
        let [a, b] = mesh(&runtime, ["a", "b"]).await;
        assert!(a.is_connected_to("b"));
        let waiting = a.wait_until_subscribed::<Number>(Scope::All);
        let mut waiting = Box::pin(waiting);
        assert!(poll_once(&mut waiting).await.is_none());
        let event = b.wait_for::<Number>();
        waiting.await;
        a.broadcast(Number(1)).to("b").await.unwrap();
        assert_eq!(event.await.unwrap().0, 1);
        while a.is_subscribed::<Number>(Scope::Any) {
            a.subscriptions_changed().await;
        }
    });
}
