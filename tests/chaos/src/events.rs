//! What the processes of the mesh send each other.

use lahja_smol::Event;
use serde::{Deserialize, Serialize};

/// How many processes a mesh may have: each has an event of its own.
pub(crate) const MAX_PROCESSES: usize = 8;

/// Returns the name of the endpoint that the process in a slot has, whichever life it is in.
pub(crate) fn name(slot: usize) -> String {
    format!("e{slot}")
}

/// What every numbered event holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Content {
    /// The life of the process that broadcasts it.
    pub(crate) life: u32,
    /// The number of the event, from 1 on in each life.
    pub(crate) number: u64,
    #[serde(with = "serde_bytes")]
    ballast: Vec<u8>,
}

impl Content {
    pub(crate) fn new(life: u32, number: u64, ballast: usize) -> Self {
        Self { life, number, ballast: vec![number as u8; ballast] }
    }

    /// Tells whether every byte is what was sent with this number.
    pub(crate) fn is_whole(&self) -> bool {
        self.ballast.iter().all(|byte| *byte == self.number as u8)
    }
}

/// The numbered event of one slot. Each slot has a type, so that its events are a topic, and what
/// a subscription to it has lost is known to be of that slot.
pub(crate) trait Tick: Event + From<Content> {
    const SLOT: usize;

    fn content(&self) -> &Content;
}

macro_rules! ticks {
    ($($slot:literal $tick:ident),*) => {
        $(
            #[derive(Debug, Serialize, Deserialize, Event)]
            pub(crate) struct $tick(Content);

            impl From<Content> for $tick {
                fn from(content: Content) -> Self {
                    Self(content)
                }
            }

            impl Tick for $tick {
                const SLOT: usize = $slot;

                fn content(&self) -> &Content {
                    &self.0
                }
            }
        )*

        /// Does something with the type of event that a slot broadcasts.
        macro_rules! with_tick {
            ($which:expr, $name:ident => $work:expr) => {
                match $which {
                    $($slot => {
                        type $name = $crate::events::$tick;
                        $work
                    })*
                    slot => unreachable!("a mesh has no slot {slot}"),
                }
            };
        }
        pub(crate) use with_tick;
    };
}

ticks!(0 Tick0, 1 Tick1, 2 Tick2, 3 Tick3, 4 Tick4, 5 Tick5, 6 Tick6, 7 Tick7);

/// The request that processes make of each other. What becomes of it is told by its number.
#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(response = Answer)]
pub(crate) struct Question {
    pub(crate) life: u32,
    pub(crate) number: u64,
}

/// The answer to it.
#[derive(Debug, Clone, Serialize, Deserialize, Event)]
pub(crate) struct Answer {
    pub(crate) question: Question,
    /// The life of the process that answers.
    pub(crate) life: u32,
    /// The number of the next event that it broadcasts.
    pub(crate) next: u64,
}

/// How a question is asked and answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Answered at once.
    Plain,
    /// Answered after a while.
    Slow,
    /// Dropped by the one who is asked.
    Dropped,
    /// Asked with next to no time for an answer.
    Hasty,
    /// Given up by the one who asks.
    GivenUp,
}

impl Manner {
    pub(crate) fn of(number: u64) -> Self {
        match number % 16 {
            3 => Self::Slow,
            7 => Self::Dropped,
            11 => Self::Hasty,
            13 => Self::GivenUp,
            _ => Self::Plain,
        }
    }
}

/// Asks a process to broadcast nothing more, and to ask nothing more.
#[derive(Debug, Serialize, Deserialize, Event)]
#[event(response = Quiet)]
pub(crate) struct BeQuiet;

/// Says that it does so.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, Event)]
pub(crate) struct Quiet {
    pub(crate) slot: usize,
    pub(crate) life: u32,
    /// The number of the last event that it has broadcast.
    pub(crate) last: u64,
}

/// Asks a process to wait until it has all that the others have broadcast.
#[derive(Debug, Serialize, Deserialize, Event)]
#[event(response = Census)]
pub(crate) struct Settle(pub(crate) Vec<Quiet>);

/// What a settled process holds.
#[derive(Debug, Clone, Serialize, Deserialize, Event)]
pub(crate) struct Census {
    pub(crate) is_settled: bool,
    pub(crate) connections: Vec<String>,
    pub(crate) requests_in_flight: usize,
    pub(crate) descriptors: usize,
    pub(crate) threads: usize,
    pub(crate) handler_panics: u64,
    pub(crate) malformed_payloads: u64,
}

/// Asks a process to leave.
#[derive(Debug, Serialize, Deserialize, Event)]
#[event(response = Leaving)]
pub(crate) struct Leave;

/// Says that it does so.
#[derive(Debug, Serialize, Deserialize, Event)]
pub(crate) struct Leaving;
