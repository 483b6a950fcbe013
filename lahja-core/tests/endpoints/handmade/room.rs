//! Room that a broadcast has taken and does not use.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures_lite::future::poll_once;
use lahja_core::{BroadcastError, Endpoint, Lagged, Limits, Overflow, Received, Stats};

use super::{Number, Peer, Question, Text, settle, wire};
use crate::common::{build, run, with_limits};

/// A window that so many small numbers fill.
const PLACES: u32 = 4;
const WINDOW: u32 = PLACES * 17;

const WIDE: &[(wire::Topic, u32)] = &[(wire::topic::<Number>(), WINDOW)];
/// One event fills this window.
const NARROW: &[(wire::Topic, u32)] = &[(wire::topic::<Number>(), 1)];

fn is_full<T>(result: &Result<T, BroadcastError<Number>>) -> bool {
    matches!(result, Err(BroadcastError::Full(Number(_))))
}

/// Counts how many numbers a peer has room for, by sending them.
fn count_room(endpoint: &Endpoint, peer: &str) -> u32 {
    let mut count = 0;
    while endpoint.broadcast(Number(9)).to(peer).now().is_ok() {
        count += 1;
    }
    count
}

#[test]
fn a_broadcast_that_one_peer_refuses_leaves_the_others_their_room() {
    run(|runtime| async move {
        // Whether room is taken before or after the refusal depends on who came first.
        for wide_first in [true, false] {
            let a = build(&runtime, "a", |a| a);
            let peers = if wide_first {
                [("x", WIDE), ("y", NARROW)]
            } else {
                [("y", NARROW), ("x", WIDE)]
            };
            let mut wide = None;
            let mut narrow = None;
            for (name, topics) in peers {
                let peer = Peer::join(&a, name, topics).await;
                *(if name == "x" { &mut wide } else { &mut narrow }) = Some(peer);
            }
            let (mut wide, narrow) = (wide.unwrap(), narrow.unwrap());
            a.broadcast(Number(1)).to("y").now().unwrap();
            for _ in 0..100 {
                assert!(is_full(&a.broadcast(Number(2)).now()));
            }
            assert_eq!(count_room(&a, "x"), PLACES);
            // Nobody has got what was refused.
            for _ in 0..PLACES {
                assert_eq!(wide.hear(wire::kind::EVENT).await, wire::event(0, &[9]));
            }
            // With room everywhere it goes out.
            wide.say(&wire::credit(0, WINDOW.into()));
            narrow.say(&wire::credit(0, 17));
            settle().await;
            a.broadcast(Number(3)).now().unwrap();
            assert_eq!(wide.hear(wire::kind::EVENT).await, wire::event(0, &[3]));
            assert_eq!(a.traffic("y").unwrap().sent.events, 2);
        }
    });
}

type Waiting = Pin<Box<dyn Future<Output = Result<(), BroadcastError<Number>>> + Send>>;

/// Counts how often it is woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn whoever_waits_for_room_that_a_refused_broadcast_had_taken_is_woken() {
    run(|runtime| async move {
        let a = build(&runtime, "a", |a| a);
        let mut peer = Peer::join(&a, "x", WIDE).await;
        for _ in 1..PLACES {
            a.broadcast(Number(1)).now().unwrap();
        }
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        let waiting = Arc::new(Mutex::new(None::<Waiting>));
        // The predicate runs while the refused broadcast holds the last place at the peer. It
        // begins one that waits for it.
        let (begun, begin, waits) = (waiting.clone(), a.downgrade(), waker.clone());
        let local = a.subscription::<Number>().capacity(1).overflow(Overflow::Wait);
        let stream = local.filter(move |number| {
            if number.0 == 2 {
                let a = begin.upgrade().unwrap();
                let mut future: Waiting =
                    Box::pin(async move { a.broadcast(Number(3)).to("x").await });
                let polled = future.as_mut().poll(&mut Context::from_waker(&waits));
                assert!(polled.is_pending(), "the last place is taken");
                *begun.lock().unwrap() = Some(future);
            }
            true
        });
        let stream = stream.stream();
        // The one place of this endpoint's own subscription is taken, so the broadcast is refused.
        a.broadcast(Number(1)).internal().now().unwrap();
        assert!(is_full(&a.broadcast(Number(2)).now()));
        let mut waiting = waiting.lock().unwrap().take().expect("the predicate has run");
        assert!(woken.0.load(Ordering::Relaxed) > 0, "nobody was woken");
        let polled = waiting.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(matches!(polled, Poll::Ready(Ok(()))), "there is no room");
        assert!(is_full(&a.broadcast(Number(4)).to("x").now()));
        for number in [1, 1, 1, 3] {
            assert_eq!(peer.hear(wire::kind::EVENT).await, wire::event(0, &[number]));
        }
        drop(stream);
    });
}

