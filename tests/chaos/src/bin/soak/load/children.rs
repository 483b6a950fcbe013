//! Child processes: peers that come and go, and programs that never become any.

use std::future::IntoFuture;
use std::os::unix::process::ExitStatusExt;
use std::pin::pin;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use futures_lite::future::poll_once;
use lahja_core::Child;
use lahja_smol::{Scope, SpawnError};
use rustix::process::{Pid, Signal, kill_process};
use smol::Task;
use smol::process::Command;

use super::{Load, SUBJECT};
use crate::Result;
use crate::counted::Counted;
use crate::events::Leave;
use crate::peer::{DEAF, IDLE, PEER};
use crate::tally::Deed;
use crate::work::{GROUP, STALLED_AFTER, Worker, pause};

/// How long a peer may take to join, and to leave when it is asked.
const GRACE: Duration = Duration::from_secs(30);

/// How a peer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Leaves,
    Killed,
    /// It is stopped for longer than producers wait for it, goes on, and leaves.
    Stopped,
}

/// A peer, and how it came to its endpoint.
enum Peer {
    Handed(Child<Counted>),
    Joined(smol::process::Child),
}

/// Keeps a peer alive, one after the other, until the work stops. The last one leaves in order, so
/// that it takes along what those that were killed have left on the bus.
pub(super) async fn peers(
    load: Arc<Load>,
    worker: Arc<Worker>,
    slot: usize,
    mut dice: fastrand::Rng,
) -> Result<()> {
    let name = format!("peer{slot}");
    loop {
        let goes_on = worker.goes_on();
        let fate = match dice.u8(..8) {
            _ if !goes_on => Fate::Leaves,
            0..=3 => Fate::Killed,
            4..=5 => Fate::Stopped,
            _ => Fate::Leaves,
        };
        let mut peer = start(&load, &name, &mut dice).await?;
        let ended = live(&load, &mut peer, fate, &name, &mut dice);
        let status = match ended.await {
            Some(status) => status?,
            None => leave(&load, peer, &name).await?,
        };
        let is_right = match fate {
            Fate::Killed => status.signal() == Some(Signal::KILL.as_raw()),
            Fate::Leaves | Fate::Stopped => status.success(),
        };
        if !is_right {
            return Err(
                format!("{name} was to end as one of {fate:?}, and did with {status}").into()
            );
        }
        load.tally.count(if fate == Fate::Killed { Deed::Killed } else { Deed::Left });
        if !goes_on {
            return Ok(());
        }
    }
}

async fn start(load: &Load, name: &str, dice: &mut fastrand::Rng) -> Result<Peer> {
    let seed = dice.u64(..).to_string();
    if dice.bool() {
        let command = load.command([PEER, &seed])?;
        let child = load.bus.spawn(name, command).group(GROUP).timeout(GRACE).await?;
        load.tally.count(Deed::Spawned);
        return Ok(Peer::Handed(child));
    }
    let bus = load.bus.path().to_str().ok_or("the bus has a strange path")?;
    let child = load.command([PEER, &seed, bus, name])?.spawn()?;
    load.tally.count(Deed::Joined);
    Ok(Peer::Joined(child))
}

/// Lets a peer live for a while. Returns its end if it was killed.
async fn live(
    load: &Load,
    peer: &mut Peer,
    fate: Fate,
    name: &str,
    dice: &mut fastrand::Rng,
) -> Option<Result<ExitStatus>> {
    pause(dice.u64(..400)).await;
    match fate {
        Fate::Leaves => {}
        Fate::Killed => return Some(peer.kill().await),
        Fate::Stopped => {
            load.endpoint.wait_until_connected_to(name).await;
            peer.signal(Signal::STOP);
            load.tally.count(Deed::Stopped);
            pause(2 * STALLED_AFTER.as_millis() as u64 + dice.u64(..300)).await;
            peer.signal(Signal::CONT);
            pause(dice.u64(..200)).await;
        }
    }
    None
}

async fn leave(load: &Load, peer: Peer, name: &str) -> Result<ExitStatus> {
    match peer {
        Peer::Handed(child) => Ok(child.shutdown(GRACE).await?),
        Peer::Joined(mut child) => {
            load.endpoint.wait_until_subscribed::<Leave>(Scope::Endpoint(name)).await;
            load.endpoint.broadcast(Leave).to(name).await?;
            Ok(child.status().await?)
        }
    }
}

