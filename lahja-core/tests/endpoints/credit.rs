//! What flow control must not do when topics come and go and producers give up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use futures_lite::future::poll_once;
use lahja_core::{Endpoint, Event, Limits, Received, Stats};
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::common::{join, run, settle, with_limits};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct Number(u64);
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct Other(u64);
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct Big(String);

#[test]
fn idle_after_a_wait_is_no_stall() {
    run(|runtime| async move {
        let mut limits = Limits::default();
        limits.stalled_after = Duration::from_millis(50);
        limits.window = 1_010;
        let clock = Clock::new(&runtime);
        let [a, b] = ["a", "b"].map(|name| {
            Endpoint::builder(name).unwrap().limits(limits.clone()).build(clock.clone())
        });
        join(&a, &b).await;
        let mut stream = b.stream::<Number>();
        stream.ready().await.unwrap();
        let mut sent = 0;
        let waiting = loop {
            let mut broadcast = Box::pin(a.broadcast(Number(sent)).into_future());
            sent += 1;
            if poll_once(&mut broadcast).await.is_none() {
                break broadcast;
            }
        };
        for n in 0..sent - 1 {
            assert_eq!(stream.next().await.unwrap().unwrap().0, n);
        }
        settle().await;
        waiting.await.unwrap();
        assert_eq!(stream.next().await.unwrap().unwrap().0, sent - 1);
        clock.advance(6 * limits.stalled_after);
        settle().await;
        assert_eq!(a.stats().stalls, 0);
        a.broadcast(Number(sent)).await.unwrap();
        assert_eq!(stream.next().await.unwrap().unwrap().0, sent);
    });
}

#[test]
fn a_handler_that_outlives_its_subscription_costs_no_connection() {
    run(|runtime| async move {
        let limits = Limits::default();
        let half = limits.window as usize / 2;
        let a = with_limits(&runtime, "a", limits.clone());
        let b = with_limits(&runtime, "b", limits);
        join(&a, &b).await;
        let (tx, rx) = async_channel::bounded::<()>(1);
        let sub = b.subscribe(move |_: Received<Big>| {
            let rx = rx.clone();
            async move {
                let _ = rx.recv().await;
            }
        });
        sub.ready().await.unwrap();
        a.broadcast(Big("x".repeat(half))).await.unwrap();
        settle().await;
        sub.unsubscribe();
        settle().await;
        let mut other = b.stream::<Other>();
        other.ready().await.unwrap();
        tx.send(()).await.unwrap();
        settle().await;
        assert!(b.is_connected_to("a"), "the connection is gone");
        a.broadcast(Other(1)).await.unwrap();
        assert_eq!(other.next().await.unwrap().unwrap().0, 1);
    });
}

/// A predicate runs while an event has its room and is not sent. What is broadcast meanwhile, here or
/// by another thread, may use up the window, but not before that event.
#[test]
fn an_event_that_is_sent_between_the_check_for_room_and_its_use_costs_no_connection() {
    run(|runtime| async move {
        let mut limits = Limits::default();
        limits.window = 1_000;
        let a = with_limits(&runtime, "a", limits.clone());
        let b = with_limits(&runtime, "b", limits);
        join(&a, &b).await;
        let mut at_b = b.stream::<Big>();
        at_b.ready().await.unwrap();
        let large = || Big("x".repeat(2_000));
        let (sender, full) = async_channel::unbounded();
        let inner = a.clone();
        let at_a = a.subscription::<Big>().filter(move |_| {
            let result = inner.broadcast(large()).to("b").now();
            sender.try_send(result.is_err()).unwrap();
            true
        });
        let _at_a = at_a.stream();
        a.broadcast(Big("small".into())).now().unwrap();
        assert!(full.try_recv().unwrap(), "the large event went first");
        assert_eq!(at_b.next().await.unwrap().unwrap().0, "small");
        assert!(b.is_connected_to("a"), "the connection is gone");
        // There is room for it now, though no credit has come.
        a.broadcast(large()).to("b").await.unwrap();
        assert_eq!(at_b.next().await.unwrap().unwrap().into_inner(), large());
    });
}

