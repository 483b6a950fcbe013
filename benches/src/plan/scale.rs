//! How much of everything a run does.

/// How much of everything a run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    Full,
    /// To see that everything runs.
    Quick,
}

impl Scale {
    pub(crate) fn repeats(self) -> usize {
        match self {
            Self::Full => 5,
            Self::Quick => 1,
        }
    }

    /// Returns how much is done of what is done as fast as it goes.
    pub(super) fn count(self, full: u64) -> u64 {
        match self {
            Self::Full => full,
            Self::Quick => full / 30,
        }
    }

    /// Returns how much is done of what has a pace.
    pub(super) fn paced(self, full: u64) -> u64 {
        match self {
            Self::Full => full,
            Self::Quick => full / 20,
        }
    }

    pub(super) fn millis(self, full: u64) -> u64 {
        self.paced(full)
    }
}
