//! Responses keep their place behind the events that were accepted before them, and
//! acknowledgements behind what they are of.

use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures_core::Stream;
use futures_lite::future::{poll_once, zip};
use lahja_core::{Endpoint, Event, EventStream, RequestError, Scope};

use super::{Number, Peer, Question, Text, settle, wire};
use crate::clock::Clock;
use crate::common::{TestRuntime, build, run};

const TOPICS: &[(wire::Topic, u32)] = &[
    (wire::topic::<Number>(), 1 << 20),
    (wire::topic::<Text>(), 1 << 20),
    (wire::topic::<Question>(), 1 << 20),
];

/// More than a caller leaves to the writer loop.
const LEN: usize = 104 * 1024;

/// Lets an endpoint broadcast in each way there is, with a response in between, to a peer that
/// takes so many bytes at a time, or everything at once if it is `None`.
async fn answer_amid_events(runtime: &TestRuntime, piece: Option<usize>) {
    let clock = Clock::new(runtime);
    let a = Endpoint::builder("a").unwrap().build(clock.clone());
    let mut questions = a.stream::<Question>();
    let mut peer = Peer::join(&a, "x", TOPICS).await;
    let topic = peer.number_of::<Question>().await;
    settle().await;
    if piece.is_some() {
        peer.take(0);
    }
    peer.say(&wire::request(topic, 77, &[1]));
    let question = questions.next().await.unwrap().unwrap();
    let text = "x".repeat(LEN);
    let broadcasting = async {
        // The first goes by the caller, those at its heels by the writer loop, what is large by
        // the caller again; and some are queued ahead, in room that was reserved.
        clock.advance(Duration::from_millis(1));
        let before = peer.pipe().written.len();
        a.broadcast(Number(1)).await.unwrap();
        let has_left = peer.pipe().written.len() > before;
        assert!(has_left || piece.is_some(), "the caller has not written");
        a.broadcast(Number(2)).await.unwrap();
        a.broadcast(Number(3)).now().unwrap();
        a.broadcast(Text(text.clone())).await.unwrap();
        a.broadcast(Number(4)).await.unwrap();
        a.broadcast(Text("answer".into())).with(question.broadcast_config()).await.unwrap();
        a.broadcast(Number(5)).await.unwrap();
    };
    let expected = [
        wire::event(0, &[1]),
        wire::event(0, &[2]),
        wire::event(0, &[3]),
        wire::event(1, &wire::text(&text)),
        wire::event(0, &[4]),
        wire::response(77, Text::NAME, &wire::text("answer")),
        wire::event(0, &[5]),
    ];
    let len = expected.iter().map(|content| wire::frame(content).len()).sum::<usize>();
    match piece {
        None => broadcasting.await,
        Some(piece) => {
            let taking = async {
                settle().await;
                for _ in 0..len.div_ceil(piece) {
                    peer.take(piece);
                    settle().await;
                }
            };
            zip(broadcasting, taking).await;
        }
    }
    for content in expected {
        let heard = loop {
            let heard = peer.next().await.expect("the endpoint goes on");
            if [wire::kind::EVENT, wire::kind::RESPONSE].contains(&heard[0]) {
                break heard;
            }
        };
        assert!(heard == content, "out of order in pieces of {piece:?}");
    }
}

#[test]
fn a_response_is_sent_behind_the_events_that_were_broadcast_before_it() {
    run(|runtime| async move {
        for piece in [None, Some(usize::MAX), Some(LEN), Some(1_001), Some(99)] {
            answer_amid_events(&runtime, piece).await;
        }
    });
}

/// Looks into a stream at the very moment when somebody is woken.
struct Look {
    stream: Mutex<EventStream<Number>>,
    seen: Mutex<Vec<u64>>,
}

impl Wake for Look {
    fn wake(self: Arc<Self>) {
        let mut stream = self.stream.lock().unwrap();
        let mut context = Context::from_waker(Waker::noop());
        while let Poll::Ready(event) = Pin::new(&mut *stream).poll_next(&mut context) {
            self.seen.lock().unwrap().push(event.unwrap().unwrap().0);
        }
    }
}

#[test]
fn whoever_is_woken_by_the_end_of_a_request_finds_the_events_before_it() {
    run(|runtime| async move {
        for is_answered in [true, false] {
            let a = build(&runtime, "a", |a| a);
            let stream = Mutex::new(a.stream::<Number>());
            let mut peer = Peer::join(&a, "x", TOPICS).await;
            let topic = peer.number_of::<Number>().await;
            let look = Arc::new(Look { stream, seen: Mutex::default() });
            let waker = Waker::from(look.clone());
            let mut request = a.request(Question(1)).without_timeout().into_future();
            let mut context = Context::from_waker(&waker);
            assert!(Pin::new(&mut request).poll(&mut context).is_pending());
            let id = peer.asked().await;
            let end = match is_answered {
                true => wire::response(id, Text::NAME, &wire::text("answer")),
                false => wire::failure(id, wire::UNANSWERED),
            };
            let event = |number| wire::event(topic, &[number]);
            peer.say_all(&[&event(1), &event(2), &event(3), &end, &event(4)]);
            // Whoever asks again is woken in the place of the first.
            settle().await;
            assert_eq!(*look.seen.lock().unwrap(), [1, 2, 3]);
            let ended = request.await;
            match is_answered {
                true => assert_eq!(ended.unwrap().0, "answer"),
                false => assert!(matches!(ended, Err(RequestError::Unanswered))),
            }
        }
    });
}

/// Notes whether a peer counts as subscribed at the very moment when something is written to it.
struct Written {
    endpoint: Endpoint,
    was_subscribed: Mutex<Vec<bool>>,
}

impl Wake for Written {
    fn wake(self: Arc<Self>) {
        let is_subscribed = self.endpoint.is_subscribed::<Number>(Scope::Endpoint("x"));
        self.was_subscribed.lock().unwrap().push(is_subscribed);
    }
}

#[test]
fn a_subscription_is_in_force_before_it_is_acknowledged() {
    run(|runtime| async move {
        let a = build(&runtime, "a", |a| a);
        let mut peer = Peer::join(&a, "x", &[]).await;
        settle().await;
        let written = Arc::new(Written { endpoint: a.clone(), was_subscribed: Mutex::default() });
        peer.pipe().hearer = Some(written.clone().into());
        peer.say(&wire::announce(1, 0, 1_000, wire::topic::<Number>()));
        settle().await;
        assert_eq!(*written.was_subscribed.lock().unwrap(), [true]);
        assert_eq!(peer.hear(wire::kind::ACKNOWLEDGE).await, [wire::kind::ACKNOWLEDGE, 1]);
    });
}

#[test]
fn a_subscription_is_ready_when_its_peer_has_acknowledged_it() {
    run(|runtime| async move {
        let a = build(&runtime, "a", |a| a);
        let mut peer = Peer::join(&a, "x", &[]).await;
        for epoch in [1, 3, 5] {
            let numbers = a.stream::<Number>();
            let mut ready = pin!(numbers.ready());
            peer.number_of::<Number>().await;
            settle().await;
            assert!(poll_once(&mut ready).await.is_none(), "nobody has acknowledged {epoch}");
            peer.say(&[wire::kind::ACKNOWLEDGE, epoch]);
            ready.await.unwrap();
        }
    });
}
