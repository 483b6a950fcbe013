//! How requests end when a peer goes in the middle of one, or answers badly.

use std::pin::pin;
use std::time::Duration;

use futures_lite::future::poll_once;
use lahja_core::{Endpoint, Event, RequestError};
use serde::{Deserialize, Serialize};

use super::{Number, Peer, Question, Text, settle, wire};
use crate::clock::Clock;
use crate::common::{TestRuntime, build, run};

const QUESTIONS: &[(wire::Topic, u32)] = &[(wire::topic::<Question>(), 1 << 20)];

/// Sends a request to a peer that takes so many bytes of it and goes. Returns how the request
/// ends.
async fn ask_in_vain(runtime: &TestRuntime, taken: usize, settles: bool) -> RequestError<Question> {
    let a = build(runtime, "a", |a| a);
    let peer = Peer::join(&a, "x", QUESTIONS).await;
    settle().await;
    peer.take(0);
    let mut request = a.request(Question(1)).without_timeout().into_future();
    assert!(poll_once(&mut request).await.is_none());
    peer.take(taken);
    if settles {
        settle().await;
    }
    peer.hang_up();
    request.await.unwrap_err()
}

#[test]
fn a_request_was_sent_if_its_last_byte_was_written_when_its_peer_goes() {
    run(|runtime| async move {
        let a = build(&runtime, "a", |a| a);
        let mut peer = Peer::join(&a, "x", QUESTIONS).await;
        let mut request = a.request(Question(1)).without_timeout().into_future();
        assert!(poll_once(&mut request).await.is_none());
        let len = wire::frame(&peer.hear(wire::kind::EVENT).await).len();
        for taken in 0..=len {
            let error = ask_in_vain(&runtime, taken, true).await;
            let RequestError::PeerGone { peer, sent } = &error else {
                panic!("{error}");
            };
            assert_eq!(*peer, "x");
            assert_eq!(*sent, taken == len, "{taken} of {len} bytes");
        }
        // The writer has not run since, so nothing has left.
        let error = ask_in_vain(&runtime, 0, false).await;
        assert!(matches!(error, RequestError::PeerGone { sent: false, .. }), "{error:?}");
    });
}

#[test]
fn a_request_is_written_whole_by_a_caller_who_finds_the_transport_free() {
    run(|runtime| async move {
        let a = build(&runtime, "a", |a| a);
        let peer = Peer::join(&a, "x", QUESTIONS).await;
        settle().await;
        let mut request = a.request(Question(1)).without_timeout().into_future();
        assert!(poll_once(&mut request).await.is_none());
        settle().await;
        peer.hang_up();
        let error = request.await.unwrap_err();
        assert!(matches!(error, RequestError::PeerGone { sent: true, .. }), "{error:?}");
    });
}

#[test]
fn many_requests_at_once_leave_a_few_at_a_time_while_their_task_goes_on() {
    run(|runtime| async move {
        // Time stands still: no call is slow.
        let a = Endpoint::builder("a").unwrap().build(Clock::new(&runtime));
        let mut peer = Peer::join(&a, "x", QUESTIONS).await;
        settle().await;
        let mut requests = Vec::new();
        let mut left = Vec::new();
        for n in 0..60 {
            let mut request = a.request(Question(n)).without_timeout().into_future();
            assert!(poll_once(&mut request).await.is_none());
            requests.push(request);
            let mut count = 0;
            while poll_once(peer.hear(wire::kind::EVENT)).await.is_some() {
                count += 1;
            }
            left.extend((count > 0).then_some(count));
        }
        assert_eq!(left, [14; 4]);
    });
}

