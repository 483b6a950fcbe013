//! What has to hold in whichever order threads get their turns, tried in thousands of orders by the
//! crate `shuttle`:
//!
//! ```sh
//! RUSTFLAGS="--cfg shuttle" cargo test --package lahja-core --lib models
//! ```
//!
//! `LAHJA_SCHEDULES` says how many orders of each model are tried, 200 by default. A model that
//! fails says how to try the same order again; what depends on the time of day is not repeated.
//! event-listener and async-channel have models of their own and are taken as they are: no thread
//! loses its turn within them.

use std::env;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use futures_lite::future::zip;
use serde::{Deserialize, Serialize};
use shuttle::{check_random, future, thread};

use crate::credit::Intake;
use crate::{BoxFuture, Endpoint, Event, Limits, Received, RequestError, Runtime, memory_pair};

fn check(model: impl Fn() + Send + Sync + 'static) {
    let schedules = env::var("LAHJA_SCHEDULES");
    let schedules = schedules.map_or(200, |count| count.parse().expect("a number"));
    check_random(model, schedules);
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct Number(u32);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(response = Number)]
struct Question(u32);

/// Runs each task as a thread of the model. No time passes.
struct Model;

impl Runtime for Model {
    fn spawn(&self, future: BoxFuture) {
        drop(future::spawn(future));
    }

    fn sleep(&self, _: Duration) -> BoxFuture {
        Box::pin(pending())
    }
}

/// Two endpoints that are connected. The window has room for two numbers.
async fn pair() -> [Endpoint; 2] {
    let mut limits = Limits::default();
    limits.poll_for = Duration::ZERO;
    limits.window = 20;
    let [a, b] =
        ["a", "b"].map(|name| Endpoint::builder(name).unwrap().limits(limits.clone()).build(Model));
    let (near, far) = memory_pair();
    let (near, far) = zip(a.attach(near), b.attach(far)).await;
    near.and(far).unwrap();
    [a, b]
}

#[test]
fn no_credit_is_lost_or_returned_twice() {
    const EVENTS: u64 = 6;
    check(|| {
        let intake = Arc::new(Intake::new(40));
        let consumers: Vec<_> = (0..2)
            .map(|_| {
                let intake = intake.clone();
                thread::spawn(move || {
                    let released = (0..EVENTS / 2).filter_map(|_| intake.release(10));
                    released.sum::<u64>()
                })
            })
            .collect();
        let settled = intake.settle().unwrap_or(0);
        let returned: u64 = consumers.into_iter().map(|c| c.join().unwrap()).sum();
        assert_eq!(returned + settled + intake.settle().unwrap_or(0), 10 * EVENTS);
    });
}

#[test]
fn a_consumer_gets_every_event_in_order_however_little_room_there_is() {
    check(|| {
        future::block_on(async {
            let [a, b] = pair().await;
            let mut stream = b.stream::<Number>();
            stream.ready().await.unwrap();
            let producer = future::spawn(async move {
                for number in 0..6 {
                    a.broadcast(Number(number)).await.unwrap();
                }
                a
            });
            for number in 0..6 {
                assert_eq!(*stream.next().await.unwrap().unwrap(), Number(number));
            }
            producer.await.unwrap();
        });
    });
}

#[test]
fn producers_on_two_threads_share_the_room_of_one_consumer() {
    check(|| {
        future::block_on(async {
            let [a, b] = pair().await;
            let mut stream = b.stream::<Number>();
            stream.ready().await.unwrap();
            for first in [0, 10] {
                let a = a.clone();
                drop(future::spawn(async move {
                    for number in first..first + 3 {
                        a.broadcast(Number(number)).await.unwrap();
                    }
                }));
            }
            let mut next = [0, 10];
            for _ in 0..6 {
                let number = stream.next().await.unwrap().unwrap().0;
                let next = &mut next[usize::from(number >= 10)];
                assert_eq!(number, *next);
                *next += 1;
            }
        });
    });
}

#[test]
fn an_event_begun_after_ready_is_not_missed() {
    check(|| {
        future::block_on(async {
            let [a, b] = pair().await;
            let sending = future::spawn(async move {
                let broadcast = a.broadcast(Number(0)).require_subscriber(false);
                broadcast.await.unwrap();
                a
            });
            let mut stream = b.stream::<Number>();
            stream.ready().await.unwrap();
            let a = sending.await.unwrap();
            a.broadcast(Number(1)).await.unwrap();
            let first = stream.next().await.unwrap().unwrap().0;
            assert!(first == 1 || stream.next().await.unwrap().unwrap().0 == 1);
        });
    });
}

#[test]
fn every_request_ends_though_the_peer_closes_at_any_moment() {
    check(|| {
        future::block_on(async {
            let [a, b] = pair().await;
            let answering = b.answer(|question: Received<Question>| Number(question.0 + 1));
            answering.ready().await.unwrap();
            let asking = future::spawn(async move {
                let mut ends = Vec::new();
                for number in 0..2 {
                    ends.push(a.request(Question(number)).await);
                }
                assert_eq!(a.stats().requests_in_flight, 0);
                ends
            });
            let closing = future::spawn(async move {
                b.close(Duration::MAX).await;
            });
            for (number, end) in (0..).zip(asking.await.unwrap()) {
                match end {
                    Ok(answer) => assert_eq!(answer, Number(number + 1)),
                    Err(
                        RequestError::PeerGone { .. }
                        | RequestError::Unanswered
                        | RequestError::NoSubscribers(_),
                    ) => {}
                    Err(other) => panic!("{other}"),
                }
            }
            drop(answering);
            closing.await.unwrap();
        });
    });
}

#[test]
fn whoever_closes_an_endpoint_sees_its_own_requests_end() {
    check(|| {
        future::block_on(async {
            let [a, b] = pair().await;
            let keeping = b.stream::<Question>();
            keeping.ready().await.unwrap();
            let asker = a.clone();
            let asking = future::spawn(async move { asker.request(Question(0)).await });
            let closing = future::spawn(async move {
                a.close(Duration::MAX).await;
            });
            let end = asking.await.unwrap();
            assert!(matches!(end, Err(RequestError::Closed)), "{end:?}");
            closing.await.unwrap();
        });
    });
}
