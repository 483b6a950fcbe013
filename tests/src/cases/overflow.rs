//! Consumers that are slower than producers.

use std::time::Duration;

use futures_lite::future::{poll_once, zip};
use lahja_core::{
    BroadcastError, Endpoint, EventStream, Lagged, Limits, Overflow, Received, Scope,
};

use super::common::{count_to, expect, fill, listen, load, patient, take};
use crate::process::until;
use crate::puppet::{Load, Number, Question};
use crate::stage::{Stage, join};
use crate::subject::Subject;

/// Makes two connected endpoints with a small window.
async fn pair<S: Subject>(stage: &Stage<S>, mut limits: Limits) -> [Endpoint; 2] {
    limits.window = 1_000;
    let pair = ["a", "b"].map(|name| stage.limited(name, &limits));
    join(&pair[0], &pair[1]).await;
    pair
}

/// Broadcasts the numbers below `end` and waits until all have come to a subscription of `b`
/// that does with them what `overflow` says.
async fn flood(a: &Endpoint, b: &Endpoint, overflow: Overflow, end: u64) -> EventStream<Number> {
    let stream = b.subscription().overflow(overflow).capacity(4).stream();
    stream.ready().await.unwrap();
    let mut marker = listen::<Load>(b).await;
    count_to(a, end).await;
    a.broadcast(load(0)).await.unwrap();
    take(&mut marker).await;
    stream
}

pub async fn where_nothing_is_lost_the_producer_waits<S: Subject>(stage: Stage<S>) {
    let [a, b] = pair(&stage, patient()).await;
    let mut numbers = listen(&b).await;
    let count = fill(&a);
    match a.broadcast(Number(count)).now() {
        Err(BroadcastError::Full(event)) => assert_eq!(event, Number(count)),
        other => panic!("{other:?}"),
    }
    let producer = a.clone();
    let ended = stage.apart(async move {
        for number in count..500 {
            producer.broadcast(Number(number)).await.unwrap();
        }
    });
    expect(&mut numbers, 0..500).await;
    ended.recv().await.unwrap();
}

pub async fn a_producer_that_waits_holds_up_nobody_else<S: Subject>(stage: Stage<S>) {
    let [a, b, c] = stage.meet_limited(["a", "b", "c"], &patient()).await;
    let mut slow = listen::<Number>(&b).await;
    let mut count = 0;
    while a.broadcast(Number(count)).to("b").now().is_ok() {
        count += 1;
    }
    let mut fast = listen::<Number>(&c).await;
    let answering = b.answer(|question: Received<Question>| Number(question.0));
    let mut loads = listen::<Load>(&b).await;
    answering.ready().await.unwrap();
    let waiting = async { a.broadcast(Number(count)).await.unwrap() };
    let others = async {
        // Those with room have the event before it waits for the one that has none.
        expect(&mut fast, [count]).await;
        // And other types pass to that one, too.
        a.broadcast(load(1)).await.unwrap();
        assert_eq!(take(&mut loads).await.0, 1);
        assert_eq!(a.request(Question(2)).await.unwrap(), Number(2));
        expect(&mut slow, 0..=count).await;
    };
    zip(waiting, others).await;
}

pub async fn a_producer_that_gives_up_waiting_has_reached_those_with_room<S: Subject>(
    stage: Stage<S>,
) {
    let [a, b] = pair(&stage, patient()).await;
    let mut at_b = listen(&b).await;
    let mut at_a = a.stream();
    let mut count = 0;
    while a.broadcast(Number(count)).to("b").now().is_ok() {
        count += 1;
    }
    let mut broadcast = a.broadcast(Number(count)).into_future();
    assert!(poll_once(&mut broadcast).await.is_none());
    drop(broadcast);
    expect(&mut at_a, [count]).await;
    expect(&mut at_b, 0..count).await;
    a.broadcast(Number(1_000_000)).await.unwrap();
    expect(&mut at_b, [1_000_000]).await;
}

pub async fn the_oldest_make_way_where_that_is_wanted<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let mut stream = flood(&a, &b, Overflow::DropOldest, 100).await;
    assert_eq!(stream.next().await.unwrap().unwrap_err(), Lagged(96));
    expect(&mut stream, 96..100).await;
    a.broadcast(Number(100)).await.unwrap();
    expect(&mut stream, [100]).await;
}

pub async fn the_newest_find_no_place_where_that_is_wanted<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let mut stream = flood(&a, &b, Overflow::DropNewest, 100).await;
    expect(&mut stream, 0..4).await;
    // The loss is told in its place.
    a.broadcast(Number(100)).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap_err(), Lagged(96));
    expect(&mut stream, [100]).await;
}

