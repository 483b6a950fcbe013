//! Asking a transport again for a while before the reader goes to sleep.
//!
//! Waking a process that sleeps takes some 5 us, and tens of them in a virtual machine, which is
//! most of what a round trip takes. So a reader that finds nothing asks again, as often as the
//! executor lets it, as long as that has paid lately: a try that finds nothing doubles how many
//! waits go by before the next one, up to [`MAX_SKIPS`]; one that finds something, and a wait that
//! a try would have spared on an executor that is not busy, brings the next one back at once. An
//! idle connection costs nothing. Nor does a stream of small events that come many at a time: after a read
//! that finds [`MANY`] frames or more the reader sleeps, since to be woken is little for each of so many.
//!
//! The peer may wait for the very core that asks, or other processes may. A try that takes longer than
//! an answer from another core therefore lets them run each time, and ends if one of them does and
//! nothing has come. If something has at once, the next try begins with that: they share a core.

use std::time::{Duration, Instant};

/// The most waits between two tries.
const MAX_SKIPS: u32 = 256;

/// When it takes longer than this to ask and to be back, the executor has other things to do: tasks that
/// compute, or threads that it wakes each time. So a try ends at once where to ask takes as long by itself.
const BUSY: Duration = Duration::from_micros(5);

/// What an answer from another core takes, and some more. A try that lasts longer lets others have the
/// core.
const YIELD_AFTER: Duration = Duration::from_micros(8);

/// A read that finds so many frames or more is one of a stream.
const MANY: u64 = 128;

/// What a reader does that found nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// It asks again, at once.
    AskAgain,
    /// It asks again, after other threads that wait for the core.
    Yield,
    Sleep,
}

/// Decides whether a reader that found nothing asks again or sleeps.
#[derive(Debug)]
pub(super) struct Polling {
    // How long a try lasts. Zero: there is none.
    limit: Duration,
    state: State,
    // Waits that go by before the next try, and how many did after the last.
    skips: u32,
    skipped: u32,
    // Whether the last read found `MANY` frames or more.
    is_stream: bool,
    // Whether what came last had waited for this core.
    shares_core: bool,
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
        yielded: Yielded,
    },
    Sleeping {
        since: Instant,
    },
}

/// When a try has let others run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Yielded {
    Never,
    /// For the first time, before the last look.
    JustNow,
    Before,
}

impl Polling {
    pub(super) fn new(limit: Duration) -> Self {
        Self {
            limit,
            state: State::Reading,
            skips: 0,
            skipped: 0,
            is_stream: false,
            shares_core: false,
            is_busy: false,
        }
    }

    /// Notes that nothing has arrived.
    pub(super) fn wait(&mut self, now: Instant) -> Wait {
        let may_ask = self.may_ask();
        match &mut self.state {
            State::Trying { since, last, yielded } => {
                let lasted = now.saturating_duration_since(*since);
                self.is_busy = now.saturating_duration_since(*last) >= BUSY;
                if lasted < self.limit && !self.is_busy {
                    *last = now;
                    let wait = match self.shares_core || lasted >= YIELD_AFTER {
                        true => Wait::Yield,
                        false => Wait::AskAgain,
                    };
                    *yielded = match (*yielded, wait) {
                        (Yielded::Never, Wait::Yield) => Yielded::JustNow,
                        (Yielded::Never, _) => Yielded::Never,
                        _ => Yielded::Before,
                    };
                    return wait;
                }
                self.skipped = (self.skipped * 2).clamp(1, MAX_SKIPS);
                self.skips = self.skipped;
            }
            State::Reading if may_ask => {
                let (wait, yielded) = match self.shares_core {
                    true => (Wait::Yield, Yielded::JustNow),
                    false => (Wait::AskAgain, Yielded::Never),
                };
                self.state = State::Trying { since: now, last: now, yielded };
                return wait;
            }
            State::Reading => self.skips = self.skips.saturating_sub(1),
            State::Sleeping { .. } => return Wait::Sleep,
        }
        self.state = State::Sleeping { since: now };
        Wait::Sleep
    }

