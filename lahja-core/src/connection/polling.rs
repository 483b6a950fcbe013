//! Asking a transport again for a while before the reader goes to sleep.
//!
//! Waking a process that sleeps takes some 5 us, and tens of them in a virtual machine, which is
//! most of what a round trip takes. So a reader that finds nothing asks again, as often as the
//! executor lets it, as long as that has paid lately: a try that finds nothing doubles how many
//! waits go by before the next one, up to [`MAX_SKIPS`]; one that finds something, and a wait that
//! a try would have spared on an executor that is not busy, brings the next one back at once. An
//! idle connection costs nothing.

use std::time::{Duration, Instant};

/// The most waits between two tries.
const MAX_SKIPS: u32 = 256;

/// When it takes the executor longer than this to come back, it has other things to do: tasks that
/// compute, or threads that it wakes each time.
const BUSY: Duration = Duration::from_micros(5);

/// Decides whether a reader that found nothing asks again or sleeps.
#[derive(Debug)]
pub(super) struct Polling {
    // How long a try lasts. Zero: there is none.
    limit: Duration,
    state: State,
    // Waits that go by before the next try, and how many did after the last.
    skips: u32,
    skipped: u32,
    // Whether the last try ended because the executor has other things to do.
    is_busy: bool,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// Something has arrived.
    Reading,
    Trying {
        since: Instant,
        last: Instant,
    },
    Sleeping {
        since: Instant,
    },
}

impl Polling {
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, state: State::Reading, skips: 0, skipped: 0, is_busy: false }
    }

    /// Notes that nothing has arrived. Tells whether to ask again, at once.
    pub(super) fn asks_again(&mut self, now: Instant) -> bool {
        match &mut self.state {
            State::Trying { since, last } => {
                let lasts = now.saturating_duration_since(*since) < self.limit;
                self.is_busy = now.saturating_duration_since(*last) >= BUSY;
                if lasts && !self.is_busy {
                    *last = now;
                    return true;
                }
                self.skipped = (self.skipped * 2).clamp(1, MAX_SKIPS);
                self.skips = self.skipped;
            }
            State::Reading if self.skips == 0 && !self.limit.is_zero() => {
                self.state = State::Trying { since: now, last: now };
                return true;
            }
            State::Reading => self.skips = self.skips.saturating_sub(1),
            State::Sleeping { .. } => return false,
        }
        self.state = State::Sleeping { since: now };
        false
    }

    /// Notes that something has arrived.
    pub(super) fn arrived(&mut self, now: impl FnOnce() -> Instant) {
        let was_short = match std::mem::replace(&mut self.state, State::Reading) {
            State::Reading => return,
            State::Trying { .. } => true,
            // A try would not have lasted.
            State::Sleeping { .. } if self.is_busy => false,
            State::Sleeping { since } => now().saturating_duration_since(since) < self.limit,
        };
        if was_short {
            self.skips = 0;
            self.skipped = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_micros(100);

    /// Time as the tests have it.
    struct Clock(Instant);

    impl Clock {
        fn after(&mut self, micros: u64) -> Instant {
            self.0 += Duration::from_micros(micros);
            self.0
        }
    }

    /// Waits until the reader sleeps. Returns how often it has asked again.
    fn sleep(polling: &mut Polling, clock: &mut Clock) -> u32 {
        let mut asked = 0;
        while polling.asks_again(clock.after(1)) {
            asked += 1;
        }
        asked
    }

    #[test]
    fn a_try_ends_after_its_limit() {
        let mut clock = Clock(Instant::now());
        let mut polling = Polling::new(LIMIT);
        assert_eq!(sleep(&mut polling, &mut clock), 100);
        assert!(!polling.asks_again(clock.after(1)), "sleeps on when it is woken for nothing");
    }

    #[test]
    fn tries_that_find_nothing_become_rare() {
        let mut clock = Clock(Instant::now());
        let mut polling = Polling::new(LIMIT);
        let mut tried = Vec::new();
        for wait in 0..2_000 {
            if sleep(&mut polling, &mut clock) > 0 {
                tried.push(wait);
            }
            polling.arrived(|| clock.after(1_000));
        }
        assert_eq!(tried, [0, 2, 5, 10, 19, 36, 69, 134, 263, 520, 777, 1034, 1291, 1548, 1805]);
    }

    #[test]
    fn a_try_that_finds_something_is_followed_by_another() {
        let mut clock = Clock(Instant::now());
        let mut polling = Polling::new(LIMIT);
        for _ in 0..10 {
            for _ in 0..90 {
                assert!(polling.asks_again(clock.after(1)));
            }
            polling.arrived(|| clock.after(1));
        }
    }

    #[test]
    fn a_short_sleep_brings_the_next_try_back() {
        let mut clock = Clock(Instant::now());
        let mut polling = Polling::new(LIMIT);
        for _ in 0..300 {
            sleep(&mut polling, &mut clock);
            polling.arrived(|| clock.after(1_000));
        }
        assert_eq!(sleep(&mut polling, &mut clock), 0);
        polling.arrived(|| clock.after(99));
        assert_eq!(sleep(&mut polling, &mut clock), 100);
    }

    #[test]
    fn a_busy_executor_is_left_alone() {
        let mut clock = Clock(Instant::now());
        let mut polling = Polling::new(LIMIT);
        assert!(polling.asks_again(clock.after(1)));
        assert!(!polling.asks_again(clock.after(5)));
    }

    #[test]
    fn short_sleeps_bring_no_try_back_while_the_executor_is_busy() {
        let mut clock = Clock(Instant::now());
        let mut polling = Polling::new(LIMIT);
        let mut tries = 0;
        for _ in 0..MAX_SKIPS {
            if polling.asks_again(clock.after(1)) {
                tries += 1;
                assert!(!polling.asks_again(clock.after(5)));
            }
            polling.arrived(|| clock.after(10));
        }
        assert_eq!(tries, 8);
    }

    #[test]
    fn without_a_limit_there_is_no_try() {
        let mut clock = Clock(Instant::now());
        let mut polling = Polling::new(Duration::ZERO);
        for _ in 0..10 {
            assert_eq!(sleep(&mut polling, &mut clock), 0);
            polling.arrived(|| clock.after(0));
        }
    }
}
