//! Handlers, and what subscriptions can be told.

use std::panic;
use std::sync::Arc;

use async_channel::unbounded;
use futures_lite::future::yield_now;
use lahja_core::{BroadcastError, Received, Scope};

use super::common::{count_to, expect, listen, load, patient, take, until_unsubscribed};
use crate::harness::rounds;
use crate::process::until;
use crate::puppet::{Load, Number, Question};
use crate::stage::Stage;
use crate::subject::Subject;

pub async fn a_handler_is_called_with_each_event_in_order<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let (called, calls) = unbounded();
    let plain = b.subscribe(move |number: Received<Number>| {
        called.try_send((number.0, number.origin().clone())).unwrap();
    });
    plain.ready().await.unwrap();
    count_to(&a, 100).await;
    b.broadcast(Number(100)).to("b").await.unwrap();
    let mut numbers = Vec::new();
    for _ in 0..=100 {
        let (number, origin) = calls.recv().await.unwrap();
        assert_eq!(origin, if number < 100 { "a" } else { "b" });
        if number < 100 {
            numbers.push(number);
        }
    }
    assert_eq!(numbers, Vec::from_iter(0..100));
}

pub async fn a_handler_that_waits_is_called_for_one_event_at_a_time<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let (called, calls) = unbounded();
    let running = Arc::new(());
    let waiting = b.subscribe(move |number: Received<Number>| {
        let (called, running) = (called.clone(), running.clone());
        async move {
            for _ in 0..10 {
                yield_now().await;
            }
            // One is the handler's, one is this call's.
            called.try_send((number.0, Arc::strong_count(&running))).unwrap();
        }
    });
    waiting.ready().await.unwrap();
    count_to(&a, 50).await;
    for number in 0..50 {
        assert_eq!(calls.recv().await.unwrap(), (number, 2));
    }
}

pub async fn a_panic_in_a_handler_costs_its_event_alone<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let (called, calls) = unbounded();
    let later = called.clone();
    let plain = b.subscribe(move |number: Received<Number>| {
        assert!(number.0 % 10 != 3, "an unlucky number");
        called.try_send(number.0).unwrap();
    });
    let waiting = b.subscribe(move |number: Received<Number>| {
        let later = later.clone();
        async move {
            yield_now().await;
            assert!(number.0 % 10 != 7, "another unlucky number");
            later.try_send(1_000 + number.0).unwrap();
        }
    });
    plain.ready().await.unwrap();
    waiting.ready().await.unwrap();
    count_to(&a, 30).await;
    let mut numbers = Vec::new();
    while numbers.len() < 54 {
        numbers.push(calls.recv().await.unwrap());
    }
    numbers.sort_unstable();
    let expected = (0..30).filter(|number| number % 10 != 3);
    let expected = expected.chain((1_000..1_030).filter(|number| number % 10 != 7));
    assert_eq!(numbers, Vec::from_iter(expected));
    until(|| b.stats().handler_panics == 6).await;
    assert!(a.is_connected_to("b") && a.is_subscribed::<Number>(Scope::Endpoint("b")));
}

/// What handlers panic with here: it is not worth a word in the output.
struct OnPurpose;

fn panic_on_purpose() {
    panic::panic_any(OnPurpose);
}

pub async fn thousands_of_panics_cost_nobody_else_anything<S: Subject>(stage: Stage<S>) {
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !info.payload().is::<OnPurpose>() {
            print(info);
        }
    }));
    let count = rounds(10_000);
    let [a, b] = stage.meet(["a", "b"]).await;
    let mut numbers = listen::<Number>(&b).await;
    let plain = b.subscribe(|_: Received<Number>| panic_on_purpose());
    let waiting = b.subscribe(async |_: Received<Number>| {
        yield_now().await;
        panic_on_purpose();
    });
    let answering = b.answer(|question: Received<Question>| {
        if question.0 % 2 == 1 {
            panic_on_purpose();
        }
        Number(question.0)
    });
    for subscription in [&plain, &waiting, &answering] {
        subscription.ready().await.unwrap();
    }
    let counting = a.clone();
    let counted = stage.apart(async move { count_to(&counting, count).await });
    expect(&mut numbers, 0..count).await;
    counted.recv().await.unwrap();
    until(|| b.stats().handler_panics == 2 * count).await;
    for number in 0..100 {
        let answer = a.request(Question(number)).without_timeout().await;
        assert_eq!(answer.ok(), (number % 2 == 0).then_some(Number(number)));
    }
    until(|| b.stats().handler_panics == 2 * count + 50).await;
    assert_eq!(a.stats().requests_in_flight, 0);
}