#[test]
fn requests_that_have_to_wait_do_not_keep_events_from_gathering() {
    run(|runtime| async move {
        let a = Endpoint::builder("a").unwrap().build(Clock::new(&runtime));
        // Of questions the peer takes one at a time.
        let topics = [(wire::topic::<Question>(), 1), (wire::topic::<Number>(), 1 << 20)];
        let mut peer = Peer::join(&a, "x", &topics).await;
        settle().await;
        let mut requests: Vec<_> = (0..20).map(|n| a.request(Question(n)).into_future()).collect();
        for request in &mut requests {
            assert!(poll_once(request).await.is_none());
        }
        settle().await;
        while poll_once(peer.next()).await.is_some() {}
        for n in 0..2 {
            poll_once(a.broadcast(Number(n)).into_future()).await.unwrap().unwrap();
        }
        assert!(poll_once(peer.next()).await.is_none());
        settle().await;
        for _ in 0..2 {
            assert!(poll_once(peer.hear(wire::kind::EVENT)).await.is_some());
        }
    });
}

#[test]
fn a_frame_that_comes_late_is_written_at_once_unless_others_gathered_before_it() {
    run(|runtime| async move {
        let clock = Clock::new(&runtime);
        let a = Endpoint::builder("a").unwrap().build(clock.clone());
        let mut peer = Peer::join(&a, "x", QUESTIONS).await;
        let mut requests = Vec::new();
        // How many are made at once, and how many of these have left before the writer loop runs.
        for (made, expected) in [(1, 1), (1, 1), (4, 1), (1, 0), (1, 1), (2, 1), (1, 1)] {
            settle().await;
            while poll_once(peer.next()).await.is_some() {}
            clock.advance(Duration::from_millis(1));
            for n in 0..made {
                let mut request = a.request(Question(n)).without_timeout().into_future();
                assert!(poll_once(&mut request).await.is_none());
                requests.push(request);
            }
            let mut left = 0;
            while poll_once(peer.hear(wire::kind::EVENT)).await.is_some() {
                left += 1;
            }
            assert_eq!(left, expected, "of {made}");
        }
    });
}

#[test]
fn of_what_was_sent_before_a_write_failed_the_whole_frames_count() {
    run(|runtime| async move {
        let a = build(&runtime, "a", |a| a);
        let peer = Peer::join(&a, "x", QUESTIONS).await;
        settle().await;
        let mut first = a.request(Question(1)).without_timeout().into_future();
        assert!(poll_once(&mut first).await.is_none());
        settle().await;
        // The length of the next, and a byte of it.
        peer.take(5);
        let mut second = a.request(Question(2)).without_timeout().into_future();
        assert!(poll_once(&mut second).await.is_none());
        settle().await;
        peer.fail_writes();
        settle().await;
        peer.hang_up();
        let error = first.await.unwrap_err();
        assert!(matches!(error, RequestError::PeerGone { sent: true, .. }), "{error:?}");
        let error = second.await.unwrap_err();
        assert!(matches!(error, RequestError::PeerGone { sent: false, .. }), "{error:?}");
    });
}

#[test]
fn a_request_that_waits_for_a_place_when_its_peer_goes_was_not_sent() {
    run(|runtime| async move {
        let a = build(&runtime, "a", |a| a);
        let (peer, transport) = Peer::new();
        peer.say(&wire::hello_with("x", [1 << 20, 1, 1]));
        peer.say(&wire::announce(1, 0, 1 << 20, wire::topic::<Question>()));
        peer.say(&[wire::kind::READY]);
        a.attach(transport).await.unwrap();
        let mut first = a.request(Question(1)).without_timeout().into_future();
        assert!(poll_once(&mut first).await.is_none());
        let mut second = a.request(Question(2)).without_timeout().into_future();
        assert!(poll_once(&mut second).await.is_none());
        settle().await;
        peer.hang_up();
        let error = first.await.unwrap_err();
        assert!(matches!(error, RequestError::PeerGone { sent: true, .. }), "{error:?}");
        let error = second.await.unwrap_err();
        assert!(matches!(error, RequestError::PeerGone { sent: false, .. }), "{error:?}");
    });
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(name = "handmade.Long", response = Text)]
struct Long(String);

