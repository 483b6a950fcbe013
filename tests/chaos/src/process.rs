//! One process of the mesh: it joins, does what all of them do, and ends as is its fate.

mod answer;
mod ask;
mod consume;
mod me;
mod produce;

use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_lite::future::{or, poll_once, yield_now};
use lahja_smol::{Endpoint, EventBus, Limits, Smol};
use rustix::process::{
    Resource, Rlimit, Signal, getrlimit, set_parent_process_death_signal, setrlimit,
};
use smol::net::unix::UnixStream;
use smol::{Executor, Timer};

use crate::Result;
use crate::birth::{Birth, Descriptors, Way};
use crate::events::{MAX_PROCESSES, with_tick};
use crate::fate::{Fate, Point};
use crate::held::Held;
use crate::journal::{Journal, Record};

use me::{Me, reach, say};

/// How long producers wait for a process that consumes nothing.
pub(crate) const STALLED_AFTER: Duration = Duration::from_millis(300);

/// How long a process may take to deliver what it has accepted, when it leaves.
const CLOSING: Duration = Duration::from_secs(5);

/// What a process needs beyond what it begins with and a connection to each other: the directory of
/// the bus, the lock of its name, its socket, the link to its parent, the connection to the client
/// that comes in the end, and one to count them.
const DESCRIPTORS: usize = 6;

/// How often what was noted is written down.
const FLUSH_EVERY: Duration = Duration::from_millis(100);

/// Lives one life, to its end or until it is killed.
pub(crate) fn run(birth: Birth) -> Result<ExitCode> {
    // Nothing of the mesh is left if the supervisor is killed.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    say(format_args!("born {}", std::process::id()));
    reach(birth.fate, Point::Born);
    let journal = Journal::create(&birth.journal)?;
    let executor = Arc::new(Executor::new());
    let living = executor.spawn(live(birth, journal, executor.clone()));
    smol::block_on(executor.run(living))?;
    Ok(ExitCode::SUCCESS)
}

async fn live(birth: Birth, journal: Journal, executor: Arc<Executor<'static>>) -> Result<()> {
    let born = Instant::now();
    // The first socket starts what all of them need.
    drop(UnixStream::pair()?);
    let before = Held::count()?;
    if birth.descriptors == Descriptors::Few {
        limit_descriptors(before.descriptors + birth.processes - 1 + DESCRIPTORS)?;
    }
    let mut dice = fastrand::Rng::with_seed(birth.seed);
    let endpoint = join(&birth, &executor, &mut dice).await?;
    let me = Arc::new(Me::new(birth, born, journal, endpoint));
    take_part(&me, &executor, &mut dice);
    say(format_args!("joined"));
    reach(me.birth.fate, Point::Joined);
    until_end(&me).await;
    leave(&me, before).await
}

/// Joins the bus, or stops on the way.
async fn join(
    birth: &Birth,
    executor: &Arc<Executor<'static>>,
    dice: &mut fastrand::Rng,
) -> Result<Endpoint> {
    let smol = Smol::from(executor.clone());
    let name = crate::events::name(birth.slot);
    let joining = async {
        Ok::<_, crate::Error>(match &birth.way {
            Way::Spawned => EventBus::connect_on(smol).limits(limits()).await?,
            Way::Joins(bus) => EventBus::at_on(smol, bus)?.endpoint(name).limits(limits()).await?,
        })
    };
    let mut joining = pin!(joining);
    if matches!(birth.fate, Fate::KilledAt(Point::Joining, _)) {
        for _ in 0..dice.u32(1..30) {
            if let Some(joined) = poll_once(&mut joining).await {
                return joined;
            }
            yield_now().await;
        }
        reach(birth.fate, Point::Joining);
    }
    joining.await
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.stalled_after = STALLED_AFTER;
    limits
}

fn limit_descriptors(count: usize) -> Result<()> {
    let hard = getrlimit(Resource::Nofile).maximum;
    Ok(setrlimit(Resource::Nofile, Rlimit { current: Some(count as u64), maximum: hard })?)
}

/// Begins to do what every process of the mesh does. Subscribes before it asks anything.
fn take_part(me: &Arc<Me>, executor: &Arc<Executor<'static>>, dice: &mut fastrand::Rng) {
    let slots = me.birth.processes;
    for slot in (0..slots).filter(|slot| *slot != me.birth.slot) {
        with_tick!(slot, T => consume::lossless::<T>(me, executor));
    }
    if me.birth.slot % 2 == 0 {
        with_tick!(consume::slow_slot(&me.birth), T => consume::slow::<T>(me, executor));
    }
    answer::answer(me, executor);
    with_tick!(me.birth.slot, T => produce::produce::<T>(me, executor, dice.fork()));
    for _ in 0..ask::ASKERS {
        ask::ask(me, executor, dice.fork());
    }
    executor.spawn(write_down(me.clone())).detach();
}

/// Writes down what was noted, now and then, and tells the supervisor how it goes.
async fn write_down(me: Arc<Me>) {
    for count in 1_u64.. {
        Timer::after(FLUSH_EVERY).await;
        me.journal.note_at_once(&Record::HasBroadcast(me.has_broadcast()));
        if count % 5 == 0 {
            say(format_args!("received {}", me.received()));
        }
    }
}

/// Waits until it is time to leave.
async fn until_end(me: &Me) {
    let end = async {
        match me.birth.fate {
            Fate::Leaves(after) | Fate::KilledAt(Point::Closing, after) => {
                Timer::after(after).await;
            }
            _ => std::future::pending().await,
        }
    };
    or(end, or(me.until_told_to_leave(), me.endpoint.closed())).await;
}

async fn leave(me: &Me, before: Held) -> Result<()> {
    if me.is_due(Point::Closing) {
        let mut closing = pin!(me.endpoint.close(CLOSING));
        _ = poll_once(&mut closing).await;
        reach(me.birth.fate, Point::Closing);
    }
    // Who leaves in the course of the run does so in the middle of its work.
    if !matches!(me.birth.fate, Fate::Leaves(_)) {
        me.until_quiet().await;
    }
    let undelivered = me.endpoint.close(CLOSING).await.undelivered;
    me.until_quiet().await;
    me.journal.note_at_once(&Record::Closed { last: me.has_broadcast(), undelivered });
    // The link to the parent is there until the process ends.
    let kept = usize::from(me.birth.way == Way::Spawned);
    let expected = Held { descriptors: before.descriptors + kept, ..before };
    let after = Held::settle(expected).await?;
    if after != expected {
        let fault = format!("holds {after:?} when it leaves, and {expected:?} before it joined");
        me.journal.note_at_once(&Record::Fault(fault));
    }
    say(format_args!("left"));
    Ok(())
}

// A slot is the index of a type of event.
const _: () = assert!(MAX_PROCESSES == 8);