#[test]
fn a_place_that_a_refused_broadcast_had_taken_at_home_is_free_again() {
    run(|runtime| async move {
        let a = build(&runtime, "a", |a| a);
        let wide = a.subscription::<Number>().capacity(2).stream();
        let mut narrow = a.subscription::<Number>().capacity(1).stream();
        a.broadcast(Number(1)).now().unwrap();
        assert!(is_full(&a.broadcast(Number(2)).now()));
        narrow.next().await.unwrap().unwrap();
        a.broadcast(Number(3)).now().unwrap();
        assert_eq!(narrow.next().await.unwrap().unwrap().0, 3);
        // The wide one has two events and no more places.
        assert!(is_full(&a.broadcast(Number(4)).now()));
        assert!(poll_once(narrow.next()).await.is_none());
        drop(wide);
        a.broadcast(Number(5)).now().unwrap();
        assert_eq!(narrow.next().await.unwrap().unwrap().0, 5);
    });
}

#[test]
fn a_refused_broadcast_is_not_counted_as_missed_by_a_stalled_peer() {
    run(|runtime| async move {
        // Whether the stalled one is asked before or after the refusal depends on who came first.
        for stalled_first in [true, false] {
            let mut limits = Limits::default();
            limits.stalled_after = Duration::from_millis(20);
            let a = with_limits(&runtime, "a", limits);
            let [first, second] = if stalled_first { ["x", "y"] } else { ["y", "x"] };
            let mut first = Peer::join(&a, first, NARROW).await;
            let mut second = Peer::join(&a, second, NARROW).await;
            let stalled = if stalled_first { &mut first } else { &mut second };
            a.broadcast(Number(1)).to("x").now().unwrap();
            a.broadcast(Number(2)).to("x").await.unwrap();
            a.broadcast(Number(3)).to("y").now().unwrap();
            for _ in 0..100 {
                assert!(is_full(&a.broadcast(Number(4)).now()));
            }
            assert_eq!(a.traffic("x").unwrap().sent.missed, 1);
            stalled.say(&wire::credit(0, 17));
            assert_eq!(stalled.hear(wire::kind::EVENT).await, wire::event(0, &[1]));
            assert_eq!(stalled.hear(wire::kind::LAGGED).await, wire::lagged(0, 1));
        }
    });
}

#[test]
fn a_refused_broadcast_is_not_counted_as_missed_at_home() {
    run(|runtime| async move {
        let mut limits = Limits::default();
        limits.stalled_after = Duration::from_millis(20);
        let a = with_limits(&runtime, "a", limits);
        let mut stalled = a.subscription::<Number>().capacity(1).stream();
        a.broadcast(Number(1)).await.unwrap();
        a.broadcast(Number(2)).await.unwrap();
        let full = a.subscription::<Number>().capacity(1).stream();
        a.broadcast(Number(3)).now().unwrap();
        for _ in 0..100 {
            assert!(is_full(&a.broadcast(Number(4)).now()));
        }
        assert_eq!(stalled.next().await.unwrap().unwrap().0, 1);
        assert_eq!(stalled.next().await.unwrap().unwrap_err(), Lagged(2));
        drop(full);
    });
}

/// Failures of requests wait for no room, so they would gather without end.
#[test]
fn a_peer_that_reads_nothing_of_what_it_asks_for_is_let_go() {
    run(|runtime| async move {
        let mut limits = Limits::default();
        limits.backlog = 1;
        limits.frame = 256;
        let a = with_limits(&runtime, "a", limits);
        let _rejecting = a.subscription::<Question>().filter(|_| false).stream();
        let mut peer = Peer::join(&a, "x", &[]).await;
        let number = peer.number_of::<Question>().await;
        peer.take(0);
        for first in (0..1_000_000).step_by(1_000) {
            if !a.is_connected_to("x") {
                break;
            }
            let requests: Vec<_> =
                (first..first + 1_000).map(|id| wire::request(number, id, &[0])).collect();
            peer.say_all(&requests.iter().map(Vec::as_slice).collect::<Vec<_>>());
            settle().await;
        }
        assert!(!a.is_connected_to("x"));
        let Stats { failed_handshakes, broken_connections, unsent_bytes, .. } = a.stats();
        assert_eq!((failed_handshakes, broken_connections, unsent_bytes), (0, 1, 0));
    });
}

#[test]
fn an_answer_for_which_there_is_no_room_waits_and_the_next_request_does_not() {
    run(|runtime| async move {
        let mut limits = Limits::default();
        limits.backlog = 1;
        let a = with_limits(&runtime, "a", limits);
        let called = Arc::new(AtomicUsize::new(0));
        let calls = called.clone();
        let _answering = a.answer(move |question: Received<Question>| {
            calls.fetch_add(1, Ordering::Relaxed);
            Text(question.0.to_string())
        });
        let mut peer = Peer::join(&a, "x", &[]).await;
        let number = peer.number_of::<Question>().await;
        peer.take(0);
        for id in 0..5 {
            peer.say(&wire::request(number, id, &[0]));
        }
        settle().await;
        assert_eq!(called.load(Ordering::Relaxed), 5);
        peer.take(usize::MAX);
        let mut answered = Vec::new();
        for _ in 0..5 {
            answered.push(peer.hear(wire::kind::RESPONSE).await[2]);
        }
        answered.sort_unstable();
        assert_eq!(answered, [0, 1, 2, 3, 4]);
    });
}
