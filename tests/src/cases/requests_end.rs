//! Requests that get no answer, which end all the same.

use std::time::Duration;

use futures_lite::future::{poll_once, zip};
use lahja_core::{BroadcastError, Endpoint, EventStream, Limits, Received, RequestError};

use super::common::{listen, load, take};
use crate::process::until;
use crate::puppet::{Delivery, Number, Question};
use crate::stage::{Stage, join};
use crate::subject::Subject;

pub async fn a_request_that_nobody_answers_is_handed_back<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let nobody = a.request(Question(1)).await.unwrap_err();
    assert_eq!(nobody.to_string(), "nobody within reach answers the request");
    assert!(matches!(nobody, RequestError::NoSubscribers(Question(1))));
    let _b = listen::<Question>(&b).await;
    for name in ["a", "unknown"] {
        let nobody = a.request(Question(2)).to(name).await;
        assert!(matches!(nobody, Err(RequestError::NoSubscribers(Question(2)))));
    }
    assert_eq!(a.stats().requests_in_flight, 0);
}

pub async fn a_request_ends_when_its_time_is_up<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let mut questions = listen::<Question>(&b).await;
    let timeout = Duration::from_millis(20);
    let late = a.request(Question(1)).timeout(timeout).await.unwrap_err();
    assert_eq!(late.to_string(), "no response within 20ms");
    assert!(matches!(late, RequestError::Timeout(time) if time == timeout));
    assert_eq!(a.stats().requests_in_flight, 0);
    // Whoever was asked is told, and its answer has nowhere to go.
    let question = take(&mut questions).await;
    until(|| !question.awaits_answer()).await;
    let answer = b.broadcast(Number(1)).with(question.broadcast_config()).await;
    assert!(matches!(answer, Err(BroadcastError::NoSubscribers(Number(1)))), "{answer:?}");
}

pub async fn a_request_takes_no_longer_than_its_endpoint_allows<S: Subject>(stage: Stage<S>) {
    let mut limits = Limits::default();
    limits.request_timeout = Duration::from_millis(20);
    let a = stage.limited("a", &limits);
    let _own = a.stream::<Question>();
    let late = a.request(Question(1)).await;
    assert!(
        matches!(late, Err(RequestError::Timeout(time)) if time == limits.request_timeout),
        "{late:?}"
    );
}

pub async fn a_request_that_is_dropped_where_it_was_received_is_unanswered<S: Subject>(
    stage: Stage<S>,
) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let dropping = b.subscribe(|_: Received<Question>| ());
    dropping.ready().await.unwrap();
    let unanswered = a.request(Question(1)).without_timeout().await;
    assert!(matches!(unanswered, Err(RequestError::Unanswered)), "{unanswered:?}");
    dropping.unsubscribe();

    let panicking = b.answer(|question: Received<Question>| {
        assert!(question.0 % 2 == 0, "an odd question");
        Number(question.0)
    });
    panicking.ready().await.unwrap();
    for number in 0..6 {
        match a.request(Question(number)).to("b").without_timeout().await {
            Ok(answer) => assert_eq!((answer, number % 2), (Number(number), 0)),
            Err(RequestError::Unanswered) => assert_eq!(number % 2, 1),
            Err(other) => panic!("{other:?}"),
        }
    }
    until(|| b.stats().handler_panics == 3).await;
}

pub async fn a_request_to_oneself_that_is_dropped_is_unanswered<S: Subject>(stage: Stage<S>) {
    let [a] = stage.meet(["a"]).await;
    let mut questions = a.stream::<Question>();
    let asking = async { a.request(Question(1)).without_timeout().await };
    let dropping = async { drop(take(&mut questions).await) };
    let (end, ()) = zip(asking, dropping).await;
    assert!(matches!(end, Err(RequestError::Unanswered)), "{end:?}");
}

pub async fn a_subscription_that_ends_gives_up_the_requests_in_its_queue<S: Subject>(
    stage: Stage<S>,
) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let questions = listen::<Question>(&b).await;
    let mut request = a.request(Question(1)).without_timeout().into_future();
    assert!(poll_once(&mut request).await.is_none());
    until(|| b.traffic("a").unwrap().received.events == 1).await;
    drop(questions);
    assert!(matches!(request.await, Err(RequestError::Unanswered)));
}

/// Closes `endpoint`, which has read all its `questions`, and waits until that has ended all
/// requests of `a` to it. They end together, so one more of them shows it.
async fn leave(a: &Endpoint, endpoint: &Endpoint, questions: &mut EventStream<Question>) {
    let request = a.request(Question(99)).to(endpoint.name());
    let mut request = request.without_timeout().into_future();
    assert!(poll_once(&mut request).await.is_none());
    let _held = take(questions).await;
    endpoint.close(Duration::from_secs(60)).await;
    let end = request.await;
    assert!(matches!(end, Err(RequestError::PeerGone { .. })), "{end:?}");
}

