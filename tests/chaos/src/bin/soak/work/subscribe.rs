//! Subscriptions of every kind, which come and go.

use std::sync::Arc;

use lahja_smol::{EventStream, Overflow, Received, SubscribeConfig, Subscription};

use super::{Worker, pause, within};
use crate::events::{Empty, TOPICS, Tick, with_tick};
use crate::tally::Deed;
use crate::{AS_ASKED, Result};

/// Subscribes and unsubscribes until the work stops.
pub(super) async fn subscribe(worker: Arc<Worker>, mut dice: fastrand::Rng) -> Result<()> {
    while worker.goes_on() {
        let others = worker.endpoint.stream::<Empty>();
        with_tick!(dice.usize(..TOPICS), T => one::<T>(&worker, &mut dice).await);
        drop(others);
    }
    Ok(())
}

async fn one<T: Tick>(worker: &Worker, dice: &mut fastrand::Rng) {
    let tally = worker.tally.clone();
    let config = config::<T>(worker, dice);
    match dice.u8(..24) {
        0..=4 => {
            tally.count(Deed::Plain);
            keep(worker, dice, config.subscribe(move |_: Received<T>| tally.count(Deed::Received)))
                .await;
        }
        5..=9 => {
            tally.count(Deed::Async);
            let handling = config.subscribe(move |event: Received<T>| {
                let tally = tally.clone();
                async move {
                    pause(event.ballast().len() as u64 % 3).await;
                    tally.count(Deed::Received);
                }
            });
            keep(worker, dice, handling).await;
        }
        10..=11 => {
            tally.count(Deed::Panicking);
            let panicking = config.subscribe(|event: Received<T>| {
                assert!(event.ballast().len() > 1 << 20, "{AS_ASKED}");
            });
            keep(worker, dice, panicking).await;
        }
        12..=16 => {
            let deed = match within(dice.u64(1..30), worker.endpoint.wait_for::<T>()).await {
                Some(_) => Deed::Waits,
                None => Deed::WaitsDropped,
            };
            tally.count(deed);
        }
        17 => {
            // Nobody reads it, so that producers wait.
            let stream = config.stream();
            pause(dice.u64(1..80)).await;
            drop(stream);
        }
        _ => {
            tally.count(Deed::Streams);
            let mut stream = config.stream();
            within(dice.u64(1..80), consume(worker, &mut stream)).await;
        }
    }
}

/// Puts a subscription together.
fn config<'a, T: Tick>(worker: &'a Worker, dice: &mut fastrand::Rng) -> SubscribeConfig<'a, T> {
    let mut config = worker.endpoint.subscription::<T>().capacity(dice.usize(1..64));
    if dice.u8(..4) == 0 {
        if let Some(peer) = worker.peer(dice) {
            config = config.from(peer);
        }
        config = config.from(worker.endpoint.name().as_str());
    }
    config = match dice.u8(..8) {
        0..=1 => config.filter(|event| event.ballast().len() % 2 == 0),
        2 => config.filter(|_| panic!("{AS_ASKED}")),
        _ => config,
    };
    config.overflow(match dice.u8(..6) {
        0 => Overflow::DropOldest,
        1 => Overflow::DropNewest,
        2 => Overflow::Latest,
        _ => Overflow::Wait,
    })
}

/// Keeps a subscription for a while.
async fn keep(worker: &Worker, dice: &mut fastrand::Rng, subscription: Subscription) {
    let held = dice.u64(1..80);
    if dice.bool() {
        within(held, subscription.ready()).await;
    } else if worker.goes_on() {
        pause(held).await;
    }
    subscription.unsubscribe();
}

/// Counts the events of a stream.
async fn consume<T: Tick>(worker: &Worker, stream: &mut EventStream<T>) {
    while let Some(event) = stream.next().await {
        worker.tally.count(match event {
            Ok(_) => Deed::Received,
            Err(_) => Deed::Lagged,
        });
    }
}
