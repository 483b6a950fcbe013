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
    /// By how much it may be off.
    tolerance: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Worse,
    None,
    Better,
}

impl Cost {
    /// Returns the figures of instructions and of allocations.
    pub(crate) fn against(self, recorded: Self) -> [Figure; 2] {
        let a_tenth = recorded.instructions * 0.1;
        // Buffers that grow are a few allocations in a hundred events. One that each event makes is
        // a change, however many there are.
        let few = (recorded.allocations * 0.1).clamp(0.05, 0.5);
        [
            Figure { now: self.instructions, recorded: recorded.instructions, tolerance: a_tenth },
            Figure { now: self.allocations, recorded: recorded.allocations, tolerance: few },
        ]
    }
}

impl Figure {
    pub(crate) fn change(self) -> Change {
        match self.now - self.recorded {
            more if more > self.tolerance => Change::Worse,
            more if more < -self.tolerance => Change::Better,
            _ => Change::None,
        }
    }

    /// Returns by how much of what was recorded it has risen, in per cent, if that says something.
    pub(crate) fn percent(self) -> Option<f64> {
        let is_much = self.recorded > self.tolerance;
        is_much.then(|| (self.now / self.recorded - 1.0) * 100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORDED: Cost = Cost { instructions: 1_000.0, allocations: 20.0 };

    fn changes(instructions: f64, allocations: f64) -> [Change; 2] {
        Cost { instructions, allocations }.against(RECORDED).map(Figure::change)
    }

    #[test]
    fn a_tenth_of_the_instructions_is_no_change() {
        assert_eq!(changes(1_100.0, 20.0), [Change::None; 2]);
        assert_eq!(changes(900.0, 20.0), [Change::None; 2]);
    }

    #[test]
    fn more_than_a_tenth_is_a_change() {
        assert_eq!(changes(1_101.0, 20.0), [Change::Worse, Change::None]);
        assert_eq!(changes(899.0, 20.0), [Change::Better, Change::None]);
    }

    #[test]
    fn one_allocation_is_a_change() {
        assert_eq!(changes(1_000.0, 21.0), [Change::None, Change::Worse]);
        assert_eq!(changes(1_000.0, 19.0), [Change::None, Change::Better]);
        let one = Cost { allocations: 1.0, ..RECORDED };
        let none = Cost { allocations: 0.0, ..RECORDED };
        assert_eq!(one.against(none).map(Figure::change), [Change::None, Change::Worse]);
    }
}
