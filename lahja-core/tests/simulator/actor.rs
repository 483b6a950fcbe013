//! Those who act in a run: each does one thing after the other, as its numbers say.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use futures_lite::future::{or, yield_now};
use lahja_core::{Broadcast, BroadcastError, Endpoint, Overflow, Scope};

use crate::answerer::{answer_by_handler, answer_by_stream, ask};
use crate::consumer::{Wish, consume};
use crate::events::{First, Numbered, Second, TOPICS, Third};
use crate::mood::pick;
use crate::record::{Moment, Outcome, Reach, Subscriber};
use crate::run::{GROUPS, NAMES, Run};

/// The most subscriptions of an endpoint.
const MAX_CONSUMERS: usize = 5;

/// Acts at an endpoint until everything is done or the endpoint is closed.
pub(crate) async fn act(run: Arc<Run>, at: usize, mut random: Rng) {
    for _ in 0..run.mood.acts {
        let Some(endpoint) = run.endpoint(at) else { return };
        match random.u8(..100) {
            0..45 => broadcast_any(&run, &endpoint, at, &mut random).await,
            45..60 => {
                let reach = any_reach(&run, &mut random);
                let asks_back = run.mood.asks_back && random.bool();
                ask(&run, &endpoint, at, reach, asks_back, &mut random).await;
            }
            60..72 => subscribe_any(&run, &endpoint, at, &mut random).await,
            72..77 => {
                let consumers = run.consumers(at);
                if !consumers.is_empty() {
                    run.end_consumer(&pick_of(&mut random, &consumers));
                }
            }
            77..80 => answer_any(&run, &endpoint, at, &mut random),
            80..85 => {
                let peer = random.usize(..run.mood.endpoints);
                drop(endpoint);
                if peer != at {
                    run.connect([at, peer], &mut random).await;
                }
            }
            85..88 => {
                // What may never be is given up.
                let scope = pick(&mut random, &[Scope::Any, Scope::All, Scope::Endpoint(NAMES[0])]);
                let waiting = endpoint.wait_until_subscribed::<First>(scope);
                or(waiting, run.sleep(&mut random, Duration::from_micros(100))).await;
            }
            88..90 if run.mood.may_close => {
                drop(endpoint);
                close_any(&run, at, &mut random).await;
            }
            90..95 => yield_now().await,
            _ => run.sleep(&mut random, Duration::from_micros(500)).await,
        }
    }
}

/// Answers requests, in one of two ways.
pub(crate) fn answer_any(run: &Arc<Run>, endpoint: &Endpoint, at: usize, random: &mut Rng) {
    match random.bool() {
        true => answer_by_handler(run, endpoint, at, random),
        false => answer_by_stream(run, endpoint, at, random),
    }
}

/// Closes an endpoint in order, or drops the last handle to it.
pub(crate) async fn close_any(run: &Run, at: usize, random: &mut Rng) {
    let Some(endpoint) = run.take_endpoint(at) else { return };
    if random.u8(..4) == 0 {
        return;
    }
    let deadline = pick(random, &[Duration::ZERO, Duration::from_micros(50), run.mood.patience()]);
    let report = endpoint.close(deadline).await;
    run.record().closed(at, report.undelivered);
}

fn pick_of<T: Clone>(random: &mut Rng, of: &[T]) -> T {
    of[random.usize(..of.len())].clone()
}

/// Chooses whom to reach.
fn any_reach(run: &Run, random: &mut Rng) -> Reach {
    let endpoints = run.mood.endpoints;
    let mut any = || random.usize(..endpoints);
    let (one, other) = (any(), any());
    match random.u8(..10) {
        0..3 => Reach { to: Some(one), ..Reach::default() },
        3 => Reach { group: Some(one % 2), ..Reach::default() },
        4 => Reach { except: Some(one), ..Reach::default() },
        5 => Reach { group: Some(one % 2), except: Some(other), ..Reach::default() },
        6 => Reach { internal: true, ..Reach::default() },
        _ => Reach::default(),
    }
}

