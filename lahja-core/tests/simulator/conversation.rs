//! One short conversation, over a wire that is split, late, cut at any byte, or fails at any call.

use std::env;
use std::fmt;
use std::panic::resume_unwind;
use std::time::Duration;

use futures_lite::future::{or, poll_once, yield_now, zip};
use lahja_core::{
    BroadcastError, Endpoint, Event, EventStream, Limits, Received, RequestError, Scope,
};
use serde::{Deserialize, Serialize};

use crate::executor::Simulation;
use crate::mood::ERRNOS;
use crate::weather::{FAIR, Fault, Weather};
use crate::wire::{Transport, Wire};

/// The error that no connection ends with.
const INTERRUPTED: i32 = rustix::io::Errno::INTR.raw_os_error();

/// The greatest number of an error that Linux has.
const GREATEST_ERRNO: i32 = rustix::io::Errno::HWPOISON.raw_os_error();

/// The longest time that closing may take; nothing waits for it.
const DEADLINE: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct Number(u64);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct Text(String);

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(response = Text)]
struct Question(u64);

/// What the ends of a conversation have seen.
#[derive(Debug, Default)]
struct Seen {
    numbers_at_a: Vec<u64>,
    numbers_at_b: Vec<u64>,
    texts_at_b: Vec<String>,
    answers_at_a: Vec<Result<String, &'static str>>,
    answers_at_b: Vec<Result<String, &'static str>>,
    undelivered: u64,
    /// What `c` got of `b`, to which nothing is wrong.
    answer_at_c: Option<Result<String, &'static str>>,
    numbers_at_c: Vec<u64>,
    /// The bytes that passed from `a` and from `b`, and how often their wire was called.
    passed: [usize; 2],
    calls: u64,
}

impl Seen {
    /// Checks that nothing is missing or changed.
    fn assert_whole(&self, weather: &Weather) {
        assert_eq!(self.numbers_at_a, NUMBERS_FROM_B, "{weather:?}");
        assert_eq!(self.numbers_at_b, NUMBERS_FROM_A, "{weather:?}");
        assert_eq!(self.texts_at_b, texts(), "{weather:?}");
        assert_eq!(self.answers_at_a, answers_at_a(), "{weather:?}");
        assert_eq!(self.answers_at_b, answers_at_b(), "{weather:?}");
        assert_eq!(self.undelivered, 0, "{weather:?}");
        self.assert_third_is_served(weather);
    }

    /// Checks that whoever has nothing to do with the wire does not notice.
    fn assert_third_is_served(&self, weather: &Weather) {
        assert_eq!(self.answer_at_c, Some(Ok("500 to c".into())), "{weather:?}");
        assert_eq!(self.numbers_at_c, NUMBERS_FROM_B_TO_C, "{weather:?}");
    }

    /// Checks that nothing is missing but an end, and that every request has ended.
    fn assert_begun(&self, weather: &Weather) {
        assert!(NUMBERS_FROM_B.starts_with(&self.numbers_at_a), "{weather:?}: {self:?}");
        assert!(NUMBERS_FROM_A.starts_with(&self.numbers_at_b), "{weather:?}: {self:?}");
        assert!(texts().starts_with(&self.texts_at_b), "{weather:?}: {self:?}");
        for (answers, expected) in
            [(&self.answers_at_a, answers_at_a()), (&self.answers_at_b, answers_at_b())]
        {
            assert_eq!(answers.len(), expected.len());
            let begun = answers.iter().zip(&expected).take_while(|(a, e)| a == e);
            let begun = begun.count();
            for answer in &answers[begun..] {
                assert!(matches!(answer, Err("gone" | "nobody")), "{weather:?}: {self:?}");
            }
        }
        self.assert_third_is_served(weather);
    }
}

const NUMBERS_FROM_A: [u64; 11] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
const NUMBERS_FROM_B: [u64; 6] = [100, 101, 102, 103, 104, 200];
const NUMBERS_FROM_B_TO_C: [u64; 1] = [300];

fn texts() -> [String; 2] {
    ["x".repeat(300), "second".into()]
}

fn answers_at_a() -> Vec<Result<String, &'static str>> {
    vec![Ok("1 to a".into()), Err("unanswered"), Ok("3 to a".into())]
}

fn answers_at_b() -> Vec<Result<String, &'static str>> {
    (100..105).map(|n| Ok(format!("{n} to b"))).collect()
}

