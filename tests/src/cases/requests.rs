//! Requests that are answered.

use futures_lite::future::{or, yield_now, zip};
use lahja_core::{BroadcastError, Endpoint, Event, Received, Subscription};

use super::common::{listen, load, patient, take};
use crate::process::until;
use crate::puppet::{Load, Number, Question};
use crate::stage::{Stage, met};
use crate::subject::Subject;

/// Answers with the number of the question plus this one.
async fn adding(endpoint: &Endpoint, sum: u64) -> Subscription {
    let answering = endpoint.answer(move |question: Received<Question>| Number(question.0 + sum));
    answering.ready().await.unwrap();
    answering
}

pub async fn a_request_is_answered_by_a_handler<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let (asked, origins) = async_channel::unbounded();
    let plain = b.answer(move |question: Received<Question>| {
        asked.try_send(question.origin().clone()).unwrap();
        Number(question.0 * 2)
    });
    plain.ready().await.unwrap();
    assert_eq!(a.request(Question(1)).await.unwrap(), Number(2));
    assert_eq!(origins.recv().await.unwrap(), "a");
    drop(plain);
    let waiting = b.answer(|question: Received<Question>| async move {
        yield_now().await;
        Number(question.0 * 3)
    });
    waiting.ready().await.unwrap();
    assert_eq!(a.request(Question(1)).await.unwrap(), Number(3));
    assert_eq!(a.stats().requests_in_flight, 0);
}

pub async fn a_request_is_answered_by_a_broadcast<S: Subject>(stage: Stage<S>) {
    let [a, b, c] = stage.meet(["a", "b", "c"]).await;
    let mut questions = listen::<Question>(&b).await;
    let mut elsewhere = listen::<Number>(&c).await;
    let asking = async { a.request(Question(1)).await.unwrap() };
    let answering = async {
        let question = take(&mut questions).await;
        assert!(question.awaits_answer());
        let config = question.broadcast_config();
        b.broadcast(Number(5)).with(config.clone()).await.unwrap();
        assert!(!question.awaits_answer());
        // There is one answer to a request.
        let twice = b.broadcast(Number(6)).with(config).await;
        assert!(matches!(twice, Err(BroadcastError::NoSubscribers(Number(6)))), "{twice:?}");
    };
    assert_eq!(zip(asking, answering).await.0, Number(5));
    // It went to whoever asked alone.
    b.broadcast(Number(7)).await.unwrap();
    assert_eq!(take(&mut elsewhere).await.0, 7);
}

pub async fn an_answer_must_be_of_the_type_that_is_asked_for<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let mut questions = listen::<Question>(&b).await;
    let asking = async { a.request(Question(1)).await.unwrap() };
    let answering = async {
        let question = take(&mut questions).await;
        match b.broadcast(load(3)).with(question.broadcast_config()).await {
            Err(BroadcastError::WrongResponse { event, expected }) => {
                assert_eq!(event, load(3));
                assert_eq!(expected, Number::NAME);
            }
            other => panic!("{other:?}"),
        }
        // The request is still to be answered.
        assert!(question.awaits_answer());
        b.broadcast(Number(4)).with(question.broadcast_config()).await.unwrap();
    };
    assert_eq!(zip(asking, answering).await.0, Number(4));
}

pub async fn a_request_to_one_endpoint_is_answered_by_it_alone<S: Subject>(stage: Stage<S>) {
    let [a, b, c] = stage.meet(["a", "b", "c"]).await;
    let _b = adding(&b, 100).await;
    let _c = adding(&c, 200).await;
    for round in 0..20 {
        assert_eq!(a.request(Question(round)).to("b").await.unwrap(), Number(round + 100));
        assert_eq!(a.request(Question(round)).to("c").await.unwrap(), Number(round + 200));
        assert_eq!(a.request(Question(round)).except("b").await.unwrap(), Number(round + 200));
    }
    assert_eq!(a.traffic("b").unwrap().sent.events, 20);
    assert_eq!(a.traffic("c").unwrap().sent.events, 40);
}

pub async fn a_request_to_a_group_is_answered_by_a_member<S: Subject>(stage: Stage<S>) {
    let a = stage.endpoint("a").await;
    let b = stage.bus().endpoint("b").group("blue").await.unwrap();
    let c = stage.endpoint("c").await;
    met(&[&a, &b, &c]).await;
    let _b = adding(&b, 100).await;
    let _c = adding(&c, 200).await;
    assert_eq!(a.request(Question(1)).to_group("blue").await.unwrap(), Number(101));
}

pub async fn a_request_to_oneself_is_answered<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let _a = adding(&a, 100).await;
    let _b = adding(&b, 200).await;
    assert_eq!(a.request(Question(1)).to("a").await.unwrap(), Number(101));
    assert_eq!(a.request(Question(2)).except("b").await.unwrap(), Number(102));
    assert_eq!(a.traffic("b").unwrap().sent.events, 0);
}