async fn broadcast_any(run: &Arc<Run>, endpoint: &Endpoint, at: usize, random: &mut Rng) {
    let reach = any_reach(run, random);
    let times = pick(random, &[1, 1, 1, 8]);
    let topic = random.usize(..TOPICS);
    for _ in 0..times {
        let reach = reach.clone();
        match topic {
            First::TOPIC => broadcast::<First>(run, endpoint, at, reach, random).await,
            Second::TOPIC => broadcast::<Second>(run, endpoint, at, reach, random).await,
            _ => broadcast::<Third>(run, endpoint, at, reach, random).await,
        }
    }
}

/// Broadcasts, in one of the ways in which that is done.
async fn broadcast<E: Numbered>(
    run: &Arc<Run>,
    endpoint: &Endpoint,
    at: usize,
    reach: Reach,
    random: &mut Rng,
) {
    let len = random.usize(0..=run.mood.longest);
    let id = run.record().send(at, E::TOPIC, len, reach.clone());
    let mut broadcast = endpoint.broadcast(E::new(id, len));
    broadcast = narrow(broadcast, &reach);
    let requires = random.u8(..8) > 0;
    broadcast = broadcast.require_subscriber(requires);
    let result = match random.u8(..8) {
        0 => Some(broadcast.now()),
        1 => {
            // Nothing happens before the first poll.
            drop(broadcast.into_future());
            run.record().sent(id, Outcome::Nobody, false);
            return;
        }
        2 => {
            let given_up = async {
                run.sleep(random, Duration::from_micros(60)).await;
                None
            };
            or(async { Some(broadcast.await) }, given_up).await
        }
        _ => Some(broadcast.await),
    };
    let (outcome, found_nobody) = match result {
        Some(Ok(())) => (Outcome::Ok, false),
        Some(Err(BroadcastError::NoSubscribers(event))) => {
            assert_eq!(event.id(), id);
            (Outcome::Nobody, true)
        }
        Some(Err(BroadcastError::Full(event))) => {
            assert_eq!(event.id(), id);
            (Outcome::Nobody, false)
        }
        None | Some(Err(BroadcastError::Closed)) => (Outcome::Given, false),
        Some(Err(error)) => panic!("{error}"),
    };
    run.record().sent(id, outcome, found_nobody);
}

fn narrow<'a, E: Numbered>(mut broadcast: Broadcast<'a, E>, reach: &Reach) -> Broadcast<'a, E> {
    if let Some(to) = reach.to {
        broadcast = broadcast.to(NAMES[to]);
    }
    if let Some(group) = reach.group {
        broadcast = broadcast.to_group(GROUPS[group]);
    }
    if let Some(except) = reach.except {
        broadcast = broadcast.except(NAMES[except]);
    }
    if reach.internal {
        broadcast = broadcast.internal();
    }
    broadcast
}

/// Subscribes to something, in one of the ways in which that is done.
pub(crate) async fn subscribe_any(
    run: &Arc<Run>,
    endpoint: &Endpoint,
    at: usize,
    random: &mut Rng,
) {
    if run.consumers(at).len() >= MAX_CONSUMERS {
        return;
    }
    let overflows = [
        Overflow::Wait,
        Overflow::Wait,
        Overflow::DropOldest,
        Overflow::DropNewest,
        Overflow::Latest,
    ];
    let subscriber = Subscriber {
        endpoint: at,
        topic: random.usize(..TOPICS),
        from: (random.u8(..4) == 0).then(|| random.usize(..run.mood.endpoints)),
        filter: (random.u8(..4) == 0).then(|| random.u64(..3)),
        overflow: pick(random, &overflows),
        capacity: pick(random, &[1, 2, 100]),
        has_handler: random.u8(..3) == 0,
        made: 0,
        collected: Moment::MAX,
        ready: None,
        dropped: None,
        got: Vec::new(),
        handled: Vec::new(),
    };
    let wish = Wish { subscriber, awaits_ready: random.u8(..3) > 0 };
    match wish.subscriber.topic {
        First::TOPIC => consume::<First>(run, endpoint, wish, random).await,
        Second::TOPIC => consume::<Second>(run, endpoint, wish, random).await,
        _ => consume::<Third>(run, endpoint, wish, random).await,
    }
}