/// Notes that it was woken.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn an_event_that_waits_for_one_that_has_room_goes_on_when_that_is_sent() {
    run(|runtime| async move {
        let mut limits = Limits::default();
        limits.window = 1_000;
        let a = with_limits(&runtime, "a", limits.clone());
        let b = with_limits(&runtime, "b", limits);
        join(&a, &b).await;
        let mut at_b = b.stream::<Big>();
        at_b.ready().await.unwrap();
        let large = || Big("x".repeat(2_000));
        let (sender, waiting) = async_channel::unbounded();
        let woken = Arc::new(Woken::default());
        let (inner, waker) = (a.clone(), Waker::from(woken.clone()));
        let at_a = a.subscription::<Big>().filter(move |_| {
            let endpoint = inner.clone();
            let mut large = Box::pin(async move { endpoint.broadcast(large()).to("b").await });
            let polled = large.as_mut().poll(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
            sender.try_send(large).map_err(drop).unwrap();
            true
        });
        let _at_a = at_a.stream();
        a.broadcast(Big("small".into())).now().unwrap();
        assert!(woken.0.load(Ordering::Relaxed), "nobody tells that there is room");
        waiting.try_recv().unwrap().await.unwrap();
        assert_eq!(at_b.next().await.unwrap().unwrap().0, "small");
        assert_eq!(at_b.next().await.unwrap().unwrap().into_inner(), large());
    });
}

/// An event of a kilobyte, so that a window holds some 380 of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct Load(u64, String);

fn load(number: u64) -> Load {
    Load(number, "x".repeat(1_000))
}

/// A minute is as long as the test says, so that the one consumer sleeps for five of them.
#[test]
fn one_of_eight_consumers_pauses_for_minutes_and_the_others_do_not_notice() {
    const COUNT: u64 = 3_000;
    const PAUSE: Duration = Duration::from_millis(100);
    run(|runtime| async move {
        let Limits { window, stalled_after, .. } = Limits::default();
        let clock = Clock::new(&runtime);
        let build = |name: &str| Endpoint::builder(name).unwrap().build(clock.clone());
        let producer = build("producer");
        let consumers = ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7"].map(build);
        let mut streams = Vec::new();
        for consumer in &consumers {
            join(&producer, consumer).await;
            streams.push(consumer.stream::<Load>());
            streams.last().unwrap().ready().await.unwrap();
        }
        let mut paused = streams.remove(0);
        let mut held = 0;
        let mut waited = Duration::ZERO;
        for number in 0..COUNT {
            let mut broadcast = producer.broadcast(load(number)).into_future();
            let mut done = poll_once(&mut broadcast).await;
            // Whoever has room has it at once, though the broadcast may wait for the one.
            for stream in &mut streams {
                settle().await;
                let event = poll_once(stream.next()).await.expect("it has come");
                assert_eq!(event.unwrap().unwrap().0, number);
            }
            while done.is_none() {
                clock.advance(PAUSE);
                waited += PAUSE;
                settle().await;
                done = poll_once(&mut broadcast).await;
            }
            done.unwrap().unwrap();
            clock.advance(PAUSE);
            let unsent = producer.stats().unsent_bytes;
            let Stats { unconsumed_bytes, .. } = consumers[0].stats();
            held = held.max(unsent + unconsumed_bytes);
        }
        assert_eq!(waited, stalled_after, "one wait, for one stall");
        assert!(held < u64::from(window) + 1_100, "{held} bytes are held");
        assert_eq!(producer.stats().stalls, 1);

        // It goes on: what it got, and the gap in its place.
        let (mut next, mut taken, mut lost) = (0, 0, 0);
        while next < COUNT {
            match paused.next().await.unwrap() {
                Ok(event) => {
                    assert_eq!(event.0, next);
                    (next, taken) = (next + 1, taken + 1);
                }
                Err(gap) => (next, lost) = (next + gap.0, lost + gap.0),
            }
        }
        assert_eq!(next, COUNT);
        assert_eq!(lost, producer.traffic("c0").unwrap().sent.missed);
        println!("{taken} events came, {lost} were missed and told, {held} bytes were held");
        producer.broadcast(load(COUNT)).await.unwrap();
        streams.push(paused);
        for stream in &mut streams {
            assert_eq!(stream.next().await.unwrap().unwrap().0, COUNT);
        }
        assert_eq!(producer.stats().stalled_peers, 0);
    });
}
