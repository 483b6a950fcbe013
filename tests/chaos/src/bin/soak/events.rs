//! What the subject and its peers send each other.

use lahja_smol::Event;
use serde::{Deserialize, Serialize};

/// The longest event, in bytes.
const MAX_BALLAST: usize = 1 << 20;

/// An event of one of the topics.
pub(crate) trait Tick: Event + From<Vec<u8>> {
    /// Returns what the event carries.
    fn ballast(&self) -> &[u8];
}

macro_rules! ticks {
    ($($number:literal $tick:ident),*) => {
        /// How many topics there are.
        pub(crate) const TOPICS: usize = [$($number),*].len();

        $(
            #[derive(Debug, Serialize, Deserialize, Event)]
            pub(crate) struct $tick(#[serde(with = "serde_bytes")] Vec<u8>);

            impl From<Vec<u8>> for $tick {
                fn from(ballast: Vec<u8>) -> Self {
                    Self(ballast)
                }
            }

            impl Tick for $tick {
                fn ballast(&self) -> &[u8] {
                    &self.0
                }
            }
        )*

        /// Does something with the type of event of a topic.
        macro_rules! with_tick {
            ($which:expr, $name:ident => $work:expr) => {
                match $which {
                    $($number => {
                        type $name = $crate::events::$tick;
                        $work
                    })*
                    number => unreachable!("there is no topic {number}"),
                }
            };
        }
        pub(crate) use with_tick;
    };
}

ticks!(
    0 Tick0, 1 Tick1, 2 Tick2, 3 Tick3, 4 Tick4, 5 Tick5, 6 Tick6, 7 Tick7, 8 Tick8, 9 Tick9,
    10 Tick10, 11 Tick11, 12 Tick12, 13 Tick13, 14 Tick14, 15 Tick15
);

/// Draws what an event carries: mostly little, sometimes a lot, up to a megabyte.
pub(crate) fn ballast(dice: &mut fastrand::Rng) -> Vec<u8> {
    let len = match dice.u8(..) {
        0..=1 => dice.usize(..=MAX_BALLAST),
        2..=30 => dice.usize(..16 << 10),
        31..=100 => 0,
        _ => dice.usize(..200),
    };
    vec![len as u8; len]
}

/// An event of no byte at all.
#[derive(Debug, Serialize, Deserialize, Event)]
pub(crate) struct Empty;

/// An event as the subject defines it.
#[derive(Debug, Serialize, Deserialize, Event)]
#[event(name = "soak.Disputed")]
pub(crate) struct Disputed(pub(crate) u64);

/// The same as its peers do.
#[derive(Debug, Serialize, Deserialize, Event)]
#[event(name = "soak.Disputed")]
pub(crate) struct Misdefined(pub(crate) String);

/// A question, and what is to become of it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, Event)]
#[event(response = Told)]
pub(crate) enum Ask {
    Plain,
    /// Answered after this many milliseconds.
    Slow(u64),
    /// Makes the handler panic.
    Panics,
}

impl Ask {
    pub(crate) fn draw(dice: &mut fastrand::Rng) -> Self {
        match dice.u8(..8) {
            0 => Self::Panics,
            1..=3 => Self::Slow(dice.u64(1..50)),
            _ => Self::Plain,
        }
    }
}

/// The answer to it.
#[derive(Debug, Serialize, Deserialize, Event)]
pub(crate) struct Told(#[serde(with = "serde_bytes")] pub(crate) Vec<u8>);

/// A question that is dropped by those who get it.
#[derive(Debug, Serialize, Deserialize, Event)]
#[event(response = Told)]
pub(crate) struct Ignored;

/// A question that nobody gets.
#[derive(Debug, Serialize, Deserialize, Event)]
#[event(response = Told)]
pub(crate) struct Unheard;

/// An event that nobody ever wants.
#[derive(Debug, Serialize, Deserialize, Event)]
pub(crate) struct Mark;

/// Asks a peer to leave.
#[derive(Debug, Serialize, Deserialize, Event)]
pub(crate) struct Leave;
