//! What a process writes down of its life: a file of lines, each of them one record.
//!
//! Numbers that follow each other are one record, and records are written together now and then.
//! What a kill costs is the end of the file. So two things hold of a journal, however its process
//! ended: what it says of what came in is true and without holes up to where it stops, and what it
//! says of what may go out was written before it went.

use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};

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

/// Reads a journal. A last line without its end was cut off by the end of the process.
///
/// # Errors
///
/// The file cannot be read, or holds a line that is no record.
pub(crate) fn read(path: &Path) -> crate::Result<Vec<Record>> {
    let text = std::fs::read_to_string(path)?;
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    text[..whole].lines().map(|line| Ok(line.parse()?)).collect()
}

/// The journal of this process.
pub(crate) struct Journal(Mutex<Inner>);

struct Inner {
    file: File,
    text: String,
    // Runs that may go on, one for each slot and kind.
    runs: [[Option<Open>; MAX_PROCESSES]; 4],
}

#[derive(Clone, Copy)]
struct Open {
    run: Run,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Received(Which),
    Ended(Outcome),
    Asked,
}

impl Kind {
    fn index(self) -> usize {
        match self {
            Self::Received(Which::Lossless) => 0,
            Self::Received(Which::Slow) => 1,
            Self::Ended(_) => 2,
            Self::Asked => 3,
        }
    }
}

impl Journal {
    /// Makes the file.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let file = File::options().append(true).create_new(true).open(path)?;
        Ok(Self(Mutex::new(Inner { file, text: String::new(), runs: Default::default() })))
    }

    /// Notes that an event came.
    pub(crate) fn received(&self, which: Which, slot: usize, life: u32, number: u64) {
        self.lock().extend(Kind::Received(which), slot, life, number);
    }

    /// Notes that events of a slot were lost.
    pub(crate) fn lagged(&self, which: Which, slot: usize, count: u64) {
        let mut inner = self.lock();
        inner.close(Kind::Received(which), slot);
        inner.write(&Record::Lagged(which, slot, count));
    }

    /// Notes that whoever was in a slot is gone.
    pub(crate) fn gone(&self, slot: usize) {
        let mut inner = self.lock();
        inner.close(Kind::Received(Which::Lossless), slot);
        inner.write(&Record::Gone(slot));
    }

    /// Notes that a question of this life has ended.
    pub(crate) fn ended(&self, slot: usize, life: u32, number: u64, outcome: Outcome) {
        self.lock().extend(Kind::Ended(outcome), slot, life, number);
    }

    /// Notes that a question was received.
    pub(crate) fn asked(&self, slot: usize, life: u32, number: u64) {
        self.lock().extend(Kind::Asked, slot, life, number);
    }

    /// Notes something else.
    pub(crate) fn note(&self, record: &Record) {
        self.lock().write(record);
    }

    /// Notes something, and writes it down before this returns.
    pub(crate) fn note_at_once(&self, record: &Record) {
        self.note(record);
        self.flush();
    }

    /// Writes down what was noted.
    ///
    /// # Panics
    ///
    /// Panics if the file cannot be written: nothing could be checked.
    pub(crate) fn flush(&self) {
        let mut inner = self.lock();
        for kind in 0..inner.runs.len() {
            for slot in 0..MAX_PROCESSES {
                inner.close_at(kind, slot);
            }
        }
        let Inner { file, text, .. } = &mut *inner;
        file.write_all(text.as_bytes()).expect("the journal can be written");
        text.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn extend(&mut self, kind: Kind, slot: usize, life: u32, number: u64) {
        let open = &mut self.runs[kind.index()][slot];
        if let Some(Open { run, kind: of }) = open {
            if *of == kind && run.life == life && run.last + 1 == number {
                run.last = number;
                return;
            }
        }
        self.close(kind, slot);
        let run = Run { slot, life, first: number, last: number };
        self.runs[kind.index()][slot] = Some(Open { run, kind });
    }

    fn close(&mut self, kind: Kind, slot: usize) {
        self.close_at(kind.index(), slot);
    }

    fn close_at(&mut self, kind: usize, slot: usize) {
        if let Some(Open { run, kind }) = self.runs[kind][slot].take() {
            self.write(&match kind {
                Kind::Received(which) => Record::Received(which, run),
                Kind::Ended(outcome) => Record::Ended(run, outcome),
                Kind::Asked => Record::Asked(run),
            });
        }
    }

    fn write(&mut self, record: &Record) {
        writeln!(self.text, "{record}").expect("a string takes everything");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

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

    #[test]
    fn numbers_that_follow_each_other_are_one_record_and_nothing_else_is() {
        let scratch = Scratch::create().unwrap();
        let path = scratch.path().join("journal");
        let journal = Journal::create(&path).unwrap();
        for number in [1, 2, 3, 5, 5, 4] {
            journal.received(Which::Lossless, 1, LIFE, number);
        }
        journal.received(Which::Lossless, 2, LIFE, 5);
        journal.lagged(Which::Lossless, 1, 9);
        journal.received(Which::Lossless, 1, LIFE, 5);
        journal.received(Which::Lossless, 1, LIFE + 1, 6);
        journal.ended(1, LIFE, 1, Outcome::Answered);
        journal.ended(1, LIFE, 2, Outcome::TimedOut);
        journal.flush();
        let lossless = |run| Record::Received(Which::Lossless, run);
        let expected = [
            lossless(run(1, 1, 3)),
            lossless(run(1, 5, 5)),
            lossless(run(1, 5, 5)),
            lossless(run(1, 4, 4)),
            Record::Lagged(Which::Lossless, 1, 9),
            lossless(run(1, 5, 5)),
            Record::Ended(run(1, 1, 1), Outcome::Answered),
            lossless(Run { life: LIFE + 1, ..run(1, 6, 6) }),
            lossless(run(2, 5, 5)),
            Record::Ended(run(1, 2, 2), Outcome::TimedOut),
        ];
        assert_eq!(read(&path).unwrap(), expected);
    }

    #[test]
    fn a_line_that_was_cut_off_is_left_out() {
        let scratch = Scratch::create().unwrap();
        let path = scratch.path().join("journal");
        std::fs::write(&path, "g 1\nr 1 abc 1").unwrap();
        assert_eq!(read(&path).unwrap(), [Record::Gone(1)]);
    }
}
