//! Questions: each ends once, as it was to, and is seen at most once, by who was asked.

use std::collections::HashMap;

use super::{End, Life, Mesh, Violation};
use crate::events::{MAX_PROCESSES, Manner};
use crate::journal::{Outcome, Record, Run};

/// The questions that were seen, by who asked whom: the life, and the slot. With each run the life
/// that saw it, and the line where it says so. In order.
type Seen = HashMap<(u32, usize), Vec<(Run, usize, usize)>>;

pub(super) fn check(mesh: &Mesh<'_>, found: &mut Vec<Violation>) {
    let seen = seen(mesh, found);
    for (at, life) in mesh.lives.iter().enumerate() {
        for slot in 0..MAX_PROCESSES {
            let seen = seen.get(&(life.life, slot)).map_or(&[][..], Vec::as_slice);
            let is_seen = |number| {
                let behind = seen.partition_point(|(run, ..)| run.first <= number);
                behind > 0 && seen[behind - 1].0.last >= number
            };
            check_ends(life, slot, mesh.bounds[at].asked[slot], is_seen, found);
        }
    }
}

/// Collects which questions were seen by those who were asked.
fn seen(mesh: &Mesh<'_>, found: &mut Vec<Violation>) -> Seen {
    let mut seen = Seen::new();
    for (by, me) in mesh.lives.iter().enumerate() {
        // The life that asked last in each slot, and its last question.
        let mut current: [Option<(usize, u64)>; MAX_PROCESSES] = [None; MAX_PROCESSES];
        for (line, record) in me.lines() {
            let Record::Asked(run) = record else { continue };
            let mut report = |what| found.push(me.violation(Some(run.slot), line, what));
            let Some(at) = mesh.find(run.slot, run.life) else {
                report(format!("no life {:08x} was ever in that slot", run.life));
                continue;
            };
            let may = mesh.bounds[at].asked[me.slot];
            if run.last > may {
                report(format!("question {} came, of {may} that may have left", run.last));
            }
            match current[run.slot] {
                Some((before, last)) if before == at && run.first <= last => {
                    report(format!("question {} came after question {last}", run.first));
                }
                Some((before, _)) if before > at => {
                    report(format!("question {} came behind a later life's", run.first));
                }
                _ => {}
            }
            current[run.slot] = Some((at, run.last));
            seen.entry((run.life, me.slot)).or_default().push((*run, by, line));
        }
    }
    for runs in seen.values_mut() {
        runs.sort_by_key(|(run, ..)| run.first);
        for pair in runs.windows(2) {
            let [(before, ..), (run, by, line)] = pair else { continue };
            if run.first <= before.last {
                let what = format!("question {} was seen twice", run.first);
                found.push(mesh.lives[*by].violation(Some(run.slot), *line, what));
            }
        }
    }
    seen
}

/// Checks how the questions of one life to one slot have ended.
fn check_ends(
    me: &Life,
    slot: usize,
    may: u64,
    is_seen: impl Fn(u64) -> bool,
    found: &mut Vec<Violation>,
) {
    let mut ends: Vec<(Run, usize)> = Vec::new();
    for (line, record) in me.lines() {
        let Record::Ended(run, outcome) = record else { continue };
        if run.slot != slot {
            continue;
        }
        let mut report = |what| found.push(me.violation(Some(slot), line, what));
        if run.last > may {
            report(format!("question {} has ended, of {may}", run.last));
        }
        for number in run.first..=run.last {
            let manner = Manner::of(number);
            if !may_end(manner, *outcome) {
                report(format!("question {number}, {manner:?}, has ended as {outcome:?}"));
            }
            if matches!(outcome, Outcome::GoneBefore | Outcome::NobodyThere) && is_seen(number) {
                report(format!("question {number} was seen, and ended as {outcome:?}"));
            }
        }
        ends.push((*run, line));
    }
    ends.sort_by_key(|(run, _)| run.first);
    let mut last = 0;
    for (run, line) in ends {
        if run.first <= last {
            let what = format!("question {} has ended twice", run.first);
            found.push(me.violation(Some(slot), line, what));
        } else if run.first > last + 1 && me.end != End::Killed {
            let what = format!("questions {} to {} have not ended", last + 1, run.first - 1);
            found.push(me.violation(Some(slot), line, what));
        }
        last = last.max(run.last);
    }
}

fn may_end(manner: Manner, outcome: Outcome) -> bool {
    match outcome {
        Outcome::Answered => manner != Manner::Dropped,
        Outcome::Unanswered => manner == Manner::Dropped,
        Outcome::TimedOut => manner == Manner::Hasty,
        Outcome::GivenUp => manner == Manner::GivenUp,
        Outcome::NobodyThere | Outcome::GoneAfter | Outcome::GoneBefore | Outcome::Closed => true,
        Outcome::Other => false,
    }
}