pub async fn the_latest_alone_is_kept_where_that_is_wanted<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let mut stream = flood(&a, &b, Overflow::Latest, 100).await;
    assert_eq!(stream.next().await.unwrap().unwrap_err(), Lagged(99));
    expect(&mut stream, [99]).await;
    a.broadcast(Number(100)).await.unwrap();
    expect(&mut stream, [100]).await;
}

pub async fn a_subscription_that_loses_events_costs_another_none<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let mut all = listen(&b).await;
    let mut some = flood(&a, &b, Overflow::Latest, 50).await;
    expect(&mut all, 0..50).await;
    assert_eq!(some.next().await.unwrap().unwrap_err(), Lagged(49));
}

pub async fn ones_own_events_wait_for_a_place_in_the_queue<S: Subject>(stage: Stage<S>) {
    let [a] = stage.meet_limited(["a"], &patient()).await;
    let mut own = a.subscription::<Number>().capacity(3).stream();
    assert_eq!(fill(&a), 3);
    let mut broadcast = a.broadcast(Number(3)).into_future();
    assert!(poll_once(&mut broadcast).await.is_none());
    expect(&mut own, [0]).await;
    broadcast.await.unwrap();
    expect(&mut own, 1..4).await;
}

pub async fn a_consumer_that_stalls_is_left_behind_and_told<S: Subject>(stage: Stage<S>) {
    let mut limits = Limits::default();
    limits.stalled_after = Duration::from_millis(20);
    let [a, b] = pair(&stage, limits).await;
    let mut slow = listen::<Number>(&b).await;
    count_to(&a, 200).await;
    let (mut taken, mut lost) = (0, 0);
    while taken + lost < 200 {
        match slow.next().await.unwrap() {
            Ok(number) => {
                assert_eq!(number.0, taken + lost);
                taken += 1;
            }
            Err(Lagged(count)) => lost += count,
        }
    }
    assert!(lost > 0 && taken > 0, "{taken} taken, {lost} lost");
    assert_eq!(taken + lost, 200);
    // It is back, and misses no more.
    a.broadcast(Number(200)).await.unwrap();
    expect(&mut slow, [200]).await;
    assert!(a.is_subscribed::<Number>(Scope::Endpoint("b")));
}

pub async fn what_a_handler_has_lost_is_counted<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let (permit, permitted) = async_channel::unbounded::<()>();
    let (called, calls) = async_channel::unbounded();
    let config = b.subscription::<Number>().overflow(Overflow::DropNewest).capacity(2);
    let subscription = config.subscribe(move |number: Received<Number>| {
        let (permitted, called) = (permitted.clone(), called.clone());
        async move {
            called.try_send(number.0).unwrap();
            permitted.recv().await.unwrap();
        }
    });
    subscription.ready().await.unwrap();
    let mut marker = listen::<Load>(&b).await;
    a.broadcast(Number(0)).await.unwrap();
    assert_eq!(calls.recv().await.unwrap(), 0);
    for number in 1..=10 {
        a.broadcast(Number(number)).await.unwrap();
    }
    a.broadcast(load(0)).await.unwrap();
    take(&mut marker).await;
    for _ in 0..3 {
        permit.send(()).await.unwrap();
    }
    for number in 1..=2 {
        assert_eq!(calls.recv().await.unwrap(), number);
    }
    until(|| b.stats().lost_events == 8).await;
}

pub async fn ones_own_events_are_lost_where_that_is_wanted<S: Subject>(stage: Stage<S>) {
    let [a] = stage.meet(["a"]).await;
    let config = |overflow| a.subscription::<Number>().overflow(overflow).capacity(4).stream();
    let mut oldest = config(Overflow::DropOldest);
    let mut newest = config(Overflow::DropNewest);
    let mut latest = config(Overflow::Latest);
    count_to(&a, 10).await;
    assert_eq!(oldest.next().await.unwrap().unwrap_err(), Lagged(6));
    expect(&mut oldest, 6..10).await;
    expect(&mut newest, 0..4).await;
    assert_eq!(newest.next().await.unwrap().unwrap_err(), Lagged(6));
    assert_eq!(latest.next().await.unwrap().unwrap_err(), Lagged(9));
    expect(&mut latest, [9]).await;
    a.broadcast(Number(10)).await.unwrap();
    for stream in [&mut oldest, &mut newest, &mut latest] {
        expect(stream, [10]).await;
    }
}