#[test]
fn a_conversation_is_the_same_however_its_bytes_are_split_and_delayed() {
    for piece in (1..=64).chain([usize::MAX]) {
        for delays in [0, 60, 200] {
            let weather = Weather { piece, delays, delay: Duration::from_micros(20), ..FAIR };
            converse(&weather).assert_whole(&weather);
        }
    }
}

#[test]
fn of_a_conversation_that_is_cut_at_any_byte_a_prefix_arrives() {
    for piece in [usize::MAX, 7] {
        let fair = Weather { piece, ..FAIR };
        for (lane, whole) in converse(&fair).passed.into_iter().enumerate() {
            for bytes in 0..whole {
                let mut weather = fair.clone();
                weather.life[lane] = bytes;
                converse(&weather).assert_begun(&weather);
            }
        }
    }
}

#[test]
fn whichever_call_fails_with_whichever_error_a_prefix_arrives() {
    const TURNS: u64 = 32;
    let is_every = env::var_os("LAHJA_EVERY_ERRNO").is_some();
    for piece in [usize::MAX, 50] {
        let fair = Weather { piece, ..FAIR };
        for call in 0..converse(&fair).calls {
            // The usual ones, and of the others all that there are or, by turns, a few.
            let is_tried = |&errno: &i32| match errno {
                INTERRUPTED => false,
                errno if ERRNOS.contains(&errno) || is_every => true,
                errno => u64::from(errno.unsigned_abs()) % TURNS == call % TURNS,
            };
            let errnos = (1..=GREATEST_ERRNO).filter(is_tried);
            let mut faults: Vec<_> = errnos.map(Fault::Errno).collect();
            faults.extend([Fault::Fatal(ERRNOS[0]), Fault::Zero]);
            for fault in faults {
                let weather = Weather { faults: vec![(call, fault)], ..fair.clone() };
                converse(&weather).assert_begun(&weather);
            }
        }
    }
}

#[test]
fn whichever_call_is_interrupted_or_has_to_wait_nothing_is_lost() {
    let interrupted = Fault::Errno(INTERRUPTED);
    for piece in [usize::MAX, 50] {
        let fair = Weather { piece, ..FAIR };
        for call in 0..converse(&fair).calls {
            for fault in [interrupted, Fault::Pending] {
                let weather = Weather { faults: vec![(call, fault)], ..fair.clone() };
                converse(&weather).assert_whole(&weather);
            }
        }
    }
}

/// Waits for something, unless the connection is gone before.
async fn or_gone<T>(
    endpoint: &Endpoint,
    peer: &Endpoint,
    wait: impl Future<Output = T>,
) -> Option<T> {
    let gone = async {
        loop {
            let changed = endpoint.connections_changed();
            if !endpoint.is_connected_to(peer.name()) {
                return None;
            }
            changed.await;
        }
    };
    or(async { Some(wait.await) }, gone).await
}

async fn ask(endpoint: &Endpoint, to: &Endpoint, number: u64) -> Result<String, &'static str> {
    let request = endpoint.request(Question(number)).to(to.name());
    match request.without_timeout().await {
        Ok(Text(text)) => Ok(text),
        Err(RequestError::Unanswered) => Err("unanswered"),
        Err(RequestError::NoSubscribers(Question(given_back))) => {
            assert_eq!(given_back, number);
            Err("nobody")
        }
        Err(RequestError::PeerGone { .. }) => Err("gone"),
        Err(error) => panic!("{error}"),
    }
}

/// Broadcasts; nobody being there any more is no mistake of the test.
async fn send<E: Event + fmt::Debug>(endpoint: &Endpoint, to: &Endpoint, event: E) {
    match endpoint.broadcast(event).to(to.name()).await {
        Ok(()) | Err(BroadcastError::NoSubscribers(_)) => {}
        Err(error) => panic!("{error:?}"),
    }
}

/// Takes what a stream holds of an origin once its endpoint is closed.
async fn rest(mut stream: EventStream<Number>) -> Vec<u64> {
    let mut numbers = Vec::new();
    while let Some(number) = stream.next().await {
        numbers.push(number.expect("nothing is lost but the end").0);
    }
    numbers
}