pub async fn the_last_of_those_asked_decides<S: Subject>(stage: Stage<S>) {
    let [a, b, c] = stage.meet(["a", "b", "c"]).await;
    let mut at_b = listen::<Question>(&b).await;
    let mut at_c = listen::<Question>(&c).await;
    // One gives up and the other answers.
    let asking = async { a.request(Question(1)).without_timeout().await };
    let answering = async {
        drop(take(&mut at_b).await);
        let question = take(&mut at_c).await;
        c.broadcast(Number(5)).with(question.broadcast_config()).await.unwrap();
    };
    assert_eq!(zip(asking, answering).await.0.unwrap(), Number(5));
    // One goes and the other gives up.
    let asking = async { a.request(Question(2)).without_timeout().await };
    let ending = async {
        let held = take(&mut at_b).await;
        let question = take(&mut at_c).await;
        leave(&a, &c, &mut at_c).await;
        assert_eq!(a.stats().requests_in_flight, 1);
        drop((question, held));
    };
    let (end, ()) = zip(asking, ending).await;
    assert!(matches!(end, Err(RequestError::Unanswered)), "{end:?}");
}

pub async fn a_request_fails_when_the_last_of_those_asked_is_gone<S: Subject>(stage: Stage<S>) {
    let [a, b, c] = stage.meet(["a", "b", "c"]).await;
    let mut at_b = listen::<Question>(&b).await;
    let mut at_c = listen::<Question>(&c).await;
    let asking = async { a.request(Question(1)).without_timeout().await };
    let going = async {
        let held = [take(&mut at_b).await, take(&mut at_c).await];
        leave(&a, &b, &mut at_b).await;
        assert_eq!(a.stats().requests_in_flight, 1);
        c.close(Duration::from_secs(60)).await;
        drop(held);
    };
    match zip(asking, going).await.0 {
        Err(RequestError::PeerGone { peer, sent }) => {
            assert_eq!(peer, "c");
            assert!(sent);
        }
        other => panic!("{other:?}"),
    }
}

pub async fn a_request_ends_when_its_endpoint_is_closed<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let mut questions = listen::<Question>(&b).await;
    let asking = async { a.request(Question(1)).without_timeout().await };
    let closing = async {
        let question = take(&mut questions).await;
        let report = a.close(Duration::from_secs(60)).await;
        until(|| !question.awaits_answer()).await;
        report
    };
    let (end, report) = zip(asking, closing).await;
    assert!(matches!(end, Err(RequestError::Closed)), "{end:?}");
    assert_eq!(report.undelivered, 0);
}

pub async fn a_request_that_is_cancelled_is_forgotten_at_both_ends<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let mut questions = listen::<Question>(&b).await;
    for number in 0..20 {
        let mut request = a.request(Question(number)).into_future();
        assert!(poll_once(&mut request).await.is_none());
        assert_eq!(a.stats().requests_in_flight, 1);
        let question = take(&mut questions).await;
        assert_eq!(question.0, number);
        assert!(question.awaits_answer());
        drop(request);
        assert_eq!(a.stats().requests_in_flight, 0);
        until(|| !question.awaits_answer()).await;
        let answer = b.broadcast(Number(number)).with(question.broadcast_config()).await;
        assert!(matches!(answer, Err(BroadcastError::NoSubscribers(_))), "{answer:?}");
    }
}

pub async fn a_request_that_nobody_awaits_is_not_sent<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let mut questions = listen::<Question>(&b).await;
    drop(a.request(Question(1)).into_future());
    drop(a.request(Question(2)));
    let mut third = a.request(Question(3)).into_future();
    assert!(poll_once(&mut third).await.is_none());
    assert_eq!(take(&mut questions).await.0, 3);
}

pub async fn a_request_beyond_the_limit_waits_for_its_place<S: Subject>(stage: Stage<S>) {
    let mut limits = Limits::default();
    limits.requests = 2;
    let [a, b] = ["a", "b"].map(|name| stage.limited(name, &limits));
    join(&a, &b).await;
    let mut questions = listen::<Question>(&b).await;
    let mut asking = Vec::new();
    for number in 0..6 {
        let a = a.clone();
        asking.push(stage.apart(async move { a.request(Question(number)).await.unwrap().0 }));
    }
    let mut held = Vec::new();
    for _ in 0..3 {
        while held.len() < 2 {
            held.push(take(&mut questions).await);
        }
        assert!(poll_once(questions.next()).await.is_none(), "a third is in flight");
        for question in held.drain(..) {
            let answer = b.broadcast(Number(question.0));
            answer.with(question.broadcast_config()).await.unwrap();
        }
    }
    for (number, answer) in (0..).zip(asking) {
        assert_eq!(answer.recv().await.unwrap(), number);
    }
}

pub async fn a_request_that_is_too_large_is_handed_back<S: Subject>(stage: Stage<S>) {
    let mut limits = Limits::default();
    limits.frame = 1_000;
    let a = stage.build("a", |a| a);
    let b = stage.limited("b", &limits);
    join(&a, &b).await;
    let answering = b.answer(|delivery: Received<Delivery>| Number(delivery.0.0));
    answering.ready().await.unwrap();
    match a.request(Delivery(load(2_000))).await {
        Err(RequestError::TooLarge { request, len, max }) => {
            assert_eq!(request, Delivery(load(2_000)));
            assert!(len > max && max <= 1_000, "{len} of {max}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(a.request(Delivery(load(100))).await.unwrap(), Number(100));
    assert_eq!(a.stats().requests_in_flight, 0);
}
