//! Waiting for subscriptions and connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures_lite::future::{or, poll_once, yield_now, zip};
use lahja_core::{ReadyError, Received, Scope};

use super::common::{expect, listen, take, until_unsubscribed};
use crate::harness::rounds;
use crate::puppet::Number;
use crate::stage::Stage;
use crate::subject::Subject;

pub async fn one_can_wait_until_anybody_has_subscribed<S: Subject>(stage: Stage<S>) {
    let [a, b, c] = stage.meet(["a", "b", "c"]).await;
    let mut waiting = Box::pin(a.wait_until_subscribed::<Number>(Scope::Any));
    assert!(poll_once(&mut waiting).await.is_none());
    let mut numbers = c.stream::<Number>();
    waiting.await;
    a.broadcast(Number(1)).await.unwrap();
    expect(&mut numbers, [1]).await;
    drop(b);
}

pub async fn one_can_wait_until_all_have_subscribed<S: Subject>(stage: Stage<S>) {
    let [a, b, c] = stage.meet(["a", "b", "c"]).await;
    let mut waiting = Box::pin(a.wait_until_subscribed::<Number>(Scope::All));
    let mut at_b = listen::<Number>(&b).await;
    assert!(poll_once(&mut waiting).await.is_none());
    let mut at_c = c.stream::<Number>();
    waiting.await;
    a.broadcast(Number(1)).await.unwrap();
    expect(&mut at_b, [1]).await;
    expect(&mut at_c, [1]).await;
}

pub async fn one_can_wait_until_one_endpoint_has_subscribed<S: Subject>(stage: Stage<S>) {
    let [a, b, c] = stage.meet(["a", "b", "c"]).await;
    let mut waiting = Box::pin(a.wait_until_subscribed::<Number>(Scope::Endpoint("b")));
    let _at_c = listen::<Number>(&c).await;
    assert!(poll_once(&mut waiting).await.is_none());
    let mut at_b = b.stream::<Number>();
    waiting.await;
    a.broadcast(Number(1)).to("b").await.unwrap();
    expect(&mut at_b, [1]).await;
}

pub async fn one_can_wait_for_a_subscription_of_ones_own<S: Subject>(stage: Stage<S>) {
    let [a] = stage.meet(["a"]).await;
    for scope in [Scope::Any, Scope::Endpoint("a")] {
        let mut waiting = Box::pin(a.wait_until_subscribed::<Number>(scope));
        assert!(poll_once(&mut waiting).await.is_none());
        let subscription = a.subscribe(|_: Received<Number>| ());
        waiting.await;
        drop(subscription);
        let mut waiting = Box::pin(a.wait_until_subscribed::<Number>(scope));
        assert!(poll_once(&mut waiting).await.is_none());
        let stream = a.stream::<Number>();
        waiting.await;
        drop(stream);
    }
}

pub async fn one_can_wait_for_the_subscription_of_an_endpoint_to_come<S: Subject>(stage: Stage<S>) {
    let a = stage.endpoint("a").await;
    let waiting = a.wait_until_subscribed::<Number>(Scope::Endpoint("b"));
    let coming = async {
        let b = stage.endpoint("b").await;
        let numbers = b.stream::<Number>();
        (b, numbers)
    };
    let ((), (_b, mut numbers)) = zip(waiting, coming).await;
    a.broadcast(Number(1)).await.unwrap();
    expect(&mut numbers, [1]).await;
}

pub async fn one_can_wait_until_an_endpoint_is_connected<S: Subject>(stage: Stage<S>) {
    let a = stage.endpoint("a").await;
    let mut waiting = Box::pin(a.wait_until_connected_to("b"));
    assert!(poll_once(&mut waiting).await.is_none());
    assert!(!a.is_connected_to("b"));
    let c = stage.endpoint("c").await;
    a.wait_until_connected_to("c").await;
    assert!(poll_once(&mut waiting).await.is_none());
    let _b = stage.endpoint("b").await;
    waiting.await;
    assert!(a.is_connected_to("b"));
    // What is there already is not waited for.
    a.wait_until_connected_to("b").await;
    drop(c);
}

