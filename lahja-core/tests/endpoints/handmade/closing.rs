//! What closing says was not delivered, and what a peer has said before its end.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use futures_lite::future::{poll_once, zip};
use lahja_core::{Endpoint, Limits, Received};

use super::{Number, Peer, Question, Text, settle, wire};
use crate::common::{TestRuntime, build, run, with_limits};

const NUMBERS: &[(wire::Topic, u32)] = &[(wire::topic::<Number>(), 1 << 20)];

/// The bytes that a small number takes on the wire, its prefix included.
const NUMBER_LEN: usize = 8;

/// Creates an endpoint and a peer that takes nothing for now.
async fn held_up(runtime: &TestRuntime) -> (Endpoint, Peer) {
    let a = build(runtime, "a", |a| a);
    let peer = Peer::join(&a, "x", NUMBERS).await;
    settle().await;
    peer.take(0);
    (a, peer)
}

async fn broadcast_all(endpoint: &Endpoint, numbers: std::ops::Range<u64>) {
    for number in numbers {
        endpoint.broadcast(Number(number)).await.unwrap();
    }
}

#[test]
fn an_event_that_was_not_written_to_its_last_byte_is_undelivered() {
    run(|runtime| async move {
        for taken in 0..=10 * NUMBER_LEN {
            let (a, peer) = held_up(&runtime).await;
            broadcast_all(&a, 0..5).await;
            // What comes now finds the writer busy.
            settle().await;
            broadcast_all(&a, 5..10).await;
            peer.take(taken);
            settle().await;
            assert_eq!(a.stats().unsent_bytes, (10 * NUMBER_LEN - taken) as u64);
            let undelivered = a.close(Duration::ZERO).await.undelivered;
            assert_eq!(undelivered, 10 - (taken / NUMBER_LEN) as u64, "{taken} bytes were taken");
        }
    });
}

#[test]
fn responses_count_as_undelivered_and_what_users_know_nothing_of_does_not() {
    run(|runtime| async move {
        let (a, mut peer) = held_up(&runtime).await;
        peer.take(usize::MAX);
        let _answering = a.answer(|question: Received<Question>| Text(question.0.to_string()));
        let topic = peer.number_of::<Question>().await;
        settle().await;
        peer.take(0);
        let stream = a.stream::<Text>();
        assert_eq!(a.close(Duration::ZERO).await.undelivered, 0, "an announcement and a goodbye");
        drop(stream);

        let (a, mut peer) = held_up(&runtime).await;
        peer.take(usize::MAX);
        let answering = a.answer(|question: Received<Question>| Text(question.0.to_string()));
        assert_eq!(peer.number_of::<Question>().await, topic);
        settle().await;
        peer.take(0);
        peer.say_all(&[&wire::request(topic, 1, &[7]), &wire::request(topic, 2, &[8])]);
        settle().await;
        drop(answering);
        assert_eq!(a.close(Duration::ZERO).await.undelivered, 2, "two responses");
    });
}

#[test]
fn what_is_accepted_after_the_transport_has_failed_is_undelivered_too() {
    run(|runtime| async move {
        let (a, peer) = held_up(&runtime).await;
        broadcast_all(&a, 0..3).await;
        peer.take(NUMBER_LEN);
        settle().await;
        peer.fail_writes();
        settle().await;
        // The connection is still there, to read what the peer said before it went.
        assert!(a.is_connected_to("x"));
        broadcast_all(&a, 3..5).await;
        assert_eq!(a.close(Duration::ZERO).await.undelivered, 4);
    });
}

#[test]
fn a_caller_whose_write_fails_leaves_its_event_undelivered() {
    run(|runtime| async move {
        let (a, peer) = held_up(&runtime).await;
        peer.fail_writes();
        broadcast_all(&a, 0..1).await;
        // Before the writer loop has learnt of it, and after.
        broadcast_all(&a, 1..3).await;
        settle().await;
        broadcast_all(&a, 3..4).await;
        assert_eq!(a.close(Duration::ZERO).await.undelivered, 4);
    });
}

