//! Who waits is told when there is nothing to wait for any more, and nobody waits for nothing.

use std::future::{IntoFuture, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_channel::Receiver;
use futures_lite::future::{poll_once, yield_now, zip};
use lahja_core::{Endpoint, Event, Limits, ReadyError, Received, RequestError, Runtime, Scope};
use serde::{Deserialize, Serialize};

use crate::common::{TestRuntime, join, mesh, run, with_limits};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct Number(u64);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct Text(String);

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(name = "waiting.Question", response = Number)]
struct Question(u64);

mod twin {
    use super::*;

    #[derive(Debug, Clone, Serialize, Deserialize, Event)]
    #[event(name = "waiting.Question", response = Number)]
    pub(super) struct Question(pub(super) u64);
}

fn text(len: usize) -> Text {
    Text("x".repeat(len))
}

/// Creates two endpoints with these limits, connected to each other.
async fn pair(runtime: &TestRuntime, limits: &Limits) -> [Endpoint; 2] {
    let pair = ["a", "b"].map(|name| with_limits(runtime, name, limits.clone()));
    join(&pair[0], &pair[1]).await;
    pair
}

/// Runs a future up to where it waits, and from there on in a task of its own, which is polled
/// only when it is woken. What it returns is sent to the caller.
async fn wait_apart<T: Send + 'static>(
    runtime: &TestRuntime,
    future: impl Future<Output = T> + Send + 'static,
) -> Receiver<T> {
    let (waits, waiting) = async_channel::bounded(1);
    let (done, end) = async_channel::bounded(1);
    runtime.spawn(Box::pin(async move {
        let mut future = Box::pin(future);
        assert!(poll_once(&mut future).await.is_none(), "there is nothing to wait for");
        waits.send(()).await.unwrap();
        let _ = done.send(future.await).await;
    }));
    waiting.recv().await.unwrap();
    end
}

/// Broadcasts until there is no room. Returns how many numbers were sent.
fn fill(endpoint: &Endpoint) -> u64 {
    let mut number = 0;
    while endpoint.broadcast(Number(number)).now().is_ok() {
        number += 1;
    }
    number
}

#[test]
fn a_request_beyond_the_limit_is_no_stall_however_long_it_waits() {
    run(|runtime| async move {
        let mut limits = Limits::default();
        limits.requests = 2;
        limits.stalled_after = Duration::from_millis(20);
        let [a, b] = pair(&runtime, &limits).await;
        let (permit, permitted) = async_channel::unbounded();
        let answering = b.answer(move |question: Received<Question>| {
            let permitted = permitted.clone();
            async move {
                permitted.recv().await.unwrap();
                Number(question.0)
            }
        });
        answering.ready().await.unwrap();
        let ask = async |number| assert_eq!(a.request(Question(number)).await.unwrap().0, number);
        let permitting = async {
            // The limit passes while two requests are in flight and two wait for their places,
            for _ in 0..4 {
                runtime.sleep(2 * limits.stalled_after).await;
                permit.send(()).await.unwrap();
            }
        };
        zip(permitting, zip(zip(ask(1), ask(2)), zip(ask(3), ask(4)))).await;
        // and once more when none is left.
        runtime.sleep(2 * limits.stalled_after).await;
        permit.send(()).await.unwrap();
        ask(5).await;
    });
}

#[test]
fn a_broadcast_ends_when_the_consumer_it_waits_for_unsubscribes() {
    run(|runtime| async move {
        let mut limits = Limits::default();
        limits.window = 1_000;
        let [a, b] = pair(&runtime, &limits).await;
        let stream = b.stream::<Number>();
        stream.ready().await.unwrap();
        let number = fill(&a);
        let sender = a.clone();
        let broadcast = async move { sender.broadcast(Number(number)).await };
        let ended = wait_apart(&runtime, broadcast).await;
        drop(stream);
        ended.recv().await.unwrap().unwrap();
    });
}

