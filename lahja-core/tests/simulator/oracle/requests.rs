//! Every request ends exactly once, as what happened to it says.

use std::time::Duration;

use crate::record::{Ending, Question, Record};
use crate::run::Run;
use crate::wire::Wire;

/// How much later than its time a request may end.
const LATENESS: Duration = Duration::from_millis(1);

pub(super) fn judge(run: &Run, record: &Record) {
    for question in &record.questions {
        judge_one(run, record, question);
    }
    judge_cancellations(run, record);
}

/// Whoever is asked is told that a request has been given up or has timed out.
fn judge_cancellations(run: &Run, record: &Record) {
    let mut least = 0;
    for question in &record.questions {
        let Some((end, _, Ending::GivenUp | Ending::TimedOut)) = &question.end else { continue };
        for (by, answered) in &question.answered {
            // Over a connection that was there when it was asked, and is there still.
            let is_told = record.links.iter().any(|link| {
                link.lost == [None; 2]
                    && link.attached.iter().all(|at| at.is_some_and(|at| at < question.start))
                    && link.ends.contains(by)
                    && link.ends.contains(&question.origin)
                    && link.ends.iter().all(|&end| record.closed[end].began.is_none())
            });
            least += u64::from(answered > end && *by != question.origin && is_told);
        }
    }
    let cancellations = run.wires().iter().map(Wire::cancellations).sum();
    assert!(least <= cancellations, "{cancellations} of {least} requests are cancelled");
}

fn judge_one(run: &Run, record: &Record, question: &Question) {
    let Question { origin, reach, seen, .. } = question;
    for (at, by) in seen.iter().enumerate() {
        assert!(!seen[..at].contains(by), "asked twice: {question:?}");
        assert!(reach.admits(*origin, *by), "asked beyond its reach: {question:?}");
    }
    let Some((end, ended, ending)) = &question.end else {
        panic!("a request does not end: {question:?}");
    };
    let took = *ended - question.began;
    assert!(question.timeout.is_none_or(|most| took < most + LATENESS), "{took:?}: {question:?}");
    let may_be_gone = |peer: usize| {
        let doomed = record.links.iter().filter(|link| link.is_doomed);
        let between = [*origin, peer];
        doomed.clone().any(|link| between.iter().all(|end| link.ends.contains(end)))
            || record.closed[peer].began.is_some_and(|began| began < *end)
    };
    match ending {
        Ending::Answered(by) => {
            let answered = question.answered.iter().find(|answered| answered.0 == *by);
            assert!(answered.is_some_and(|answered| answered.1 < *end), "{question:?}");
            assert!(seen.contains(by), "{question:?}");
        }
        Ending::Nobody => assert!(seen.is_empty(), "nobody was asked: {question:?}"),
        Ending::TimedOut => {
            let timeout = question.timeout.expect("there is a timeout");
            assert!(took >= timeout, "{took:?}: {question:?}");
        }
        Ending::Gone { peer, sent } => {
            assert!(reach.admits(*origin, *peer) && may_be_gone(*peer), "{question:?}");
            assert!(*sent || !seen.contains(peer), "sent after all: {question:?}");
        }
        Ending::Unanswered => {
            let endpoints = 0..run.mood.endpoints;
            let mut reached = endpoints.filter(|&at| reach.admits(*origin, at));
            let is_excused = reached.any(|at| {
                let mut gone = record.answerers_gone.iter();
                question.declined.contains(&at)
                    // Who asks may not know it yet.
                    || gone.any(|gone| gone.0 == at && gone.1 < *end)
                    || may_be_gone(at)
                    || run.mood.may_stall && at == *origin
            });
            assert!(is_excused, "somebody could have answered: {question:?}");
        }
        Ending::Closed => {
            let began = record.closed[*origin].began;
            assert!(began.is_some_and(|began| began < *end), "{question:?}");
        }
        Ending::GivenUp => {}
    }
}
