//! Broadcasting, of all sorts.

use std::future::IntoFuture;
use std::pin::pin;
use std::sync::Arc;

use futures_lite::future::poll_once;
use lahja_smol::BroadcastError;

use super::{GROUP, Worker, pause};
use crate::Result;
use crate::events::{Disputed, Empty, TOPICS, Tick, ballast, with_tick};
use crate::tally::Deed;

/// Broadcasts until the work stops.
pub(super) async fn broadcast(worker: Arc<Worker>, mut dice: fastrand::Rng) -> Result<()> {
    while worker.goes_on() {
        for _ in 0..dice.u8(1..8) {
            with_tick!(dice.usize(..TOPICS), T => one::<T>(&worker, &mut dice).await);
        }
        // Nobody needs to be there for these.
        let disputed = worker.endpoint.broadcast(Disputed(1)).await;
        if let Err(BroadcastError::SchemaMismatch { .. }) = disputed {
            worker.tally.count(Deed::Mismatched);
        }
        _ = worker.endpoint.broadcast(Empty).await;
        pause(dice.u64(1..6)).await;
    }
    Ok(())
}

async fn one<T: Tick>(worker: &Worker, dice: &mut fastrand::Rng) {
    let peer = worker.peer(dice).unwrap_or_else(|| "nobody".to_owned());
    let broadcast = worker.endpoint.broadcast(T::from(ballast(dice)));
    let broadcast = match dice.u8(..12) {
        0 => broadcast.to(&peer),
        1 => broadcast.to_group(GROUP),
        2 => broadcast.except(&peer),
        3 => broadcast.internal(),
        _ => broadcast,
    };
    let sent = match dice.u8(..8) {
        0 => broadcast.now(),
        1..=2 => {
            let mut broadcast = pin!(broadcast.into_future());
            match poll_once(&mut broadcast).await {
                Some(sent) => sent,
                None => return worker.tally.count(Deed::BroadcastDropped),
            }
        }
        _ => broadcast.await,
    };
    match sent {
        Ok(()) => worker.tally.count(Deed::Broadcast),
        Err(BroadcastError::NoSubscribers(_)) => worker.tally.count(Deed::Unwanted),
        // It has no room, or the endpoint is closed.
        Err(_) => {}
    }
}
