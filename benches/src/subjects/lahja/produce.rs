//! The producer.

use std::collections::VecDeque;
use std::future::IntoFuture;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use lahja_core::{Endpoint, RequestFuture, Runtime, Scope};
use smol::future::poll_once;
use smol::unblock;

use super::events::{Chunk, Drop, Ping, Pong};
use super::topics;
use crate::Result;
use crate::case::{Case, Work};
use crate::control::{Children, Tally};
use crate::meter::{Laps, Meter, Pace, SETTLED};
use crate::outcome::Outcome;
use crate::payload::Parcel;

/// Does the case's work from its first event to its last, once all consumers are ready.
pub(super) async fn everything(
    on: &impl Runtime,
    parent: &Endpoint,
    case: &Case,
    mut children: Children,
) -> Result<Outcome> {
    let mut children = unblock(move || children.wait_until_ready().map(|()| children)).await?;
    let done = async || -> Result<Vec<Tally>> { unblock(move || children.wait_until_done()).await };
    let count = case.work.count();
    match case.work {
        Work::RoundTrip { .. } => {
            let outcome = round_trips(parent, case).await?;
            Ok(outcome.with_tallies(&done().await?))
        }
        Work::Request { .. } => {
            let outcome = requests(parent, case).await?;
            Ok(outcome.with_tallies(&done().await?))
        }
        Work::InFlight { at_once, .. } => {
            let outcome = in_flight(parent, case, at_once).await?;
            Ok(outcome.with_tallies(&done().await?))
        }
        Work::Idle { millis } => {
            on.sleep(SETTLED).await;
            let meter = Meter::start();
            on.sleep(Duration::from_millis(millis)).await;
            Ok(meter.until_now(0).with_tallies(&done().await?))
        }
        Work::Paced { per_second, .. } => {
            parent.wait_until_subscribed::<Drop>(Scope::All).await;
            let meter = Meter::start();
            paced(on, parent, case, per_second).await?;
            Ok(meter.until_last(count, &done().await?))
        }
        Work::Beside { per_second, .. } => {
            parent.wait_until_subscribed::<Drop>(Scope::All).await;
            let stream = Stream::start(on, parent, case.payload).await;
            stream.until_first(on).await;
            let meter = Meter::start();
            paced(on, parent, case, per_second).await?;
            let outcome = meter.until_last(count, &done().await?);
            stream.end(outcome)
        }
        Work::Topics { topics, .. } => {
            let meter = Meter::start();
            topics::broadcast(parent, case, topics).await?;
            Ok(meter.until_last(count, &done().await?))
        }
        _ => {
            parent.wait_until_subscribed::<Drop>(Scope::All).await;
            let meter = Meter::start();
            for seq in 0..count {
                parent.broadcast(Drop(Parcel::new(seq, case.payload))).await?;
            }
            Ok(meter.until_last(count, &done().await?))
        }
    }
}

async fn round_trips(parent: &Endpoint, case: &Case) -> Result<Outcome> {
    let count = case.work.count();
    let mut pongs = parent.stream::<Pong>();
    pongs.ready().await?;
    parent.wait_until_subscribed::<Ping>(Scope::All).await;
    let meter = Meter::start();
    let mut laps = Laps::start(count);
    for seq in 0..count {
        parent.broadcast(Ping(Parcel::new(seq, case.payload))).await?;
        let pong = pongs.next().await.ok_or("the bus is closed")??;
        pong.0.expect(seq, case.payload);
        laps.lap();
    }
    Ok(meter.until_now(count).with_latencies(laps.latencies()))
}

async fn requests(parent: &Endpoint, case: &Case) -> Result<Outcome> {
    let count = case.work.count();
    parent.wait_until_subscribed::<Ping>(Scope::All).await;
    let meter = Meter::start();
    let mut laps = Laps::start(count);
    for seq in 0..count {
        let pong = parent.request(Ping(Parcel::new(seq, case.payload))).await?;
        pong.0.expect(seq, case.payload);
        laps.lap();
    }
    Ok(meter.until_now(count).with_latencies(laps.latencies()))
}

