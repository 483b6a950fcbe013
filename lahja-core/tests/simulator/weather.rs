//! What a wire may do to its bytes.

use std::time::Duration;

/// How a wire treats its bytes.
#[derive(Debug, Clone)]
pub(crate) struct Weather {
    /// The most bytes that are taken or given at once.
    pub(crate) piece: usize,
    /// The most bytes that are on their way in one direction.
    pub(crate) capacity: usize,
    /// How often of 256 times a call is pending before it does something, and for how long.
    pub(crate) delays: u8,
    pub(crate) delay: Duration,
    /// How often of 256 times a call is interrupted.
    pub(crate) interruptions: u8,
    /// How often of 1,024 times nothing arrives for a while, and for how long.
    pub(crate) freezes: u16,
    pub(crate) freeze: Duration,
    /// How many bytes pass in each direction before both are dead.
    pub(crate) life: [usize; 2],
    /// What of the bytes on their way is lost when both are dead.
    pub(crate) loses_tail: bool,
    /// Which calls fail, counted over both ends, and how.
    pub(crate) faults: Vec<(u64, Fault)>,
    /// Whether each half ends by itself, as those of a pipe do, rather than both of an end together.
    pub(crate) is_pipe: bool,
}

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The call alone fails with this number of an error.
    Errno(i32),
    /// The call fails with it, and both directions are dead.
    Fatal(i32),
    /// Nothing is written, or the end is read.
    Zero,
    /// The call is pending; its task is woken later.
    Pending,
}

/// What a wire does to nobody.
pub(crate) const FAIR: Weather = Weather {
    piece: usize::MAX,
    capacity: usize::MAX,
    delays: 0,
    delay: Duration::ZERO,
    interruptions: 0,
    freezes: 0,
    freeze: Duration::ZERO,
    life: [usize::MAX; 2],
    loses_tail: false,
    faults: Vec::new(),
    is_pipe: false,
};
