//! Events of many topics. A topic is a type, and the compiler takes half a second for each that is
//! sent and consumed; so a few carry events, and [a crowd](super::crowd) subscribes to the others.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use lahja_core::{Endpoint, Event, EventBus, Platform, Received, Subscription};
use serde::{Deserialize, Serialize};
use smol::channel::{Sender, bounded};

use super::crowd;
use crate::Result;
use crate::case::Case;
use crate::control::{Control, Receipt};
use crate::payload::Parcel;

/// How many carry events, in turn.
const CARRYING: usize = 20;

/// Limits on topics that are enough for everything here.
pub(super) const LIMIT: u32 = 16_384;

/// One of the types.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
struct Topic<const N: usize>(Parcel);

impl<const N: usize> Event for Topic<N> {
    const NAME: &'static str = match std::str::from_utf8(&Self::BYTES) {
        Ok(name) => name,
        Err(_) => unreachable!(),
    };
}

impl<const N: usize> Topic<N> {
    const BYTES: [u8; 20] = {
        let mut bytes = *b"lahja-bench.Topic.00";
        bytes[18] += (N / 10) as u8;
        bytes[19] += (N % 10) as u8;
        bytes
    };
}

type Sending<'a> = Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

/// What is done with a type.
struct Kind {
    broadcast: for<'a> fn(&'a Endpoint, Parcel) -> Sending<'a>,
    subscribe: fn(&Endpoint, Arc<Sink>) -> Subscription,
}

const fn kind<const N: usize>() -> Kind {
    Kind {
        broadcast: |endpoint, parcel| {
            Box::pin(async move { Ok(endpoint.broadcast(Topic::<N>(parcel)).await?) })
        },
        subscribe: |endpoint, sink| {
            let next = AtomicU64::new(0);
            endpoint.subscribe(move |event: Received<Topic<N>>| {
                let seq = next.fetch_add(1, Ordering::Relaxed);
                assert_eq!(event.0.seq, seq, "an event is lost, or came twice, or out of order");
                sink.take(&event.0);
            })
        },
    }
}

macro_rules! kinds {
    ($($number:literal)*) => { [$(kind::<$number>()),*] };
}

static KINDS: [Kind; CARRYING] = kinds!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19);

fn carrying(topics: u64) -> &'static [Kind] {
    &KINDS[..usize::try_from(topics).unwrap_or(CARRYING).min(CARRYING)]
}

/// Lets the crowd subscribe to the topics that carry nothing.
pub(super) async fn subscribe_others<P: Platform>(
    bus: &EventBus<P>,
    parent: &Endpoint,
    topics: u64,
) -> Result<()> {
    let carrying = u64::try_from(carrying(topics).len())?;
    if topics > carrying {
        crowd::gather(&bus.path().join(format!("{}.ipc", parent.name())), topics - carrying)?;
        parent.wait_until_connected_to(crowd::NAME).await;
    }
    Ok(())
}

/// Broadcasts the case's events, each of the next type.
pub(super) async fn broadcast(parent: &Endpoint, case: &Case, topics: u64) -> Result<()> {
    let kinds = carrying(topics);
    let (mut sent, mut seq) = (0, 0);
    loop {
        for kind in kinds {
            if sent == case.work.count() {
                return Ok(());
            }
            (kind.broadcast)(parent, Parcel::new(seq, case.payload)).await?;
            sent += 1;
        }
        seq += 1;
    }
}

/// Receives all of them, and says so.
pub(super) async fn consume(
    endpoint: &Endpoint,
    case: &Case,
    topics: u64,
    index: usize,
) -> Result<()> {
    let (complete, completed) = bounded(1);
    let sink = Arc::new(Sink { receipt: Mutex::new(Receipt::new(case)), complete });
    let mut subscriptions = Vec::new();
    for kind in carrying(topics) {
        let subscription = (kind.subscribe)(endpoint, sink.clone());
        subscription.ready().await?;
        subscriptions.push(subscription);
    }
    let control = Control::ready(index)?;
    let receipt = completed.recv().await?;
    control.done(&receipt.tally()?)
}

/// Where the events of all types are counted.
struct Sink {
    receipt: Mutex<Receipt>,
    complete: Sender<Receipt>,
}

impl Sink {
    /// Takes an event whose place among those of its type is right.
    fn take(&self, parcel: &Parcel) {
        let mut receipt = self.receipt.lock().unwrap_or_else(PoisonError::into_inner);
        let seq = receipt.received();
        receipt.take_parts(seq, parcel.sent_ns, &parcel.payload);
        if receipt.is_complete() {
            // It is told once, so there is room.
            let _ = self.complete.try_send(receipt.clone());
        }
    }
}