/// Lets the ends converse, and checks that nothing is left of it.
fn converse(weather: &Weather) -> Seen {
    let simulation = Simulation::new(0, 0);
    let limits = Limits::default();
    let window = limits.window.into();
    let (wire, near, far) = Wire::new(&simulation, weather.clone(), window);
    let (good_wire, good_near, good_far) = Wire::new(&simulation, FAIR, window);
    let conversation = speak(simulation.clone(), near, far, good_near, good_far);
    let mut seen = simulation.block_on(conversation);
    assert_eq!(simulation.tasks(), 0, "{weather:?}");
    assert_eq!(wire.halves() + good_wire.halves(), 0, "{weather:?}");
    wire.assert_sound();
    good_wire.assert_sound();
    seen.passed = wire.passed();
    seen.calls = wire.calls();
    seen
}

fn build(simulation: &Simulation, name: &str) -> Endpoint {
    Endpoint::builder(name).unwrap().build(simulation.clone())
}

/// Events, requests, answers and unsubscribing in both directions, then closing. Every wait ends
/// when the connection does.
async fn speak(
    simulation: Simulation,
    near: Transport,
    far: Transport,
    good_near: Transport,
    good_far: Transport,
) -> Seen {
    let [a, b, c] = ["a", "b", "c"].map(|name| build(&simulation, name));
    let numbers_at_a = a.stream::<Number>();
    let numbers_at_b = b.stream::<Number>();
    let numbers_at_c = c.stream::<Number>();
    let answer = |question: Received<Question>| async move {
        yield_now().await;
        if question.0 == 13 {
            // A panic that is not printed thousands of times.
            resume_unwind(Box::new("an unlucky number"));
        }
        Text(format!("{} to {}", question.0, question.origin()))
    };
    let (answers_a, answers_b) = (a.answer(answer), b.answer(answer));
    let mut seen = Seen::default();
    // Either end may be through with the handshake when the connection breaks.
    let _ = zip(a.attach(near), b.attach(far)).await;
    let (one, other) = zip(c.attach(good_near), b.attach(good_far)).await;
    one.unwrap();
    other.unwrap();

    let speaking_a = async {
        let mut answers = Vec::new();
        for number in 0..10 {
            send(&a, &b, Number(number)).await;
        }
        answers.push(ask(&a, &b, 1).await);
        answers.push(ask(&a, &b, 13).await);
        send(&a, &b, Number(10)).await;
        // A request that is given up is no more than that.
        let mut given_up = a.request(Question(2)).to("b").into_future();
        let _ = poll_once(&mut given_up).await;
        drop(given_up);
        answers.push(ask(&a, &b, 3).await);
        answers
    };
    let speaking_b = async {
        let mut answers = Vec::new();
        for number in 100..105 {
            send(&b, &a, Number(number)).await;
            answers.push(ask(&b, &a, number).await);
        }
        answers
    };
    let (answers_at_a, answers_at_b) = zip(speaking_a, speaking_b).await;
    seen.answer_at_c = Some(ask(&c, &b, 500).await);
    send(&b, &c, Number(300)).await;
    // Topics go, and one comes and goes.
    drop((answers_a, answers_b));
    let mut texts = b.stream::<Text>();
    texts.ready().await.unwrap();
    send(&a, &b, Text("x".repeat(300))).await;
    send(&a, &b, Text("second".into())).await;
    while seen.texts_at_b.len() < 2 {
        match or_gone(&b, &a, texts.next()).await {
            Some(Some(text)) => seen.texts_at_b.push(text.unwrap().into_inner().0),
            _ => break,
        }
    }
    drop(texts);
    loop {
        let changed = a.subscriptions_changed();
        if !a.is_subscribed::<Text>(Scope::Any) {
            break;
        }
        changed.await;
    }
    send(&b, &a, Number(200)).await;
    assert_eq!(a.stats().requests_in_flight, 0);
    assert_eq!(b.stats().requests_in_flight, 0);

    seen.undelivered = b.close(DEADLINE).await.undelivered;
    // The other end has what was sent before the end is seen there.
    or_gone(&a, &b, std::future::pending::<()>()).await;
    seen.undelivered += a.close(DEADLINE).await.undelivered;
    seen.undelivered += c.close(DEADLINE).await.undelivered;
    seen.numbers_at_a = rest(numbers_at_a).await;
    seen.numbers_at_b = rest(numbers_at_b).await;
    seen.numbers_at_c = rest(numbers_at_c).await;
    seen.answers_at_a = answers_at_a;
    seen.answers_at_b = answers_at_b;
    seen
}
