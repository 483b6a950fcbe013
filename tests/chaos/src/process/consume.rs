//! Consuming the events of the others: all of them, and of one also as few as come through.

use std::sync::Arc;
use std::time::Duration;

use futures_lite::future::{or, poll_once, yield_now};
use lahja_smol::{EventStream, Overflow};
use smol::{Executor, Timer};

use super::me::Me;
use crate::birth::Birth;
use crate::events::{Tick, name};
use crate::journal::Which;

/// How many events are taken before others have their turn.
const BATCH: usize = 256;

/// How long the slow subscription takes for an event.
const SLOWLY: Duration = Duration::from_millis(4);

/// Returns the slot whose events a process also consumes slowly.
pub(super) fn slow_slot(birth: &Birth) -> usize {
    (birth.slot + 1) % birth.processes
}

/// Subscribes to all events of a slot.
pub(super) fn lossless<T: Tick>(me: &Arc<Me>, executor: &Arc<Executor<'static>>) {
    let config = me.endpoint.subscription::<T>();
    // Events take another way through lahja where there is a predicate.
    let events = match T::SLOT % 3 {
        0 => config.filter(|_| true).stream(),
        1 => config.from(name(T::SLOT)).stream(),
        _ => config.stream(),
    };
    executor.spawn(consume_all(me.clone(), events)).detach();
}

async fn consume_all<T: Tick>(me: Arc<Me>, mut events: EventStream<T>) {
    let name = name(T::SLOT);
    let mut is_there = false;
    loop {
        let mut changed = me.endpoint.connections_changed();
        if is_there && !me.endpoint.is_connected_to(&name) {
            // What came before the end is there by now.
            while let Some(event) = poll_once(events.next()).await {
                let Some(event) = event else { return };
                me.take(Which::Lossless, event);
            }
            // Unless somebody new has come in the meantime.
            if poll_once(&mut changed).await.is_none() {
                me.journal.gone(T::SLOT);
                is_there = false;
            }
            continue;
        }
        let event = async { Some(events.next().await) };
        let change = async {
            changed.await;
            None
        };
        let Some(mut next) = or(event, change).await else { continue };
        for _ in 0..BATCH {
            let Some(event) = next else { return };
            is_there |= event.is_ok();
            me.take(Which::Lossless, event);
            match poll_once(events.next()).await {
                Some(event) => next = event,
                None => {
                    next = None;
                    break;
                }
            }
        }
        if let Some(event) = next {
            me.take(Which::Lossless, event);
            yield_now().await;
        }
    }
}

/// Subscribes to the events of a slot once more, and loses most of them.
pub(super) fn slow<T: Tick>(me: &Arc<Me>, executor: &Arc<Executor<'static>>) {
    let config = me.endpoint.subscription::<T>().capacity(16).overflow(Overflow::DropOldest);
    let mut events = config.stream();
    let me = me.clone();
    let consuming = async move {
        while let Some(event) = events.next().await {
            me.take(Which::Slow, event);
            Timer::after(SLOWLY).await;
        }
    };
    executor.spawn(consuming).detach();
}
