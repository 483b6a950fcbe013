//! What comes before what.

use std::future::IntoFuture;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use futures_lite::future::{poll_once, zip};
use lahja_core::{Event, Received};

use super::common::{announced, count_to, expect, listen, load, take};
use crate::puppet::{Load, Number, Question};
use crate::stage::Stage;
use crate::subject::Subject;
use crate::wire::{self, RawPeer};

pub async fn events_come_in_the_order_of_the_calls_and_once_each<S: Subject>(stage: Stage<S>) {
    let [a, b, c] = stage.meet(["a", "b", "c"]).await;
    let [mut at_b, mut at_c] = [listen(&b).await, listen(&c).await];
    let sending = async {
        count_to(&a, 20_000).await;
        // This would come right behind anything that was sent twice.
        a.broadcast(Number(u64::MAX)).await.unwrap();
    };
    let numbers = || (0..20_000).chain([u64::MAX]);
    zip(sending, zip(expect(&mut at_b, numbers()), expect(&mut at_c, numbers()))).await;
}

pub async fn small_events_do_not_overtake_large_ones<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let mut loads = listen::<Load>(&b).await;
    let sizes = || (0..60).map(|n| if n % 3 == 0 { 500_000 } else { n });
    let sending = async {
        for size in sizes() {
            a.broadcast(load(size)).await.unwrap();
        }
    };
    let receiving = async {
        for size in sizes() {
            assert_eq!(take(&mut loads).await.0, size as u64);
        }
    };
    zip(sending, receiving).await;
}

pub async fn a_small_event_does_not_wait_for_a_large_one_that_is_under_way<S: Subject>(
    stage: Stage<S>,
) {
    const LARGE: usize = 8 << 20;
    let [a, b] = stage.meet(["a", "b"]).await;
    let (mut loads, mut numbers) = (listen::<Load>(&b).await, listen(&b).await);
    let mut large = a.broadcast(load(LARGE)).into_future();
    assert!(poll_once(&mut large).await.is_none(), "it is sent at once");
    // The rest of it is not sent before its future is polled again.
    a.broadcast(Number(1)).await.unwrap();
    expect(&mut numbers, [1]).await;
    let (sent, received) = zip(large, take(&mut loads)).await;
    sent.unwrap();
    assert_eq!(received.into_inner(), load(LARGE));
}

pub async fn each_of_several_senders_is_heard_in_its_own_order<S: Subject>(stage: Stage<S>) {
    let [a, b, c, d] = stage.meet(["a", "b", "c", "d"]).await;
    let mut numbers = listen::<Number>(&d).await;
    let sent = [a, b, c].map(|endpoint| {
        stage.apart(async move {
            count_to(&endpoint, 2_000).await;
            // It stays until all is read.
            endpoint
        })
    });
    let mut next = [0; 3];
    for _ in 0..6_000 {
        let number = take(&mut numbers).await;
        let origin = ["a", "b", "c"].iter().position(|name| number.origin() == name);
        let next = &mut next[origin.expect("there are no others")];
        assert_eq!(number.0, *next, "from {}", number.origin());
        *next += 1;
    }
    assert_eq!(next, [2_000; 3]);
    for sent in sent {
        sent.recv().await.unwrap();
    }
}

pub async fn broadcasts_with_and_without_waiting_keep_their_order<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let mut numbers = listen(&b).await;
    for number in (0..1_000).step_by(2) {
        a.broadcast(Number(number)).now().unwrap();
        a.broadcast(Number(number + 1)).await.unwrap();
    }
    expect(&mut numbers, 0..1_000).await;
}

pub async fn a_request_comes_behind_the_events_before_it<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let mut numbers = listen::<Number>(&b).await;
    let mut questions = listen::<Question>(&b).await;
    for round in 0..50 {
        count_to(&a, 10).await;
        let asking = async { a.request(Question(round)).await.unwrap() };
        let answering = async {
            let question = take(&mut questions).await;
            for number in 0..10 {
                let event = poll_once(numbers.next()).await.expect("it is there");
                assert_eq!(event.unwrap().unwrap().0, number);
            }
            let answer = b.broadcast(Number(question.0));
            answer.with(question.broadcast_config()).await.unwrap();
        };
        assert_eq!(zip(asking, answering).await.0, Number(round));
    }
}

pub async fn a_response_comes_behind_the_events_before_it<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let mut numbers = listen::<Number>(&a).await;
    let weak = b.downgrade();
    let answering = b.answer(move |question: Received<Question>| {
        let b = weak.upgrade().expect("it is there");
        async move {
            for number in 0..question.0 {
                b.broadcast(Number(number)).await.unwrap();
            }
            Number(question.0)
        }
    });
    answering.ready().await.unwrap();
    for count in 0..50 {
        assert_eq!(a.request(Question(count)).await.unwrap(), Number(count));
        for number in 0..count {
            let event = poll_once(numbers.next()).await.expect("it is there");
            assert_eq!(event.unwrap().unwrap().0, number);
        }
        assert!(poll_once(numbers.next()).await.is_none());
    }
}

pub async fn an_event_behind_a_request_comes_behind_it<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let mut numbers = listen::<Number>(&b).await;
    let mut questions = listen::<Question>(&b).await;
    for round in 0..50 {
        let mut request = a.request(Question(round)).into_future();
        assert!(poll_once(&mut request).await.is_none());
        a.broadcast(Number(round)).await.unwrap();
        expect(&mut numbers, [round]).await;
        let question = poll_once(questions.next()).await.expect("it is there").unwrap().unwrap();
        let answer = b.broadcast(Number(question.0)).with(question.broadcast_config());
        answer.await.unwrap();
        assert_eq!(request.await.unwrap(), Number(round));
    }
}

pub async fn events_of_one_type_do_not_overtake_those_of_another<S: Subject>(stage: Stage<S>) {
    let a = stage.endpoint("a").await;
    let numbers = Arc::new(Mutex::new(a.stream::<Number>()));
    // It is asked of each load when that comes, and looks for the number before it.
    let (seen, before) = (Arc::new(Mutex::new(Vec::new())), numbers.clone());
    let note = seen.clone();
    let loads = a.subscription::<Load>().filter(move |_| {
        let mut before = before.lock().unwrap();
        let number = pin!(before.next()).poll(&mut Context::from_waker(Waker::noop()));
        note.lock().unwrap().push(match number {
            Poll::Ready(number) => Some(number.unwrap().unwrap().0),
            Poll::Pending => None,
        });
        true
    });
    let mut loads = loads.stream();
    // With another subscription they are not queued as a batch.
    let mut others = a.stream::<Load>();
    let path = stage.bus().path().join("a.ipc");
    let mut peer = RawPeer::introduce(stage.platform(), path, "handmade").await;
    let (mut number, mut load) = (None, None);
    while number.is_none() || load.is_none() {
        let (name, announced) = announced(&mut peer).await;
        match name.as_str() {
            Number::NAME => number = Some(announced),
            Load::NAME => load = Some(announced),
            _ => {}
        }
    }
    let mut bytes = Vec::new();
    for n in 0..10 {
        bytes.extend(wire::frame(&wire::event(number.unwrap(), &[n])));
        bytes.extend(wire::frame(&wire::event(load.unwrap(), &[n, 0])));
    }
    peer.send(&bytes).await;
    for n in 0..10 {
        assert_eq!(take(&mut loads).await.0, n);
        assert_eq!(take(&mut others).await.0, n);
    }
    assert_eq!(*seen.lock().unwrap(), (0..10).map(Some).collect::<Vec<_>>());
}
