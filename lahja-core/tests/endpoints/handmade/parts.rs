//! Large events in parts, as they are on the wire.

mod arriving;

use std::future::IntoFuture;
use std::time::Duration;

use futures_lite::future::{poll_once, zip};
use lahja_core::{BroadcastError, Endpoint, Event, Limits, RequestError, Runtime};
use serde::{Deserialize, Serialize};

use super::{Number, Peer, Text, settle, wire};
use crate::clock::Clock;
use crate::common::{build, run};

const TEXT: u64 = 0;
const NUMBER: u64 = 1;
const TOPICS: &[(wire::Topic, u32)] =
    &[(wire::topic::<Text>(), 1 << 20), (wire::topic::<Number>(), 1 << 20)];

/// What the payload of a text has more than the text itself, if that is large.
const LEN: usize = 3;

/// What an event costs beyond its payload.
const OVERHEAD: u64 = 16;

fn large() -> Text {
    Text("x".repeat(1_000_000))
}

/// Connects a peer that takes events in parts.
pub(super) async fn join(endpoint: &Endpoint, topics: &[(wire::Topic, u32)]) -> Peer {
    let (peer, transport) = Peer::new();
    peer.say(&wire::taking_parts(wire::hello("x")));
    for (number, (topic, window)) in (0..).zip(topics) {
        peer.say(&wire::announce(number + 1, number, *window, *topic));
    }
    peer.say(&[wire::kind::READY]);
    endpoint.attach(transport).await.unwrap();
    settle().await;
    peer
}

/// Creates an endpoint and a peer that takes no byte for now.
async fn held_up(runtime: &(impl Runtime + Clone), limits: Limits) -> (Endpoint, Peer) {
    let a = Endpoint::builder("a").unwrap().limits(limits).build(runtime.clone());
    let peer = join(&a, TOPICS).await;
    peer.take(0);
    (a, peer)
}

/// Returns the kinds of the next frames, up to one of this kind.
async fn kinds_up_to(peer: &mut Peer, last: u8) -> Vec<u8> {
    let mut kinds = Vec::new();
    while kinds.last() != Some(&last) {
        let kind = peer.next().await.expect("the endpoint goes on")[0];
        if kind >= wire::kind::EVENT {
            kinds.push(kind);
        }
    }
    kinds
}

/// Takes the parts of an event that has begun. Returns its payload, and what came in between.
async fn gather(peer: &mut Peer) -> (Vec<u8>, Vec<Vec<u8>>) {
    let (mut payload, mut others) = (Vec::new(), Vec::new());
    loop {
        let content = peer.next().await.expect("the endpoint goes on");
        match content[0] {
            wire::kind::PART => {
                payload.extend(&content[3..]);
                if content[1] == 1 {
                    return (payload, others);
                }
            }
            _ => others.push(content),
        }
    }
}

#[test]
fn a_small_event_waits_for_no_more_than_one_part_of_a_large_one() {
    run(|runtime| async move {
        let (a, mut peer) = held_up(&runtime, Limits::default()).await;
        let mut broadcast = a.broadcast(large()).into_future();
        assert!(poll_once(&mut broadcast).await.is_none());
        for number in 0..3 {
            a.broadcast(Number(number)).await.unwrap();
        }
        peer.take(usize::MAX);
        let heard = kinds_up_to(&mut peer, wire::kind::EVENT);
        let (result, kinds) = zip(broadcast, heard).await;
        result.unwrap();
        assert_eq!(kinds, [wire::kind::BEGIN, wire::kind::PART, wire::kind::EVENT]);
        let (_, others) = gather(&mut peer).await;
        assert_eq!(others, [wire::event(NUMBER, &[1]), wire::event(NUMBER, &[2])]);
        assert_eq!(a.traffic("x").unwrap().sent.events, 4);
    });
}

#[test]
fn a_large_event_comes_as_it_was_sent_and_in_one_frame_to_who_takes_no_parts() {
    run(|runtime| async move {
        let a = build(&runtime, "a", |a| a);
        let mut peer = join(&a, TOPICS).await;
        a.broadcast(large()).to("x").await.unwrap();
        let begin = peer.hear(wire::kind::BEGIN).await;
        assert_eq!(begin, wire::begin(TEXT, large().0.len() + LEN));
        let whole = wire::text(&large().0);
        assert!(gather(&mut peer).await == (whole.clone(), vec![]));
        // Both take what fits in two parts as one frame, and what is sent at once.
        let small = Text("x".repeat(100_000));
        a.broadcast(small.clone()).await.unwrap();
        assert!(peer.hear(wire::kind::EVENT).await == wire::event(TEXT, &wire::text(&small.0)));
        peer.say(&wire::credit(TEXT, small.0.len() as u64 + LEN as u64 + OVERHEAD));
        peer.say(&wire::credit(TEXT, whole.len() as u64 + OVERHEAD));
        settle().await;
        a.broadcast(large()).now().unwrap();
        assert!(peer.hear(wire::kind::EVENT).await == wire::event(TEXT, &whole));

        let b = build(&runtime, "b", |b| b);
        let mut other = Peer::join(&b, "y", TOPICS).await;
        b.broadcast(large()).await.unwrap();
        assert!(other.hear(wire::kind::EVENT).await == wire::event(TEXT, &whole));
    });
}

