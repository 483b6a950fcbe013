//! Asking the others.

use std::future::IntoFuture;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_lite::future::poll_once;
use lahja_smol::RequestError;
use smol::{Executor, Timer};

use super::me::{Busy, Me};
use crate::events::{Answer, MAX_PROCESSES, Manner, Question, name};
use crate::fate::Point;
use crate::journal::{Outcome, Record};

/// How many tasks ask.
pub(super) const ASKERS: usize = 3;

/// Longer than any pause of a process, by far: no question takes so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// Hardly ever enough for an answer.
const HASTE: Duration = Duration::from_millis(1);

/// Begins to ask.
pub(super) fn ask(me: &Arc<Me>, executor: &Arc<Executor<'static>>, dice: fastrand::Rng) {
    let busy = me.busy();
    executor.spawn(asking(me.clone(), dice, busy)).detach();
}

async fn asking(me: Arc<Me>, mut dice: fastrand::Rng, _busy: Busy) {
    let mut known = [None; MAX_PROCESSES];
    while !me.is_quiet() {
        let others = 1..me.birth.processes;
        let slot = (me.birth.slot + dice.usize(others)) % me.birth.processes;
        let number = me.next_question(slot);
        let question = Question { life: me.birth.life, number };
        let (outcome, answer) = put(&me, slot, question).await;
        me.journal.ended(slot, me.birth.life, number, outcome);
        if let Some(Answer { life, next, .. }) = answer {
            // The first of each life says the most.
            if known[slot].replace(life) != Some(life) {
                me.journal.note(&Record::Next { slot, life, next });
            }
        }
        if outcome == Outcome::Closed {
            return;
        }
        Timer::after(Duration::from_millis(dice.u64(2..40))).await;
    }
}

/// Puts a question to whoever is in a slot.
async fn put(me: &Me, slot: usize, question: Question) -> (Outcome, Option<Answer>) {
    let number = question.number;
    let manner = Manner::of(number);
    let peer = name(slot);
    let patience = if manner == Manner::Hasty { HASTE } else { PATIENCE };
    let request = me.endpoint.request(question).to(&peer).timeout(patience);
    let mut request = pin!(request.into_future());
    let answer = match poll_once(&mut request).await {
        Some(answer) => answer,
        None if manner == Manner::GivenUp => return (Outcome::GivenUp, None),
        None => {
            me.reach(Point::Asking);
            request.await
        }
    };
    match answer {
        Ok(answer) => {
            let Question { life, number: answered } = answer.question;
            if (life, answered) != (me.birth.life, number) {
                me.fault(format_args!(
                    "question {number} has the answer to {answered} of {life:x}"
                ));
            }
            (Outcome::Answered, Some(answer))
        }
        Err(error) => {
            let outcome = outcome(&error);
            if outcome == Outcome::Other {
                me.fault(format_args!("question {number} to {peer}: {error}"));
            }
            (outcome, None)
        }
    }
}

fn outcome(error: &RequestError<Question>) -> Outcome {
    match error {
        RequestError::NoSubscribers(_) => Outcome::NobodyThere,
        RequestError::Timeout(_) => Outcome::TimedOut,
        RequestError::PeerGone { sent: true, .. } => Outcome::GoneAfter,
        RequestError::PeerGone { sent: false, .. } => Outcome::GoneBefore,
        RequestError::Unanswered => Outcome::Unanswered,
        RequestError::Closed => Outcome::Closed,
        _ => Outcome::Other,
    }
}
