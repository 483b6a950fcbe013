//! What has to hold in whichever order threads get their turns, tried in thousands of orders by the
//! crate `shuttle`:
//!
//! ```sh
//! RUSTFLAGS="--cfg shuttle" cargo test --package lahja-core --lib models
//! ```
//!
//! `LAHJA_SCHEDULES` says how many orders of each model are tried in each of two ways, 200 by
//! default. A model that fails says how to try the same order again; what depends on the time of day
//! is not repeated.
//! event-listener and async-channel have models of their own and are taken as they are: no thread
//! loses its turn within them.

mod model;

use std::collections::VecDeque;
use std::env;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use futures_lite::future::poll_once;
use serde::{Deserialize, Serialize};
use shuttle::{check_pct, check_random, future, thread};

use crate::credit::Intake;
use crate::inbox::{Config, Entry, Gate, Inbox, Item, Lagged, Overflow};
use crate::session::PART;
use crate::sync::lock;
use crate::{BroadcastError, Event, Received, RequestError};
use model::{Model, connect};

/// Tries a model in orders drawn at random, and in orders in which few turns are given late: a lost
/// wake-up is found among the latter.
pub(crate) fn check(model: impl Fn() + Copy + Send + Sync + 'static) {
    let schedules = env::var("LAHJA_SCHEDULES");
    let schedules = schedules.map_or(200, |count| count.parse().expect("a number"));
    check_random(model, schedules);
    check_pct(model, schedules, 3);
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct Number(u32);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct Text(String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(response = Number)]
struct Question(u32);

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
        Model::run(async |a, b| {
            let mut stream = b.stream::<Number>();
            stream.ready().await.unwrap();
            let producer = future::spawn(async move {
                for number in 0..6 {
                    a.broadcast(Number(number)).await.unwrap();
                }
            });
            for number in 0..6 {
                assert_eq!(*stream.next().await.unwrap().unwrap(), Number(number));
            }
            producer.await.unwrap();
        });
    });
}

#[test]
fn whoever_sees_an_event_sees_those_of_other_types_before_it() {
    check(|| {
        Model::run(async |a, b| {
            let (mut numbers, mut texts) = (b.stream::<Number>(), b.stream::<Text>());
            numbers.ready().await.unwrap();
            texts.ready().await.unwrap();
            // The first of each type is looked at alone.
            a.broadcast(Number(0)).await.unwrap();
            a.broadcast(Text(String::new())).await.unwrap();
            numbers.next().await.unwrap().unwrap();
            texts.next().await.unwrap().unwrap();
            // These leave together, since no time passes. The text is queued after both numbers.
            let producer = future::spawn(async move {
                a.broadcast(Number(1)).await.unwrap();
                a.broadcast(Text(String::new())).await.unwrap();
                a.broadcast(Number(2)).await.unwrap();
            });
            // It looks again and again: whoever sleeps is woken when all are queued.
            let mut seen = 0;
            while seen < 2 {
                match poll_once(numbers.next()).await {
                    Some(number) => seen = number.unwrap().unwrap().0,
                    None => future::yield_now().await,
                }
            }
            let text = poll_once(texts.next()).await;
            assert!(text.is_some(), "the second number has overtaken the text");
            producer.await.unwrap();
        });
    });
}

#[test]
fn whoever_sees_a_part_of_a_batch_sees_all_of_it() {
    check(|| {
        let inboxes = [(); 2].map(|()| {
            let (origins, filter, overflow) = (Vec::new(), None, Overflow::Wait);
            let config = Config { origins, filter, capacity: 1, bytes: 1, overflow };
            Arc::new(Inbox::<Number>::new(config))
        });
        let gate = Gate::default();
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let (inboxes, gate) = (inboxes.clone(), gate.clone());
                thread::spawn(move || {
                    let _held = lock(&gate);
                    for inbox in &inboxes {
                        let mut part = [Entry::Item(Item::Lagged(Lagged(1)))].into();
                        inbox.push_all(&mut part, Some(&gate));
                    }
                })
            })
            .collect();
        let take = |inbox: &Inbox<Number>| {
            let mut batch = VecDeque::new();
            let _ = inbox.poll_take(&mut batch, &mut Context::from_waker(Waker::noop()));
            batch.len()
        };
        let (mut first, mut second) = (0, 0);
        while first < 2 {
            first += take(&inboxes[0]);
            second += take(&inboxes[1]);
            assert!(second >= first, "{second} of the second, {first} of the first");
            thread::yield_now();
        }
        for reader in readers {
            reader.join().unwrap();
        }
    });
}