#[test]
fn a_broadcast_that_is_dropped_in_the_middle_is_abandoned_and_later_events_arrive() {
    run(|runtime| async move {
        let (a, mut peer) = held_up(&runtime, Limits::default()).await;
        let mut broadcast = a.broadcast(large()).into_future();
        assert!(poll_once(&mut broadcast).await.is_none());
        // Another of the topic waits for it, and begins when it is given up.
        let mut next = a.broadcast(Text("y".repeat(500_000))).into_future();
        assert!(poll_once(&mut next).await.is_none());
        drop(broadcast);
        peer.take(usize::MAX);
        let abandoned = kinds_up_to(&mut peer, wire::kind::ABANDON).await;
        assert_eq!(abandoned, [wire::kind::BEGIN, wire::kind::PART, wire::kind::ABANDON]);
        peer.say(&wire::credit(TEXT, (large().0.len() + LEN) as u64 + OVERHEAD));
        let (result, (payload, _)) = zip(next, gather(&mut peer)).await;
        result.unwrap();
        assert!(payload == wire::text(&"y".repeat(500_000)));
    });
}

#[test]
fn who_stalls_in_the_middle_misses_the_event_and_gets_the_next_when_it_is_back() {
    run(|runtime| async move {
        let mut limits = Limits::default();
        limits.stalled_after = Duration::from_millis(20);
        let (a, mut peer) = held_up(&runtime, limits).await;
        a.broadcast(large()).await.unwrap();
        assert_eq!(a.traffic("x").unwrap().sent.missed, 1);
        assert_eq!(a.stats().stalls, 1);
        peer.take(usize::MAX);
        peer.hear(wire::kind::ABANDON).await;
        peer.say(&wire::credit(TEXT, (large().0.len() + LEN) as u64 + OVERHEAD));
        assert_eq!(peer.hear(wire::kind::LAGGED).await, wire::lagged(TEXT, 1));
        let (result, (payload, _)) =
            zip(a.broadcast(large()).into_future(), gather(&mut peer)).await;
        result.unwrap();
        assert!(payload == wire::text(&large().0));
    });
}

#[test]
fn a_peer_that_takes_a_little_now_and_then_is_not_stalled() {
    run(|runtime| async move {
        let clock = Clock::new(&runtime);
        let limits = Limits::default();
        let (a, mut peer) = held_up(&clock, limits.clone()).await;
        let taking = async {
            for _ in 0..8 {
                settle().await;
                clock.advance(limits.stalled_after / 3);
                settle().await;
                peer.take(150_000);
            }
            peer.take(usize::MAX);
        };
        let (result, ()) = zip(a.broadcast(large()).into_future(), taking).await;
        result.unwrap();
        assert_eq!(a.traffic("x").unwrap().sent.missed, 0);
        assert!(gather(&mut peer).await.0 == wire::text(&large().0));
    });
}

#[test]
fn who_is_slow_does_not_hold_up_the_parts_of_another() {
    run(|runtime| async move {
        let (a, slow) = held_up(&runtime, Limits::default()).await;
        let b = build(&runtime, "b", |b| b);
        crate::common::join(&a, &b).await;
        let mut stream = b.stream::<Text>();
        stream.ready().await.unwrap();
        let mut broadcast = a.broadcast(large()).into_future();
        let received = async { stream.next().await.unwrap().unwrap().into_inner() };
        let mut both = Box::pin(zip(&mut broadcast, received));
        for _ in 0..1_000 {
            assert!(poll_once(&mut both).await.is_none(), "the slow one has all");
            settle().await;
            if b.traffic("a").unwrap().received.events == 1 {
                break;
            }
        }
        slow.take(usize::MAX);
        let (result, received) = both.await;
        result.unwrap();
        assert!(received == large());
    });
}

#[test]
fn closing_does_not_wait_for_an_event_in_the_middle_and_counts_one_whose_last_part_is_queued() {
    run(|runtime| async move {
        let (a, _peer) = held_up(&runtime, Limits::default()).await;
        let broadcast = a.broadcast(large()).into_future();
        let close = async { a.close(Duration::ZERO).await.undelivered };
        let (result, undelivered) = zip(broadcast, close).await;
        assert!(matches!(result, Err(BroadcastError::Closed)), "{result:?}");
        assert_eq!(undelivered, 0);

        let (a, mut peer) = held_up(&runtime, Limits::default()).await;
        let mut broadcast = a.broadcast(Text("x".repeat(150_000))).into_future();
        assert!(poll_once(&mut broadcast).await.is_none());
        // Room for the first two parts but not for the third.
        peer.take(140_000);
        broadcast.await.unwrap();
        assert_eq!(peer.hear(wire::kind::PART).await[1], 0);
        assert_eq!(a.close(Duration::ZERO).await.undelivered, 1);
    });
}

