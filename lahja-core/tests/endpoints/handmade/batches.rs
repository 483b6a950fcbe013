//! Events that arrive together, in one chunk.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use futures_lite::future::poll_once;
use lahja_core::{Endpoint, Event, EventStream, Limits, Received};
use serde::{Deserialize, Deserializer, Serialize};

use super::{Number, Peer, Question, Text, settle, wire};
use crate::common::{TestRuntime, build, run, with_limits};

/// What a small number is charged: its payload and the overhead of an event.
const CHARGE: u64 = 17;

/// Makes an endpoint with a stream of events, and a peer that knows their number.
pub(super) async fn subscribed<E: Event>(
    runtime: &TestRuntime,
    limits: Limits,
) -> (Endpoint, EventStream<E>, Peer, u64) {
    let a = with_limits(runtime, "a", limits);
    let stream = a.stream();
    let mut peer = Peer::join(&a, "x", &[]).await;
    let topic = peer.number_of::<E>().await;
    (a, stream, peer, topic)
}

fn say_numbers(peer: &Peer, topic: u64, numbers: impl IntoIterator<Item = u8>) {
    let events: Vec<_> = numbers.into_iter().map(|n| wire::event(topic, &[n])).collect();
    let events: Vec<_> = events.iter().map(Vec::as_slice).collect();
    peer.say_all(&events);
}

pub(super) async fn next<E: Event>(stream: &mut EventStream<E>) -> Received<E> {
    stream.next().await.expect("the endpoint is open").expect("nothing is lost")
}

/// Returns how much credit an endpoint has given back since this was asked last.
async fn credit(peer: &mut Peer) -> u64 {
    settle().await;
    let mut credit = 0;
    while let Some(content) = poll_once(peer.next()).await {
        let content = content.expect("the endpoint goes on");
        if content[0] == wire::kind::CREDIT {
            credit += wire::credited(&content);
        }
    }
    credit
}

#[test]
fn credit_comes_back_in_quarters_while_a_batch_is_consumed() {
    run(|runtime| async move {
        for spared in [0, 1] {
            let mut limits = Limits::default();
            limits.window = 100 * CHARGE as u32;
            let (_a, mut stream, mut peer, topic) = subscribed::<Number>(&runtime, limits).await;
            say_numbers(&peer, topic, spared..100);
            let mut total = 0;
            for n in u64::from(spared)..100 {
                assert_eq!(next(&mut stream).await.0, n);
                let consumed = (n + 1 - u64::from(spared)) * CHARGE;
                total += credit(&mut peer).await;
                assert!(total <= consumed, "{total} of {consumed}");
                // A quarter of the window, and a little that is gathered.
                assert!(consumed - total <= (25 + 4) * CHARGE, "{total} of {consumed}");
            }
            // Everything is consumed: what is left is less than is worth a message.
            assert!(poll_once(stream.next()).await.is_none());
            total += credit(&mut peer).await;
            assert!((100 - u64::from(spared)) * CHARGE - total < 25 * CHARGE);
        }
    });
}

#[test]
fn a_batch_is_counted_until_it_is_consumed() {
    run(|runtime| async move {
        let (a, mut stream, peer, topic) = subscribed::<Number>(&runtime, Limits::default()).await;
        for _ in 0..2 {
            say_numbers(&peer, topic, 0..100);
            settle().await;
            assert_eq!(a.stats().queued_events, 100);
            for n in 0..100 {
                assert_eq!(next(&mut stream).await.0, n);
            }
            assert_eq!(a.stats().queued_events, 0);
        }
    });
}

#[test]
fn no_credit_is_lost_with_the_rest_of_a_batch() {
    run(|runtime| async move {
        let mut limits = Limits::default();
        limits.window = 100 * CHARGE as u32;
        let (_a, mut stream, mut peer, topic) = subscribed::<Number>(&runtime, limits).await;
        let mut due = 0;
        for round in 0..100 {
            // Credit is gathered four events at a time.
            say_numbers(&peer, topic, 0..7);
            for n in 0..7 {
                assert_eq!(next(&mut stream).await.0, n);
            }
            due += 7 * CHARGE;
            due -= credit(&mut peer).await;
            assert!(due < 25 * CHARGE, "round {round}: {due}");
        }
    });
}

