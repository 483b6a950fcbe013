//! Which way the events of a case go.

use lahja_bench::{Case, Work};

/// Which way events go: libraries have different sockets for that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// To one consumer.
    There,
    /// To several, each of which gets all of them.
    Everywhere,
    /// To one consumer, which answers.
    ThereAndBack,
}

impl Shape {
    pub(crate) fn of(case: &Case) -> Self {
        match case.work {
            Work::RoundTrip { .. } | Work::InFlight { .. } => Self::ThereAndBack,
            _ if case.consumers == 1 => Self::There,
            _ => Self::Everywhere,
        }
    }
}
