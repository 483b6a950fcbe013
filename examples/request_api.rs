//! One process asks, another answers.
//!
//! The parent creates an event bus and starts this program twice more: `proc2` asks `proc1` three
//! times and prints what it gets. The requests are of two types, which are answered in two ways:
//! by what a handler returns, and by an event that is broadcast to whoever asked.
//!
//! ```sh
//! cargo run --example request_api
//! cargo run --example request_api -- --rounds 10
//! ```

use std::time::Duration;

use common::{Args, GRACE, Result, success};
use lahja_smol::{Event, EventBus, Received, Scope};
use serde::{Deserialize, Serialize};
use smol::future::{or, pending};

mod common;

/// How long `proc2` waits for each answer.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Serialize, Deserialize, Event)]
#[event(response = DeliverSomething)]
struct GetSomething;

#[derive(Debug, Serialize, Deserialize, Event)]
#[event(response = DeliverSomething)]
struct GetSomethingElse;

#[derive(Debug, Serialize, Deserialize, Event)]
struct DeliverSomething {
    payload: String,
}

fn main() -> Result {
    let args = Args::parse()?;
    smol::block_on(async {
        match args.role.as_deref() {
            None => parent().await,
            Some("proc1") => proc1().await,
            Some(_) => proc2(args.rounds.unwrap_or(3)).await,
        }
    })
}

async fn parent() -> Result {
    let interruptions = common::interruptions()?;
    let bus = EventBus::new()?;
    let mut e1 = bus.spawn("e1", common::child("proc1")?).await?;
    let mut e2 = bus.spawn("e2", common::child("proc2")?).await?;

    // Who answers does so until it is asked to leave, so it is the other that ends.
    let asked = or(success(&mut e2), success(&mut e1));
    let outcome = common::unless_interrupted(interruptions, asked).await;
    e2.shutdown(GRACE).await?;
    e1.shutdown(GRACE).await?;
    outcome
}

async fn proc1() -> Result {
    let endpoint = EventBus::connect().await?;

    // What the handler returns is the answer.
    let yay = || DeliverSomething { payload: "Yay".into() };
    let _answers = endpoint.answer(move |_: Received<GetSomething>| yay());

    // An event that is broadcast to whoever asked is the answer too.
    let answering = endpoint.clone();
    let _requests = endpoint.subscribe(move |request: Received<GetSomethingElse>| {
        let endpoint = answering.clone();
        async move {
            let answer = endpoint.broadcast(yay()).with(request.broadcast_config()).await;
            if let Err(error) = answer {
                eprintln!("{} got no answer: {error}", request.origin());
            }
        }
    });

    common::until_closed(&endpoint, pending()).await
}

async fn proc2(rounds: u32) -> Result {
    let endpoint = EventBus::connect().await?;
    let e1 = Scope::Endpoint("e1");
    let asking = async {
        endpoint.wait_until_subscribed::<GetSomething>(e1).await;
        endpoint.wait_until_subscribed::<GetSomethingElse>(e1).await;
        for round in 0..rounds {
            let something = match round % 2 {
                0 => endpoint.request(GetSomething).timeout(PATIENCE).await?,
                _ => endpoint.request(GetSomethingElse).to("e1").await?,
            };
            println!("{}", something.payload);
        }
        Ok(())
    };
    common::until_closed(&endpoint, asking).await
}