#[test]
fn the_smallest_window_is_given_back_with_each_event() {
    run(|runtime| async move {
        let mut limits = Limits::default();
        limits.window = 1;
        let (_a, mut stream, mut peer, topic) = subscribed::<Number>(&runtime, limits).await;
        for n in 0..10 {
            say_numbers(&peer, topic, [n]);
            assert_eq!(next(&mut stream).await.0, u64::from(n));
            assert_eq!(credit(&mut peer).await, CHARGE);
        }
    });
}

#[test]
fn a_malformed_event_costs_those_around_it_nothing() {
    run(|runtime| async move {
        let (a, mut stream, mut peer, topic) =
            subscribed::<Number>(&runtime, Limits::default()).await;
        let [first, last] = [1, 2].map(|n| wire::event(topic, &[n]));
        let trailing = wire::event(topic, &[7, 7]);
        let truncated = wire::event(topic, &[0x80]);
        peer.say_all(&[&first, &trailing, &truncated, &last]);
        assert_eq!(next(&mut stream).await.0, 1);
        assert_eq!(next(&mut stream).await.0, 2);
        assert_eq!(a.stats().malformed_payloads, 2);
        assert!(a.is_connected_to("x"));
        let _ = credit(&mut peer).await;
    });
}

#[test]
fn wherever_in_a_row_an_event_is_malformed_the_others_arrive_and_all_credit_comes_back() {
    run(|runtime| async move {
        let mut limits = Limits::default();
        limits.window = 20 * CHARGE as u32;
        let (a, mut stream, mut peer, topic) = subscribed::<Number>(&runtime, limits).await;
        for malformed in 0..20 {
            let number = |n| wire::event(topic, &[if n == malformed { 0x80 } else { n }]);
            let events: Vec<_> = (0..20).map(number).collect();
            peer.say_all(&events.iter().map(Vec::as_slice).collect::<Vec<_>>());
            for n in (0..20).filter(|&n| n != malformed) {
                assert_eq!(next(&mut stream).await.0, u64::from(n));
                // It is counted in its place.
                let counted = u64::from(malformed) + u64::from(n > malformed);
                assert_eq!(a.stats().malformed_payloads, counted);
            }
            assert!(poll_once(stream.next()).await.is_none());
            assert_eq!(a.stats().malformed_payloads, u64::from(malformed) + 1);
            assert_eq!(credit(&mut peer).await, 20 * CHARGE);
        }
    });
}

/// Panics while it is decoded, if it is 77.
#[derive(Debug, Serialize, Event)]
#[event(name = "handmade.Number")]
struct Fragile(u64);

impl<'de> Deserialize<'de> for Fragile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Number(number) = Number::deserialize(deserializer)?;
        assert_ne!(number, 77, "it is fragile");
        Ok(Self(number))
    }
}

#[test]
fn an_event_of_a_row_that_panics_while_it_is_decoded_costs_those_around_it_nothing() {
    run(|runtime| async move {
        let mut limits = Limits::default();
        limits.window = 20 * CHARGE as u32;
        let (a, mut stream, mut peer, topic) = subscribed::<Fragile>(&runtime, limits).await;
        say_numbers(
            &peer,
            topic,
            [77].into_iter().chain(1..=8).chain([77, 77]).chain(9..=16).chain([77]),
        );
        for n in 1..=16 {
            assert_eq!(next(&mut stream).await.0, n);
        }
        assert!(poll_once(stream.next()).await.is_none());
        assert_eq!(a.stats().malformed_payloads, 4);
        assert_eq!(credit(&mut peer).await, 20 * CHARGE);
    });
}