pub async fn a_wait_that_is_given_up_leaves_others_waiting<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let wait = || Box::pin(a.wait_until_subscribed::<Number>(Scope::Any));
    let mut waits = [wait(), wait(), wait()];
    for wait in &mut waits {
        assert!(poll_once(wait).await.is_none());
    }
    let [first, second, third] = waits;
    drop(first);
    drop(third);
    let _numbers = b.stream::<Number>();
    second.await;
}

pub async fn a_subscription_is_ready_when_every_peer_knows_of_it<S: Subject>(stage: Stage<S>) {
    let [a, b, c] = stage.meet(["a", "b", "c"]).await;
    for _ in 0..20 {
        let mut numbers = c.stream::<Number>();
        numbers.ready().await.unwrap();
        for (endpoint, number) in [(&a, 1), (&b, 2)] {
            assert!(endpoint.is_subscribed::<Number>(Scope::Endpoint("c")));
            endpoint.broadcast(Number(number)).await.unwrap();
            expect(&mut numbers, [number]).await;
        }
        drop(numbers);
        until_unsubscribed::<Number>(&a, Scope::Any).await;
        until_unsubscribed::<Number>(&b, Scope::Any).await;
    }
}

pub async fn no_event_is_missed_that_is_broadcast_once_a_subscription_is_ready<S: Subject>(
    stage: Stage<S>,
) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let begun = Arc::new(AtomicU64::new(0));
    let is_over = Arc::new(AtomicBool::new(false));
    let (counting, told) = (begun.clone(), is_over.clone());
    let broadcasting = stage.apart(async move {
        while !told.load(Ordering::Relaxed) {
            let number = counting.fetch_add(1, Ordering::SeqCst);
            a.broadcast(Number(number)).require_subscriber(false).await.unwrap();
            yield_now().await;
        }
    });
    for _ in 0..rounds(1_000) {
        let mut numbers = b.stream::<Number>();
        numbers.ready().await.unwrap();
        // This one has not begun, nor has any later one.
        let begun = begun.load(Ordering::SeqCst);
        let mut number = take(&mut numbers).await.0;
        while number < begun {
            number = take(&mut numbers).await.0;
        }
        assert_eq!(number, begun);
        expect(&mut numbers, begun + 1..begun + 3).await;
    }
    is_over.store(true, Ordering::Relaxed);
    broadcasting.recv().await.unwrap();
}

pub async fn a_subscription_of_nobodys_peer_is_ready_at_once<S: Subject>(stage: Stage<S>) {
    let [a] = stage.meet(["a"]).await;
    let numbers = a.stream::<Number>();
    assert!(poll_once(numbers.ready()).await.unwrap().is_ok());
}

pub async fn a_peer_that_goes_is_not_waited_for<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let numbers = a.stream::<Number>();
    drop(b);
    // Whether it has acknowledged or not.
    numbers.ready().await.unwrap();
    a.close(Duration::from_secs(60)).await;
    assert_eq!(numbers.ready().await.unwrap_err(), ReadyError::Closed);
}

pub async fn a_closed_endpoint_is_told_to_all_who_wait_for_that<S: Subject>(stage: Stage<S>) {
    let [a] = stage.meet(["a"]).await;
    let weak = a.downgrade();
    let mut closed = Box::pin(a.closed());
    assert!(poll_once(&mut closed).await.is_none());
    let clone = a.clone();
    let other = stage.apart(async move { clone.closed().await });
    assert!(!a.is_closed());
    let closing = weak.upgrade().expect("it is there");
    closing.close(Duration::from_secs(60)).await;
    closed.await;
    other.recv().await.unwrap();
    assert!(a.is_closed());
    // And at once to those who ask later.
    or(a.closed(), async { panic!("it was closed long ago") }).await;
}