/// One of them finds room; to wake the others again and again would not make more of it.
#[test]
fn broadcasts_that_wait_for_the_same_room_do_not_keep_each_other_awake() {
    run(|runtime| async move {
        let [a, _] = pair(&runtime, &Limits::default()).await;
        let mut stream = a.subscription::<Number>().capacity(1).stream();
        a.broadcast(Number(0)).await.unwrap();
        let polls = Arc::new(AtomicUsize::new(0));
        let mut waiting = Vec::new();
        for number in 1..=3 {
            let (a, polls) = (a.clone(), polls.clone());
            let broadcast = async move {
                let mut broadcast = a.broadcast(Number(number)).into_future();
                poll_fn(|context| {
                    polls.fetch_add(1, Ordering::Relaxed);
                    Pin::new(&mut broadcast).poll(context)
                })
                .await
            };
            waiting.push(wait_apart(&runtime, broadcast).await);
        }
        assert_eq!(stream.next().await.unwrap().unwrap().0, 0);
        let polled = polls.load(Ordering::Relaxed);
        for _ in 0..1_000 {
            yield_now().await;
        }
        let woken = polls.load(Ordering::Relaxed) - polled;
        assert!((1..10).contains(&woken), "they were polled {woken} times");
        for number in 1..=3 {
            assert_eq!(stream.next().await.unwrap().unwrap().0, number);
        }
        for ended in waiting {
            ended.recv().await.unwrap().unwrap();
        }
    });
}

#[test]
fn what_the_transport_takes_and_holds_back_is_not_forgotten() {
    // The transport in memory holds 16 batches, and holds back one more.
    const BATCHES: usize = 17;
    // So much is a batch of its own.
    const LEN: usize = 104 * 1024;
    run(|runtime| async move {
        let mut limits = Limits::default();
        limits.window = 2 << 20;
        let [a, b] = pair(&runtime, &limits).await;
        let mut stream = b.stream::<Text>();
        stream.ready().await.unwrap();
        for _ in 0..BATCHES {
            a.broadcast(text(LEN)).now().unwrap();
        }
        for _ in 0..BATCHES {
            assert_eq!(stream.next().await.unwrap().unwrap().0.len(), LEN);
        }
    });
}

#[test]
fn credit_of_a_subscription_that_has_ended_is_not_given_to_the_next() {
    run(|runtime| async move {
        let [a, b] = mesh(&runtime, ["a", "b"]).await;
        let (permit, permitted) = async_channel::bounded::<()>(1);
        let running = Arc::new(());
        let handler = running.clone();
        let subscription = b.subscribe(move |_: Received<Text>| {
            let (permitted, running) = (permitted.clone(), handler.clone());
            async move {
                let _ = permitted.recv().await;
                drop(running);
            }
        });
        subscription.ready().await.unwrap();
        // Enough for credit to come back.
        a.broadcast(text(Limits::default().window as usize / 2)).await.unwrap();
        while Arc::strong_count(&running) < 3 {
            yield_now().await;
        }
        subscription.unsubscribe();
        // The topic ends with its last subscription, and begins anew with the next.
        let between = b.stream::<Number>();
        between.ready().await.unwrap();
        let mut next = b.stream::<Text>();
        next.ready().await.unwrap();
        permit.send(()).await.unwrap();
        while Arc::strong_count(&running) > 1 {
            yield_now().await;
        }
        for len in [1, 2] {
            a.broadcast(text(len)).await.unwrap();
            assert_eq!(next.next().await.unwrap().unwrap().0.len(), len);
        }
        assert!(a.is_connected_to("b") && b.is_connected_to("a"));
    });
}

#[test]
fn a_handler_is_not_called_for_what_is_queued_when_it_is_unsubscribed() {
    run(|runtime| async move {
        let [a, b] = mesh(&runtime, ["a", "b"]).await;
        let (permit, permitted) = async_channel::bounded::<()>(1);
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = calls.clone();
        let subscription = b.subscribe(move |_: Received<Number>| {
            counted.fetch_add(1, Ordering::Relaxed);
            let permitted = permitted.clone();
            async move {
                let _ = permitted.recv().await;
            }
        });
        subscription.ready().await.unwrap();
        let until_called = async |times| {
            while calls.load(Ordering::Relaxed) < times {
                yield_now().await;
            }
        };
        a.broadcast(Number(0)).await.unwrap();
        until_called(1).await;
        for number in 1..10 {
            a.broadcast(Number(number)).await.unwrap();
        }
        // All are queued when this comes, and taken at once when the first call ends.
        let mut last = b.stream::<Text>();
        last.ready().await.unwrap();
        a.broadcast(text(1)).await.unwrap();
        last.next().await.unwrap().unwrap();
        permit.send(()).await.unwrap();
        until_called(2).await;
        subscription.unsubscribe();
        drop(permit);
        // The handler goes with its task.
        while Arc::strong_count(&calls) > 1 {
            yield_now().await;
        }
        assert_eq!(calls.load(Ordering::Relaxed), 2);
    });
}

