//! Events that fill whole reads, and are left where they came until they are consumed.

use futures_lite::future::poll_once;
use lahja_core::{Event, Limits};
use serde::{Deserialize, Serialize};

use super::batches::{next, subscribed};
use super::{Peer, Text, settle, wire};
use crate::common::run;

/// So many fill a read, and most of the next.
const MANY: usize = 600;

/// What a text is charged: itself, its length, and the overhead of an event.
const CHARGE: u64 = 200 + 2 + 16;

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(name = "handmade.Other")]
struct Other(String);

#[derive(Debug, Serialize, Deserialize)]
struct Nested(Option<Box<Nested>>);

#[derive(Debug, Serialize, Deserialize, Event)]
#[event(name = "handmade.Deep")]
struct Deep(String, Nested);

fn limits(events: u64) -> Limits {
    let mut limits = Limits::default();
    limits.window = u32::try_from(events * CHARGE).unwrap();
    limits
}

/// Some are too long to stay with the others.
fn text(number: usize) -> String {
    match number % 301 {
        300 => format!("{number:0>5000}"),
        _ => format!("{number:0>200}"),
    }
}

fn say_texts(peer: &Peer, topic: u64, texts: impl IntoIterator<Item = String>) {
    say(peer, texts.into_iter().map(|said| wire::event(topic, &wire::text(&said))));
}

fn say(peer: &Peer, events: impl IntoIterator<Item = Vec<u8>>) {
    let events: Vec<_> = events.into_iter().collect();
    peer.say_all(&events.iter().map(Vec::as_slice).collect::<Vec<_>>());
}

#[test]
fn those_of_each_topic_arrive_in_their_order_whatever_comes_between_them() {
    run(|runtime| async move {
        // So many of one topic and of the other in turn.
        for turns in [&[2_000, 0][..], &[1, 1, 300, 2, 10, 1_500, 1_500], &[0, 700, 1, 1, 299, 9]] {
            for consumed_at_once in [true, false] {
                let (a, mut texts, mut peer, topic) =
                    subscribed::<Text>(&runtime, limits(4_000)).await;
                let mut others = a.stream::<Other>();
                let topics = [topic, peer.number_of::<Other>().await];
                let mut said = [0, 0];
                let mut events = Vec::new();
                for (turn, &count) in turns.iter().enumerate() {
                    let (said, topic) = (&mut said[turn % 2], topics[turn % 2]);
                    let numbers = *said..*said + count;
                    events.extend(numbers.map(|n| wire::event(topic, &wire::text(&text(n)))));
                    *said += count;
                }
                say(&peer, events);
                if !consumed_at_once {
                    settle().await;
                    assert_eq!(a.stats().queued_events, said[0] + said[1]);
                }
                for number in 0..said[0] {
                    assert_eq!(next(&mut texts).await.0, text(number));
                }
                for number in 0..said[1] {
                    assert_eq!(next(&mut others).await.0, text(number));
                }
                assert!(poll_once(texts.next()).await.is_none());
                assert!(poll_once(others.next()).await.is_none());
                let stats = a.stats();
                assert_eq!((stats.queued_events, stats.unconsumed_bytes), (0, 0));
            }
        }
    });
}

#[test]
fn what_fills_a_read_stays_there_until_it_is_consumed_and_what_does_not_is_copied() {
    run(|runtime| async move {
        let (_a, mut texts, peer, topic) = subscribed::<Text>(&runtime, limits(4_000)).await;
        // From here on a read takes as much as any does.
        say_texts(&peer, topic, (0..MANY).map(text));
        settle().await;
        for number in 0..MANY {
            assert_eq!(next(&mut texts).await.0, text(number));
        }
        assert!(poll_once(texts.next()).await.is_none());
        let place_of = async |events| {
            peer.pipe().places.clear();
            say_texts(&peer, topic, (0..events).map(text));
            settle().await;
            // That of the first read; what follows may find nothing more.
            peer.pipe().places[0]
        };
        let [few, as_few] = [place_of(20).await, place_of(20).await];
        assert_eq!(few, as_few);
        let [many, as_many] = [place_of(MANY / 2).await, place_of(MANY / 2).await];
        assert_eq!(few, many);
        assert_ne!(many, as_many);
        for number in (0..20).chain(0..20).chain(0..MANY / 2).chain(0..MANY / 2) {
            assert_eq!(next(&mut texts).await.0, text(number));
        }
        assert!(poll_once(texts.next()).await.is_none());
        let [first, second] = [place_of(MANY / 2).await, place_of(20).await];
        assert_ne!(first, second);
    });
}

