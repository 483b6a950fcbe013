//! Who gets an event, from one broadcast of a thread to the next.

use std::cell::RefCell;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use lahja_core::{BroadcastError, Endpoint, Event, RequestError, Scope};
use serde::{Deserialize, Serialize, Serializer};

use crate::common::{Number, build, join, mesh, run, settle};

#[test]
fn a_thread_that_has_broadcast_notices_who_comes_and_goes() {
    run(|runtime| async move {
        let [a, b, c] = mesh(&runtime, ["a", "b", "c"]).await;
        for round in 0..3 {
            let refused = a.broadcast(Number(round)).await;
            assert!(matches!(refused, Err(BroadcastError::NoSubscribers(_))), "{refused:?}");
            let theirs = b.stream::<Number>();
            theirs.ready().await.unwrap();
            a.broadcast(Number(round)).await.unwrap();
            let mut others = c.stream::<Number>();
            others.ready().await.unwrap();
            let mut own = a.stream::<Number>();
            a.broadcast(Number(round + 10)).await.unwrap();
            drop(theirs);
            // Whoever watches a sees it, so a has seen it, too.
            while a.is_subscribed::<Number>(Scope::Endpoint("b")) {
                settle().await;
            }
            a.broadcast(Number(round + 20)).await.unwrap();
            for number in [round + 10, round + 20] {
                assert_eq!(others.next().await.unwrap().unwrap().0, number);
                assert_eq!(own.next().await.unwrap().unwrap().0, number);
            }
            drop(others);
            while a.is_subscribed::<Number>(Scope::Endpoint("c")) {
                settle().await;
            }
        }
    });
}

#[test]
fn a_thread_that_has_broadcast_keeps_no_runtime() {
    run(|runtime| async move {
        let theirs = Arc::new(runtime);
        let [a, b] = ["a", "b"].map(|name| Endpoint::builder(name).unwrap().build(theirs.clone()));
        join(&a, &b).await;
        let stream = b.stream::<Number>();
        stream.ready().await.unwrap();
        a.broadcast(Number(1)).await.unwrap();
        let runtime = Arc::downgrade(&theirs);
        drop((a, b, stream, theirs));
        settle().await;
        assert_eq!(runtime.strong_count(), 0);
    });
}

#[test]
fn two_endpoints_of_a_thread_have_an_audience_each() {
    run(|runtime| async move {
        let [a, b] = mesh(&runtime, ["a", "b"]).await;
        let mut stream = b.stream::<Number>();
        stream.ready().await.unwrap();
        for number in 0..10 {
            a.broadcast(Number(number)).to("b").await.unwrap();
            assert_eq!(stream.next().await.unwrap().unwrap().origin(), a.name());
            b.broadcast(Number(number)).await.unwrap();
            assert_eq!(stream.next().await.unwrap().unwrap().origin(), b.name());
        }
    });
}

#[test]
fn a_closed_endpoint_keeps_nothing_of_its_users_alive() {
    run(|runtime| async move {
        let token = Arc::new(());
        let [a, b] = ["a", "b"].map(|name| build(&runtime, name, |builder| builder));
        join(&a, &b).await;
        let held = token.clone();
        let stream = a.subscription::<Number>().filter(move |_| Arc::strong_count(&held) > 0);
        let stream = stream.stream();
        a.broadcast(Number(1)).await.unwrap();
        drop(a);
        drop(stream);
        settle().await;
        assert_eq!(Arc::strong_count(&token), 1);
        while !b.connections().is_empty() {
            settle().await;
        }
    });
}

/// An event that broadcasts another of its type while it is encoded.
#[derive(Debug, Deserialize, Event)]
struct Nesting(u64);

thread_local! {
    static NESTED: RefCell<Option<Endpoint>> = const { RefCell::new(None) };
}

impl Serialize for Nesting {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 > 0 {
            let endpoint = NESTED.with(|nested| nested.borrow().clone().unwrap());
            endpoint.broadcast(Nesting(self.0 - 1)).now().unwrap();
        }
        self.0.serialize(serializer)
    }
}

#[test]
fn an_event_may_broadcast_while_it_is_encoded() {
    run(|runtime| async move {
        let [a, b] = mesh(&runtime, ["a", "b"]).await;
        let mut stream = b.stream::<Nesting>();
        stream.ready().await.unwrap();
        NESTED.set(Some(a.clone()));
        for _ in 0..2 {
            a.broadcast(Nesting(2)).await.unwrap();
            let mut heard = [0; 3];
            // It is encoded once more if it did not fit where it was encoded first.
            while heard[2] == 0 {
                let nesting = stream.next().await.unwrap().unwrap();
                heard[nesting.0 as usize] += 1;
            }
            assert!(heard[0] > 0 && heard[1] > 0, "{heard:?}");
        }
        NESTED.set(None);
    });
}

/// An event that closes its endpoint while it is encoded.
#[derive(Debug, Deserialize, Event)]
#[event(response = Number)]
struct Closing;

impl Serialize for Closing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(endpoint) = NESTED.take() {
            let mut close = pin!(endpoint.close(Duration::from_secs(60)));
            let _ = close.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }
        serializer.serialize_unit()
    }
}

#[test]
fn what_crosses_the_end_of_its_endpoint_says_so() {
    run(|runtime| async move {
        for way in 0..4 {
            let [a, b] = mesh(&runtime, ["a", "b"]).await;
            let stream = b.stream::<Closing>();
            stream.ready().await.unwrap();
            NESTED.set(Some(a.clone()));
            let closed = match way {
                0 => matches!(a.broadcast(Closing).await, Err(BroadcastError::Closed)),
                1 => matches!(a.broadcast(Closing).now(), Err(BroadcastError::Closed)),
                2 => {
                    let unwanted = a.broadcast(Closing).require_subscriber(false);
                    matches!(unwanted.await, Err(BroadcastError::Closed))
                }
                _ => matches!(a.request(Closing).await, Err(RequestError::Closed)),
            };
            assert!(closed, "way {way}");
        }
    });
}

/// Broadcasts when its thread ends.
struct LastWords(Endpoint);

impl Drop for LastWords {
    fn drop(&mut self) {
        self.0.broadcast(Number(7)).now().unwrap();
        let mut broadcast = pin!(self.0.broadcast(Number(8)).into_future());
        let sent = broadcast.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(sent, Poll::Ready(Ok(()))), "{sent:?}");
    }
}

thread_local! {
    static LAST_WORDS: RefCell<Option<LastWords>> = const { RefCell::new(None) };
}

#[test]
fn a_thread_may_broadcast_when_it_ends() {
    run(|runtime| async move {
        let [a, b] = mesh(&runtime, ["a", "b"]).await;
        let mut stream = b.stream::<Number>();
        stream.ready().await.unwrap();
        let ending = thread::spawn(move || {
            LAST_WORDS.set(Some(LastWords(a.clone())));
            // What lahja keeps for the thread is made later, and so is gone before.
            a.broadcast(Number(6)).now().unwrap();
            a
        });
        let a = ending.join().unwrap();
        for number in 6..9 {
            assert_eq!(stream.next().await.unwrap().unwrap().0, number);
        }
        drop(a);
    });
}
