//! One slot of the mesh: whose process is killed and started again, life after life.

use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_lite::future::or;
use rustix::process::Signal;
use smol::Timer;

use super::child::Started;
use super::mesh::{Mesh, Target};
use crate::Result;
use crate::birth::{Birth, Descriptors, Way};
use crate::checker::End;
use crate::fate::Fate;

/// How long a process may take to reach the point where it is to be killed.
const OVERDUE: Duration = Duration::from_secs(3);

/// What a killed process is counted as.
const AT_RANDOM: &str = "at random";

/// Slots whose processes are never killed, one of each way to join: what leaks shows there.
const VETERANS: usize = 2;

/// What happens next to a process.
enum Next {
    Says(String),
    Overdue,
    ToLeave,
    Ended,
}

/// How a process came to its end.
enum How {
    ByItself,
    Killed,
    Left,
}

/// Lives the lives of a slot, until one of them has survived.
pub(super) async fn keep(mesh: Arc<Mesh>, slot: usize) -> Result<()> {
    let mut dice = mesh.dice(slot);
    loop {
        let fate = match slot < VETERANS || mesh.is_done() {
            true => Fate::Survives,
            false => Fate::draw(&mut dice),
        };
        let way = match slot {
            slot if slot < VETERANS => [Way::Spawned, mesh.joins()][slot].clone(),
            _ if dice.bool() => Way::Spawned,
            _ => mesh.joins(),
        };
        if live(&mesh, slot, fate, way, &mut dice).await? == End::Survived {
            return Ok(());
        }
    }
}

/// Lives one life.
pub(super) async fn live(
    mesh: &Mesh,
    slot: usize,
    fate: Fate,
    way: Way,
    dice: &mut fastrand::Rng,
) -> Result<End> {
    let life = mesh.begin_life(slot, fate, &way);
    let birth = Birth {
        slot,
        life,
        processes: mesh.options.processes,
        seed: dice.u64(..),
        fate,
        way,
        descriptors: if slot % 3 == 2 { Descriptors::Few } else { Descriptors::Plenty },
        journal: mesh.journal(slot, life),
    };
    let mut started = Started::start(&birth, &mesh.bus, &mesh.executor, &mesh.scratch)?;
    let born = Instant::now();
    let mut due = match fate {
        Fate::Survives | Fate::Leaves(_) => None,
        Fate::Killed(after) => Some(born + after),
        Fate::KilledAt(_, after) => Some(born + after + OVERDUE),
    };
    let mut how = How::ByItself;
    loop {
        let says = async { started.says().await.map_or(Next::Ended, Next::Says) };
        let overdue = async {
            match due {
                Some(due) => drop(Timer::at(due).await),
                None => std::future::pending().await,
            }
            Next::Overdue
        };
        let to_leave = async {
            mesh.until_end().await;
            Next::ToLeave
        };
        match or(says, or(overdue, to_leave)).await {
            Next::Says(line) => match line.split_once(' ') {
                Some(("born", id)) => mesh.slot(slot).target = Some(Target::open(id.parse()?)?),
                Some(("received", count)) => mesh.count_received(slot, count.parse()?),
                Some(("at", point)) => {
                    due = None;
                    how = How::Killed;
                    mesh.count_kill(point);
                    mesh.kill(slot);
                }
                _ if line == "joined" => mesh.slot(slot).has_joined = true,
                _ if line == "left" => how = How::Left,
                _ => mesh.violation(format!("e{slot} has said {line:?}")),
            },
            Next::Overdue if mesh.slot(slot).target.is_none() => {
                due = Some(Instant::now() + Duration::from_millis(1));
            }
            Next::Overdue => {
                due = None;
                if mesh.is_done() && matches!(fate, Fate::Killed(_)) {
                    mesh.slot(slot).survives = true;
                } else {
                    how = How::Killed;
                    mesh.count_kill(AT_RANDOM);
                    mesh.kill(slot);
                }
            }
            Next::ToLeave => {
                let leaving = started.shut_down(&mesh.executor);
                let (status, in_order) = leaving.ended_in_order().await?;
                if !in_order {
                    mesh.violation(format!(
                        "e{slot} of {life:08x} ended with {status}, not in order"
                    ));
                }
                return Ok(mesh.end_life(slot, life, End::Survived));
            }
            Next::Ended => break,
        }
    }
    let status = started.status().await;
    let is_right = match (&how, &status) {
        (How::Killed, Ok(status)) => status.signal() == Some(Signal::KILL.as_raw()),
        (How::Left, Ok(status)) => status.success(),
        _ => false,
    };
    if !is_right {
        let status = match status {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        mesh.violation(format!("e{slot} of {life:08x}, {fate}, ended with {status}"));
    }
    let end = if matches!(how, How::Left) { End::Left } else { End::Killed };
    Ok(mesh.end_life(slot, life, end))
}
