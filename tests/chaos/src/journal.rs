//! What a process writes down of its life: a file of lines, each of them one record.
//!
//! Numbers that follow each other are one record, and records are written together now and then.
//! What a kill costs is the end of the file. So two things hold of a journal, however its process
//! ended: what it says of what came in is true and without holes up to where it stops, and what it
//! says of what may go out was written before it went.

mod record;

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::events::MAX_PROCESSES;

pub(crate) use record::{Outcome, Record, Run, Which};

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
