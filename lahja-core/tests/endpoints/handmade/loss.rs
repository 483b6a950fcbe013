//! What becomes of the losses that a peer tells of.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_lite::future::yield_now;
use lahja_core::{Lagged, Overflow, Received};

use super::{Number, Peer, settle, wire};
use crate::common::{build, run};

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

#[test]
fn losses_of_more_than_can_be_counted_stay_at_the_most_that_can() {
    const MOST: u64 = u64::MAX;
    run(|runtime| async move {
        let a = build(&runtime, "a", |a| a);
        for overflow in
            [Overflow::Wait, Overflow::DropOldest, Overflow::DropNewest, Overflow::Latest]
        {
            let config = a.subscription::<Number>().capacity(1).overflow(overflow);
            let mut stream = config.stream();
            let mut peer = Peer::join(&a, "x", &[]).await;
            let topic = peer.number_of::<Number>().await;
            let event = |number| wire::event(topic, &wire::varint(number));
            let most = wire::lagged(topic, MOST);
            peer.say_all(&[&most, &most, &event(1), &most, &event(2), &wire::lagged(topic, 1)]);
            settle().await;
            let mut seen = Vec::new();
            while let Some(item) = futures_lite::future::poll_once(stream.next()).await {
                seen.push(item.unwrap().map(|number| number.0));
            }
            let lost = || Err(Lagged(MOST));
            let expected = match overflow {
                Overflow::Wait => vec![lost(), Ok(1), lost(), Ok(2), Err(Lagged(1))],
                // What was lost around the first event is one loss now that it is lost, too.
                Overflow::DropOldest | Overflow::Latest => {
                    vec![lost(), Ok(2), Err(Lagged(1))]
                }
                _ => vec![lost(), Ok(1), lost()],
            };
            assert_eq!(seen, expected, "{overflow:?}");
            peer.hang_up();
            while a.is_connected_to("x") {
                yield_now().await;
            }
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
