//! What happens within one process.

use std::os::unix::net::UnixStream;

use lahja_core::{Endpoint, Platform, Scope, StreamTransport};
use smol::future::{try_zip, zip};

use super::events::Drop;
use crate::Result;
use crate::case::Case;
use crate::control::Receipt;
use crate::memory::resident_bytes;
use crate::meter::Meter;
use crate::outcome::Outcome;
use crate::payload::Parcel;

/// Sends events to the endpoint itself.
pub(super) async fn events(on: impl Platform, case: Case) -> Result<Outcome> {
    let endpoint = Endpoint::new("self", on)?;
    let mut drops = endpoint.stream::<Drop>();
    let mut receipt = Receipt::new(&case);
    let meter = Meter::start();
    let producer = async {
        for seq in 0..case.work.count() {
            endpoint.broadcast(Drop(Parcel::new(seq, case.payload))).await?;
        }
        Ok(())
    };
    let consumer = async {
        while !receipt.is_complete() {
            receipt.take(&drops.next().await.ok_or("the endpoint is closed")??.0);
        }
        receipt.tally()
    };
    let (sent, tally) = zip(producer, consumer).await;
    sent.and(Ok(meter.until_last(case.work.count(), &[tally?]).of_one_process()))
}

/// Makes endpoints, and looks how much more memory the process has then.
pub(super) async fn endpoints(on: impl Platform, count: u64) -> Result<Outcome> {
    let warm = make(&on, "warm", WARM)?;
    let meter = Meter::start();
    let before = resident_bytes()?;
    let endpoints = make(&on, "e", count)?;
    let grown = resident_bytes()?.saturating_sub(before);
    drop((warm, endpoints));
    Ok(meter.until_now(count).with_figure(EACH, grown as f64 / count as f64))
}

/// Joins endpoints to one, each over a Unix socket, and looks how much more memory the process has
/// once an event has gone over each. What is counted is both ends of a connection.
pub(super) async fn connections(on: impl Platform, count: u64) -> Result<Outcome> {
    let hub = Endpoint::new("hub", on.clone())?;
    let (warm, endpoints) = (make(&on, "warm", WARM)?, make(&on, "e", count)?);
    join(&on, &hub, &warm).await?;
    let meter = Meter::start();
    let before = resident_bytes()?;
    join(&on, &hub, &endpoints).await?;
    let grown = resident_bytes()?.saturating_sub(before);
    Ok(meter.until_now(count).with_figure(EACH, grown as f64 / count as f64))
}

/// How many there are before the growth is measured, so that what is made once is not part of it.
const WARM: u64 = 10;

/// The name of the figure.
const EACH: &str = "bytes each";

fn make(on: &impl Platform, name: &str, count: u64) -> Result<Vec<Endpoint>> {
    (0..count).map(|index| Ok(Endpoint::new(format!("{name}-{index}"), on.clone())?)).collect()
}

async fn join<P: Platform>(on: &P, hub: &Endpoint, endpoints: &[Endpoint]) -> Result<()> {
    let transport = |stream: UnixStream| -> Result<_> {
        let stream = on.stream(stream)?;
        Ok(StreamTransport::new(stream.clone(), stream))
    };
    for endpoint in endpoints {
        let (near, far) = UnixStream::pair()?;
        try_zip(hub.attach(transport(near)?), endpoint.attach(transport(far)?)).await?;
        let mut drops = endpoint.stream::<Drop>();
        drops.ready().await?;
        hub.wait_until_subscribed::<Drop>(Scope::Endpoint(endpoint.name().as_str())).await;
        hub.broadcast(Drop(Parcel::new(0, crate::SMALL))).to(endpoint.name()).await?;
        drops.next().await.ok_or("the endpoint is closed")??;
    }
    Ok(())
}
