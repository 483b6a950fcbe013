//! Answering the others, and whoever looks at the mesh in the end.

use std::sync::Arc;
use std::time::Duration;

use lahja_smol::{EventStream, Lagged, Received};
use smol::{Executor, Timer};

use super::consume::slow_slot;
use super::me::Me;
use crate::events::{Answer, BeQuiet, Census, Leave, Leaving, Manner, Question, Quiet, Settle};
use crate::fate::Point;
use crate::held::Held;
use crate::journal::{Record, Which};

/// How long a slow answer takes.
const SLOWLY: Duration = Duration::from_millis(20);

/// How long what was broadcast may take to arrive in the end.
const SETTLING: Duration = Duration::from_secs(20);

/// Begins to answer.
pub(super) fn answer(me: &Arc<Me>, executor: &Arc<Executor<'static>>) {
    let questions = me.endpoint.stream();
    executor.spawn(answering(me.clone(), executor.clone(), questions)).detach();
    let asked = me.clone();
    let be_quiet = me.endpoint.answer(move |_: Received<BeQuiet>| {
        let me = asked.clone();
        async move {
            me.until_quiet().await;
            Quiet { slot: me.birth.slot, life: me.birth.life, last: me.has_broadcast() }
        }
    });
    be_quiet.detach();
    let asked = me.clone();
    let settle = me.endpoint.answer(move |others: Received<Settle>| {
        let me = asked.clone();
        async move { settle(&me, &others.0).await }
    });
    settle.detach();
    let asked = me.clone();
    let leave = me.endpoint.answer(move |_: Received<Leave>| {
        asked.tell_to_leave();
        Leaving
    });
    leave.detach();
}

async fn answering(
    me: Arc<Me>,
    executor: Arc<Executor<'static>>,
    mut questions: EventStream<Question>,
) {
    while let Some(question) = questions.next().await {
        let question = match question {
            Ok(question) => question,
            Err(Lagged(count)) => {
                me.fault(format_args!("{count} questions were lost"));
                continue;
            }
        };
        let origin = question.origin().as_str();
        let Some(slot) = origin.strip_prefix('e').and_then(|slot| slot.parse().ok()) else {
            me.fault(format_args!("a question came from {origin}"));
            continue;
        };
        me.journal.asked(slot, question.life, question.number);
        me.reach(Point::Answering);
        let manner = Manner::of(question.number);
        if manner == Manner::Dropped {
            continue;
        }
        let me = me.clone();
        let next = me.next();
        let answering = async move {
            if manner == Manner::Slow {
                Timer::after(SLOWLY).await;
            }
            let config = question.broadcast_config();
            let question = Question::clone(&question);
            let answer = Answer { question, life: me.birth.life, next };
            // The one who asked may be gone, or have given up.
            _ = me.endpoint.broadcast(answer).with(config).await;
        };
        match manner {
            Manner::Slow => executor.spawn(answering).detach(),
            _ => answering.await,
        }
    }
}

/// Waits until everything has come, and says what the process holds then.
async fn settle(me: &Me, others: &[Quiet]) -> Census {
    let others = || others.iter().filter(|other| other.slot != me.birth.slot);
    let has_come = || {
        others().all(|other| {
            let is_slow = me.birth.slot % 2 == 0 && other.slot == slow_slot(&me.birth);
            me.has_reached(Which::Lossless, other)
                && (!is_slow || me.has_reached(Which::Slow, other))
        })
    };
    let step = Duration::from_millis(10);
    for _ in 0..SETTLING.as_millis() / step.as_millis() {
        if has_come() {
            break;
        }
        Timer::after(step).await;
    }
    let is_settled = has_come();
    if is_settled && others().next().is_some() {
        me.journal.note_at_once(&Record::Settled);
    }
    let held = Held::count().ok();
    let stats = me.endpoint.stats();
    Census {
        is_settled,
        connections: me.endpoint.connections().iter().map(ToString::to_string).collect(),
        requests_in_flight: stats.requests_in_flight,
        descriptors: held.map_or(0, |held| held.descriptors),
        threads: held.map_or(0, |held| held.threads),
        handler_panics: stats.handler_panics,
        malformed_payloads: stats.malformed_payloads,
    }
}