/// Makes requests while there are places, then waits for the oldest.
async fn in_flight(parent: &Endpoint, case: &Case, at_once: u64) -> Result<Outcome> {
    let count = case.work.count();
    parent.wait_until_subscribed::<Ping>(Scope::All).await;
    let meter = Meter::start();
    let mut waiting: VecDeque<RequestFuture<'_, Ping>> = VecDeque::new();
    let mut answered = 0;
    for seq in 0..count {
        if seq - answered == at_once {
            wait_for_oldest(case, &mut waiting, &mut answered).await?;
        }
        let mut request = parent.request(Ping(Parcel::new(seq, case.payload))).into_future();
        // It is made when it is polled. The other thread may be faster than this one.
        match poll_once(&mut request).await {
            None => waiting.push_back(request),
            Some(answer) => {
                while !waiting.is_empty() {
                    wait_for_oldest(case, &mut waiting, &mut answered).await?;
                }
                answer?.0.expect(answered, case.payload);
                answered += 1;
            }
        }
    }
    while !waiting.is_empty() {
        wait_for_oldest(case, &mut waiting, &mut answered).await?;
    }
    Ok(meter.until_now(count))
}

async fn wait_for_oldest(
    case: &Case,
    waiting: &mut VecDeque<RequestFuture<'_, Ping>>,
    answered: &mut u64,
) -> Result<()> {
    let oldest = waiting.pop_front().ok_or("no request waits")?;
    oldest.await?.0.expect(*answered, case.payload);
    *answered += 1;
    Ok(())
}

async fn paced(on: &impl Runtime, parent: &Endpoint, case: &Case, per_second: u64) -> Result<()> {
    let len = match case.work {
        Work::Beside { .. } => crate::SMALL,
        _ => case.payload,
    };
    let pace = Pace::start(per_second);
    for seq in 0..case.work.count() {
        on.sleep(pace.until(seq)).await;
        parent.broadcast(Drop(Parcel::sent_now(seq, len))).await?;
    }
    Ok(())
}

/// Large events that go as fast as they can beside others.
#[derive(Clone)]
struct Stream {
    len: usize,
    sent: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
    failure: Arc<OnceLock<String>>,
}

impl Stream {
    /// Begins to send events of so many bytes; none if they would be empty.
    async fn start(on: &impl Runtime, parent: &Endpoint, len: usize) -> Self {
        let (sent, is_over, failure) = (Arc::default(), Arc::default(), Arc::default());
        let this = Self { len, sent, is_over, failure };
        if len > 0 {
            parent.wait_until_subscribed::<Chunk>(Scope::All).await;
            let Self { sent, is_over, failure, .. } = this.clone();
            let (parent, chunk) = (parent.clone(), Chunk(Arc::new(vec![7; len])));
            on.spawn(Box::pin(async move {
                while !is_over.load(Ordering::Relaxed) {
                    if let Err(error) = parent.broadcast(chunk.clone()).await {
                        failure.get_or_init(|| error.to_string());
                        break;
                    }
                    sent.fetch_add(1, Ordering::Relaxed);
                }
            }));
        }
        this
    }

    /// Waits until the first one is sent, or cannot be.
    async fn until_first(&self, on: &impl Runtime) {
        let is_under_way = || self.sent.load(Ordering::Relaxed) > 0 || self.failure.get().is_some();
        while self.len > 0 && !is_under_way() {
            on.sleep(Duration::from_millis(1)).await;
        }
    }

    /// Ends, and says how long one of them took.
    fn end(self, outcome: Outcome) -> Result<Outcome> {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(failure) = self.failure.get() {
            return Err(format!("large events ended before the small ones: {failure}").into());
        }
        match self.sent.load(Ordering::Relaxed) {
            0 if self.len > 0 => Err("no large event has been sent".into()),
            0 => Ok(outcome),
            sent => {
                let each_us = outcome.elapsed_ns as f64 / 1e3 / sent as f64;
                Ok(outcome.with_figure("us for a large event", each_us))
            }
        }
    }
}