#[test]
fn a_consumer_that_is_slow_and_steady_is_not_stalled() {
    run(|runtime| async move {
        let mut limits = Limits::default();
        limits.window = 6_000;
        limits.stalled_after = Duration::from_millis(500);
        let [a, b] = pair(&runtime, &limits).await;
        let mut stream = b.stream::<Text>();
        stream.ready().await.unwrap();
        let producing = async {
            for len in 500..530 {
                a.broadcast(text(len)).await.unwrap();
            }
        };
        let consuming = async {
            for len in 500..530 {
                if len < 506 {
                    // A quarter of the window, three events, takes longer than the limit.
                    runtime.sleep(limits.stalled_after * 2 / 5).await;
                }
                assert_eq!(stream.next().await.unwrap().unwrap().0.len(), len);
            }
        };
        zip(producing, consuming).await;
    });
}

#[test]
fn a_request_that_is_dropped_makes_room_for_one_that_waits() {
    run(|runtime| async move {
        let mut limits = Limits::default();
        limits.requests = 1;
        let [a, b] = pair(&runtime, &limits).await;
        let mut questions = b.stream::<Question>();
        questions.ready().await.unwrap();
        let mut first = a.request(Question(1)).without_timeout().into_future();
        assert!(poll_once(&mut first).await.is_none());
        let asked = questions.next().await.unwrap().unwrap();
        assert_eq!(asked.0, 1);
        let asker = a.clone();
        let second = async move { asker.request(Question(2)).without_timeout().await };
        let _second = wait_apart(&runtime, second).await;
        drop(first);
        assert_eq!(questions.next().await.unwrap().unwrap().0, 2);
    });
}

#[test]
fn a_request_for_which_two_types_of_one_name_subscribed_is_asked_once() {
    run(|runtime| async move {
        let [a, b] = mesh(&runtime, ["a", "b"]).await;
        let one = b.answer(|question: Received<Question>| async move {
            yield_now().await;
            Number(question.0)
        });
        let other = b.answer(|question: Received<twin::Question>| async move {
            yield_now().await;
            Number(question.0)
        });
        one.ready().await.unwrap();
        other.ready().await.unwrap();
        for number in [1, 2] {
            assert_eq!(a.request(Question(number)).await.unwrap(), Number(number));
        }
        assert_eq!(a.traffic("b").unwrap().sent.events, 2);
        assert!(a.is_connected_to("b") && b.is_connected_to("a"));
    });
}

#[test]
fn no_consumer_is_stalled_where_the_limit_is_the_longest_there_is() {
    run(|runtime| async move {
        let mut limits = Limits::default();
        limits.window = 1_000;
        limits.stalled_after = Duration::MAX;
        let [a, b] = pair(&runtime, &limits).await;
        let mut stream = b.stream::<Number>();
        let questions = b.stream::<Question>();
        stream.ready().await.unwrap();
        questions.ready().await.unwrap();
        let last = fill(&a);
        let sender = a.clone();
        let broadcast = async move { sender.broadcast(Number(last)).await };
        let ended = wait_apart(&runtime, broadcast).await;
        // Each deadline that passes makes the endpoint look at all of them.
        for _ in 0..2 {
            let unanswered = a.request(Question(0)).timeout(Duration::from_millis(1)).await;
            assert!(matches!(unanswered, Err(RequestError::Timeout(_))), "{unanswered:?}");
        }
        for number in 0..=last {
            assert_eq!(stream.next().await.unwrap().unwrap().0, number);
        }
        ended.recv().await.unwrap().unwrap();
    });
}

#[test]
fn a_topic_for_which_there_was_no_place_is_announced_when_there_is_one() {
    run(|runtime| async move {
        let mut limits = Limits::default();
        limits.topics = 1;
        let [a, b] = pair(&runtime, &limits).await;
        let first = b.stream::<Number>();
        first.ready().await.unwrap();
        let second = b.stream::<Text>();
        assert!(matches!(second.ready().await, Err(ReadyError::TooManyTopics { .. })));
        drop(first);
        a.wait_until_subscribed::<Text>(Scope::Endpoint("b")).await;
    });
}
