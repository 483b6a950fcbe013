//! Large events between endpoints: whole, in order, and beside small ones.

use std::future::IntoFuture;

use futures_lite::future::{poll_once, yield_now, zip};
use lahja_core::{BroadcastError, Endpoint, Event, Limits, Received, Runtime};
use serde::{Deserialize, Serialize};

use crate::common::{TestRuntime, join, mesh, run, with_limits};

/// Who sent an event and how many before it, and bytes that tell the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct Load(usize, usize, String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct Small(usize, usize);

fn load(sender: usize, number: usize, len: usize) -> Load {
    let letter = char::from(b'a' + (sender * 7 + number) as u8 % 26);
    Load(sender, number, letter.to_string().repeat(len))
}

async fn pair(runtime: &TestRuntime, limits: Limits) -> [Endpoint; 2] {
    let pair = ["a", "b"].map(|name| with_limits(runtime, name, limits.clone()));
    join(&pair[0], &pair[1]).await;
    pair
}

#[test]
fn what_one_task_sends_comes_in_order_however_long_it_is() {
    run(|runtime| async move {
        let [a, b] = pair(&runtime, Limits::default()).await;
        let mut order = Vec::new();
        let (seen, order_seen) = async_channel::unbounded();
        let also_seen = seen.clone();
        let loads = b.subscribe(move |load: Received<Load>| {
            seen.try_send((load.1, load.2.len())).unwrap();
        });
        let smalls = b.subscribe(move |small: Received<Small>| {
            also_seen.try_send((small.1, 0)).unwrap();
        });
        loads.ready().await.unwrap();
        smalls.ready().await.unwrap();
        let lengths = [0, 200_000, 5_000, 131_072, 1_000_000, 140_000, 0, 3_000_000, 10];
        for (number, len) in lengths.into_iter().enumerate() {
            match len {
                0 => a.broadcast(Small(0, number)).await.unwrap(),
                _ => a.broadcast(load(0, number, len)).await.unwrap(),
            }
        }
        for _ in lengths {
            order.push(order_seen.recv().await.unwrap());
        }
        assert_eq!(order, lengths.into_iter().enumerate().collect::<Vec<_>>());
    });
}

#[test]
fn events_of_several_tasks_in_parts_come_whole_and_each_ones_in_order() {
    const SENDERS: usize = 4;
    const EVENTS: usize = 12;
    run(|runtime| async move {
        let [a, b] = pair(&runtime, Limits::default()).await;
        let mut stream = b.stream::<Load>();
        stream.ready().await.unwrap();
        for sender in 0..SENDERS {
            let a = a.clone();
            runtime.spawn(Box::pin(async move {
                for number in 0..EVENTS {
                    let len = [10, 300_000, 131_060, 800_000][(sender + number) % 4];
                    a.broadcast(load(sender, number, len)).await.unwrap();
                }
            }));
        }
        let mut next = [0; SENDERS];
        for _ in 0..SENDERS * EVENTS {
            let event = stream.next().await.unwrap().unwrap().into_inner();
            let Load(sender, number, text) = &event;
            assert_eq!(*number, next[*sender], "of {sender}");
            next[*sender] += 1;
            assert!(event == load(*sender, *number, text.len()));
        }
    });
}

#[test]
fn small_events_overtake_a_large_one_that_is_on_its_way() {
    run(|runtime| async move {
        let [a, b] = pair(&runtime, Limits::default()).await;
        let (mut loads, mut smalls) = (b.stream::<Load>(), b.stream::<Small>());
        loads.ready().await.unwrap();
        smalls.ready().await.unwrap();
        let large = a.broadcast(load(0, 0, 8_000_000)).into_future();
        let small = async {
            yield_now().await;
            a.broadcast(Small(0, 0)).await.unwrap();
            smalls.next().await.unwrap().unwrap();
            b.stats().traffic.received.bytes
        };
        let (result, received) = zip(large, small).await;
        result.unwrap();
        assert!(received < 4_000_000, "{received} bytes came before it");
        assert_eq!(loads.next().await.unwrap().unwrap().2.len(), 8_000_000);
    });
}

#[test]
fn futures_that_are_dropped_anywhere_leave_nothing_behind() {
    run(|runtime| async move {
        let [a, b] = pair(&runtime, Limits::default()).await;
        let mut stream = b.stream::<Load>();
        stream.ready().await.unwrap();
        for polls in 0..40 {
            let mut broadcast = Box::pin(a.broadcast(load(1, 0, 1_000_000)).into_future());
            let mut was_sent = false;
            for _ in 0..polls {
                was_sent = poll_once(&mut broadcast).await.is_some();
                if was_sent {
                    break;
                }
                yield_now().await;
            }
            drop(broadcast);
            let received = async {
                if was_sent {
                    let event = stream.next().await.unwrap().unwrap().into_inner();
                    assert!(event == load(1, 0, 1_000_000));
                }
                let event = stream.next().await.unwrap().unwrap().into_inner();
                assert!(event == load(0, polls, 200_000), "after {polls} polls");
            };
            let (result, ()) =
                zip(a.broadcast(load(0, polls, 200_000)).into_future(), received).await;
            result.unwrap();
        }
        assert_eq!(b.stats().unconsumed_bytes, 0);
    });
}

#[test]
fn what_is_longer_than_a_frame_is_refused_and_what_is_as_long_arrives() {
    run(|runtime| async move {
        let mut limits = Limits::default();
        limits.frame = 300_000;
        let [a, b] = pair(&runtime, limits).await;
        let mut stream = b.stream::<Load>();
        stream.ready().await.unwrap();
        let longest = (0..100).map(|less| load(0, 0, 300_000 - less));
        let mut refused = 0;
        for event in longest {
            match a.broadcast(event.clone()).await {
                Ok(()) => {
                    assert!(stream.next().await.unwrap().unwrap().into_inner() == event);
                    break;
                }
                Err(error) => {
                    assert!(matches!(error, BroadcastError::TooLarge { .. }));
                    refused += 1;
                }
            }
        }
        assert!((1..60).contains(&refused), "{refused}");
    });
}

#[test]
fn several_endpoints_get_one_large_event() {
    run(|runtime| async move {
        let names = ["a", "b", "c", "d"];
        let [a, others @ ..] = mesh(&runtime, names).await;
        let mut streams = Vec::new();
        for other in others.iter().chain([&a]) {
            let stream = other.stream::<Load>();
            stream.ready().await.unwrap();
            streams.push(stream);
        }
        let event = load(0, 0, 2_000_000);
        let received = async {
            for stream in &mut streams {
                assert!(stream.next().await.unwrap().unwrap().into_inner() == event);
            }
        };
        let (result, ()) = zip(a.broadcast(event.clone()).into_future(), received).await;
        result.unwrap();
    });
}
