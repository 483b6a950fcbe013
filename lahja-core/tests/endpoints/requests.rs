//! Requests between endpoints of one process, and how each of them ends.

use std::time::Duration;

use crate::common::{Number, Question, Text, join, mesh, run, settle, with_limits};
use futures_lite::future::{poll_once, yield_now, zip};
use lahja_core::{BroadcastError, Event, Limits, Received, RequestError};
use serde::{Deserialize, Serialize, Serializer};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(response = Number)]
struct Depth(u64);

#[derive(Debug, Serialize, Deserialize, Event)]
#[event(response = Unwritable)]
struct Unwelcome;

/// An answer that panics when it is encoded.
#[derive(Debug, Deserialize, Event)]
struct Unwritable;

impl Serialize for Unwritable {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        panic!("not to be encoded")
    }
}

#[test]
fn a_request_is_answered_by_a_handler_by_a_future_or_by_a_broadcast() {
    run(|runtime| async move {
        let [a, b] = mesh(&runtime, ["a", "b"]).await;
        let plain = b.answer(|question: Received<Question>| Text(question.0.to_string()));
        plain.ready().await.unwrap();
        assert_eq!(a.request(Question(1)).await.unwrap(), Text("1".into()));
        drop(plain);
        let later = b.answer(|question: Received<Question>| async move {
            yield_now().await;
            Text(format!("later {}", question.0))
        });
        later.ready().await.unwrap();
        assert_eq!(a.request(Question(2)).to("b").await.unwrap().0, "later 2");
        drop(later);
        let answerer = b.downgrade();
        let by_hand = b.subscribe(move |question: Received<Question>| {
            let answerer = answerer.upgrade().unwrap();
            async move {
                let config = question.broadcast_config();
                let wrong = answerer.broadcast(Number(1)).with(config.clone()).await;
                assert!(matches!(wrong, Err(BroadcastError::WrongResponse { .. })));
                answerer.broadcast(Text("yay".into())).with(config.clone()).await.unwrap();
                let twice = answerer.broadcast(Text("again".into())).with(config).await;
                assert!(matches!(twice, Err(BroadcastError::NoSubscribers(_))));
            }
        });
        by_hand.ready().await.unwrap();
        assert_eq!(a.request(Question(3)).await.unwrap().0, "yay");
        settle().await;
        assert_eq!(b.stats().handler_panics, 0);
        assert_eq!(a.stats().requests_in_flight, 0);
    });
}

#[test]
fn an_answer_that_panics_when_it_is_encoded_is_counted_and_the_next_request_is_taken() {
    run(|runtime| async move {
        let [a, b] = mesh(&runtime, ["a", "b"]).await;
        let answering = b.answer(|_: Received<Unwelcome>| Unwritable);
        answering.ready().await.unwrap();
        for panics in 1..=3 {
            let end = a.request(Unwelcome).await;
            assert!(matches!(end, Err(RequestError::Unanswered)), "{end:?}");
            settle().await;
            assert_eq!(b.stats().handler_panics, panics);
        }
    });
}

#[test]
fn a_request_to_oneself_is_answered() {
    run(|runtime| async move {
        let [a] = mesh(&runtime, ["a"]).await;
        let _answer = a.answer(|question: Received<Question>| Text(question.0.to_string()));
        assert_eq!(a.request(Question(5)).await.unwrap().0, "5");
    });
}

