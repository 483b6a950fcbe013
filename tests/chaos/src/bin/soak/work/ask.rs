//! Requests, and what becomes of them.

use std::future::IntoFuture;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_lite::future::poll_once;
use lahja_smol::{Request, RequestError};

use super::{Worker, pause};
use crate::Result;
use crate::events::{Ask, Ignored, Unheard};
use crate::tally::{Deed, Tally};

/// Asks until the work stops.
pub(super) async fn ask(worker: Arc<Worker>, mut dice: fastrand::Rng) -> Result<()> {
    while worker.goes_on() {
        if let Some(peer) = worker.peer(&mut dice) {
            one(&worker, &peer, &mut dice).await;
        }
        pause(dice.u64(1..10)).await;
    }
    Ok(())
}

async fn one(worker: &Worker, peer: &str, dice: &mut fastrand::Rng) {
    let Worker { endpoint, tally, .. } = worker;
    match dice.u8(..10) {
        0 => count(tally, &endpoint.request(Ignored).to(peer).await),
        1 => count(tally, &endpoint.request(Unheard).await),
        2 => {
            let hasty = endpoint.request(Ask::Slow(100)).to(peer);
            count(tally, &hasty.timeout(Duration::from_millis(dice.u64(..5))).await);
        }
        3 => {
            let mut request = pin!(endpoint.request(Ask::Slow(dice.u64(..20))).into_future());
            for _ in 0..dice.u8(1..4) {
                if let Some(ended) = poll_once(&mut request).await {
                    return count(tally, &ended);
                }
                pause(1).await;
            }
            tally.count(Deed::Cancelled);
        }
        // Others answer that as well, this endpoint included.
        4 => count(tally, &endpoint.request(Ask::draw(dice)).await),
        // There is time for the peer to die.
        5..=6 => count(tally, &endpoint.request(Ask::Slow(300)).to(peer).without_timeout().await),
        _ => count(tally, &endpoint.request(Ask::draw(dice)).to(peer).await),
    }
}

fn count<Q: Request>(tally: &Tally, ended: &Result<Q::Response, RequestError<Q>>) {
    tally.count(match ended {
        Ok(_) => Deed::Answered,
        Err(RequestError::Unanswered) => Deed::Unanswered,
        Err(RequestError::Timeout(_)) => Deed::TimedOut,
        Err(RequestError::PeerGone { .. }) => Deed::PeerGone,
        Err(RequestError::NoSubscribers(_)) => Deed::Unheard,
        Err(_) => return,
    });
}
