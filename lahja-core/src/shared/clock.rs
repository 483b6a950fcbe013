//! Deadlines: those of requests, and of consumers that consume nothing.

use std::sync::Arc;
use std::time::Instant;

use futures_lite::future::or;

use super::Shared;
use crate::sync::lock;

impl Shared {
    /// Looks at deadlines no later than `at`.
    pub(crate) fn look_at(&self, at: Instant) {
        let mut clock = lock(&self.clock);
        if clock.is_none_or(|next| at < next) {
            *clock = Some(at);
            drop(clock);
            self.clock_set.notify(1);
        }
    }

    /// Lets everything end whose time is up. Returns when to look again.
    fn sweep(&self, now: Instant) -> Option<Instant> {
        let limit = self.limits.stalled_after;
        let registry = self.registry();
        let topics: Vec<_> = registry.topics().values().cloned().collect();
        let connections: Vec<_> = registry.connections.values().map(|(c, _)| c.clone()).collect();
        drop(registry);
        let mut next = self.pending().sweep(now);
        let mut sooner = |at: Option<Instant>| next = next.into_iter().chain(at).min();
        for topic in topics {
            sooner(topic.sweep(now, limit));
        }
        for connection in connections {
            let (next, stalled) = connection.sweep(now, limit);
            sooner(next);
            if stalled {
                self.trouble.stalled(&connection.peer().name);
                connection.notify();
            }
        }
        next
    }
}

/// Looks at deadlines: one task for all of them, asleep while there is none.
pub(super) async fn sweep(shared: Arc<Shared>) {
    while !shared.is_closed() {
        let set = shared.clock_set.listen();
        let next = *lock(&shared.clock);
        let now = shared.runtime.now();
        match next {
            Some(at) if at <= now => {
                *lock(&shared.clock) = None;
                if let Some(at) = shared.sweep(now) {
                    shared.look_at(at);
                }
            }
            _ if shared.is_closed() => {}
            Some(at) => or(set, shared.runtime.sleep(at - now)).await,
            None => set.await,
        }
    }
}
