//! Reads the journals of all lives and looks for what must not be.

mod flow;
mod questions;
mod slow;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use crate::events::MAX_PROCESSES;
use crate::journal::{Outcome, Record, Which};

/// One life of the process in a slot, and what it wrote down.
#[derive(Debug, Clone)]
pub(crate) struct Life {
    pub(crate) slot: usize,
    pub(crate) life: u32,
    pub(crate) end: End,
    pub(crate) records: Vec<Record>,
}

/// How a life ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It was killed: the end of its journal may be missing.
    Killed,
    /// It left in the course of the run.
    Left,
    /// It was there to the end, and left then.
    Survived,
}

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    /// The life whose journal shows it.
    pub(crate) life: u32,
    pub(crate) slot: usize,
    /// The other slot, if two are concerned.
    pub(crate) other: Option<usize>,
    /// The line of the journal, from 1 on, or 0 for all of it.
    pub(crate) line: usize,
    pub(crate) what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "e{} ", self.slot)?;
        if let Some(other) = self.other {
            write!(f, "<- e{other} ")?;
        }
        write!(f, "(journal of {:08x}, line {}): {}", self.life, self.line, self.what)
    }
}

/// What the processes have done, all together.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) broadcast: u64,
    pub(crate) received: u64,
    pub(crate) lagged: u64,
    pub(crate) received_slowly: u64,
    pub(crate) lagged_slowly: u64,
    pub(crate) ends_seen: u64,
    pub(crate) asked: u64,
    pub(crate) outcomes: BTreeMap<Outcome, u64>,
}

/// All lives, those of one slot in the order in which they were lived.
pub(crate) struct Mesh<'a> {
    lives: &'a [Life],
    bounds: Vec<Bounds>,
    by_life: HashMap<u32, usize>,
}

/// What may have left a life.
#[derive(Debug, Default)]
struct Bounds {
    /// The number up to which it may have broadcast.
    broadcast: u64,
    /// The numbers up to which it may have asked each slot.
    asked: [u64; MAX_PROCESSES],
    /// The number of the last event before it closed its endpoint in order.
    closed: Option<u64>,
}

impl<'a> Mesh<'a> {
    fn new(lives: &'a [Life]) -> Self {
        let by_life = lives.iter().enumerate().map(|(at, life)| (life.life, at)).collect();
        let bounds = lives.iter().map(Bounds::of).collect();
        Self { lives, bounds, by_life }
    }

    /// Returns the place of a life in the order of its slot.
    fn find(&self, slot: usize, life: u32) -> Option<usize> {
        let at = *self.by_life.get(&life)?;
        (self.lives[at].slot == slot).then_some(at)
    }

    fn survivors(&self) -> impl Iterator<Item = (usize, &'a Life)> {
        let survived = |(_, life): &(usize, &Life)| life.end == End::Survived;
        self.lives.iter().enumerate().filter(survived)
    }
}

impl Bounds {
    fn of(life: &Life) -> Self {
        let mut bounds = Self::default();
        for record in &life.records {
            match record {
                Record::MayBroadcast(number) => bounds.broadcast = bounds.broadcast.max(*number),
                Record::MayAsk(slot, number) => {
                    bounds.asked[*slot] = bounds.asked[*slot].max(*number);
                }
                Record::Closed { last, undelivered: 0 } => bounds.closed = Some(*last),
                _ => {}
            }
        }
        bounds
    }
}

impl Life {
    /// Returns the records with the numbers of their lines.
    fn lines(&self) -> impl Iterator<Item = (usize, &Record)> {
        self.records.iter().enumerate().map(|(at, record)| (at + 1, record))
    }

    fn violation(&self, other: Option<usize>, line: usize, what: String) -> Violation {
        Violation { life: self.life, slot: self.slot, other, line, what }
    }
}

/// Checks everything that was written down.
pub(crate) fn check(lives: &[Life]) -> (Totals, Vec<Violation>) {
    let mesh = Mesh::new(lives);
    let mut found = Vec::new();
    for life in lives {
        for (line, record) in life.lines() {
            if let Record::Fault(what) = record {
                found.push(life.violation(None, line, what.clone()));
            }
        }
        if life.end == End::Survived && !life.records.contains(&Record::Settled) {
            let what = "it never had all that the others have broadcast".to_owned();
            found.push(life.violation(None, 0, what));
        }
        for slot in (0..MAX_PROCESSES).filter(|slot| *slot != life.slot) {
            flow::check(&mesh, life, slot, &mut found);
            slow::check(life, slot, &mut found);
        }
    }
    questions::check(&mesh, &mut found);
    (total(lives), found)
}

fn total(lives: &[Life]) -> Totals {
    let mut totals = Totals::default();
    for life in lives {
        let mut broadcast = 0;
        for record in &life.records {
            match record {
                Record::HasBroadcast(number) => broadcast = broadcast.max(*number),
                Record::Closed { last, .. } => broadcast = broadcast.max(*last),
                Record::Received(Which::Lossless, run) => totals.received += run.len(),
                Record::Received(Which::Slow, run) => totals.received_slowly += run.len(),
                Record::Lagged(Which::Lossless, _, count) => totals.lagged += count,
                Record::Lagged(Which::Slow, _, count) => totals.lagged_slowly += count,
                Record::Gone(_) => totals.ends_seen += 1,
                Record::Asked(run) => totals.asked += run.len(),
                Record::Ended(run, outcome) => {
                    *totals.outcomes.entry(*outcome).or_default() += run.len();
                }
                _ => {}
            }
        }
        totals.broadcast += broadcast;
    }
    totals
}
