//! The events of one slot at a subscription that may lose some: what came and what was declared
//! lost is, event for event, what came to the subscription beside it that loses none.

use super::{End, Life, Violation};
use crate::journal::{Record, Run, Which};

/// What came to the subscription that loses none, in order.
enum Stretch {
    Came(Run),
    Lost(u64),
}

impl Stretch {
    fn len(&self) -> u64 {
        match self {
            Self::Came(run) => run.len(),
            Self::Lost(count) => *count,
        }
    }
}

pub(super) fn check(me: &Life, slot: usize, found: &mut Vec<Violation>) {
    let mut all = Reference::read(me, slot);
    let total: u64 = all.stretches.iter().map(Stretch::len).sum();
    // The place behind the last event that came slowly, among all.
    let mut place = None;
    let mut declared = 0;
    for (line, record) in me.lines() {
        match record {
            Record::Lagged(Which::Slow, of, count) if *of == slot => declared += count,
            Record::Received(Which::Slow, run) if run.slot == slot => {
                let Some((first, end)) = all.find(run, place.unwrap_or(0)) else {
                    // The end of what came to the other one is lost with the journal's.
                    if me.end != End::Killed || all.holds_end_of(run) {
                        let what = format!("event {} came slowly, and not in its turn", run.first);
                        found.push(me.violation(Some(slot), line, what));
                    }
                    return;
                };
                if let Some(lost) = place.map(|place| first - place) {
                    if lost != declared {
                        let first = run.first;
                        let what = format!(
                            "{lost} were dropped before event {first}, {declared} declared"
                        );
                        found.push(me.violation(Some(slot), line, what));
                    }
                }
                place = Some(end);
                declared = 0;
            }
            _ => {}
        }
    }
    if me.end == End::Survived && place.is_some_and(|place| place + declared != total) {
        let place = place.unwrap_or_default();
        let what = format!("{place} and {declared} lost came slowly, of {total} in the end");
        found.push(me.violation(Some(slot), 0, what));
    }
}

/// What came and what was lost, with runs that go on put together.
struct Reference {
    stretches: Vec<Stretch>,
    /// The first stretch that is looked at, and the place where it begins.
    cursor: (usize, u64),
}

impl Reference {
    fn read(me: &Life, slot: usize) -> Self {
        let mut stretches: Vec<Stretch> = Vec::new();
        for record in &me.records {
            match record {
                Record::Received(Which::Lossless, run) if run.slot == slot => {
                    match stretches.last_mut() {
                        Some(Stretch::Came(before))
                            if before.life == run.life && before.last + 1 == run.first =>
                        {
                            before.last = run.last;
                        }
                        _ => stretches.push(Stretch::Came(*run)),
                    }
                }
                Record::Lagged(Which::Lossless, of, count) if *of == slot => {
                    stretches.push(Stretch::Lost(*count));
                }
                _ => {}
            }
        }
        Self { stretches, cursor: (0, 0) }
    }

    /// Finds the place of a run, no earlier than `from`, and the place behind it. `from` never
    /// becomes less.
    fn find(&mut self, wanted: &Run, from: u64) -> Option<(u64, u64)> {
        let (mut at, mut begin) = self.cursor;
        while let Some(stretch) = self.stretches.get(at) {
            if begin + stretch.len() <= from {
                self.cursor = (at + 1, begin + stretch.len());
            } else if let Stretch::Came(run) = stretch {
                let holds = run.first <= wanted.first && wanted.last <= run.last;
                let first = (begin + wanted.first).checked_sub(run.first);
                if let Some(first) = first.filter(|first| holds && *first >= from) {
                    if run.life == wanted.life {
                        return Some((first, first + wanted.len()));
                    }
                }
            }
            begin += stretch.len();
            at += 1;
        }
        None
    }

    /// Tells whether the end of a run is there.
    fn holds_end_of(&self, wanted: &Run) -> bool {
        self.stretches.iter().any(|stretch| match stretch {
            Stretch::Came(run) => run.life == wanted.life && wanted.last <= run.last,
            Stretch::Lost(_) => false,
        })
    }
}
