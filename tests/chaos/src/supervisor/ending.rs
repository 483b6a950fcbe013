//! The end of the run: a client that comes last is served at once, everything that was broadcast
//! arrives, and all who survived hold what they hold in any mesh of that size.

use std::time::{Duration, Instant};

use lahja_smol::{Endpoint, Request};
use smol::Timer;

use super::mesh::Mesh;
use crate::Result;
use crate::events::{BeQuiet, Census, Leave, Settle, name};

/// How long the mesh may take to be whole, once nobody is killed any more.
const WHOLE: Duration = Duration::from_secs(30);

/// How long any answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long until the mesh is looked at again.
const LOOK: Duration = Duration::from_millis(20);

/// Looks at the mesh, and lets it leave.
pub(super) async fn end(mesh: &Mesh) -> Result<()> {
    let client = mesh.bus.endpoint("client").await?;
    let slots: Vec<_> = (0..mesh.options.processes).map(name).collect();
    for slot in &slots {
        client.wait_until_connected_to(slot).await;
    }
    until_whole(mesh, &client, &slots).await?;
    let mut last = Vec::new();
    for slot in &slots {
        last.push(ask(&client, slot, || BeQuiet).await?);
    }
    let mut censuses = Vec::new();
    for slot in &slots {
        censuses.push(ask(&client, slot, || Settle(last.clone())).await?);
    }
    look_at(mesh, &slots, &censuses);
    // Children are asked by their parent.
    let independent: Vec<_> =
        slots.iter().enumerate().filter(|(slot, _)| !mesh.is_handed(*slot)).collect();
    mesh.let_leave();
    for (_, name) in independent {
        ask(&client, name, || Leave).await?;
    }
    client.close(PATIENCE).await;
    Ok(())
}

/// Asks a process something as soon as it answers that.
async fn ask<Q: Request>(
    client: &Endpoint,
    slot: &str,
    question: impl FnOnce() -> Q,
) -> Result<Q::Response> {
    client.wait_until_subscribed::<Q>(lahja_smol::Scope::Endpoint(slot)).await;
    let answer = client.request(question()).to(slot).timeout(PATIENCE).await;
    answer.map_err(|error| format!("{slot} has not answered {}: {error}", Q::NAME).into())
}

/// Waits until everybody is connected to everybody, and nobody holds more than the others.
async fn until_whole(mesh: &Mesh, client: &Endpoint, slots: &[String]) -> Result<()> {
    let begin = Instant::now();
    loop {
        let mut wrong = Vec::new();
        let mut held = Vec::new();
        for (slot, name) in slots.iter().enumerate() {
            let census = ask(client, name, || Settle(Vec::new())).await?;
            let is_there = |other: &&String| *other == name || census.connections.contains(other);
            for other in slots.iter().filter(|other| !is_there(other)) {
                wrong.push(format!("{name} is not connected to {other}"));
            }
            // Everybody but itself, and the client.
            if census.connections.len() != slots.len() {
                wrong.push(format!("{name} is connected to {:?}", census.connections));
            }
            // A child keeps the link to its parent.
            let link = usize::from(mesh.is_handed(slot));
            held.push((census.descriptors.saturating_sub(link), census.threads));
        }
        if held.iter().any(|other| *other != held[0]) {
            wrong.push(format!("descriptors and threads differ: {held:?}"));
        }
        if wrong.is_empty() {
            return Ok(());
        }
        if begin.elapsed() > WHOLE {
            wrong.into_iter().for_each(|what| mesh.violation(what));
            return Ok(());
        }
        Timer::after(LOOK).await;
    }
}

fn look_at(mesh: &Mesh, slots: &[String], censuses: &[Census]) {
    for (name, census) in slots.iter().zip(censuses) {
        let report = |what| mesh.violation(format!("{name} {what}"));
        if !census.is_settled {
            report("lacks what others have broadcast".to_owned());
        }
        if census.requests_in_flight > 0 {
            report(format!("has {} requests in flight", census.requests_in_flight));
        }
        if census.handler_panics > 0 {
            report(format!("has had {} panics", census.handler_panics));
        }
        if census.malformed_payloads > 0 {
            report(format!("has got {} malformed payloads", census.malformed_payloads));
        }
    }
}
