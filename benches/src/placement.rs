//! The cores that processes are bound to.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::Result;
use crate::case::Placement;

/// The variable that names the two cores of producers and consumers.
const CORES: &str = "LAHJA_BENCH_CORES";

/// Which end of the work a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Producer,
    Consumer,
}

/// Returns the variable that tells the processes of a measurement which cores there are. Those who
/// are bound already could not find out.
pub(crate) fn cores() -> Result<(&'static str, String)> {
    let all = sched_getaffinity(None)?;
    let mut cores = (0..CpuSet::MAX_CPU).filter(|&core| all.is_set(core));
    match (cores.next(), cores.next()) {
        (Some(first), Some(second)) => Ok((CORES, format!("{first},{second}"))),
        _ => Err("the benchmark needs two cores".into()),
    }
}

/// Binds this process, for good, to the core of its end of the work, if the placement says so.
pub(crate) fn bind(placement: Placement, end: End) -> Result<()> {
    let cores = std::env::var(CORES)?;
    let (first, second) = cores.split_once(',').ok_or("there have to be two cores")?;
    let core = match (placement, end) {
        (Placement::Free, _) => return Ok(()),
        (Placement::Apart, End::Consumer) => second,
        (Placement::Apart, End::Producer) | (Placement::OneCore, _) => first,
    };
    let mut bound = CpuSet::new();
    bound.set(core.parse()?);
    Ok(sched_setaffinity(None, &bound)?)
}