#[test]
fn a_request_whose_answerer_goes_in_the_middle_was_not_sent() {
    #[derive(Debug, Serialize, Deserialize, Event)]
    #[event(name = "handmade.Long", response = Text)]
    struct Long(String);

    run(|runtime| async move {
        let a = build(&runtime, "a", |a| a);
        let mut peer = join(&a, &[(wire::topic::<Long>(), 1 << 20)]).await;
        let long = || Long("x".repeat(500_000));
        let answer = async {
            let id = wire::request_id(&peer.hear(wire::kind::BEGIN).await);
            assert!(gather(&mut peer).await.0 == wire::text(&long().0));
            peer.say(&wire::response(id, "handmade.Text", &wire::text("well")));
        };
        let (answer, ()) = zip(a.request(long()).into_future(), answer).await;
        assert_eq!(answer.unwrap().0, "well");
        peer.say(&wire::credit(0, long().0.len() as u64 + LEN as u64 + OVERHEAD));
        settle().await;
        peer.take(0);
        let mut request = a.request(long()).into_future();
        assert!(poll_once(&mut request).await.is_none());
        peer.hang_up();
        let gone = request.await;
        assert!(matches!(gone, Err(RequestError::PeerGone { sent: false, .. })), "{gone:?}");
    });
}

/// Lets as much time pass as a stall takes.
async fn stall(clock: &Clock) {
    settle().await;
    clock.advance(Limits::default().stalled_after);
}

#[test]
fn a_small_event_does_not_keep_a_large_one_waiting_for_ever() {
    run(|runtime| async move {
        let clock = Clock::new(&runtime);
        let (a, _peer) = held_up(&clock, Limits::default()).await;
        let (done, is_done) = async_channel::bounded(1);
        let large = a.clone();
        // In a task of its own, which nothing wakes when the small one is sent.
        runtime.spawn(Box::pin(async move {
            large.broadcast(Text("x".repeat(500_000))).await.unwrap();
            done.send(()).await.unwrap();
        }));
        settle().await;
        a.broadcast(Text("small".into())).await.unwrap();
        zip(is_done.recv(), stall(&clock)).await.0.unwrap();
        assert_eq!(a.stats().stalls, 1);
    });
}

#[test]
fn two_large_events_that_wait_do_not_take_a_stalled_peer_for_one_that_is_back() {
    run(|runtime| async move {
        let clock = Clock::new(&runtime);
        let (a, _peer) = held_up(&clock, Limits::default()).await;
        let mut first = a.broadcast(Text("x".repeat(300_000))).into_future();
        assert!(poll_once(&mut first).await.is_none());
        // The second one is looked at before the first.
        let second = a.broadcast(Text("y".repeat(300_000))).into_future();
        let ((second, first), ()) = zip(zip(second, first), stall(&clock)).await;
        second.and(first).unwrap();
        assert_eq!(a.stats().stalls, 1);
    });
}

#[test]
fn a_large_event_that_is_kept_and_not_polled_holds_up_others_no_longer_than_a_stall() {
    run(|runtime| async move {
        let clock = Clock::new(&runtime);
        let (a, peer) = held_up(&clock, Limits::default()).await;
        peer.take(usize::MAX);
        let mut kept = a.broadcast(Text("x".repeat(2_000_000))).into_future();
        assert!(poll_once(&mut kept).await.is_none());
        let small = a.broadcast(Text("small".into())).into_future();
        zip(small, stall(&clock)).await.0.unwrap();
        drop(kept);
    });
}

#[derive(Debug, Serialize, Deserialize, Event)]
#[event(name = "handmade.Long", response = Text)]
struct Long(String);

#[test]
fn a_request_that_is_over_is_taken_back_though_its_future_is_kept() {
    run(|runtime| async move {
        let clock = Clock::new(&runtime);
        let a = Endpoint::builder("a").unwrap().build(clock.clone());
        let mut peer = join(&a, &[(wire::topic::<Long>(), 256 << 10)]).await;
        peer.take(0);
        let second = Duration::from_secs(1);
        let mut request = a.request(Long("x".repeat(500_000))).timeout(second).into_future();
        let time = async {
            settle().await;
            clock.advance(second);
        };
        let (result, ()) = zip(&mut request, time).await;
        assert!(matches!(result, Err(RequestError::Timeout(_))), "{result:?}");
        peer.take(usize::MAX);
        peer.hear(wire::kind::ABANDON).await;
        drop(request);
    });
}
