//! Closing an endpoint: what still arrives, what ends, what is free again.

use std::time::Duration;

use futures_lite::future::{poll_once, zip};
use lahja_core::{BroadcastError, ConnectError, ReadyError, Received, RequestError, Scope};

use super::common::{count_to, expect, fill, listen, load, patient};
use crate::process::until;
use crate::puppet::{Load, Number, Question, until_gone};
use crate::stage::{Stage, join};
use crate::subject::Subject;
use crate::wire::{self, RawPeer};

const DEADLINE: Duration = Duration::from_secs(60);

pub async fn closing_delivers_what_was_accepted_and_the_end_comes_last<S: Subject>(
    stage: Stage<S>,
) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let mut numbers = listen::<Number>(&b).await;
    count_to(&a, 1_000).await;
    assert_eq!(a.close(DEADLINE).await.undelivered, 0);
    until_gone(&b, "a").await;
    for number in 0..1_000 {
        // The end is told after the last event, so all of them are there.
        let event = poll_once(numbers.next()).await;
        assert_eq!(event.expect("it is there").unwrap().unwrap().0, number);
    }
}

pub async fn what_does_not_leave_in_time_is_counted<S: Subject>(stage: Stage<S>) {
    let a = stage.endpoint("a").await;
    let path = stage.bus().path().join("a.ipc");
    // It reads nothing, and this is more than a socket takes.
    let mut peer = RawPeer::introduce(stage.platform(), path, "handmade").await;
    peer.say(&wire::announce::<Load>(1, 0)).await;
    a.wait_until_subscribed::<Load>(Scope::Endpoint("handmade")).await;
    a.broadcast(load(8 << 20)).now().unwrap();
    assert_eq!(a.close(Duration::from_millis(20)).await.undelivered, 1);
}

pub async fn dropping_the_last_handle_closes_at_once<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let weak = a.downgrade();
    let numbers = a.stream::<Number>();
    let mut own = numbers;
    let clone = a.clone();
    drop(a);
    assert!(!clone.is_closed());
    b.wait_until_subscribed::<Number>(Scope::Endpoint("a")).await;
    b.broadcast(Number(1)).await.unwrap();
    expect(&mut own, [1]).await;
    drop(clone);
    assert!(weak.upgrade().is_none());
    assert!(own.next().await.is_none());
    until_gone(&b, "a").await;
    assert!(!b.is_subscribed::<Number>(Scope::Any));
}

pub async fn a_closed_endpoint_refuses_everything<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let answering = b.answer(|question: Received<Question>| Number(question.0));
    answering.ready().await.unwrap();
    a.close(DEADLINE).await;
    assert!(a.is_closed());
    assert!(matches!(a.broadcast(Number(1)).await, Err(BroadcastError::Closed)));
    assert!(matches!(a.broadcast(Number(1)).now(), Err(BroadcastError::Closed)));
    assert!(matches!(a.request(Question(1)).await, Err(RequestError::Closed)));
    let mut numbers = a.stream::<Number>();
    assert_eq!(numbers.ready().await.unwrap_err(), ReadyError::Closed);
    assert!(numbers.next().await.is_none());
    let (near, _far) = lahja_core::memory_pair();
    assert!(matches!(a.attach(near).await, Err(ConnectError::Closed)));
    assert_eq!(a.connections(), [""; 0]);
    // Again, it is none the worse.
    assert_eq!(a.close(DEADLINE).await.undelivered, 0);
}

pub async fn closing_ends_what_waits<S: Subject>(stage: Stage<S>) {
    let mut limits = patient();
    limits.window = 1_000;
    let [a, b] = ["a", "b"].map(|name| stage.limited(name, &limits));
    join(&a, &b).await;
    let _unread = listen::<Number>(&b).await;
    let _unanswered = listen::<Question>(&b).await;
    fill(&a);
    let broadcast = async { a.broadcast(Number(0)).await };
    let request = async { a.request(Question(1)).without_timeout().await };
    let mut own = a.stream::<Load>();
    let closing = async {
        until(|| a.stats().requests_in_flight == 1).await;
        a.close(DEADLINE).await
    };
    let waiting = zip(zip(broadcast, request), own.next());
    let (((broadcast, request), event), report) = zip(waiting, closing).await;
    assert!(matches!(broadcast, Err(BroadcastError::Closed)), "{broadcast:?}");
    assert!(matches!(request, Err(RequestError::Closed)), "{request:?}");
    assert!(event.is_none());
    assert_eq!(report.undelivered, 0);
    assert_eq!(a.stats().requests_in_flight, 0);
}

pub async fn the_others_go_on_when_one_closes<S: Subject>(stage: Stage<S>) {
    let [a, b, c] = stage.meet(["a", "b", "c"]).await;
    let mut at_a = listen::<Number>(&a).await;
    let at_c = listen::<Number>(&c).await;
    b.broadcast(Number(1)).await.unwrap();
    c.close(DEADLINE).await;
    until_gone(&a, "c").await;
    until_gone(&b, "c").await;
    drop(at_c);
    b.broadcast(Number(2)).await.unwrap();
    expect(&mut at_a, [1, 2]).await;
    assert_eq!(a.connections(), ["b"]);
}

pub async fn closing_goes_on_though_nobody_waits_for_it<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let mut numbers = listen::<Number>(&b).await;
    count_to(&a, 100).await;
    let mut given_up = Box::pin(a.close(DEADLINE));
    let _ = poll_once(&mut given_up).await;
    drop(given_up);
    assert!(a.is_closed());
    until_gone(&b, "a").await;
    expect(&mut numbers, 0..100).await;
}
