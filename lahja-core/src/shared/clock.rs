//! Deadlines: those of requests, and of consumers that consume nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use event_listener::Event as Notify;
use futures_lite::future::or;

use super::Shared;
use crate::sync::atomic::{AtomicU64, Ordering};

/// When deadlines are looked at next.
pub(super) struct Clock {
    start: Instant,
    // In nanoseconds from the start, or `NEVER`.
    next: AtomicU64,
    set: Notify,
}

const NEVER: u64 = u64::MAX;

impl Clock {
    pub(super) fn new(start: Instant) -> Self {
        Self { start, next: AtomicU64::new(NEVER), set: Notify::new() }
    }

    /// Has whoever waits for the next look see that the endpoint is closed.
    pub(super) fn stop(&self) {
        self.set.notify(usize::MAX);
    }

    /// Brings the next look forward to `at`. Tells whether it was later.
    fn bring_forward(&self, at: Instant) -> bool {
        let at = self.nanos(at);
        // Most deadlines are later than others. Whoever looks takes the time off first and a lock of
        // what has deadlines then: this one is seen there, or the time is seen to be off here.
        at < self.next.load(Ordering::Relaxed) && at < self.next.fetch_min(at, Ordering::AcqRel)
    }

    /// Returns how long it is until the next look, which is taken off if its time has come.
    fn take(&self, now: Instant) -> Option<Duration> {
        let (next, now) = (self.next.load(Ordering::Acquire), self.nanos(now));
        if next <= now {
            self.next.store(NEVER, Ordering::Release);
        }
        (next != NEVER).then(|| Duration::from_nanos(next.saturating_sub(now)))
    }

    fn nanos(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.start).as_nanos()).unwrap_or(NEVER)
    }
}

impl Shared {
    /// Looks at deadlines no later than `at`. Call it once the deadline is where it is looked for.
    pub(crate) fn look_at(&self, at: Instant) {
        if self.clock.bring_forward(at) {
            self.clock.set.notify(1);
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
    let clock = &shared.clock;
    while !shared.is_closed() {
        let set = clock.set.listen();
        let now = shared.runtime.now();
        match clock.take(now) {
            Some(Duration::ZERO) => {
                if let Some(at) = shared.sweep(now) {
                    shared.look_at(at);
                }
            }
            _ if shared.is_closed() => {}
            Some(pause) => or(set, shared.runtime.sleep(pause)).await,
            None => set.await,
        }
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_of_several_looks_is_the_next_and_is_taken_once() {
        let start = Instant::now();
        let seconds = Duration::from_secs;
        let clock = Clock::new(start);
        assert_eq!(clock.take(start + seconds(9)), None);
        assert!(clock.bring_forward(start + seconds(3)));
        assert!(!clock.bring_forward(start + seconds(4)));
        assert!(clock.bring_forward(start + seconds(2)));
        assert_eq!(clock.take(start + seconds(1)), Some(seconds(1)));
        assert_eq!(clock.take(start + seconds(5)), Some(Duration::ZERO));
        assert_eq!(clock.take(start + seconds(5)), None);
        assert!(clock.bring_forward(start + seconds(4)));
    }

    #[test]
    fn a_look_further_away_than_can_be_told_never_comes() {
        let start = Instant::now();
        let clock = Clock::new(start);
        let at = start.checked_add(Duration::from_secs(1 << 40)).expect("the clock goes that far");
        assert!(!clock.bring_forward(at));
        assert_eq!(clock.take(start), None);
    }
}