impl Peer {
    async fn kill(&mut self) -> Result<ExitStatus> {
        match self {
            Self::Handed(child) => {
                child.kill()?;
                Ok(child.status().await?)
            }
            Self::Joined(child) => {
                child.kill()?;
                Ok(child.status().await?)
            }
        }
    }

    fn signal(&self, signal: Signal) {
        let id = match self {
            Self::Handed(child) => child.id(),
            Self::Joined(child) => child.id(),
        };
        // It is not reaped, so the id is its own.
        if let Some(id) = i32::try_from(id).ok().and_then(Pid::from_raw) {
            _ = kill_process(id, signal);
        }
    }
}

/// Something that is started and becomes no peer, or is given up.
#[derive(Debug, Clone, Copy)]
enum Failure {
    NotRun,
    Exits,
    Deaf,
    Idle,
    NameTaken,
    SpawnDropped,
    Dropped,
}

impl Failure {
    /// Those that go on next to each other: each of the last takes about a second.
    const TASKS: [&[Self]; 4] = [
        &[Self::NotRun, Self::Exits, Self::Idle, Self::NameTaken],
        &[Self::SpawnDropped],
        &[Self::Dropped],
        &[Self::Deaf],
    ];
}

/// Begins to start what becomes no peer, again and again until the work stops.
pub(super) fn fail(
    load: &Arc<Load>,
    worker: &Arc<Worker>,
    dice: &mut fastrand::Rng,
) -> Vec<Task<Result<()>>> {
    let begin = |failures: &'static [Failure]| {
        let (load, worker, mut dice) = (load.clone(), worker.clone(), dice.fork());
        load.executor.clone().spawn(async move {
            while worker.goes_on() {
                for failure in failures {
                    fail_once(&load, *failure, &mut dice).await?;
                }
                pause(dice.u64(..200)).await;
            }
            Ok(())
        })
    };
    Failure::TASKS.map(begin).into()
}

async fn fail_once(load: &Load, failure: Failure, dice: &mut fastrand::Rng) -> Result<()> {
    let seed = dice.u64(..).to_string();
    let peer = load.command([PEER, &seed]);
    let (deed, is_so) = match failure {
        Failure::NotRun => {
            let failed = load.bus.spawn("unborn", Command::new("/nonexistent")).await;
            (Deed::NotRun, matches!(failed, Err(SpawnError::Run(_))))
        }
        Failure::Exits => {
            let failed = load.bus.spawn("brief", Command::new("true")).await;
            (Deed::Exited, matches!(failed, Err(SpawnError::Exited(_))))
        }
        Failure::Deaf => {
            let failed = load.bus.spawn("deaf", load.command([DEAF])?).await;
            (Deed::NotTaken, matches!(failed, Err(SpawnError::NotTaken)))
        }
        Failure::Idle => {
            let spawn = load.bus.spawn("idle", load.command([IDLE])?);
            let failed = spawn.timeout(Duration::from_millis(dice.u64(1..50))).await;
            (Deed::SpawnTimedOut, matches!(failed, Err(SpawnError::TimedOut(_))))
        }
        Failure::NameTaken => {
            let failed = load.bus.spawn(SUBJECT, peer?).await;
            (Deed::NotJoined, matches!(failed, Err(SpawnError::Join { .. })))
        }
        Failure::SpawnDropped => {
            let mut spawn = pin!(load.bus.spawn("unwanted", peer?).into_future());
            for _ in 0..dice.u8(1..5) {
                if poll_once(&mut spawn).await.is_some() {
                    break;
                }
                pause(dice.u64(..3)).await;
            }
            (Deed::SpawnDropped, true)
        }
        Failure::Dropped => {
            let child = load.bus.spawn("orphan", peer?).timeout(GRACE).await?;
            load.endpoint.wait_until_connected_to("orphan").await;
            pause(dice.u64(..50)).await;
            drop(child);
            // It sees that it has no parent, and makes room for the next.
            load.until_gone("orphan").await?;
            (Deed::Abandoned, true)
        }
    };
    load.tally.count(deed);
    match is_so {
        true => Ok(()),
        false => Err(format!("the spawn of one of {failure:?} has ended otherwise").into()),
    }
}
