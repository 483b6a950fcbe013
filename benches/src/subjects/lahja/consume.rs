//! A consumer.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lahja_core::{Endpoint, Received, Runtime};

use super::events::{Chunk, Drop, Ping, Pong};
use super::topics;
use crate::Result;
use crate::case::{Case, Work};
use crate::control::{Control, Receipt, Tally};
use crate::meter::{SETTLED, cpu_ns};

/// Receives everything there is in the case, and says so.
pub(super) async fn everything(
    on: &impl Runtime,
    endpoint: &Endpoint,
    case: &Case,
    index: usize,
) -> Result<()> {
    let mut receipt = Receipt::new(case);
    match case.work {
        Work::RoundTrip { .. } => {
            let mut pings = endpoint.stream::<Ping>();
            pings.ready().await?;
            let control = Control::ready(index)?;
            while !receipt.is_complete() {
                let ping = pings.next().await.ok_or("the bus is closed")??;
                receipt.take(&ping.0);
                endpoint.broadcast(Pong(ping.into_inner().0)).await?;
            }
            control.done(&receipt.tally()?)
        }
        Work::Request { .. } | Work::InFlight { .. } => {
            let (answered, all) = smol::channel::bounded(1);
            let receipt = Mutex::new(receipt);
            let answering = endpoint.answer(move |ping: Received<Ping>| {
                let mut receipt = receipt.lock().unwrap_or_else(PoisonError::into_inner);
                receipt.take(&ping.0);
                if receipt.is_complete() {
                    // It is told once, so there is room.
                    let _ = answered.try_send(receipt.clone());
                }
                Pong(ping.into_inner().0)
            });
            answering.ready().await?;
            let control = Control::ready(index)?;
            let receipt = all.recv().await?;
            answering.detach();
            control.done(&receipt.tally()?)
        }
        Work::Topics { topics, .. } => topics::consume(endpoint, case, topics, index).await,
        Work::Idle { millis } => {
            let control = Control::ready(index)?;
            on.sleep(SETTLED).await;
            let start_ns = cpu_ns();
            on.sleep(Duration::from_millis(millis)).await;
            control.done(&Tally::idle(start_ns))
        }
        _ => {
            if matches!(case.work, Work::Beside { .. }) {
                // Nobody looks at what large events carry; they are consumed and that is all.
                let chunks = endpoint.subscribe(|_: Received<Chunk>| ());
                chunks.ready().await?;
                chunks.detach();
            }
            let mut drops = endpoint.stream::<Drop>();
            drops.ready().await?;
            let control = Control::ready(index)?;
            while !receipt.is_complete() {
                receipt.take(&drops.next().await.ok_or("the bus is closed")??.0);
            }
            control.done(&receipt.tally()?)?;
            // The subscription stays: to tell the other processes of its end takes their time.
            endpoint.closed().await;
            Ok(())
        }
    }
}
