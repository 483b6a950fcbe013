//! What one event costs, and what counts as a change of that.

/// What one event costs on a path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cost {
    pub(crate) instructions: f64,
    pub(crate) allocations: f64,
}

/// One of the two figures, now and as it was recorded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figure {
    pub(crate) now: f64,
    pub(crate) recorded: f64,
    /// What makes no difference, however little was recorded.
    slack: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Worse,
    None,
    Better,
}

/// The part of what is recorded by which a figure may be off.
const TOLERANCE: f64 = 0.1;

impl Cost {
    /// Returns the figures of instructions and of allocations.
    pub(crate) fn against(self, recorded: Self) -> [Figure; 2] {
        let instructions =
            Figure { now: self.instructions, recorded: recorded.instructions, slack: 1.0 };
        // Buffers that grow with a round are a few in a hundred events.
        let allocations =
            Figure { now: self.allocations, recorded: recorded.allocations, slack: 0.05 };
        [instructions, allocations]
    }
}

impl Figure {
    pub(crate) fn change(self) -> Change {
        let much = self.recorded * TOLERANCE + self.slack;
        match self.now - self.recorded {
            more if more > much => Change::Worse,
            more if more < -much => Change::Better,
            _ => Change::None,
        }
    }

    /// Returns by how much of what was recorded it has risen, in per cent.
    pub(crate) fn percent(self) -> Option<f64> {
        (self.recorded > 0.0).then(|| (self.now / self.recorded - 1.0) * 100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(instructions: f64, allocations: f64) -> [Change; 2] {
        let recorded = Cost { instructions: 1_000.0, allocations: 0.0 };
        Cost { instructions, allocations }.against(recorded).map(Figure::change)
    }

    #[test]
    fn a_tenth_is_no_change() {
        assert_eq!(changes(1_100.0, 0.0), [Change::None; 2]);
        assert_eq!(changes(900.0, 0.0), [Change::None; 2]);
    }

    #[test]
    fn more_than_a_tenth_is_a_change() {
        assert_eq!(changes(1_102.0, 0.0), [Change::Worse, Change::None]);
        assert_eq!(changes(898.0, 0.0), [Change::Better, Change::None]);
    }

    #[test]
    fn an_allocation_where_there_was_none_is_worse() {
        assert_eq!(changes(1_000.0, 1.0), [Change::None, Change::Worse]);
    }
}