pub async fn a_handler_that_is_unsubscribed_is_called_no_more<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let (called, calls) = unbounded();
    let subscription = b.subscribe(move |number: Received<Number>| {
        called.try_send(number.0).unwrap();
    });
    subscription.ready().await.unwrap();
    let mut kept = listen(&b).await;
    a.broadcast(Number(1)).await.unwrap();
    assert_eq!(calls.recv().await.unwrap(), 1);
    subscription.unsubscribe();
    a.broadcast(Number(2)).await.unwrap();
    expect(&mut kept, [1, 2]).await;
    // The handler itself goes, and with it the other end of this.
    assert!(calls.recv().await.is_err(), "it was called again");
}

pub async fn a_subscription_that_is_dropped_ends<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let subscription = b.subscribe(|_: Received<Number>| ());
    subscription.ready().await.unwrap();
    assert!(a.is_subscribed::<Number>(Scope::Endpoint("b")));
    drop(subscription);
    until_unsubscribed::<Number>(&a, Scope::Any).await;
    let nobody = a.broadcast(Number(1)).await;
    assert!(matches!(nobody, Err(BroadcastError::NoSubscribers(_))));
}

pub async fn a_subscription_that_is_detached_lives_as_long_as_its_endpoint<S: Subject>(
    stage: Stage<S>,
) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let (called, calls) = unbounded();
    let subscription = b.subscribe(move |number: Received<Number>| {
        called.try_send(number.0).unwrap();
    });
    subscription.ready().await.unwrap();
    subscription.detach();
    count_to(&a, 3).await;
    for number in 0..3 {
        assert_eq!(calls.recv().await.unwrap(), number);
    }
    drop(b);
    assert!(calls.recv().await.is_err(), "the handler has outlived its endpoint");
}

pub async fn each_subscription_of_a_type_gets_each_event<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let mut streams = Vec::new();
    for _ in 0..5 {
        streams.push(listen(&b).await);
    }
    count_to(&a, 20).await;
    for stream in &mut streams {
        expect(stream, 0..20).await;
    }
    // It was sent once.
    assert_eq!(a.traffic("b").unwrap().sent.events, 20);
}

pub async fn a_predicate_says_which_events_are_taken<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let even = |number: &Number| {
        assert!(number.0 != 5, "a predicate that panics takes nothing");
        number.0 % 2 == 0
    };
    let mut even = b.subscription::<Number>().filter(even).stream();
    even.ready().await.unwrap();
    count_to(&a, 10).await;
    b.broadcast(Number(11)).await.unwrap();
    a.broadcast(Number(12)).await.unwrap();
    expect(&mut even, [0, 2, 4, 6, 8, 12]).await;
}

pub async fn a_subscription_to_certain_origins_is_unknown_to_all_others<S: Subject>(
    stage: Stage<S>,
) {
    let [a, b, c, d] = stage.meet(["a", "b", "c", "d"]).await;
    let mut some = d.subscription::<Number>().from("a").from("d").stream();
    some.ready().await.unwrap();
    for (endpoint, is_wanted) in [(&a, true), (&b, false), (&c, false), (&d, true)] {
        assert_eq!(endpoint.is_subscribed::<Number>(Scope::Endpoint("d")), is_wanted);
        let sent = endpoint.broadcast(Number(1)).await;
        assert_eq!(sent.is_ok(), is_wanted, "{}", endpoint.name());
    }
    let mut origins =
        [take(&mut some).await, take(&mut some).await].map(|number| number.origin().to_string());
    origins.sort();
    assert_eq!(origins, ["a", "d"]);
}

pub async fn a_handler_may_broadcast_and_subscribe<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let mut loads = listen::<Load>(&a).await;
    let weak = b.downgrade();
    let answering = b.subscribe(move |number: Received<Number>| {
        let b = weak.upgrade().expect("it is there");
        async move {
            let mut own = b.stream::<Number>();
            b.broadcast(Number(100)).internal().await.unwrap();
            while take(&mut own).await.0 != 100 {}
            b.broadcast(load(number.0 as usize)).await.unwrap();
        }
    });
    answering.ready().await.unwrap();
    a.broadcast(Number(1)).await.unwrap();
    assert_eq!(take(&mut loads).await.0, 1);
}

pub async fn room_comes_back_as_long_as_the_consumer_keeps_up<S: Subject>(stage: Stage<S>) {
    let mut limits = patient();
    // A tenth of what is sent.
    limits.window = 1_700;
    let [a, b] = stage.meet_limited(["a", "b"], &limits).await;
    let mut numbers = listen::<Number>(&b).await;
    for number in 0..1_000 {
        a.broadcast(Number(number)).await.unwrap();
        expect(&mut numbers, [number]).await;
    }
}