#[test]
fn wherever_one_is_malformed_the_others_arrive_and_all_are_consumed() {
    run(|runtime| async move {
        let (a, mut texts, peer, topic) = subscribed::<Text>(&runtime, limits(5_000)).await;
        for (before, malformed) in [0, 1, 2, 298, 299, 300, MANY - 1].into_iter().enumerate() {
            let events = (0..MANY).map(|number| {
                let mut payload = wire::text(&text(number));
                if number == malformed {
                    payload[100] = 0xff;
                }
                wire::event(topic, &payload)
            });
            say(&peer, events);
            for number in (0..MANY).filter(|&number| number != malformed) {
                assert_eq!(next(&mut texts).await.0, text(number));
            }
            assert!(poll_once(texts.next()).await.is_none());
            assert_eq!(a.stats().malformed_payloads, before as u64 + 1);
            assert_eq!(a.stats().unconsumed_bytes, 0);
        }
    });
}

#[test]
fn what_is_nested_too_deeply_is_malformed_whether_it_was_copied_or_stays_where_it_came() {
    run(|runtime| async move {
        let mut limits = limits(4_000);
        limits.depth = 20;
        let (a, mut events, peer, topic) = subscribed::<Deep>(&runtime, limits).await;
        // Reads take more once the second of these has come, so that the third is left there.
        for (before, count) in [3, MANY, MANY / 2].into_iter().enumerate() {
            let said = (0..count).map(|number| {
                let depth = if number == 1 { 100 } else { 1 };
                let nested = [vec![1; depth], vec![0]].concat();
                wire::event(topic, &[wire::text(&text(number)), nested].concat())
            });
            say(&peer, said);
            for number in (0..count).filter(|&number| number != 1) {
                assert_eq!(next(&mut events).await.0, text(number));
            }
            assert!(poll_once(events.next()).await.is_none());
            assert_eq!(a.stats().malformed_payloads, before as u64 + 1);
            assert_eq!(a.stats().unconsumed_bytes, 0);
        }
    });
}

#[test]
fn a_stream_that_is_dropped_amid_them_gives_back_the_credit_of_what_is_left() {
    run(|runtime| async move {
        for taken in [0, 1, 2, 7, 300, MANY] {
            let (a, mut texts, peer, topic) = subscribed::<Text>(&runtime, limits(4_000)).await;
            say_texts(&peer, topic, (0..MANY).map(text));
            settle().await;
            for number in 0..taken {
                assert_eq!(next(&mut texts).await.0, text(number));
            }
            // The topic goes on for this one.
            let mut other = a.stream::<Text>();
            drop(texts);
            assert_eq!(a.stats().unconsumed_bytes, 0, "{taken} were taken");
            say_texts(&peer, topic, [text(7)]);
            assert_eq!(next(&mut other).await.0, text(7));
        }
    });
}

#[test]
fn those_beyond_the_window_are_the_peers_fault_and_those_before_arrive() {
    run(|runtime| async move {
        // What exceeds the window is one like those before it, or a long one.
        for window in [200, 300] {
            let limits = limits(window as u64);
            let (a, mut texts, peer, topic) = subscribed::<Text>(&runtime, limits).await;
            say_texts(&peer, topic, (0..MANY).map(text));
            settle().await;
            assert!(!a.is_connected_to("x"));
            for number in 0..window {
                assert_eq!(next(&mut texts).await.0, text(number));
            }
            assert!(poll_once(texts.next()).await.is_none());
        }
    });
}

#[test]
fn they_outlive_the_connection_they_came_by() {
    run(|runtime| async move {
        let (a, mut texts, peer, topic) = subscribed::<Text>(&runtime, limits(4_000)).await;
        say_texts(&peer, topic, (0..MANY).map(text));
        peer.hang_up();
        settle().await;
        assert!(!a.is_connected_to("x"));
        for number in 0..MANY {
            assert_eq!(next(&mut texts).await.0, text(number));
        }
    });
}
