//! Whether a caller writes what it has queued, or leaves it to the writer loop, which gathers.

use std::time::{Duration, Instant};

use crate::sync::atomic::{AtomicU64, Ordering};

/// Between two writes by callers of an endpoint passes at least this long for each connection that a
/// broadcast is written to, or the writer loops take over: a system call for a small frame takes about
/// 1 us on each side. After a write an answer from an end that polls takes longer than this to come, so
/// whoever asks again then does so at once.
const INTERVAL: Duration = Duration::from_micros(2);

/// When the callers of an endpoint wrote last, to whichever connection.
#[derive(Debug)]
pub(crate) struct Pace {
    start: Instant,
    // Nanoseconds from the start, and one. Zero: nobody has written yet.
    last: AtomicU64,
}

impl Pace {
    pub(crate) fn new(start: Instant) -> Self {
        Self { start, last: AtomicU64::new(0) }
    }

    /// Notes that a caller has written.
    pub(super) fn wrote(&self, now: Instant) {
        self.last.store(self.nanos(now) + 1, Ordering::Relaxed);
    }

    /// Tells whether so many connections may be written to.
    fn is_slow(&self, connections: usize, now: Instant) -> bool {
        let last = self.last.load(Ordering::Relaxed);
        let pause = INTERVAL.as_nanos() as u64 * connections as u64;
        last == 0 || self.nanos(now) >= last + pause
    }

    fn nanos(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.start).as_nanos() as u64
    }
}

/// One call. A broadcast writes to all connections that it sends something to, or to none: several
/// writes take so long that each connection by itself would seem to have a slow caller.
#[derive(Debug)]
pub(crate) struct Burst {
    connections: usize,
    is_slow: Option<bool>,
}

impl Burst {
    /// Begins a call that sends something to so many connections at most.
    #[inline]
    pub(crate) fn to(connections: usize) -> Self {
        Self { connections, is_slow: None }
    }

    /// Tells whether the last call was so long ago that latency counts for more than system calls.
    pub(super) fn is_slow(&mut self, pace: &Pace, now: impl FnOnce() -> Instant) -> bool {
        *self.is_slow.get_or_insert_with(|| pace.is_slow(self.connections, now()))
    }
}

impl Default for Burst {
    fn default() -> Self {
        Self::to(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_soon_after_another_leaves_its_frames_to_be_gathered() {
        let start = Instant::now();
        let pace = Pace::new(start);
        let is_slow = |after: Duration| Burst::default().is_slow(&pace, || start + after);
        assert!(is_slow(Duration::ZERO));
        pace.wrote(start);
        assert!(!is_slow(Duration::from_micros(1)));
        assert!(is_slow(Duration::from_micros(3)));
    }

    #[test]
    fn a_call_to_many_connections_waits_as_long_for_each() {
        let start = Instant::now();
        let pace = Pace::new(start);
        let is_slow =
            |micros| Burst::to(8).is_slow(&pace, || start + Duration::from_micros(micros));
        assert!(is_slow(0));
        pace.wrote(start);
        assert!(!is_slow(15));
        assert!(is_slow(17));
    }

    #[test]
    fn a_call_writes_to_all_connections_or_to_none() {
        let start = Instant::now();
        let pace = Pace::new(start);
        let mut burst = Burst::default();
        for micros in 0..8 {
            let now = start + Duration::from_micros(micros);
            assert!(burst.is_slow(&pace, || now));
            pace.wrote(now);
        }
        let mut next = Burst::default();
        for micros in [8, 20] {
            assert!(!next.is_slow(&pace, || start + Duration::from_micros(micros)));
        }
    }
}
