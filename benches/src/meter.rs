//! Clocks, and what is read from them.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::control::Tally;
use crate::outcome::{Latencies, Outcome};

/// How long processes are left alone before their idling is measured.
pub const SETTLED: Duration = Duration::from_millis(300);

/// Returns the time of a clock that is the same in all processes and never goes back.
pub fn monotonic_ns() -> u64 {
    read(ClockId::Monotonic)
}

/// Returns the processor time that this process has used.
pub fn cpu_ns() -> u64 {
    read(ClockId::ProcessCPUTime)
}

fn read(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000
        + u64::try_from(time.tv_nsec).unwrap_or(0)
}

/// Measures the producer, from just before the first event.
#[derive(Debug, Clone, Copy)]
pub struct Meter {
    start_ns: u64,
    cpu_ns: u64,
}

impl Meter {
    /// Begins.
    pub fn start() -> Self {
        Self { cpu_ns: cpu_ns(), start_ns: monotonic_ns() }
    }

    /// Returns the outcome of work that ends with the last of the consumers: the time until then,
    /// and the processor time until now.
    pub fn until_last(self, events: u64, tallies: &[Tally]) -> Outcome {
        let cpu_ns = cpu_ns() - self.cpu_ns;
        let end_ns = tallies.iter().map(|tally| tally.end_ns).max();
        self.outcome(events, end_ns.unwrap_or_else(monotonic_ns), cpu_ns).with_tallies(tallies)
    }

    /// Returns the outcome of work that ends here, as far as the producer knows it. What consumers
    /// say later is [added](Outcome::with_tallies).
    pub fn until_now(self, events: u64) -> Outcome {
        let end_ns = monotonic_ns();
        self.outcome(events, end_ns, cpu_ns() - self.cpu_ns)
    }

    fn outcome(self, events: u64, end_ns: u64, producer_cpu_ns: u64) -> Outcome {
        Outcome {
            elapsed_ns: end_ns.saturating_sub(self.start_ns),
            events,
            deliveries: events,
            producer_cpu_ns,
            ..Outcome::default()
        }
    }
}

/// Times things that follow each other without a pause, with one look at the clock for each.
#[derive(Debug)]
pub struct Laps {
    last_ns: u64,
    laps_ns: Vec<u64>,
}

impl Laps {
    /// Begins the first lap.
    pub fn start(expected: u64) -> Self {
        let laps_ns = Vec::with_capacity(usize::try_from(expected).unwrap_or(0));
        Self { last_ns: monotonic_ns(), laps_ns }
    }

    /// Ends a lap and begins the next one.
    pub fn lap(&mut self) {
        let now_ns = monotonic_ns();
        self.laps_ns.push(now_ns - self.last_ns);
        self.last_ns = now_ns;
    }

    /// Returns what the laps took.
    pub fn latencies(self) -> Option<Latencies> {
        Latencies::of(self.laps_ns)
    }
}

/// When the events of a steady stream are due.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    start_ns: u64,
    per_second: u64,
}

impl Pace {
    /// Begins a stream of so many events a second.
    pub fn start(per_second: u64) -> Self {
        Self { start_ns: monotonic_ns(), per_second }
    }

    /// Returns how long it takes until an event is due; none if it is overdue.
    pub fn until(self, seq: u64) -> Duration {
        let due_ns = self.start_ns + seq * 1_000_000_000 / self.per_second;
        Duration::from_nanos(due_ns.saturating_sub(monotonic_ns()))
    }
}