#[test]
fn every_request_ends() {
    run(|runtime| async move {
        let [a, b, c] = mesh(&runtime, ["a", "b", "c"]).await;
        let nobody = a.request(Question(1)).await;
        assert!(matches!(nobody, Err(RequestError::NoSubscribers(Question(1)))));

        let dropped = b.subscribe(|_: Received<Question>| ());
        dropped.ready().await.unwrap();
        let unanswered = a.request(Question(2)).await;
        assert!(matches!(unanswered, Err(RequestError::Unanswered)));
        drop(dropped);

        let panics = b.answer(|_: Received<Question>| -> Text { panic!("no answer") });
        panics.ready().await.unwrap();
        assert!(matches!(a.request(Question(3)).await, Err(RequestError::Unanswered)));
        drop(panics);

        let hangs = b.answer(|_: Received<Question>| std::future::pending::<Text>());
        hangs.ready().await.unwrap();
        let timeout = Duration::from_millis(20);
        let timed_out = a.request(Question(4)).timeout(timeout).await;
        assert!(matches!(timed_out, Err(RequestError::Timeout(t)) if t == timeout));

        let gone = async {
            settle().await;
            drop(b);
        };
        let (gone, ()) = zip(async { a.request(Question(5)).await }, gone).await;
        assert!(matches!(gone, Err(RequestError::PeerGone { sent: true, .. })), "{gone:?}");

        let hangs = c.answer(|_: Received<Question>| std::future::pending::<Text>());
        hangs.ready().await.unwrap();
        let closed = async {
            settle().await;
            a.close(Duration::from_secs(1)).await
        };
        let (end, report) = zip(async { a.request(Question(6)).await }, closed).await;
        assert!(matches!(end, Err(RequestError::Closed)), "{end:?}");
        assert_eq!(report.undelivered, 0);
        assert_eq!(a.stats().requests_in_flight, 0);
    });
}

#[test]
fn a_dropped_request_frees_its_slot_and_tells_the_answerer() {
    run(|runtime| async move {
        let [a, b] = mesh(&runtime, ["a", "b"]).await;
        let mut questions = b.stream::<Question>();
        questions.ready().await.unwrap();
        let mut request = Box::pin(async { a.request(Question(1)).await });
        assert!(poll_once(&mut request).await.is_none());
        let question = questions.next().await.unwrap().unwrap();
        assert!(question.awaits_answer());
        drop(request);
        assert_eq!(a.stats().requests_in_flight, 0);
        while question.awaits_answer() {
            yield_now().await;
        }
    });
}

#[test]
fn requests_nest_in_both_directions_while_all_queues_are_full() {
    run(|runtime| async move {
        // Who waits for room does so for ever: no stall sets anybody free.
        let mut limits = Limits::default();
        limits.stalled_after = Duration::MAX;
        let [a, b] = ["a", "b"].map(|name| with_limits(&runtime, name, limits.clone()));
        join(&a, &b).await;
        let mut floods = Vec::new();
        let mut streams = Vec::new();
        for (from, to) in [(&a, &b), (&b, &a)] {
            streams.push(to.stream::<Number>());
            streams.last().unwrap().ready().await.unwrap();
            let to = to.name().clone();
            let from = from.clone();
            floods.push(Box::pin(async move {
                loop {
                    from.broadcast(Number(0)).to(&to).await.unwrap();
                }
            }));
        }
        let mut answers = Vec::new();
        for (near, far) in [(&a, &b), (&b, &a)] {
            let (weak, far) = (near.downgrade(), far.name().clone());
            answers.push(near.answer(move |depth: Received<Depth>| {
                let (near, far) = (weak.upgrade().unwrap(), far.clone());
                async move {
                    match depth.0 {
                        0 => Number(0),
                        n => Number(near.request(Depth(n - 1)).to(&far).await.unwrap().0 + 1),
                    }
                }
            }));
            answers.last().unwrap().ready().await.unwrap();
        }
        let mut floods = floods.into_iter();
        let (first, second) = (floods.next().unwrap(), floods.next().unwrap());
        let asking = async {
            settle().await;
            for (from, to) in [(&a, "b"), (&b, "a")] {
                let more = from.broadcast(Number(0)).to(to).now();
                assert!(matches!(more, Err(BroadcastError::Full(_))), "{more:?}");
            }
            for asker in [&a, &b] {
                let far = if *asker.name() == "a" { "b" } else { "a" };
                assert_eq!(asker.request(Depth(32)).to(far).await.unwrap(), Number(32));
            }
        };
        futures_lite::future::or(asking, async { zip(first, second).await.0 }).await;
    });
}