#[test]
fn a_stream_that_is_dropped_in_a_row_gives_back_the_credit_of_what_is_left_of_it() {
    run(|runtime| async move {
        let mut limits = Limits::default();
        limits.window = 20 * CHARGE as u32;
        for taken in 0..8 {
            let (a, mut stream, mut peer, topic) =
                subscribed::<Number>(&runtime, limits.clone()).await;
            say_numbers(&peer, topic, 0..20);
            settle().await;
            for n in 0..taken {
                assert_eq!(next(&mut stream).await.0, n);
            }
            // The topic goes on for this one.
            let mut other = a.stream::<Number>();
            drop(stream);
            assert_eq!(credit(&mut peer).await, 20 * CHARGE, "{taken} were taken");
            say_numbers(&peer, topic, [20]);
            assert_eq!(next(&mut other).await.0, 20);
        }
    });
}

#[test]
fn events_in_a_row_beyond_the_window_are_the_peers_fault_and_those_before_arrive() {
    run(|runtime| async move {
        let mut limits = Limits::default();
        limits.window = 100 * CHARGE as u32;
        let (a, mut stream, peer, topic) = subscribed::<Number>(&runtime, limits).await;
        say_numbers(&peer, topic, 0..120);
        settle().await;
        assert!(!a.is_connected_to("x"));
        for n in 0..100 {
            assert_eq!(next(&mut stream).await.0, n);
        }
        assert!(poll_once(stream.next()).await.is_none());
    });
}

#[test]
fn small_and_large_events_and_requests_keep_their_order() {
    run(|runtime| async move {
        let (_a, mut stream, peer, topic) = subscribed::<Text>(&runtime, Limits::default()).await;
        let texts = [1, 5_000, 2, 4_095, 4_096, 4_097, 3].map(|len| "x".repeat(len));
        let events = texts.each_ref().map(|text| wire::event(topic, &wire::text(text)));
        peer.say_all(&events.each_ref().map(Vec::as_slice));
        for text in texts {
            assert_eq!(next(&mut stream).await.0, text);
        }

        let (_a, mut stream, peer, topic) =
            subscribed::<Question>(&runtime, Limits::default()).await;
        let events = [
            wire::event(topic, &[1]),
            wire::request(topic, 70, &[2]),
            wire::event(topic, &[3]),
            wire::event(topic, &[4]),
            wire::request(topic, 71, &[5]),
        ];
        peer.say_all(&events.each_ref().map(Vec::as_slice));
        for n in 1..=5 {
            let question = next(&mut stream).await;
            assert_eq!((question.0, question.awaits_answer()), (n, n == 2 || n == 5));
        }
    });
}

#[test]
fn what_has_arrived_is_still_read_when_the_endpoint_is_closed() {
    run(|runtime| async move {
        let (a, mut stream, peer, topic) = subscribed::<Number>(&runtime, Limits::default()).await;
        say_numbers(&peer, topic, 0..10);
        assert_eq!(next(&mut stream).await.0, 0);
        drop(a);
        settle().await;
        for n in 1..10 {
            assert_eq!(next(&mut stream).await.0, n);
        }
        assert!(stream.next().await.is_none());
    });
}

#[test]
fn a_predicate_and_several_subscriptions_see_a_batch_in_its_order() {
    run(|runtime| async move {
        let a = build(&runtime, "a", |a| a);
        let mut even = a.subscription::<Number>().filter(|n| n.0 % 2 == 0).stream();
        let mut peer = Peer::join(&a, "x", &[]).await;
        let topic = peer.number_of::<Number>().await;
        say_numbers(&peer, topic, 0..4);
        settle().await;
        // From here on there are two, one of which has come amid the batches of the other.
        let mut all = a.stream::<Number>();
        say_numbers(&peer, topic, 4..8);
        settle().await;
        drop(even.next().await);
        for n in [2, 4, 6] {
            assert_eq!(next(&mut even).await.0, n);
        }
        drop(even);
        say_numbers(&peer, topic, 8..10);
        for n in 4..10 {
            assert_eq!(next(&mut all).await.0, n);
        }
    });
}

