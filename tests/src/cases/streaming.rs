//! Streams, single events, and what it does to stop waiting for them.

use std::time::Duration;

use futures_lite::StreamExt;
use futures_lite::future::{or, poll_once, yield_now, zip};
use lahja_core::{Lagged, Received, Scope, StreamEnded};

use super::common::{count_to, expect, listen, take, until_unsubscribed};
use crate::puppet::{Number, Question};
use crate::stage::Stage;
use crate::subject::Subject;

const DEADLINE: Duration = Duration::from_secs(60);

pub async fn a_stream_that_is_left_early_unsubscribes<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let mut stream = listen::<Number>(&b).await;
    let answering = a.answer(|question: Received<Question>| Number(question.0));
    answering.ready().await.unwrap();
    count_to(&a, 10).await;
    while let Some(number) = stream.next().await {
        if number.unwrap().0 == 4 {
            break;
        }
    }
    // The rest has arrived, as the answer behind it has, and nothing is left behind by it.
    b.request(Question(0)).to("a").await.unwrap();
    drop(stream);
    until_unsubscribed::<Number>(&a, Scope::Any).await;
    let mut again = listen(&b).await;
    a.broadcast(Number(10)).await.unwrap();
    expect(&mut again, [10]).await;
}

pub async fn a_stream_with_a_limit_ends_there<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let limited = listen::<Number>(&b).await.take(3).map(|number| number.unwrap().0);
    count_to(&a, 10).await;
    assert_eq!(limited.collect::<Vec<_>>().await, [0, 1, 2]);
    until_unsubscribed::<Number>(&a, Scope::Any).await;
}

pub async fn a_stream_that_is_cancelled_unsubscribes<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let (started, start) = async_channel::bounded::<()>(1);
    let endpoint = b.clone();
    let reading = async move {
        let mut stream = listen::<Number>(&endpoint).await;
        started.send(()).await.unwrap();
        loop {
            take(&mut stream).await;
        }
    };
    let (cancel, cancelled) = async_channel::bounded::<()>(1);
    let ended = stage.apart(or(reading, async move {
        cancelled.recv().await.unwrap();
    }));
    start.recv().await.unwrap();
    a.broadcast(Number(1)).await.unwrap();
    cancel.send(()).await.unwrap();
    ended.recv().await.unwrap();
    until_unsubscribed::<Number>(&a, Scope::Any).await;
    until_unsubscribed::<Number>(&b, Scope::Any).await;
}

pub async fn streams_are_cancelled_with_what_waits_for_them<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let child = async |endpoint| {
        let mut stream = listen::<Number>(endpoint).await;
        expect(&mut stream, [1]).await;
        take(&mut stream).await
    };
    let mut parent = Box::pin(zip(child(&a), zip(child(&b), child(&b))));
    let broadcasting = async {
        a.wait_until_subscribed::<Number>(Scope::All).await;
        a.wait_until_subscribed::<Number>(Scope::Endpoint("a")).await;
        a.broadcast(Number(1)).await.unwrap();
    };
    let ended = async {
        (&mut parent).await;
    };
    or(broadcasting, ended).await;
    assert!(poll_once(&mut parent).await.is_none());
    drop(parent);
    until_unsubscribed::<Number>(&a, Scope::Any).await;
    until_unsubscribed::<Number>(&b, Scope::Any).await;
}

pub async fn no_event_is_lost_with_a_future_that_waited_for_it<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let mut stream = listen::<Number>(&b).await;
    let mut taken = Vec::new();
    let taking = async {
        while taken.len() < 200 {
            // Each of these futures is dropped after one look.
            if let Some(number) = poll_once(stream.next()).await {
                taken.push(number.unwrap().unwrap().0);
            } else {
                yield_now().await;
            }
        }
    };
    zip(taking, count_to(&a, 200)).await;
    assert_eq!(taken, Vec::from_iter(0..200));
}

pub async fn a_stream_begins_when_it_is_made<S: Subject>(stage: Stage<S>) {
    let [a] = stage.meet(["a"]).await;
    let early = a.stream::<Number>();
    a.broadcast(Number(1)).await.unwrap();
    let mut late = a.stream::<Number>();
    a.broadcast(Number(2)).await.unwrap();
    let mut early = early;
    expect(&mut early, [1, 2]).await;
    expect(&mut late, [2]).await;
}

pub async fn a_stream_ends_when_its_endpoint_is_closed<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let mut stream = listen::<Number>(&b).await;
    let ended = stage.apart(async move {
        let mut taken = 0;
        while let Some(number) = stream.next().await {
            assert_eq!(number.map(|number| number.0), Ok::<_, Lagged>(taken));
            taken += 1;
        }
        (taken, stream.next().await.is_none())
    });
    b.close(DEADLINE).await;
    assert_eq!(ended.recv().await.unwrap(), (0, true));
    drop(a);
}

pub async fn a_single_event_can_be_waited_for<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let waiting = b.wait_for::<Number>();
    a.wait_until_subscribed::<Number>(Scope::Endpoint("b")).await;
    count_to(&a, 3).await;
    let event = waiting.await.unwrap();
    assert_eq!(event.0, 0);
    assert_eq!(event.origin(), "a");
    // It is over with the first.
    until_unsubscribed::<Number>(&a, Scope::Any).await;
    a.broadcast(Number(3)).await.unwrap_err();
}

pub async fn waiting_for_a_single_event_that_is_given_up_unsubscribes<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let mut waiting = b.wait_for::<Number>();
    assert!(poll_once(&mut waiting).await.is_none());
    a.wait_until_subscribed::<Number>(Scope::Endpoint("b")).await;
    drop(waiting);
    assert!(!b.is_subscribed::<Number>(Scope::Any));
    until_unsubscribed::<Number>(&a, Scope::Any).await;
}

pub async fn waiting_for_a_single_event_ends_when_the_endpoint_is_closed<S: Subject>(
    stage: Stage<S>,
) {
    let [a] = stage.meet(["a"]).await;
    let mut waiting = a.wait_for::<Number>();
    assert!(poll_once(&mut waiting).await.is_none());
    a.close(DEADLINE).await;
    assert_eq!(waiting.await.unwrap_err(), StreamEnded);
}
