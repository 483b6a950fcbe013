//! One line of a journal.

use std::fmt;
use std::str::FromStr;

use crate::events::MAX_PROCESSES;

/// Numbers from one life of the process in a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) slot: usize,
    pub(crate) life: u32,
    pub(crate) first: u64,
    pub(crate) last: u64,
}

impl Run {
    pub(crate) fn len(&self) -> u64 {
        self.last - self.first + 1
    }
}

/// How a question ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Outcome {
    Answered,
    NobodyThere,
    TimedOut,
    /// The peer went, and may have seen the question.
    GoneAfter,
    /// The peer went, and has not seen the question.
    GoneBefore,
    Unanswered,
    GivenUp,
    Closed,
    Other,
}

impl Outcome {
    pub(crate) const ALL: [(Self, &'static str); 9] = [
        (Self::Answered, "answered"),
        (Self::NobodyThere, "nobody-there"),
        (Self::TimedOut, "timed-out"),
        (Self::GoneAfter, "gone-after-it-left"),
        (Self::GoneBefore, "gone-before-it-left"),
        (Self::Unanswered, "unanswered"),
        (Self::GivenUp, "given-up"),
        (Self::Closed, "closed"),
        (Self::Other, "other"),
    ];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(outcome, _)| *outcome == self).expect("all are listed").1
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(outcome, _)| *outcome)
    }
}

/// Which of a process's subscriptions to the events of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// The one that loses nothing.
    Lossless,
    /// The slow one that drops the oldest.
    Slow,
}

/// One line of a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Record {
    /// Events up to this number may be broadcast from now on.
    MayBroadcast(u64),
    /// Events up to this number were broadcast.
    HasBroadcast(u64),
    Received(Which, Run),
    /// So many events of a slot were lost here.
    Lagged(Which, usize, u64),
    /// Whoever was in the slot is gone, and all that came from there has been read.
    Gone(usize),
    /// A life in a slot has said, after it knew of the subscription, which event it broadcasts next.
    Next {
        slot: usize,
        life: u32,
        next: u64,
    },
    /// Questions to a slot up to this number may be asked from now on.
    MayAsk(usize, u64),
    /// Questions of this life to a slot have ended; its own life is in the run.
    Ended(Run, Outcome),
    /// Questions that were received.
    Asked(Run),
    /// The endpoint was closed after an event of this number, with so much undelivered.
    Closed {
        last: u64,
        undelivered: u64,
    },
    /// Everything that the others have broadcast is there, and no question is open.
    Settled,
    /// What the process itself found wrong.
    Fault(String),
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lossless => "lossless",
            Self::Slow => "slow",
        })
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { slot, life, first, last } = self;
        write!(f, "{slot} {life:x} {first} {last}")
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MayBroadcast(number) => write!(f, "b {number}"),
            Self::HasBroadcast(number) => write!(f, "w {number}"),
            Self::Received(Which::Lossless, run) => write!(f, "r {run}"),
            Self::Received(Which::Slow, run) => write!(f, "s {run}"),
            Self::Lagged(Which::Lossless, slot, count) => write!(f, "l {slot} {count}"),
            Self::Lagged(Which::Slow, slot, count) => write!(f, "d {slot} {count}"),
            Self::Gone(slot) => write!(f, "g {slot}"),
            Self::Next { slot, life, next } => write!(f, "n {slot} {life:x} {next}"),
            Self::MayAsk(slot, number) => write!(f, "q {slot} {number}"),
            Self::Ended(run, outcome) => write!(f, "e {run} {}", outcome.name()),
            Self::Asked(run) => write!(f, "h {run}"),
            Self::Closed { last, undelivered } => write!(f, "c {last} {undelivered}"),
            Self::Settled => f.write_str("f"),
            Self::Fault(what) => write!(f, "x {}", what.replace('\n', " ")),
        }
    }
}

impl FromStr for Record {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        parse(line).ok_or_else(|| format!("no record: {line:?}"))
    }
}

fn parse(line: &str) -> Option<Record> {
    let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
    let mut fields = rest.split(' ');
    let mut field = || fields.next();
    let number = |field: Option<&str>| field?.parse::<u64>().ok();
    let slot = |field: Option<&str>| field?.parse().ok().filter(|slot| *slot < MAX_PROCESSES);
    let life = |field: Option<&str>| u32::from_str_radix(field?, 16).ok();
    let mut run = || {
        let run = Run {
            slot: slot(field())?,
            life: life(field())?,
            first: number(field())?,
            last: number(field())?,
        };
        (run.first <= run.last).then_some(run)
    };
    Some(match kind {
        "b" => Record::MayBroadcast(number(field())?),
        "w" => Record::HasBroadcast(number(field())?),
        "r" => Record::Received(Which::Lossless, run()?),
        "s" => Record::Received(Which::Slow, run()?),
        "l" => Record::Lagged(Which::Lossless, slot(field())?, number(field())?),
        "d" => Record::Lagged(Which::Slow, slot(field())?, number(field())?),
        "g" => Record::Gone(slot(field())?),
        "n" => Record::Next { slot: slot(field())?, life: life(field())?, next: number(field())? },
        "q" => Record::MayAsk(slot(field())?, number(field())?),
        "e" => Record::Ended(run()?, Outcome::parse(field()?)?),
        "h" => Record::Asked(run()?),
        "c" => Record::Closed { last: number(field())?, undelivered: number(field())? },
        "f" => Record::Settled,
        "x" => Record::Fault(rest.to_owned()),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: u32 = 0xabc;

    fn run(slot: usize, first: u64, last: u64) -> Run {
        Run { slot, life: LIFE, first, last }
    }

    #[test]
    fn every_record_survives_being_written_and_read() {
        let mut records = vec![
            Record::MayBroadcast(1),
            Record::HasBroadcast(u64::MAX),
            Record::Received(Which::Lossless, run(1, 2, 3)),
            Record::Received(Which::Slow, run(7, 2, 2)),
            Record::Lagged(Which::Lossless, 1, 2),
            Record::Lagged(Which::Slow, 1, 2),
            Record::Gone(3),
            Record::Next { slot: 1, life: LIFE, next: 5 },
            Record::MayAsk(2, 64),
            Record::Asked(run(0, 1, 2)),
            Record::Closed { last: 4, undelivered: 0 },
            Record::Settled,
            Record::Fault("of two words".to_owned()),
        ];
        records.extend(Outcome::ALL.map(|(outcome, _)| Record::Ended(run(2, 1, 1), outcome)));
        for record in records {
            assert_eq!(record.to_string().parse(), Ok(record));
        }
    }

    #[test]
    fn what_is_no_record_is_refused() {
        for line in ["", "z", "b", "b x", "r 1 abc 3 2", "r 8 abc 2 3", "e 1 abc 1 1 lost", "n 1 2"]
        {
            assert!(line.parse::<Record>().is_err(), "{line:?}");
        }
    }
}
