//! What becomes of the losses that a peer tells of.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_lite::future::{poll_once, yield_now};
use lahja_core::{Lagged, Overflow, Received};

use super::{Number, Peer, settle, wire};
use crate::common::{TestRuntime, build, run};

#[test]
fn a_loss_has_its_place_among_the_events_of_one_chunk() {
    run(|runtime| async move {
        let a = build(&runtime, "a", |a| a);
        let mut stream = a.stream::<Number>();
        let mut peer = Peer::join(&a, "x", &[]).await;
        let topic = peer.number_of::<Number>().await;
        let event = |number| wire::event(topic, &wire::varint(number));
        peer.say_all(&[&event(1), &event(2), &wire::lagged(topic, 5), &event(3)]);
        assert_eq!(stream.next().await.unwrap().unwrap().0, 1);
        assert_eq!(stream.next().await.unwrap().unwrap().0, 2);
        assert_eq!(stream.next().await.unwrap().unwrap_err(), Lagged(5));
        assert_eq!(stream.next().await.unwrap().unwrap().0, 3);
    });
}

/// What a peer says, and what a stream yields: an event, or how many were lost.
type Item = Result<u64, Lagged>;

/// Lets a peer say all of this in one chunk. Returns what a stream of one place yields.
async fn listen(runtime: &TestRuntime, overflow: Overflow, items: &[Item]) -> Vec<Item> {
    let a = build(runtime, "a", |a| a);
    let mut stream = a.subscription::<Number>().capacity(1).overflow(overflow).stream();
    let mut peer = Peer::join(&a, "x", &[]).await;
    let topic = peer.number_of::<Number>().await;
    let say = |item: &Item| match *item {
        Ok(number) => wire::event(topic, &wire::varint(number)),
        Err(Lagged(count)) => wire::lagged(topic, count),
    };
    let frames: Vec<_> = items.iter().map(say).collect();
    let frames: Vec<_> = frames.iter().map(|frame| &frame[..]).collect();
    peer.say_all(&frames);
    settle().await;
    let mut seen = Vec::new();
    while let Some(item) = poll_once(stream.next()).await {
        seen.push(item.unwrap().map(|number| number.0));
    }
    assert!(a.is_connected_to("x"));
    seen
}

#[test]
fn losses_of_more_than_can_be_counted_stay_at_the_most_that_can() {
    const MOST: Item = Err(Lagged(u64::MAX));
    const ONE: Item = Err(Lagged(1));
    run(|runtime| async move {
        let say = [MOST, MOST, Ok(1), MOST, Ok(2), ONE];
        assert_eq!(listen(&runtime, Overflow::Wait, &say).await, [MOST, Ok(1), MOST, Ok(2), ONE]);
        assert_eq!(listen(&runtime, Overflow::DropNewest, &say).await, [MOST, Ok(1), MOST]);
        for overflow in [Overflow::DropOldest, Overflow::Latest] {
            // With the first event, the losses before and after it become one.
            assert_eq!(listen(&runtime, overflow, &say).await, [MOST, Ok(2), ONE]);
            assert_eq!(listen(&runtime, overflow, &[MOST, Ok(1), Ok(2)]).await, [MOST, Ok(2)]);
        }
    });
}

#[test]
fn the_count_of_what_handlers_lost_stays_at_the_most_it_can_be() {
    run(|runtime| async move {
        let a = build(&runtime, "a", |a| a);
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = calls.clone();
        let _subscription = a.subscribe(move |_: Received<Number>| {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        let mut peer = Peer::join(&a, "x", &[]).await;
        let topic = peer.number_of::<Number>().await;
        let event = wire::event(topic, &[1]);
        let most = wire::lagged(topic, u64::MAX);
        peer.say_all(&[&most, &event, &most, &event]);
        while calls.load(Ordering::Relaxed) < 2 {
            yield_now().await;
        }
        assert_eq!(a.stats().lost_events, u64::MAX);
        assert!(a.is_connected_to("x"));
    });
}