    /// Tells whether a reader that finds nothing may ask again, rather than sleep.
    pub(super) fn may_ask(&self) -> bool {
        match self.state {
            State::Trying { .. } => true,
            State::Reading => self.skips == 0 && !self.is_stream && !self.limit.is_zero(),
            State::Sleeping { .. } => false,
        }
    }

    /// Notes how many frames one read has found.
    pub(super) fn took(&mut self, frames: u64) {
        self.is_stream = frames >= MANY;
    }

    /// Notes that something has arrived.
    pub(super) fn arrived(&mut self, now: impl FnOnce() -> Instant) {
        let was_short = match std::mem::replace(&mut self.state, State::Reading) {
            State::Reading => return,
            State::Trying { yielded, .. } => {
                self.shares_core = yielded == Yielded::JustNow;
                true
            }
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
        while polling.wait(clock.after(1)) != Wait::Sleep {
            asked += 1;
        }
        asked
    }

    #[test]
    fn a_try_ends_after_its_limit() {
        let mut clock = Clock(Instant::now());
        let mut polling = Polling::new(LIMIT);
        assert_eq!(sleep(&mut polling, &mut clock), 100);
        let wait = polling.wait(clock.after(1));
        assert_eq!(wait, Wait::Sleep, "sleeps on when it is woken for nothing");
    }

    #[test]
    fn a_try_lets_others_run_once_it_lasts() {
        let mut clock = Clock(Instant::now());
        let mut polling = Polling::new(LIMIT);
        for _ in 0..8 {
            assert_eq!(polling.wait(clock.after(1)), Wait::AskAgain);
        }
        assert_eq!(polling.wait(clock.after(1)), Wait::Yield);
        assert_eq!(polling.wait(clock.after(4)), Wait::Yield);
        assert_eq!(polling.wait(clock.after(5)), Wait::Sleep);
    }

    #[test]
    fn who_shares_a_core_with_the_peer_lets_it_run_at_once() {
        let mut clock = Clock(Instant::now());
        let mut polling = Polling::new(LIMIT);
        while polling.wait(clock.after(1)) != Wait::Yield {}
        polling.arrived(|| clock.after(3));
        assert_eq!(polling.wait(clock.after(1)), Wait::Yield);
        polling.arrived(|| clock.after(3));
        assert_eq!(polling.wait(clock.after(1)), Wait::Yield);
        assert_eq!(polling.wait(clock.after(5)), Wait::Sleep);
    }

    #[test]
    fn who_has_a_core_of_its_own_asks_again_without_a_pause() {
        let mut clock = Clock(Instant::now());
        let mut polling = Polling::new(LIMIT);
        while polling.wait(clock.after(1)) != Wait::Yield {}
        polling.arrived(|| clock.after(3));
        assert_eq!(polling.wait(clock.after(1)), Wait::Yield);
        assert_eq!(polling.wait(clock.after(1)), Wait::Yield);
        polling.arrived(|| clock.after(3));
        assert_eq!(polling.wait(clock.after(1)), Wait::AskAgain);
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
                assert_ne!(polling.wait(clock.after(1)), Wait::Sleep);
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
    fn a_stream_is_not_asked_for_again_until_it_is_over() {
        let mut clock = Clock(Instant::now());
        let mut polling = Polling::new(LIMIT);
        for frames in [MANY, 10 * MANY] {
            polling.took(frames);
            assert_eq!(sleep(&mut polling, &mut clock), 0);
            polling.arrived(|| clock.after(1));
        }
        polling.took(MANY - 1);
        assert_eq!(sleep(&mut polling, &mut clock), 100);
    }

    #[test]
    fn a_busy_executor_is_left_alone() {
        let mut clock = Clock(Instant::now());
        let mut polling = Polling::new(LIMIT);
        assert_eq!(polling.wait(clock.after(1)), Wait::AskAgain);
        assert_eq!(polling.wait(clock.after(5)), Wait::Sleep);
    }

    #[test]
    fn short_sleeps_bring_no_try_back_while_the_executor_is_busy() {
        let mut clock = Clock(Instant::now());
        let mut polling = Polling::new(LIMIT);
        let mut tries = 0;
        for _ in 0..MAX_SKIPS {
            if polling.wait(clock.after(1)) == Wait::AskAgain {
                tries += 1;
                assert_eq!(polling.wait(clock.after(5)), Wait::Sleep);
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
