//! What a peer sends in parts.

use futures_lite::future::poll_once;
use lahja_core::{Limits, Overflow, Received};

use super::{OVERHEAD, join};
use crate::common::{build, run};
use crate::handmade::{Number, Question, Text, settle, wire};

#[test]
fn what_a_peer_sends_in_parts_comes_as_a_whole_with_the_last() {
    run(|runtime| async move {
        let a = build(&runtime, "a", |a| a);
        let mut peer = join(&a, &[]).await;
        let mut texts = a.stream::<Text>();
        let text = peer.number_of::<Text>().await;
        let mut numbers = a.stream::<Number>();
        let number = peer.number_of::<Number>().await;
        let payload = wire::text(&"abc".repeat(100_000));
        let (first, rest) = payload.split_at(1);
        let (second, third) = rest.split_at(200_000);
        peer.say(&wire::begin(text, payload.len()));
        peer.say(&wire::part(text, first));
        peer.say(&wire::event(number, &[1]));
        peer.say(&wire::part(text, second));
        assert_eq!(numbers.next().await.unwrap().unwrap().0, 1);
        settle().await;
        assert!(poll_once(texts.next()).await.is_none(), "the last part is missing");
        assert_eq!(a.stats().queued_events, 0);
        peer.say(&wire::last_part(text, third));
        settle().await;
        assert_eq!(a.stats().queued_events, 1);
        let event = texts.next().await.unwrap().unwrap();
        assert!(event.0 == "abc".repeat(100_000));
        assert_eq!(event.origin(), "x");
        let credit = wire::credited(&peer.hear(wire::kind::CREDIT).await);
        assert_eq!(credit, payload.len() as u64 + OVERHEAD);
        assert_eq!(a.traffic("x").unwrap().received.events, 2);
    });
}

#[test]
fn what_comes_in_parts_goes_to_every_kind_of_subscription() {
    run(|runtime| async move {
        let a = build(&runtime, "a", |a| a);
        let mut peer = join(&a, &[]).await;
        let mut picky = a.subscription::<Text>().filter(|text| text.0.starts_with('y')).stream();
        let text = peer.number_of::<Text>().await;
        let say = |letter: &str| {
            let payload = wire::text(&letter.repeat(200_000));
            peer.say(&wire::begin(text, payload.len()));
            peer.say(&wire::last_part(text, &payload));
        };
        say("x");
        say("y");
        assert!(picky.next().await.unwrap().unwrap().0.starts_with('y'));
        let mut latest = a.subscription::<Text>().overflow(Overflow::Latest).stream();
        let mut all = a.stream::<Text>();
        say("z");
        assert!(latest.next().await.unwrap().unwrap().0.starts_with('z'));
        assert!(all.next().await.unwrap().unwrap().0.starts_with('z'));
        // All of the three have come, and their credit has gone back.
        assert_eq!(a.stats().unconsumed_bytes, 0);
    });
}

#[test]
fn a_request_in_parts_is_answered_and_one_that_cannot_be_read_is_refused() {
    run(|runtime| async move {
        let a = build(&runtime, "a", |a| a);
        let mut peer = join(&a, &[]).await;
        let _answering = a.answer(|question: Received<Question>| Text(question.0.to_string()));
        let number = peer.number_of::<Question>().await;
        peer.say(&wire::begin_request(number, 5, 2));
        peer.say(&wire::part(number, &[0x80]));
        peer.say(&wire::last_part(number, &[1]));
        let response = wire::response(5, "handmade.Text", &wire::text("128"));
        assert_eq!(peer.hear(wire::kind::RESPONSE).await, response);
        peer.say(&wire::begin_request(number, 6, 2));
        peer.say(&wire::last_part(number, &[0x80, 0x80]));
        const MALFORMED: u8 = 2;
        let refused = peer.hear(wire::kind::FAILURE).await;
        assert_eq!(refused, wire::failure(6, MALFORMED));
        assert_eq!(a.stats().malformed_payloads, 1);
    });
}

#[test]
fn the_credit_of_an_abandoned_event_comes_back_at_once() {
    run(|runtime| async move {
        let a = build(&runtime, "a", |a| a);
        let mut peer = join(&a, &[]).await;
        let mut texts = a.stream::<Text>();
        let text = peer.number_of::<Text>().await;
        // All of the window.
        let total = Limits::default().window as usize;
        let charged = total as u64 + OVERHEAD;
        peer.say(&wire::begin(text, total));
        peer.say(&wire::part(text, &[b'x'; 100_000]));
        settle().await;
        assert_eq!(a.stats().unconsumed_bytes, charged);
        peer.say(&wire::abandon(text));
        let credit = wire::credited(&peer.hear(wire::kind::CREDIT).await);
        assert_eq!(credit, charged);
        assert_eq!(a.stats().unconsumed_bytes, 0);
        peer.say(&wire::event(text, &wire::text("next")));
        assert_eq!(texts.next().await.unwrap().unwrap().0, "next");
    });
}

#[test]
fn nothing_comes_of_an_event_whose_sender_ends_in_the_middle() {
    run(|runtime| async move {
        let a = build(&runtime, "a", |a| a);
        let mut peer = join(&a, &[]).await;
        let mut texts = a.stream::<Text>();
        let text = peer.number_of::<Text>().await;
        peer.say(&wire::event(text, &wire::text("whole")));
        peer.say(&wire::begin(text, 300_000));
        peer.say(&wire::part(text, &[b'x'; 100_000]));
        peer.hang_up();
        assert_eq!(texts.next().await.unwrap().unwrap().0, "whole");
        while a.is_connected_to("x") {
            settle().await;
        }
        assert!(poll_once(texts.next()).await.is_none());
        assert_eq!(a.stats().unconsumed_bytes, 0);
    });
}

#[test]
fn a_part_of_no_event_and_an_event_beyond_the_window_cost_the_connection() {
    run(|runtime| async move {
        let text = |letters| wire::event(0, &wire::text(letters));
        let breaches = [
            vec![wire::part(0, b"x")],
            vec![wire::begin(0, 20 << 20)],
            // The first takes all of the window, though nothing of it has come.
            vec![wire::begin(0, Limits::default().window as usize), text("x")],
        ];
        for breach in breaches {
            let a = build(&runtime, "a", |a| a);
            let mut peer = join(&a, &[]).await;
            let _texts = a.stream::<Text>();
            assert_eq!(peer.number_of::<Text>().await, 0);
            breach.iter().for_each(|content| peer.say(content));
            while a.is_connected_to("x") {
                settle().await;
            }
            assert_eq!(a.stats().broken_connections, 1);
        }
    });
}