#[test]
fn a_request_that_is_given_up_in_the_middle_of_its_frame_is_sent_whole() {
    const LEN: usize = 1 << 20;
    const TAKEN: usize = 219_264;
    run(|runtime| async move {
        let a = build(&runtime, "a", |a| a);
        let mut peer = Peer::join(&a, "x", &[(wire::topic::<Long>(), 1 << 24)]).await;
        settle().await;
        let before = a.stats().traffic.sent.bytes;
        peer.take(TAKEN);
        let mut request = a.request(Long("x".repeat(LEN))).without_timeout().into_future();
        assert!(poll_once(&mut request).await.is_none());
        settle().await;
        let len = (a.stats().traffic.sent.bytes - before) as usize;
        assert_eq!(a.stats().unsent_bytes as usize, len - TAKEN);
        drop(request);
        settle().await;
        peer.take(usize::MAX);
        let event = peer.hear(wire::kind::EVENT).await;
        let id = wire::request_id(&event);
        assert_eq!(event.len() + 4, len);
        assert!(event.ends_with(&wire::text(&"x".repeat(LEN))));
        assert_eq!(peer.next().await, Some([vec![wire::kind::CANCEL], wire::varint(id)].concat()));
    });
}

/// Answers that are none: of another type, cut off, and too long.
fn bad_answers(id: u64) -> [Vec<u8>; 4] {
    let trailing = [wire::text("good"), vec![0]].concat();
    [
        wire::response(id, Number::NAME, &wire::varint(7)),
        wire::response(id, Text::NAME, &wire::varint(7)),
        wire::response(id, Text::NAME, &trailing),
        wire::failure(id, wire::UNANSWERED),
    ]
}

#[test]
fn a_bad_answer_of_one_peer_leaves_the_request_to_the_others() {
    run(|runtime| async move {
        for bad in 0..4 {
            let a = build(&runtime, "a", |a| a);
            let mut x = Peer::join(&a, "x", QUESTIONS).await;
            let mut y = Peer::join(&a, "y", QUESTIONS).await;
            // The first of those asked and the last may differ to the table of requests.
            for x_is_good in [true, false] {
                let mut request = pin!(a.request(Question(1)).without_timeout().into_future());
                assert!(poll_once(&mut request).await.is_none());
                let id = x.asked().await;
                assert_eq!(y.asked().await, id);
                let (good, other) = if x_is_good { (&x, &y) } else { (&y, &x) };
                other.say(&bad_answers(id)[bad]);
                settle().await;
                assert!(poll_once(&mut request).await.is_none(), "answer {bad} ends it");
                good.say(&wire::response(id, Text::NAME, &wire::text("good")));
                assert_eq!(request.await.unwrap().0, "good");
            }
            assert_eq!(a.connections(), ["x", "y"], "a bad answer costs no connection");
        }
    });
}

#[test]
fn a_request_that_nobody_answers_well_ends_with_the_last_answer() {
    run(|runtime| async move {
        let a = build(&runtime, "a", |a| a);
        let mut x = Peer::join(&a, "x", QUESTIONS).await;
        let mut y = Peer::join(&a, "y", QUESTIONS).await;
        for last in 0..4 {
            let request = a.request(Question(1)).without_timeout().into_future();
            let mut request = pin!(request);
            assert!(poll_once(&mut request).await.is_none());
            let id = x.asked().await;
            assert_eq!(y.asked().await, id);
            x.say(&bad_answers(id)[(last + 1) % 4]);
            settle().await;
            y.say(&bad_answers(id)[last]);
            let error = request.await.unwrap_err();
            let is_right = match last {
                0 => matches!(error, RequestError::WrongResponse { expected: Text::NAME }),
                1 | 2 => matches!(error, RequestError::MalformedResponse { .. }),
                _ => matches!(error, RequestError::Unanswered),
            };
            assert!(is_right, "{last}: {error:?}");
        }
        assert_eq!(a.stats().requests_in_flight, 0);
    });
}

