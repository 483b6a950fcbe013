//! Two endpoints over a byte stream that is cut into pieces, delayed, and cut off.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::common::{Number, Question, TestRuntime, Text, build, run};
use futures_io::{AsyncRead, AsyncWrite};
use futures_lite::future::{or, poll_once, yield_now, zip};
use lahja_core::{
    BroadcastError, Endpoint, Event, EventStream, Received, RequestError, Scope, StreamTransport,
};

/// The longest time that closing may take; nothing waits for it.
const DEADLINE: Duration = Duration::from_secs(30);

/// How a simulated stream treats its bytes.
#[derive(Debug, Clone, Copy)]
struct Weather {
    /// The most bytes that are taken or given at once.
    piece: usize,
    /// How often a read or write is pending before it does something.
    delay: usize,
    /// How many bytes pass in each direction before both are dead.
    life: [usize; 2],
}

const FAIR: Weather = Weather { piece: usize::MAX, delay: 0, life: [usize::MAX; 2] };

/// The bytes on their way in one direction.
#[derive(Default)]
struct Lane {
    bytes: VecDeque<u8>,
    passed: usize,
    is_closed: bool,
    reader: Option<Waker>,
}

impl Lane {
    fn close(&mut self) {
        self.is_closed = true;
        self.reader.take().inspect(Waker::wake_by_ref);
    }
}

struct Wire {
    lanes: [Lane; 2],
    weather: Weather,
    is_dead: bool,
}

impl Wire {
    /// Ends both directions; what is on its way arrives.
    fn die(&mut self) {
        self.is_dead = true;
        for lane in &mut self.lanes {
            lane.reader.take().inspect(Waker::wake_by_ref);
        }
    }
}

/// One end of a lane.
struct End {
    wire: Arc<Mutex<Wire>>,
    lane: usize,
    delayed: usize,
}

impl End {
    /// Is pending as often as the weather says, and then not.
    fn poll_delay(&mut self, context: &Context<'_>) -> Poll<()> {
        if self.delayed < self.wire.lock().unwrap().weather.delay {
            self.delayed += 1;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.delayed = 0;
        Poll::Ready(())
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.wire.lock().unwrap().lanes[self.lane].close();
    }
}

impl AsyncRead for End {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if self.poll_delay(context).is_pending() {
            return Poll::Pending;
        }
        let mut wire = self.wire.lock().unwrap();
        let (is_dead, piece) = (wire.is_dead, wire.weather.piece);
        let lane = &mut wire.lanes[self.lane];
        let count = buffer.len().min(lane.bytes.len()).min(piece);
        if count == 0 {
            if lane.is_closed || is_dead {
                return Poll::Ready(Ok(0));
            }
            lane.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        for (slot, byte) in buffer.iter_mut().zip(lane.bytes.drain(..count)) {
            *slot = byte;
        }
        Poll::Ready(Ok(count))
    }
}

impl AsyncWrite for End {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.poll_delay(context).is_pending() {
            return Poll::Pending;
        }
        let lane = self.lane;
        let mut wire = self.wire.lock().unwrap();
        let Weather { piece, life, .. } = wire.weather;
        let left = life[lane] - wire.lanes[lane].passed;
        if wire.is_dead || wire.lanes[lane].is_closed || left == 0 {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let count = bytes.len().min(piece).min(left);
        wire.lanes[lane].bytes.extend(&bytes[..count]);
        wire.lanes[lane].passed += count;
        wire.lanes[lane].reader.take().inspect(Waker::wake_by_ref);
        if count == left {
            wire.die();
        }
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire.lock().unwrap().lanes[self.lane].close();
        Poll::Ready(Ok(()))
    }
}

type Transport = StreamTransport<End, End>;

fn wire(weather: Weather) -> (Arc<Mutex<Wire>>, Transport, Transport) {
    let wire = Arc::new(Mutex::new(Wire {
        lanes: Default::default(),
        weather,
        is_dead: weather.life.contains(&0),
    }));
    let end = |lane| End { wire: wire.clone(), lane, delayed: 0 };
    let near = StreamTransport::new(end(1), end(0));
    let far = StreamTransport::new(end(0), end(1));
    (wire, near, far)
}

/// What the two ends of a conversation have seen.
#[derive(Debug, Default)]
struct Seen {
    numbers_at_a: Vec<u64>,
    numbers_at_b: Vec<u64>,
    texts_at_b: Vec<String>,
    answers_at_a: Vec<Result<String, &'static str>>,
    answers_at_b: Vec<Result<String, &'static str>>,
    undelivered: u64,
    /// The bytes that passed from `a` and from `b`.
    passed: [usize; 2],
}

impl Seen {
    /// Checks that nothing is missing or changed.
    fn assert_whole(&self, weather: Weather) {
        assert_eq!(self.numbers_at_a, NUMBERS_FROM_B, "{weather:?}");
        assert_eq!(self.numbers_at_b, NUMBERS_FROM_A, "{weather:?}");
        assert_eq!(self.texts_at_b, texts(), "{weather:?}");
        assert_eq!(self.answers_at_a, answers_at_a(), "{weather:?}");
        assert_eq!(self.answers_at_b, answers_at_b(), "{weather:?}");
        assert_eq!(self.undelivered, 0, "{weather:?}");
    }

