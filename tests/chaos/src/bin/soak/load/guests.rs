//! Second endpoints of the subject's own process, and connections made by hand.

use std::future::IntoFuture;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_lite::future::{poll_once, try_zip, yield_now};
use lahja_core::UnixConnector;
use lahja_smol::{ConnectError, Endpoint, JoinError, Received, memory_pair};

use super::{Load, SUBJECT};
use crate::Result;
use crate::events::{Ask, Tick0};
use crate::tally::Deed;
use crate::work::{Worker, limits, pause, within};

/// How long a guest may take to deliver what it has accepted.
const CLOSING: Duration = Duration::from_secs(1);

/// Makes endpoints and closes them until the work stops.
pub(super) async fn come_and_go(
    load: Arc<Load>,
    worker: Arc<Worker>,
    mut dice: fastrand::Rng,
) -> Result<()> {
    while worker.goes_on() {
        visit(&load, &mut dice).await?;
        join_half(&load, &mut dice).await?;
        wire(&load, &mut dice).await?;
        connect(&load, &mut dice).await?;
        pause(dice.u64(1..50)).await;
    }
    Ok(())
}

/// Joins the bus, takes part for a moment, and leaves.
async fn visit(load: &Load, dice: &mut fastrand::Rng) -> Result<()> {
    let guest = load.bus.endpoint("guest").limits(limits()).await?;
    let taken = load.bus.endpoint("guest").await;
    if !matches!(taken, Err(JoinError::NameTaken { .. })) {
        return Err("a name was given to two".into());
    }
    load.tally.count(Deed::NamesTaken);
    guest.subscribe(|_: Received<Tick0>| ()).detach();
    let unread = guest.stream::<Tick0>();
    _ = guest.broadcast(Tick0::from(vec![7; dice.usize(..100_000)])).await;
    _ = guest.request(Ask::draw(dice)).await;
    pause(dice.u64(..20)).await;
    if dice.bool() {
        guest.close(CLOSING).await;
        load.tally.count(Deed::Guests);
    } else {
        drop(guest);
        load.tally.count(Deed::GuestsDropped);
    }
    drop(unread);
    Ok(())
}

/// Begins to join the bus.
async fn join_half(load: &Load, dice: &mut fastrand::Rng) -> Result<()> {
    let mut join = pin!(load.bus.endpoint("passer").limits(limits()).into_future());
    for _ in 0..dice.u8(1..20) {
        if let Some(joined) = poll_once(&mut join).await {
            drop(joined?);
            load.tally.count(Deed::GuestsDropped);
            return Ok(());
        }
        yield_now().await;
    }
    load.tally.count(Deed::JoinsDropped);
    Ok(())
}

/// Joins an endpoint to the subject in memory, or begins to.
async fn wire(load: &Load, dice: &mut fastrand::Rng) -> Result<()> {
    let wired = Endpoint::builder("wired")?.limits(limits()).build(load.runtime.clone());
    let (near, far) = memory_pair();
    let attach = try_zip(load.endpoint.attach(near), wired.attach(far));
    if dice.bool() {
        attach.await?;
        _ = wired.request(Ask::draw(dice)).to(SUBJECT).await;
    } else {
        let mut attach = pin!(attach);
        for _ in 0..dice.u8(1..10) {
            if poll_once(&mut attach).await.is_some() {
                break;
            }
            yield_now().await;
        }
    }
    load.tally.count(Deed::Wired);
    if dice.bool() {
        wired.close(CLOSING).await;
    }
    // Otherwise the next one might come before the end of this was seen.
    drop(wired);
    load.until_gone("wired").await
}

/// Has the subject broadcast something long to an endpoint that is wired to it for that: the buffer
/// in which its thread encodes events is given up then, whatever its size was.
pub(crate) async fn empty_scratch(load: &Load) -> Result<()> {
    let wired = Endpoint::new("scale", load.runtime.clone())?;
    let mut events = wired.stream::<Tick0>();
    let (near, far) = memory_pair();
    try_zip(load.endpoint.attach(near), wired.attach(far)).await?;
    load.endpoint.broadcast(Tick0::from(vec![0; 100_000])).await?;
    events.next().await.ok_or("the endpoint is closed")??;
    wired.close(CLOSING).await;
    load.until_gone("scale").await
}

/// Has the subject connect to nobody, and to itself.
async fn connect(load: &Load, dice: &mut fastrand::Rng) -> Result<()> {
    let place = |name: &str| UnixConnector::on(load.runtime.clone(), load.bus.path().join(name));
    {
        let mut nobody = pin!(load.endpoint.connect(place("nobody.ipc")));
        within(dice.u64(..20), nobody.as_mut()).await;
        load.tally.count(Deed::ConnectsDropped);
    }
    let itself = load.endpoint.connect(place(&format!("{SUBJECT}.ipc"))).await;
    match itself {
        Err(ConnectError::Closed) | Ok(_) => Err("the subject is connected to itself".into()),
        Err(_) => {
            load.tally.count(Deed::ConnectsRefused);
            Ok(())
        }
    }
}