#[test]
fn an_answer_of_a_peer_that_was_not_asked_or_has_answered_is_not_taken() {
    run(|runtime| async move {
        let a = build(&runtime, "a", |a| a);
        let mut x = Peer::join(&a, "x", QUESTIONS).await;
        let y = Peer::join(&a, "y", QUESTIONS).await;
        let mut request = pin!(a.request(Question(1)).to("x").without_timeout().into_future());
        assert!(poll_once(&mut request).await.is_none());
        let id = x.asked().await;
        y.say(&wire::response(id, Text::NAME, &wire::text("forged")));
        y.say(&wire::failure(id, wire::UNANSWERED));
        settle().await;
        assert!(poll_once(&mut request).await.is_none());
        let good = wire::response(id, Text::NAME, &wire::text("good"));
        let twice = wire::response(id, Text::NAME, &wire::text("twice"));
        x.say_all(&[&good, &twice]);
        assert_eq!(request.await.unwrap().0, "good");
        settle().await;
        assert_eq!(a.connections(), ["x", "y"]);
    });
}

#[test]
fn of_a_million_guessed_ids_none_is_taken() {
    const GUESSES: u64 = 1_000_000;
    run(|runtime| async move {
        let a = build(&runtime, "a", |a| a);
        let mut x = Peer::join(&a, "x", QUESTIONS).await;
        let mut y = Peer::join(&a, "y", QUESTIONS).await;
        let mut request = pin!(a.request(Question(1)).to("x").without_timeout().into_future());
        assert!(poll_once(&mut request).await.is_none());
        let id = x.asked().await;
        // The guesser is asked something, too.
        let mut other = pin!(a.request(Question(2)).to("y").without_timeout().into_future());
        assert!(poll_once(&mut other).await.is_none());
        let other_id = y.asked().await;
        // Every id around that of the request, itself among them, and its place in other lives.
        let near = (0..GUESSES / 2).map(|n| id.wrapping_add(n).wrapping_sub(GUESSES / 4));
        let lives = (0..GUESSES / 2).map(|n| id ^ (n << 32));
        let guesses: Vec<_> = near.chain(lives).filter(|&guess| guess != other_id).collect();
        assert!(guesses.contains(&id) && guesses.len() as u64 >= GUESSES - 2);
        for guesses in guesses.chunks(10_000) {
            let forged = wire::text("forged");
            let forge = |&guess: &u64| wire::response(guess, Text::NAME, &forged);
            let responses: Vec<_> = guesses.iter().map(forge).collect();
            y.say_all(&responses.iter().map(Vec::as_slice).collect::<Vec<_>>());
            settle().await;
        }
        assert_eq!(a.traffic("y").unwrap().received.responses, guesses.len() as u64);
        assert!(poll_once(&mut request).await.is_none());
        assert!(poll_once(&mut other).await.is_none());
        x.say(&wire::response(id, Text::NAME, &wire::text("good")));
        y.say(&wire::response(other_id, Text::NAME, &wire::text("good, too")));
        assert_eq!(request.await.unwrap().0, "good");
        assert_eq!(other.await.unwrap().0, "good, too");
        assert_eq!(a.stats().requests_in_flight, 0);
    });
}

#[test]
fn a_request_whose_topic_is_withdrawn_while_it_waits_for_room_is_unanswered() {
    run(|runtime| async move {
        let a = build(&runtime, "a", |a| a);
        let peer = Peer::join(&a, "x", &[(wire::topic::<Question>(), 1)]).await;
        // It fills the window.
        a.broadcast(Question(1)).now().unwrap();
        let mut request = a.request(Question(2)).without_timeout().into_future();
        assert!(poll_once(&mut request).await.is_none());
        peer.say(&wire::withdraw(2, 0));
        let error = request.await.unwrap_err();
        assert!(matches!(error, RequestError::Unanswered), "{error:?}");
        assert!(a.is_connected_to("x"));
    });
}
