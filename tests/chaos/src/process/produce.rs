//! Broadcasting numbered events, in bursts.

use std::future::IntoFuture;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_lite::future::poll_once;
use lahja_smol::{BroadcastError, Scope};
use smol::{Executor, Timer};

use super::me::{Busy, Me};
use crate::events::{Content, Tick, name};
use crate::fate::Point;

/// The length of an event that does not fit into what the system takes at once.
const LARGE: usize = 3 << 20;

/// How many events fill every window.
const FLOOD: u64 = 20_000;

/// How long before it leaves a process begins to fill them.
const FLOODED: Duration = Duration::from_millis(30);

/// Begins to broadcast.
pub(super) fn produce<T: Tick>(
    me: &Arc<Me>,
    executor: &Arc<Executor<'static>>,
    dice: fastrand::Rng,
) {
    let busy = me.busy();
    executor.spawn(producing::<T>(me.clone(), dice, busy)).detach();
}

async fn producing<T: Tick>(me: Arc<Me>, mut dice: fastrand::Rng, _busy: Busy) {
    while !me.is_quiet() {
        let burst = match dice.u32(0..256) {
            0 => FLOOD / 10,
            _ if me.is_due(Point::WaitingForRoom) || me.leaves_within(FLOODED) => FLOOD,
            _ => dice.u64(1..160),
        };
        for _ in 0..burst {
            let len = match dice.u32(0..4096) {
                0 => dice.usize(64 << 10..1 << 20),
                1..64 => dice.usize(64..16 << 10),
                _ => dice.usize(..64),
            };
            let len = if me.is_due(Point::InALargeEvent) { LARGE } else { len };
            if !broadcast::<T>(&me, len, dice.u32(0..8) == 0).await {
                return;
            }
        }
        Timer::after(Duration::from_millis(dice.u64(5..40))).await;
    }
    // Everybody gets the last event, which tells that nothing before it is missing.
    for slot in (0..me.birth.processes).filter(|slot| *slot != T::SLOT) {
        let peer = name(slot);
        if me.endpoint.is_connected_to(&peer) {
            let wants = me.endpoint.wait_until_subscribed::<T>(Scope::Endpoint(&peer));
            let left = async {
                while me.endpoint.is_connected_to(&peer) {
                    me.endpoint.connections_changed().await;
                }
            };
            futures_lite::future::or(wants, left).await;
        }
    }
    broadcast::<T>(&me, 0, false).await;
}

/// Broadcasts one event, at first without waiting if it is `hurried`. Tells whether there may be
/// another.
async fn broadcast<T: Tick>(me: &Me, len: usize, hurried: bool) -> bool {
    let number = me.next_event();
    let mut event = T::from(Content::new(me.birth.life, number, len));
    if hurried {
        match me.endpoint.broadcast(event).require_subscriber(false).now() {
            Ok(()) => {
                me.broadcast(number);
                return true;
            }
            // Nobody has it.
            Err(BroadcastError::Full(back)) => event = back,
            Err(error) => return failed(me, number, &error),
        }
    }
    let broadcast = me.endpoint.broadcast(event).require_subscriber(false);
    let mut broadcast = pin!(broadcast.into_future());
    let result = match poll_once(&mut broadcast).await {
        Some(result) => result,
        None => {
            if len < LARGE {
                me.reach(Point::WaitingForRoom);
            }
            broadcast.await
        }
    };
    if len == LARGE {
        me.reach(Point::InALargeEvent);
    }
    match result {
        Ok(()) => {
            me.broadcast(number);
            true
        }
        Err(error) => failed(me, number, &error),
    }
}

fn failed<E>(me: &Me, number: u64, error: &BroadcastError<E>) -> bool {
    if !matches!(error, BroadcastError::Closed) {
        me.fault(format_args!("event {number} was not broadcast: {error:?}", error = plain(error)));
    }
    false
}

fn plain<E>(error: &BroadcastError<E>) -> String {
    match error {
        BroadcastError::NoSubscribers(_) => "no subscribers".into(),
        BroadcastError::Full(_) => "full".into(),
        _ => "another error".into(),
    }
}
