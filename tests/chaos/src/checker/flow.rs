//! The events of one slot at one process that loses none: in order, each once, without a gap that
//! is not declared, from a true origin, and all of them before the end of their origin.

use std::collections::HashMap;

use super::{End, Life, Mesh, Violation};
use crate::journal::{Record, Run, Which};

pub(super) fn check(mesh: &Mesh<'_>, me: &Life, slot: usize, found: &mut Vec<Violation>) {
    let mut flow = Flow {
        mesh,
        me,
        slot,
        line: 0,
        promised: promised(me, slot),
        current: None,
        declared: 0,
        over: None,
        found,
    };
    for (line, record) in me.lines() {
        flow.line = line;
        match record {
            Record::Received(Which::Lossless, run) if run.slot == slot => flow.receive(*run),
            Record::Lagged(Which::Lossless, of, count) if *of == slot => flow.declared += count,
            Record::Gone(of) if *of == slot => flow.end(),
            _ => {}
        }
    }
    if me.end == End::Survived {
        flow.settle();
    }
}

/// Returns the number of the event that each life of the slot said it broadcasts next.
fn promised(me: &Life, slot: usize) -> HashMap<u32, u64> {
    let mut promised = HashMap::new();
    for record in &me.records {
        if let Record::Next { slot: of, life, next } = record {
            if *of == slot {
                promised.entry(*life).or_insert(*next);
            }
        }
    }
    promised
}

struct Flow<'a> {
    mesh: &'a Mesh<'a>,
    me: &'a Life,
    slot: usize,
    line: usize,
    promised: HashMap<u32, u64>,
    /// The life whose events come, and the last of them.
    current: Option<(usize, u64)>,
    /// Losses that were declared since then.
    declared: u64,
    /// The last life that is known to have ended.
    over: Option<usize>,
    found: &'a mut Vec<Violation>,
}

impl Flow<'_> {
    fn receive(&mut self, run: Run) {
        let Some(at) = self.mesh.find(self.slot, run.life) else {
            return self.report(format!("no life {:08x} was ever in that slot", run.life));
        };
        let may = self.mesh.bounds[at].broadcast;
        if run.last > may {
            self.report(format!("event {} came, of {may} that may have left", run.last));
        }
        if self.over.is_some_and(|over| at <= over) {
            return self.report(format!("event {} came after the end of its origin", run.first));
        }
        match self.current {
            Some((current, last)) if current == at => self.go_on(last, run.first),
            Some((current, _)) if current > at => {
                return self.report(format!("event {} came behind a later life's", run.first));
            }
            _ => self.begin(run),
        }
        self.current = Some((at, run.last));
        self.declared = 0;
    }

    fn go_on(&mut self, last: u64, first: u64) {
        let declared = self.declared;
        if first <= last {
            self.report(format!("event {first} came after event {last}"));
        } else if first - last - 1 != declared {
            let lost = first - last - 1;
            self.report(format!(
                "{lost} events before event {first} are lost, {declared} declared"
            ));
        }
    }

    fn begin(&mut self, run: Run) {
        self.leave();
        let by = self.promised.get(&run.life).map(|next| next + self.declared);
        if by.is_some_and(|by| run.first > by) {
            let next = self.promised[&run.life];
            let first = run.first;
            self.report(format!("event {next} was to be the first at the latest, {first} was"));
        }
    }

    /// Notes that all that came from the slot so far is over.
    fn end(&mut self) {
        self.leave();
        self.over = self.current.map(|(at, _)| at).or(self.over);
        self.declared = 0;
    }

    /// Looks at how the events of the current life have ended.
    fn leave(&mut self) {
        let Some((at, last)) = self.current else { return };
        if self.over.is_some_and(|over| at <= over) {
            return;
        }
        self.over = Some(at);
        let came = last + self.declared;
        if let Some(closed) = self.mesh.bounds[at].closed.filter(|closed| came < *closed) {
            let missing = closed - came;
            self.report(format!("the last {missing} events up to {closed} of who left are lost"));
        }
    }

    /// Looks at what has come from who survived.
    fn settle(&mut self) {
        self.line = 0;
        let survived = self.mesh.survivors().find(|(_, life)| life.slot == self.slot);
        let Some((at, life)) = survived else { return };
        let Some(last) = self.mesh.bounds[at].closed else {
            return self.report("it did not close in order".to_owned());
        };
        match self.current {
            Some((current, came)) if current == at => {
                let declared = self.declared;
                if came + declared != last {
                    self.report(format!("{came} and {declared} lost came, of {last} in the end"));
                }
            }
            _ => self.report(format!("nothing has come of {:08x}, which survived", life.life)),
        }
    }

    fn report(&mut self, what: String) {
        self.found.push(self.me.violation(Some(self.slot), self.line, what));
    }
}
