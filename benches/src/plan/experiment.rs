//! One thing to measure, and how it is shown.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Figure;
use crate::SMALL;
use crate::case::{Case, Placement, Threads, Waits, Work};

/// A case with what it is to show.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Experiment {
    pub(crate) name: String,
    pub(crate) case: Case,
    pub(crate) figure: Figure,
    pub(crate) against: Against,
}

/// What a figure is divided by, to give a ratio: one of the same repeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Against {
    /// That of another subject in the same experiment.
    Subject(String),
    /// That of the same subject in another experiment of the group.
    Experiment(String),
    /// Nothing.
    Nothing,
}

impl Experiment {
    pub(crate) fn new(name: &str, work: Work, figure: Figure) -> Self {
        let case = Case {
            work,
            payload: SMALL,
            consumers: 1,
            placement: Placement::Free,
            waits: Waits::Usual,
            threads: Threads::One,
        };
        Self { name: name.to_owned(), case, figure, against: Against::Subject("raw".to_owned()) }
    }

    pub(super) fn payload(mut self, payload: usize) -> Self {
        self.case.payload = payload;
        self
    }

    pub(super) fn consumers(mut self, consumers: usize) -> Self {
        self.case.consumers = consumers;
        self
    }

    pub(super) fn waits(mut self, waits: Waits) -> Self {
        self.case.waits = waits;
        self
    }

    pub(super) fn placement(mut self, placement: Placement) -> Self {
        self.case.placement = placement;
        self
    }

    /// Nobody sleeps. The system places the processes: one that is bound to a core would not poll.
    pub(super) fn polling(self) -> Self {
        self.waits(Waits::Polling)
    }

    /// Two cores, and everybody sleeps.
    pub(super) fn parked(self) -> Self {
        self.waits(Waits::Parked).placement(Placement::Apart)
    }

    pub(super) fn one_core(self) -> Self {
        self.waits(Waits::Parked).placement(Placement::OneCore)
    }

    pub(super) fn threads(mut self, threads: Threads) -> Self {
        self.case.threads = threads;
        self
    }

    pub(super) fn against(mut self, against: Against) -> Self {
        self.against = against;
        self
    }

    pub(super) fn against_experiment(self, name: &str) -> Self {
        self.against(Against::Experiment(name.to_owned()))
    }

    /// Returns how long one measurement may take before it counts as failed.
    pub(crate) fn limit(&self) -> Duration {
        let work = match self.case.work {
            Work::Paced { events, per_second } | Work::Beside { events, per_second } => {
                Duration::from_secs(events / per_second)
            }
            Work::Idle { millis } => Duration::from_millis(millis),
            _ => Duration::ZERO,
        };
        Duration::from_secs(60) + work
    }
}