#[test]
fn producers_on_two_threads_share_the_room_of_one_consumer() {
    check(|| {
        Model::run(async |a, b| {
            let mut stream = b.stream::<Number>();
            stream.ready().await.unwrap();
            let producers = [0, 10].map(|first| {
                let a = a.clone();
                future::spawn(async move {
                    for number in first..first + 3 {
                        a.broadcast(Number(number)).await.unwrap();
                    }
                })
            });
            let mut next = [0, 10];
            for _ in 0..6 {
                let number = stream.next().await.unwrap().unwrap().0;
                let next = &mut next[usize::from(number >= 10)];
                assert_eq!(number, *next);
                *next += 1;
            }
            for producer in producers {
                producer.await.unwrap();
            }
        });
    });
}

#[test]
fn two_consumers_get_every_event_in_order_whoever_else_broadcasts() {
    check(|| {
        // One has room for all of it, the other waits.
        Model::run_all(&[("a", 20), ("b", 1 << 20), ("c", 60)], async |endpoints| {
            let [a, consumers @ ..] = endpoints else { unreachable!("there are three") };
            let mut streams = Vec::new();
            for consumer in consumers {
                connect(a, consumer).await;
                streams.push((consumer.stream::<Number>(), consumer.stream::<Text>()));
            }
            for (numbers, texts) in &streams {
                numbers.ready().await.unwrap();
                texts.ready().await.unwrap();
            }
            // What is broadcast gathers, since no time passes.
            a.broadcast(Number(0)).await.unwrap();
            let (producer, other) = (a.clone(), a.clone());
            let mut tasks = vec![
                future::spawn(async move {
                    for number in 1..6 {
                        producer.broadcast(Number(number)).await.unwrap();
                    }
                }),
                future::spawn(async move { other.broadcast(Text(String::new())).await.unwrap() }),
            ];
            tasks.extend(streams.into_iter().map(|(mut numbers, mut texts)| {
                future::spawn(async move {
                    for number in 0..6 {
                        assert_eq!(*numbers.next().await.unwrap().unwrap(), Number(number));
                    }
                    texts.next().await.unwrap().unwrap();
                })
            }));
            for task in tasks {
                task.await.unwrap();
            }
        });
    });
}

/// Longer than what the transport takes before it has to be read.
#[test]
fn large_events_go_on_whenever_a_part_has_left() {
    const LEN: usize = 18 * PART;
    check(|| {
        Model::run(async |a, b| {
            let mut stream = b.stream::<Text>();
            stream.ready().await.unwrap();
            let producers = ["x", "y"].map(|letter| {
                let a = a.clone();
                future::spawn(async move { a.broadcast(Text(letter.repeat(LEN))).await })
            });
            for _ in 0..2 {
                assert_eq!(stream.next().await.unwrap().unwrap().0.len(), LEN);
            }
            for producer in producers {
                producer.await.unwrap().unwrap();
            }
        });
    });
}

#[test]
fn an_event_begun_after_ready_is_not_missed() {
    check(|| {
        Model::run(async |a, b| {
            let sender = a.clone();
            let sending = future::spawn(async move {
                let broadcast = sender.broadcast(Number(0)).require_subscriber(false);
                broadcast.await.unwrap();
            });
            let mut stream = b.stream::<Number>();
            stream.ready().await.unwrap();
            a.broadcast(Number(1)).await.unwrap();
            sending.await.unwrap();
            let first = stream.next().await.unwrap().unwrap().0;
            assert!(first == 1 || stream.next().await.unwrap().unwrap().0 == 1);
        });
    });
}

#[test]
fn every_request_ends_though_the_peer_closes_at_any_moment() {
    check(|| {
        Model::run(async |a, b| {
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
            b.close(Duration::MAX).await;
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
        });
    });
}

#[test]
fn whoever_broadcasts_while_its_endpoint_closes_has_sent_or_is_told_so() {
    check(|| {
        Model::run(async |a, b| {
            let keeping = b.stream::<Number>();
            keeping.ready().await.unwrap();
            let producer = a.clone();
            let producing = future::spawn(async move { producer.broadcast(Number(0)).await });
            a.close(Duration::MAX).await;
            let end = producing.await.unwrap();
            assert!(matches!(end, Ok(()) | Err(BroadcastError::Closed)), "{end:?}");
        });
    });
}

#[test]
fn whoever_closes_an_endpoint_sees_its_own_requests_end() {
    check(|| {
        Model::run(async |a, b| {
            let keeping = b.stream::<Question>();
            keeping.ready().await.unwrap();
            let asker = a.clone();
            let asking = future::spawn(async move { asker.request(Question(0)).await });
            a.close(Duration::MAX).await;
            let end = asking.await.unwrap();
            assert!(matches!(end, Err(RequestError::Closed)), "{end:?}");
        });
    });
}
