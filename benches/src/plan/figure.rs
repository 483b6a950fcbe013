//! The figure that an experiment is about.

use serde::{Deserialize, Serialize};

use crate::case::Case;
use crate::outcome::Outcome;

/// The figure that an experiment is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Figure {
    /// Millions of events sent a second.
    Events,
    /// Millions of events received a second, by all consumers together.
    Deliveries,
    /// Gigabytes of payload received a second.
    Bytes,
    /// The median of the latencies, in microseconds.
    Median,
    /// The 99th percentile of the latencies, in microseconds.
    NinetyNinth,
    /// Processor time of both sides for each event received, in microseconds.
    CpuPerDelivery,
    /// Processor time of both sides, in hundredths of a core.
    Load,
    /// Kibibytes of memory for each.
    BytesEach,
}

impl Figure {
    /// Returns the unit.
    pub(crate) fn unit(self) -> &'static str {
        match self {
            Self::Events | Self::Deliveries => "M/s",
            Self::Bytes => "GB/s",
            Self::Median | Self::NinetyNinth | Self::CpuPerDelivery => "us",
            Self::Load => "% of a core",
            Self::BytesEach => "KiB",
        }
    }

    /// Returns what it is, for an axis.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Events => "events sent",
            Self::Deliveries => "events received",
            Self::Bytes => "payload received",
            Self::Median => "median latency",
            Self::NinetyNinth => "99th percentile",
            Self::CpuPerDelivery => "processor time for each",
            Self::Load => "processor time",
            Self::BytesEach => "memory for each",
        }
    }

    /// Returns the figure of an outcome, if it has it.
    pub(crate) fn of(self, case: &Case, outcome: &Outcome) -> Option<f64> {
        let seconds = outcome.elapsed_ns as f64 / 1e9;
        let cpu_ns = (outcome.producer_cpu_ns + outcome.consumer_cpu_ns) as f64;
        let figure = match self {
            Self::Events => outcome.events as f64 / seconds / 1e6,
            Self::Deliveries => outcome.deliveries as f64 / seconds / 1e6,
            Self::Bytes => outcome.deliveries as f64 * case.payload as f64 / seconds / 1e9,
            Self::Median => outcome.latencies?.p50_ns as f64 / 1e3,
            Self::NinetyNinth => outcome.latencies?.p99_ns as f64 / 1e3,
            Self::CpuPerDelivery => cpu_ns / 1e3 / outcome.deliveries as f64,
            Self::Load => cpu_ns / 1e7 / seconds,
            Self::BytesEach => outcome.figures.get("bytes each")? / 1024.0,
        };
        figure.is_finite().then_some(figure)
    }
}