#[test]
fn events_of_one_type_do_not_overtake_those_of_another() {
    run(|runtime| async move {
        // However many subscriptions there are: one has its events staged, several at once.
        for others in [0, 1] {
            let a = build(&runtime, "a", |a| a);
            let numbers = Arc::new(Mutex::new(a.stream::<Number>()));
            let (seen, before) = (Arc::new(Mutex::new(Vec::new())), numbers.clone());
            let (note, context) = (seen.clone(), Waker::noop());
            let mut texts = a
                .subscription::<Text>()
                .filter(move |_| {
                    let mut context = Context::from_waker(context);
                    let mut before = before.lock().unwrap();
                    let mut there = Vec::new();
                    while let Poll::Ready(number) = Pin::new(&mut *before).poll_next(&mut context) {
                        there.push(number.unwrap().unwrap().0);
                    }
                    note.lock().unwrap().push(there);
                    true
                })
                .stream();
            let others: Vec<_> = (0..others).map(|_| a.stream::<Text>()).collect();
            let mut peer = Peer::join(&a, "x", &[]).await;
            let mut topics = [(Number::NAME, 0), (Text::NAME, 0)];
            for _ in 0..2 {
                let announced = wire::announced(&peer.hear(wire::kind::ANNOUNCE).await);
                let topic = topics.iter_mut().find(|topic| topic.0 == announced.name).unwrap();
                topic.1 = announced.number;
            }
            let [(_, number), (_, text)] = topics;
            let text = |said| wire::event(text, &wire::text(said));
            let number = |n| wire::event(number, &[n]);
            let events = [text("0"), number(1), text("2"), number(3), number(4), text("5")];
            peer.say_all(&events.each_ref().map(Vec::as_slice));
            for said in ["0", "2", "5"] {
                assert_eq!(next(&mut texts).await.0, said);
            }
            assert_eq!(*seen.lock().unwrap(), [vec![], vec![1], vec![3, 4]]);
            drop(others);
        }
    });
}

#[test]
fn events_of_several_types_in_turn_keep_their_order_and_their_credit() {
    run(|runtime| async move {
        let mut limits = Limits::default();
        limits.window = 4 * CHARGE as u32;
        let (a, mut numbers, mut peer, number) = subscribed::<Number>(&runtime, limits).await;
        let mut texts = a.stream::<Text>();
        let text = peer.number_of::<Text>().await;
        let long = "x".repeat(5_000);
        let events = [
            wire::event(number, &[0]),
            wire::event(text, &[]),
            wire::event(number, &[1]),
            wire::event(text, &wire::text("1")),
            wire::event(number, &[2]),
            wire::event(text, &wire::text(&long)),
            wire::event(number, &[3]),
        ];
        peer.say_all(&events.each_ref().map(Vec::as_slice));
        for n in 0..4 {
            assert_eq!(next(&mut numbers).await.0, n);
        }
        // The first is malformed.
        for said in ["1", &long] {
            assert_eq!(next(&mut texts).await.0, said);
        }
        assert_eq!(a.stats().malformed_payloads, 1);
        assert!(credit(&mut peer).await >= 4 * CHARGE + 5_000);
        say_numbers(&peer, number, [4]);
        assert_eq!(next(&mut numbers).await.0, 4);
    });
}

#[test]
fn a_handler_that_is_unsubscribed_holds_the_room_of_its_event_alone() {
    run(|runtime| async move {
        let mut limits = Limits::default();
        limits.window = 100 * CHARGE as u32;
        let a = with_limits(&runtime, "a", limits);
        let (permit, permitted) = async_channel::bounded::<()>(1);
        let (called, calls) = async_channel::unbounded();
        let first = a.subscribe(move |number: Received<Number>| {
            called.try_send(number.0).unwrap();
            let permitted = permitted.clone();
            async move { permitted.recv().await.unwrap() }
        });
        let mut peer = Peer::join(&a, "x", &[]).await;
        let topic = peer.number_of::<Number>().await;
        say_numbers(&peer, topic, 0..100);
        settle().await;
        // The topic goes on for this one.
        let mut second = a.stream::<Number>();
        first.unsubscribe();
        assert_eq!(credit(&mut peer).await, 99 * CHARGE);
        say_numbers(&peer, topic, [100]);
        assert_eq!(next(&mut second).await.0, 100);
        // The handler that runs is left to finish.
        permit.send(()).await.unwrap();
        settle().await;
        assert_eq!(calls.try_recv(), Ok(0));
        assert!(calls.try_recv().is_err());
        assert!(calls.is_closed());
    });
}
