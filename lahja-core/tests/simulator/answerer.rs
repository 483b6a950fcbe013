//! Requests of a run, and those who answer them.

use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use futures_lite::StreamExt;
use futures_lite::future::or;
use lahja_core::{Endpoint, Received, RequestError, Runtime};

use crate::consumer::Consumer;
use crate::events::{Alive, Answer, Question};
use crate::executor::lock;
use crate::record::{Ending, Reach};
use crate::run::{GROUPS, NAMES, Run, number_of};

/// Asks those within reach, and writes down how that ended.
pub(crate) async fn ask(
    run: &Arc<Run>,
    endpoint: &Endpoint,
    at: usize,
    mut reach: Reach,
    asks_back: bool,
    random: &mut Rng,
) {
    if std::mem::take(&mut reach.internal) {
        reach.except = Some(at);
    }
    let timeout = (random.u8(..4) == 0).then(|| Duration::from_micros(random.u64(0..=2_000)));
    let patience = (random.u8(..4) == 0).then(|| Duration::from_micros(random.u64(0..=200)));
    let body = "q".repeat(random.usize(0..=run.mood.longest));
    let began = run.simulation.elapsed();
    let id = run.record().ask(at, reach.clone(), timeout, began);
    let question = Question { id, asks_back, body, _alive: Alive::default() };
    let mut request = endpoint.request(question);
    request = match timeout {
        Some(timeout) => request.timeout(timeout),
        None => request.without_timeout(),
    };
    if let Some(to) = reach.to {
        request = request.to(NAMES[to]);
    }
    if let Some(group) = reach.group {
        request = request.to_group(GROUPS[group]);
    }
    if let Some(except) = reach.except {
        request = request.except(NAMES[except]);
    }
    let given_up = async {
        match patience {
            Some(patience) => run.simulation.sleep(patience).await,
            None => std::future::pending().await,
        }
        None
    };
    let ending = match or(async { Some(request.await) }, given_up).await {
        Some(result) => ending(result, id),
        None => Ending::GivenUp,
    };
    let answered = run.record().ended(id, run.simulation.elapsed(), ending);
    if let Some((by, answered)) = answered {
        // What the answerer had sent before has come before.
        run.expect_all(at, by, answered);
    }
}

fn ending(result: Result<Answer, RequestError<Question>>, id: u64) -> Ending {
    match result {
        Ok(answer) => {
            assert_eq!(answer.id, id, "the answer to another question");
            Ending::Answered(answer.endpoint)
        }
        Err(RequestError::NoSubscribers(question)) => {
            assert_eq!(question.id, id);
            Ending::Nobody
        }
        Err(RequestError::Timeout(_)) => Ending::TimedOut,
        Err(RequestError::PeerGone { peer, sent }) => Ending::Gone { peer: number_of(&peer), sent },
        Err(RequestError::Unanswered) => Ending::Unanswered,
        Err(RequestError::Closed) => Ending::Closed,
        Err(error) => panic!("{error:?}"),
    }
}

fn seen(run: &Run, at: usize, question: &Received<Question>) {
    let mut record = run.record();
    let moment = record.moment();
    record.say(|| format!("e{at} is asked {}", question.id));
    let asked = &mut record.questions[question.id as usize];
    assert_eq!(asked.origin, number_of(question.origin()), "the origin is true");
    assert!(moment > asked.start);
    asked.seen.push(at);
}

fn declines(run: &Run, at: usize, id: u64) {
    let mut record = run.record();
    record.say(|| format!("e{at} declines {id}"));
    record.questions[id as usize].declined.push(at);
}

fn answers(run: &Run, at: usize, id: u64) -> Answer {
    let mut record = run.record();
    let now = record.moment();
    record.say(|| format!("e{at} answers {id}"));
    record.questions[id as usize].answered.push((at, now));
    Answer { id, endpoint: at, _alive: Alive::default() }
}

/// Answers by a handler.
pub(crate) fn answer_by_handler(run: &Arc<Run>, endpoint: &Endpoint, at: usize, random: &mut Rng) {
    if run.consumers(at).iter().any(|consumer| consumer.is_answerer()) {
        return;
    }
    let (answering, weak) = (run.clone(), endpoint.downgrade());
    let randoms = Mutex::new(random.fork());
    let subscription = endpoint.answer(move |question: Received<Question>| {
        seen(&answering, at, &question);
        let (run, weak) = (answering.clone(), weak.clone());
        let mut random = lock(&randoms).fork();
        async move {
            run.pause(&mut random).await;
            if random.u8(..) < run.mood.panics {
                declines(&run, at, question.id);
                run.record().panics[at] += 1;
                resume_unwind(Box::new("on purpose"));
            }
            if question.asks_back {
                let reach = Reach { to: Some(number_of(question.origin())), ..Reach::default() };
                if let Some(endpoint) = weak.upgrade() {
                    ask(&run, &endpoint, at, reach, false, &mut random).await;
                }
            }
            answers(&run, at, question.id)
        }
    });
    let held = Arc::new(Mutex::new(Some(subscription)));
    run.add_consumer(Arc::new(Answerer { endpoint: at, held }));
}

/// Answers by broadcasting to where a request came from.
pub(crate) fn answer_by_stream(run: &Arc<Run>, endpoint: &Endpoint, at: usize, random: &mut Rng) {
    if run.consumers(at).iter().any(|consumer| consumer.is_answerer()) {
        return;
    }
    let stream = Arc::new(Mutex::new(Some(endpoint.stream::<Question>())));
    let (run_, taken, weak) = (run.clone(), stream.clone(), endpoint.downgrade());
    let mut random = random.fork();
    run.simulation.start(async move {
        let run = run_;
        let next = |context: &mut std::task::Context<'_>| match &mut *lock(&taken) {
            Some(stream) => Pin::new(stream).poll_next(context),
            None => std::task::Poll::Ready(None),
        };
        while let Some(question) = futures_lite::future::poll_fn(next).await {
            let Ok(question) = question else {
                assert!(run.mood.may_stall, "a request is lost");
                continue;
            };
            seen(&run, at, &question);
            run.pause(&mut random).await;
            let declined = random.u8(..) < run.mood.panics;
            let Some(endpoint) = weak.upgrade().filter(|_| !declined) else {
                declines(&run, at, question.id);
                continue;
            };
            let answer = answers(&run, at, question.id);
            let config = question.broadcast_config();
            drop(question);
            let answering = endpoint.broadcast(answer).with(config);
            // Nobody may wait for it any more.
            let _ = answering.await;
        }
    });
    run.add_consumer(Arc::new(Answerer { endpoint: at, held: stream }));
}

/// What answers, be it a handler or a stream, until it is ended.
struct Answerer<T> {
    endpoint: usize,
    held: Arc<Mutex<Option<T>>>,
}

impl<T: Send> Consumer for Answerer<T> {
    fn endpoint(&self) -> usize {
        self.endpoint
    }

    fn is_answerer(&self) -> bool {
        true
    }

    fn drain(&self, _: &Run) {}

    fn end(&self, run: &Run) {
        run.record().answerer_gone(self.endpoint);
        let held = lock(&self.held).take();
        drop(held);
    }
}