    /// Checks that nothing is missing but an end, and that every request has ended.
    fn assert_begun(&self, weather: Weather) {
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
    }
}

const NUMBERS_FROM_A: [u64; 11] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
const NUMBERS_FROM_B: [u64; 6] = [100, 101, 102, 103, 104, 200];

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
    run(|runtime| async move {
        converse(&runtime, FAIR).await.assert_whole(FAIR);
        for piece in 1..=64 {
            for delay in [0, 1, 3] {
                let weather = Weather { piece, delay, ..FAIR };
                converse(&runtime, weather).await.assert_whole(weather);
            }
        }
    });
}

#[test]
fn of_a_conversation_that_is_cut_at_any_byte_a_prefix_arrives() {
    run(|runtime| async move {
        for piece in [usize::MAX, 7] {
            let fair = Weather { piece, ..FAIR };
            let whole = converse(&runtime, fair).await.passed;
            for (lane, whole) in whole.into_iter().enumerate() {
                for bytes in 0..whole {
                    let mut weather = fair;
                    weather.life[lane] = bytes;
                    converse(&runtime, weather).await.assert_begun(weather);
                }
            }
        }
    });
}

/// Waits for something, unless the connection is gone before.
async fn or_gone<T>(endpoint: &Endpoint, wait: impl Future<Output = T>) -> Option<T> {
    let gone = async {
        loop {
            let changed = endpoint.connections_changed();
            if endpoint.connections().is_empty() {
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

/// Takes what a stream holds once its endpoint is closed.
async fn rest<E: Event + Clone>(mut stream: EventStream<E>) -> Vec<E> {
    let mut events = Vec::new();
    while let Some(event) = stream.next().await {
        events.push(event.expect("nothing is lost but the end").into_inner());
    }
    events
}

/// Events, requests, answers and unsubscribing in both directions, then closing. Every wait ends
/// when the connection does.
async fn converse(runtime: &TestRuntime, weather: Weather) -> Seen {
    let (a, b) = (build(runtime, "a", |a| a), build(runtime, "b", |b| b));
    let (wire, near, far) = wire(weather);
    let numbers_at_a = a.stream::<Number>();
    let numbers_at_b = b.stream::<Number>();
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
    // Topics go, and one comes and goes.
    drop((answers_a, answers_b));
    let mut texts = b.stream::<Text>();
    texts.ready().await.unwrap();
    send(&a, &b, Text("x".repeat(300))).await;
    send(&a, &b, Text("second".into())).await;
    while seen.texts_at_b.len() < 2 {
        match or_gone(&b, texts.next()).await {
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
    or_gone(&a, std::future::pending::<()>()).await;
    seen.undelivered += a.close(DEADLINE).await.undelivered;
    let numbers = |events: Vec<Number>| events.into_iter().map(|number| number.0).collect();
    seen.numbers_at_a = numbers(rest(numbers_at_a).await);
    seen.numbers_at_b = numbers(rest(numbers_at_b).await);
    seen.answers_at_a = answers_at_a;
    seen.answers_at_b = answers_at_b;
    seen.passed = [0, 1].map(|lane| wire.lock().unwrap().lanes[lane].passed);
    seen
}
