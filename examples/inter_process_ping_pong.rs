//! Two processes broadcast events to each other.
//!
//! The parent creates an event bus and starts this program twice more; each child takes over the
//! endpoint that was made for it. Both say hello every second, `proc1` broadcasts every five
//! seconds and `proc2` every two. They consume with handlers and with a stream, and `proc1` hears
//! its own events as well.
//!
//! ```sh
//! cargo run --example inter_process_ping_pong
//! cargo run --example inter_process_ping_pong -- --rounds 3
//! ```
//!
//! The first runs until Ctrl-C. The second is faster and ends when each process has broadcast
//! three times and received everything. Whatever ends it, no process and no file is left.

use std::fmt::Debug;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::{Args, GRACE, Result, success};
use lahja_smol::{BroadcastError, Endpoint, Event, EventBus, Received, Scope};
use serde::{Deserialize, Serialize};
use smol::Timer;
use smol::channel::{Receiver, Sender, unbounded};
use smol::future::{or, try_zip};

mod common;

#[derive(Debug, Serialize, Deserialize, Event)]
struct FirstThingHappened {
    payload: String,
}

#[derive(Debug, Serialize, Deserialize, Event)]
struct SecondThingHappened {
    payload: String,
}

/// What a process subscribes to last: who sees that knows of its other subscriptions too.
#[derive(Debug, Serialize, Deserialize, Event)]
struct AllEars;

#[derive(Debug, Clone, Copy)]
struct Pace {
    tick: Duration,
    rounds: u32,
}

fn main() -> Result {
    let args = Args::parse()?;
    let pace = match args.rounds {
        Some(rounds) => Pace { tick: Duration::from_millis(50), rounds },
        None => Pace { tick: Duration::from_secs(1), rounds: u32::MAX },
    };
    smol::block_on(async {
        match args.role.as_deref() {
            None => parent().await,
            Some("proc1") => proc1(pace).await,
            Some(_) => proc2(pace).await,
        }
    })
}

async fn parent() -> Result {
    let interruptions = common::interruptions()?;
    let bus = EventBus::new()?;
    let mut e1 = bus.spawn("e1", common::child("proc1")?).await?;
    let mut e2 = bus.spawn("e2", common::child("proc2")?).await?;

    // If one fails, the other does not go on alone.
    let both = async { try_zip(success(&mut e1), success(&mut e2)).await.map(drop) };
    let outcome = common::unless_interrupted(interruptions, both).await;
    e1.shutdown(GRACE).await?;
    e2.shutdown(GRACE).await?;
    outcome
}

async fn proc1(pace: Pace) -> Result {
    let endpoint = EventBus::connect().await?;
    let (heard, receipts) = unbounded();
    let heard_own = heard.clone();
    let _others = endpoint.subscribe(move |event: Received<SecondThingHappened>| {
        println!("Received via SUBSCRIBE API in proc1:  {}", event.payload);
        count(&heard);
    });
    let _own = endpoint.subscribe(move |event: Received<FirstThingHappened>| {
        println!("Receiving own event:  {}", event.payload);
        count(&heard_own);
    });
    meet(&endpoint, "e2").await;

    let hit = |payload| FirstThingHappened { payload };
    let working = work(&endpoint, "proc1", 5, pace, hit);
    let hearing = hear(receipts, 2 * u64::from(pace.rounds));
    let playing = async { try_zip(working, hearing).await.map(drop) };
    common::until_closed(&endpoint, playing).await
}

async fn proc2(pace: Pace) -> Result {
    let endpoint = EventBus::connect().await?;
    let (heard, receipts) = unbounded();
    let _subscription = endpoint.subscribe(move |event: Received<FirstThingHappened>| {
        println!("Received via SUBSCRIBE API in proc2: {}", event.payload);
        count(&heard);
    });
    let mut events = endpoint.stream::<FirstThingHappened>();
    meet(&endpoint, "e1").await;

    let streaming = async {
        for _ in 0..pace.rounds {
            let Some(event) = events.next().await else {
                break;
            };
            println!("Received via STREAM API in proc2:  {}", event?.payload);
        }
        Ok(())
    };
    let hit = |payload| SecondThingHappened { payload };
    let working = work(&endpoint, "proc2", 2, pace, hit);
    let hearing = hear(receipts, pace.rounds.into());
    let consuming = try_zip(hearing, streaming);
    let playing = async { try_zip(working, consuming).await.map(drop) };
    common::until_closed(&endpoint, playing).await
}

/// Waits until the other process has made its subscriptions.
async fn meet(endpoint: &Endpoint, other: &str) {
    endpoint.subscribe(|_: Received<AllEars>| {}).detach();
    let other = endpoint.wait_until_subscribed::<AllEars>(Scope::Endpoint(other));
    or(other, endpoint.closed()).await;
}

/// Says hello every tick, and broadcasts every few of them.
async fn work<E: Event + Debug>(
    endpoint: &Endpoint,
    process: &str,
    every: u64,
    pace: Pace,
    hit: impl Fn(String) -> E,
) -> Result {
    for tick in 1..=every * u64::from(pace.rounds) {
        println!("Hello from {process}");
        if tick % every == 0 {
            let time = SystemTime::now().duration_since(UNIX_EPOCH)?;
            let event = hit(format!("Hit from {process} ({})", time.as_secs_f64()));
            // That nobody listens is no error: the other process may have died.
            let broadcast = endpoint.broadcast(event).require_subscriber(false);
            match broadcast.await {
                Err(BroadcastError::Closed) => return Ok(()),
                broadcast => broadcast?,
            }
        }
        Timer::after(pace.tick).await;
    }
    Ok(())
}

fn count(heard: &Sender<()>) {
    // After the last that is waited for, nobody counts.
    let _ = heard.try_send(());
}

/// Waits until handlers have heard this many events.
async fn hear(receipts: Receiver<()>, events: u64) -> Result {
    for _ in 0..events {
        if receipts.recv().await.is_err() {
            break;
        }
    }
    Ok(())
}
