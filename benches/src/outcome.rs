//! What one measurement found.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::control::Tally;

/// What a subject says of a case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// It has done the work.
    Done(Outcome),
    /// It cannot do such work, and why.
    Cannot(String),
}

impl Answer {
    /// Says that the subject cannot do the work.
    pub fn cannot(why: impl Into<String>) -> Self {
        Self::Cannot(why.into())
    }
}

impl From<Outcome> for Answer {
    fn from(outcome: Outcome) -> Self {
        Self::Done(outcome)
    }
}

/// What one measurement found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// From just before the first event to the last consumer's last one, or to the last answer.
    pub elapsed_ns: u64,
    /// Events sent, or requests made.
    pub events: u64,
    /// Events received by all consumers together.
    pub deliveries: u64,
    /// The producer's processor time.
    pub producer_cpu_ns: u64,
    /// The processor time of all consumers together, from each one's first event to its last.
    pub consumer_cpu_ns: u64,
    /// How long single events, trips or requests took, if the work is about that.
    pub latencies: Option<Latencies>,
    /// Figures of this work alone, by name and unit, such as `bytes each`.
    pub figures: BTreeMap<String, f64>,
}

impl Outcome {
    /// Adds what the consumers say.
    pub fn with_tallies(mut self, tallies: &[Tally]) -> Self {
        if !tallies.is_empty() {
            self.deliveries = tallies.iter().map(|tally| tally.received).sum();
            self.consumer_cpu_ns = tallies.iter().map(|tally| tally.cpu_ns).sum();
            let latencies = tallies.iter().flat_map(|tally| &tally.latencies_ns).copied();
            self.latencies = Latencies::of(latencies.collect()).or(self.latencies);
        }
        self
    }

    /// Says that producer and consumer are one process, whose time was counted once.
    pub fn of_one_process(mut self) -> Self {
        self.consumer_cpu_ns = 0;
        self
    }

    /// Adds how long single trips or requests took.
    pub fn with_latencies(mut self, latencies: Option<Latencies>) -> Self {
        self.latencies = latencies;
        self
    }

    /// Adds a figure of this work alone.
    pub fn with_figure(mut self, name: &str, value: f64) -> Self {
        self.figures.insert(name.to_owned(), value);
        self
    }
}

/// How long single events took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latencies {
    /// Half of them took no longer.
    pub p50_ns: u64,
    /// 99 of 100 took no longer.
    pub p99_ns: u64,
    /// None took longer.
    pub max_ns: u64,
}

impl Latencies {
    /// Sums up latencies, if there are any.
    pub fn of(mut latencies_ns: Vec<u64>) -> Option<Self> {
        latencies_ns.sort_unstable();
        let max_ns = *latencies_ns.last()?;
        let at = |percent: usize| latencies_ns[(latencies_ns.len() * percent).div_ceil(100) - 1];
        Some(Self { p50_ns: at(50), p99_ns: at(99), max_ns })
    }
}

#[cfg(test)]
mod tests {
    use super::Latencies;

    #[test]
    fn percentiles_are_the_least_values_that_enough_others_do_not_exceed() {
        let latencies = Latencies::of((1..=200).rev().collect());
        assert_eq!(latencies, Some(Latencies { p50_ns: 100, p99_ns: 198, max_ns: 200 }));
        let one = Latencies::of(vec![5]);
        assert_eq!(one, Some(Latencies { p50_ns: 5, p99_ns: 5, max_ns: 5 }));
        assert_eq!(Latencies::of(Vec::new()), None);
    }
}