pub async fn the_first_of_several_answers_counts<S: Subject>(stage: Stage<S>) {
    let [a, b, c] = stage.meet(["a", "b", "c"]).await;
    let mut questions = listen::<Question>(&b).await;
    let _c = adding(&c, 200).await;
    let answer = a.request(Question(1)).await.unwrap();
    assert_eq!(answer, Number(201));
    let late = take(&mut questions).await;
    until(|| !late.awaits_answer()).await;
    let late = b.broadcast(Number(101)).with(late.broadcast_config()).await;
    assert!(matches!(late, Err(BroadcastError::NoSubscribers(_))), "{late:?}");
    // It is not taken for the answer to the next one either.
    assert_eq!(a.request(Question(2)).to("c").await.unwrap(), Number(202));
}

pub async fn answers_find_their_requests_in_whatever_order_they_come<S: Subject>(stage: Stage<S>) {
    const COUNT: u64 = 100;
    let [a, b] = stage.meet(["a", "b"]).await;
    let mut questions = listen::<Question>(&b).await;
    let mut asking = Vec::new();
    for number in 0..COUNT {
        let a = a.clone();
        asking.push(stage.apart(async move { a.request(Question(number)).await.unwrap().0 }));
    }
    let mut asked = Vec::new();
    for _ in 0..COUNT {
        asked.push(take(&mut questions).await);
    }
    // The last to be asked is answered first.
    while let Some(question) = asked.pop() {
        let answer = b.broadcast(Number(question.0 + 1_000));
        answer.with(question.broadcast_config()).await.unwrap();
    }
    for (number, answer) in (0..COUNT).zip(asking) {
        assert_eq!(answer.recv().await.unwrap(), number + 1_000);
    }
    assert_eq!(a.stats().requests_in_flight, 0);
}

pub async fn an_answer_that_takes_long_holds_up_no_other<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let (permit, permitted) = async_channel::bounded::<()>(1);
    let answering = b.answer(move |question: Received<Question>| {
        let permitted = permitted.clone();
        async move {
            if question.0 == 0 {
                permitted.recv().await.unwrap();
            }
            Number(question.0)
        }
    });
    answering.ready().await.unwrap();
    let asker = a.clone();
    let long = stage.apart(async move { asker.request(Question(0)).without_timeout().await });
    until(|| a.stats().requests_in_flight == 1).await;
    for number in 1..20 {
        assert_eq!(a.request(Question(number)).await.unwrap(), Number(number));
    }
    permit.send(()).await.unwrap();
    assert_eq!(long.recv().await.unwrap().unwrap(), Number(0));
}

/// Has each of two endpoints ask the other until nothing is left to ask.
async fn counting_down(near: &Endpoint, far: &Endpoint) -> Subscription {
    let (weak, far) = (near.downgrade(), far.name().clone());
    let answering = near.answer(move |question: Received<Question>| {
        let (near, far) = (weak.upgrade().expect("it is there"), far.clone());
        async move {
            match question.0 {
                0 => Number(0),
                n => Number(near.request(Question(n - 1)).to(&far).await.unwrap().0 + 1),
            }
        }
    });
    answering.ready().await.unwrap();
    answering
}

pub async fn a_handler_may_ask_the_very_peer_that_asks_it<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let _a = counting_down(&a, &b).await;
    let _b = counting_down(&b, &a).await;
    assert_eq!(a.request(Question(64)).to("b").await.unwrap(), Number(64));
    assert_eq!(b.request(Question(63)).to("a").await.unwrap(), Number(63));
}

pub async fn requests_nest_in_both_directions_while_both_are_flooded<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet_limited(["a", "b"], &patient()).await;
    // Nobody reads these.
    let _floods = [listen::<Load>(&a).await, listen::<Load>(&b).await];
    let _a = counting_down(&a, &b).await;
    let _b = counting_down(&b, &a).await;
    for (from, to) in [(&a, "b"), (&b, "a")] {
        while from.broadcast(load(10_000)).to(to).now().is_ok() {}
    }
    let flooding = async {
        let waiting = zip(async { a.broadcast(load(1)).to("b").await }, async {
            b.broadcast(load(1)).to("a").await
        });
        panic!("there is room: {:?}", waiting.await);
    };
    let asking = async {
        assert_eq!(a.request(Question(32)).to("b").await.unwrap(), Number(32));
        assert_eq!(b.request(Question(32)).to("a").await.unwrap(), Number(32));
    };
    or(asking, flooding).await;
}

pub async fn a_request_that_is_broadcast_wants_no_answer<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let mut questions = listen::<Question>(&b).await;
    a.broadcast(Question(1)).await.unwrap();
    assert!(!take(&mut questions).await.awaits_answer());
}

pub async fn a_request_is_seen_by_every_subscription_and_answered_once<S: Subject>(
    stage: Stage<S>,
) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let mut watching = listen::<Question>(&b).await;
    let _b = adding(&b, 100).await;
    for number in 0..10 {
        assert_eq!(a.request(Question(number)).await.unwrap(), Number(number + 100));
        assert_eq!(take(&mut watching).await.0, number);
    }
    assert_eq!(b.traffic("a").unwrap().sent.events, 0);
    let nobody = a.broadcast(load(1)).await;
    assert!(matches!(nobody, Err(BroadcastError::NoSubscribers(Load(..)))));
}
