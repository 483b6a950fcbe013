//! How the life of a process ends, which is settled when it begins.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A place in the program at which a process stops itself and waits to be killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Point {
    /// It has not taken its endpoint.
    Born,
    /// It joins the bus: it may hold a lock, listen or dial, and has not reported to its parent.
    Joining,
    /// It has just joined.
    Joined,
    /// It waits for an answer.
    Asking,
    /// It was asked something.
    Answering,
    /// A part of a large event has left.
    InALargeEvent,
    /// A broadcast waits for room.
    WaitingForRoom,
    /// It has begun to close its endpoint.
    Closing,
}

impl Point {
    pub(crate) const ALL: [Self; 8] = [
        Self::Born,
        Self::Joining,
        Self::Joined,
        Self::Asking,
        Self::Answering,
        Self::InALargeEvent,
        Self::WaitingForRoom,
        Self::Closing,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Born => "born",
            Self::Joining => "joining",
            Self::Joined => "joined",
            Self::Asking => "asking",
            Self::Answering => "answering",
            Self::InALargeEvent => "in-a-large-event",
            Self::WaitingForRoom => "waiting-for-room",
            Self::Closing => "closing",
        }
    }
}

/// How a life ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is asked to leave at the end of the run.
    Survives,
    /// It is killed wherever it is after so long.
    Killed(Duration),
    /// It is killed when it reaches the point after so long.
    KilledAt(Point, Duration),
    /// It closes its endpoint and leaves after so long.
    Leaves(Duration),
}

impl Fate {
    /// Draws one. Half of the lives end at a point, some in order, the others anywhere.
    pub(crate) fn draw(dice: &mut fastrand::Rng) -> Self {
        let after = Duration::from_millis(dice.u64(100..900));
        match dice.u32(0..24) {
            0..12 => Self::KilledAt(Point::ALL[dice.usize(..Point::ALL.len())], after),
            12..14 => Self::Leaves(after),
            // From its birth on.
            14..17 => Self::Killed(Duration::from_micros(dice.u64(..20_000))),
            _ => Self::Killed(after),
        }
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Survives => f.write_str("survives"),
            Self::Killed(after) => write!(f, "killed:{}", after.as_micros()),
            Self::KilledAt(point, after) => write!(f, "{}:{}", point.name(), after.as_micros()),
            Self::Leaves(after) => write!(f, "leaves:{}", after.as_micros()),
        }
    }
}

impl FromStr for Fate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "survives" {
            return Ok(Self::Survives);
        }
        let unknown = || format!("there is no fate {text}");
        let (name, after) = text.split_once(':').ok_or_else(unknown)?;
        let after = Duration::from_micros(after.parse().map_err(|_| unknown())?);
        let point = Point::ALL.into_iter().find(|point| point.name() == name);
        match (name, point) {
            ("killed", _) => Ok(Self::Killed(after)),
            ("leaves", _) => Ok(Self::Leaves(after)),
            (_, Some(point)) => Ok(Self::KilledAt(point, after)),
            _ => Err(unknown()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fate_survives_being_written_and_read() {
        let mut dice = fastrand::Rng::with_seed(1);
        for _ in 0..1_000 {
            let fate = Fate::draw(&mut dice);
            assert_eq!(fate.to_string().parse(), Ok(fate));
        }
        assert_eq!("survives".parse(), Ok(Fate::Survives));
        assert!("forgotten:1".parse::<Fate>().is_err());
    }
}