#[test]
fn a_goodbye_comes_behind_everything_and_then_nothing_is_undelivered() {
    run(|runtime| async move {
        let (a, mut peer) = held_up(&runtime).await;
        broadcast_all(&a, 0..10).await;
        peer.take(usize::MAX);
        let listening = async {
            for number in 0..10 {
                assert_eq!(peer.hear(wire::kind::EVENT).await, wire::event(0, &[number]));
            }
            assert_eq!(peer.next().await, Some(vec![wire::kind::GOODBYE]));
            assert_eq!(peer.next().await, None);
            peer.hang_up();
        };
        let closing = a.close(Duration::from_secs(30));
        let (report, ()) = zip(closing, listening).await;
        assert_eq!(report.undelivered, 0);
    });
}

/// Drops what was asked when it is woken.
struct GivesUp(Mutex<Option<Received<Question>>>);

impl Wake for GivesUp {
    fn wake(self: Arc<Self>) {
        drop(self.0.lock().unwrap().take());
    }
}

#[test]
fn an_endpoint_that_closes_leaves_rather_than_fail_what_it_was_asked() {
    run(|runtime| async move {
        let a = build(&runtime, "a", |a| a);
        let mut questions = a.stream::<Question>();
        let mut peer = Peer::join(&a, "x", &[]).await;
        let topic = peer.number_of::<Question>().await;
        peer.say(&wire::request(topic, 7, &[1]));
        let question = questions.next().await.unwrap().unwrap();
        // It is given up as soon as its stream ends, be it in the middle of closing.
        let gives_up = Arc::new(GivesUp(Mutex::new(Some(question))));
        let waker = Waker::from(gives_up.clone());
        let mut next = pin!(questions.next());
        assert!(next.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        let hearing = async {
            let mut last = None;
            while let Some(content) = peer.next().await {
                assert_ne!(content[0], wire::kind::FAILURE);
                last = Some(content);
            }
            assert_eq!(last, Some(vec![wire::kind::GOODBYE]));
            peer.hang_up();
        };
        zip(a.close(Duration::from_secs(60)), hearing).await;
        assert!(gives_up.0.lock().unwrap().is_none());
    });
}

#[test]
fn what_a_stalled_peer_has_missed_is_told_before_the_goodbye() {
    const NARROW: &[(wire::Topic, u32)] = &[(wire::topic::<Number>(), 1)];
    run(|runtime| async move {
        let mut limits = Limits::default();
        limits.stalled_after = Duration::from_millis(20);
        let a = with_limits(&runtime, "a", limits);
        let mut peer = Peer::join(&a, "x", NARROW).await;
        broadcast_all(&a, 0..4).await;
        zip(a.close(Duration::from_secs(60)), async {
            assert_eq!(peer.hear(wire::kind::EVENT).await, wire::event(0, &[0]));
            assert_eq!(peer.hear(wire::kind::LAGGED).await, wire::lagged(0, 3));
            peer.hear(wire::kind::GOODBYE).await;
            peer.hang_up();
        })
        .await;
    });
}

#[test]
fn what_a_peer_said_before_it_went_is_read_though_nothing_can_be_sent_to_it_any_more() {
    const COUNT: u64 = 200;
    run(|runtime| async move {
        let a = build(&runtime, "a", |a| a);
        let mut texts = a.stream::<Text>();
        let mut peer = Peer::join(&a, "x", &[(wire::topic::<Number>(), 1 << 20)]).await;
        let topic = peer.number_of::<Text>().await;
        settle().await;
        // Several times as much as is read at once.
        let text = |number| format!("{number:01000}");
        let events = (0..COUNT).map(|number| wire::event(topic, &wire::text(&text(number))));
        let events: Vec<_> = events.collect();
        peer.fail_writes();
        a.broadcast(Number(1)).now().unwrap();
        peer.say_all(&events.iter().map(Vec::as_slice).collect::<Vec<_>>());
        peer.hang_up();
        settle().await;
        assert!(!a.is_connected_to("x"));
        for number in 0..COUNT {
            let event = poll_once(texts.next()).await.expect("it was said before the end");
            assert_eq!(event.unwrap().unwrap().0, text(number));
        }
        assert!(poll_once(texts.next()).await.is_none());
    });
}
