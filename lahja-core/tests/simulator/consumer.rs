//! Those who consume events in a run, and write down what they get.

use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use fastrand::Rng;
use futures_lite::Stream;
use futures_lite::future::poll_fn;
use lahja_core::{Endpoint, EventStream, Lagged, Received, Subscription};

use crate::events::Numbered;
use crate::executor::lock;
use crate::record::{Got, Subscriber};
use crate::run::{NAMES, Run, number_of};

/// A subscription of a run.
pub(crate) trait Consumer: Send + Sync {
    fn endpoint(&self) -> usize;

    /// Tells whether it answers requests.
    fn is_answerer(&self) -> bool {
        false
    }

    /// Takes what is there, at once.
    fn drain(&self, run: &Run);

    /// Unsubscribes.
    fn end(&self, run: &Run);
}

/// What a subscription is to be like. The record has the rest.
pub(crate) struct Wish {
    pub(crate) subscriber: Subscriber,
    /// Whether to wait until it is ready.
    pub(crate) awaits_ready: bool,
}

/// Subscribes, and consumes in the background.
pub(crate) async fn consume<E: Numbered>(
    run: &Arc<Run>,
    endpoint: &Endpoint,
    wish: Wish,
    random: &mut Rng,
) {
    let Wish { subscriber, awaits_ready } = wish;
    let Subscriber { from, filter, overflow, capacity, has_handler, .. } = subscriber;
    let at = subscriber.endpoint;
    let mut config = endpoint.subscription::<E>().capacity(capacity).overflow(overflow);
    if let Some(from) = from {
        config = config.from(NAMES[from]);
    }
    if let Some(filter) = filter {
        config = config.filter(move |event| event.id() % 3 != filter);
    }
    let number = run.record().subscribe(subscriber);
    let consumer: Arc<dyn Consumer>;
    if has_handler {
        let handling = run.clone();
        let randoms = Mutex::new(random.fork());
        let subscription = config.subscribe(move |event: Received<E>| {
            note(&handling, number, Ok(event));
            let mut random = lock(&randoms).fork();
            if random.u8(..) < handling.mood.panics {
                handling.record().panics[at] += 1;
                handling.record().handled(number);
                // A panic that is not printed.
                resume_unwind(Box::new("on purpose"));
            }
            let run = handling.clone();
            async move {
                run.pause(&mut random).await;
                run.record().handled(number);
            }
        });
        if awaits_ready && subscription.ready().await.is_ok() {
            became_ready(run, number);
        }
        let subscription = Mutex::new(Some(subscription));
        consumer = Arc::new(Handling { endpoint: at, number, subscription });
    } else {
        let stream = config.stream();
        if awaits_ready && stream.ready().await.is_ok() {
            became_ready(run, number);
        }
        let stream = Mutex::new(Some(stream));
        let waker = Mutex::default();
        let collecting = Arc::new(Collecting { endpoint: at, number, stream, waker });
        run.record().collects(number);
        let collector = collecting.clone().collect(run.clone(), random.fork());
        run.simulation.start(collector);
        consumer = collecting;
    }
    run.add_consumer(consumer);
}

fn became_ready(run: &Run, number: usize) {
    let mut record = run.record();
    let ready = record.moment();
    record.subscribers[number].ready = Some(ready);
}

fn note<E: Numbered>(run: &Run, number: usize, item: Result<Received<E>, Lagged>) {
    let got = match item {
        Ok(event) => Got::Event { id: event.id(), origin: number_of(event.origin()) },
        Err(Lagged(count)) => Got::Lagged(count),
    };
    run.record().got(number, got);
}

/// Notes that a subscription ends, just before it does.
fn drops(run: &Run, number: usize) {
    let mut record = run.record();
    record.say(|| format!("subscriber {number} goes"));
    record.subscribers[number].dropped = Some(record.moment());
}

struct Handling {
    endpoint: usize,
    number: usize,
    subscription: Mutex<Option<Subscription>>,
}

impl Consumer for Handling {
    fn endpoint(&self) -> usize {
        self.endpoint
    }

    fn drain(&self, _: &Run) {}

    fn end(&self, run: &Run) {
        drops(run, self.number);
        let subscription = lock(&self.subscription).take();
        drop(subscription);
    }
}

struct Collecting<E: Numbered> {
    endpoint: usize,
    number: usize,
    stream: Mutex<Option<EventStream<E>>>,
    waker: Mutex<Option<Waker>>,
}

impl<E: Numbered> Collecting<E> {
    async fn collect(self: Arc<Self>, run: Arc<Run>, mut random: Rng) {
        let take = |context: &mut Context<'_>| {
            *lock(&self.waker) = Some(context.waker().clone());
            self.poll(&run, context)
        };
        while poll_fn(take).await {
            run.pause(&mut random).await;
        }
    }

    /// Takes one event. Ready with `false` at the end.
    fn poll(&self, run: &Run, context: &mut Context<'_>) -> Poll<bool> {
        let mut stream = lock(&self.stream);
        let Some(stream) = &mut *stream else { return Poll::Ready(false) };
        let item = std::task::ready!(Pin::new(stream).poll_next(context));
        let is_some = item.is_some();
        if let Some(item) = item {
            note(run, self.number, item);
        }
        Poll::Ready(is_some)
    }
}

impl<E: Numbered> Consumer for Collecting<E> {
    fn endpoint(&self) -> usize {
        self.endpoint
    }

    fn drain(&self, run: &Run) {
        let mut context = Context::from_waker(Waker::noop());
        while self.poll(run, &mut context) == Poll::Ready(true) {}
        // The stream knows one waker, that of who polled last.
        lock(&self.waker).take().inspect(Waker::wake_by_ref);
    }

    fn end(&self, run: &Run) {
        drops(run, self.number);
        let stream = lock(&self.stream).take();
        drop(stream);
        lock(&self.waker).take().inspect(Waker::wake_by_ref);
    }
}
