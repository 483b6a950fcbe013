//! What is measured: the workloads and the event they send.

use lahja_smol::Event;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::{Deserialize, Serialize};

use crate::Result;

/// The event of every workload: 64 bytes of payload and what a benchmark needs to know of it.
#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(response = Pong)]
pub(crate) struct Ping {
    pub(crate) seq: u64,
    pub(crate) sent_ns: u64,
    #[serde(with = "serde_bytes")]
    pub(crate) payload: Vec<u8>,
}

/// The answer to it.
#[derive(Debug, Clone, Serialize, Deserialize, Event)]
pub(crate) struct Pong {
    pub(crate) seq: u64,
    pub(crate) sent_ns: u64,
    #[serde(with = "serde_bytes")]
    pub(crate) payload: Vec<u8>,
}

/// One of a stream of events that is not answered.
#[derive(Debug, Clone, Serialize, Deserialize, Event)]
pub(crate) struct Drop {
    pub(crate) seq: u64,
    pub(crate) sent_ns: u64,
    #[serde(with = "serde_bytes")]
    pub(crate) payload: Vec<u8>,
}

/// Says that everything has come.
#[derive(Debug, Clone, Serialize, Deserialize, Event)]
pub(crate) struct Done;

impl Ping {
    pub(crate) fn new(seq: u64) -> Self {
        Self { seq, sent_ns: 1_533_887_070_928_814_200, payload: vec![7; 64] }
    }
}

impl Drop {
    pub(crate) fn new(seq: u64) -> Self {
        let Ping { sent_ns, payload, .. } = Ping::new(seq);
        Self { seq, sent_ns, payload }
    }
}

impl From<Ping> for Pong {
    fn from(ping: Ping) -> Self {
        Self { seq: ping.seq, sent_ns: ping.sent_ns, payload: ping.payload }
    }
}

/// A workload, with how often it is done.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Work {
    /// Events in one direction, as fast as they go.
    OneWay(u64),
    /// One event at a time, there and back.
    RoundTrip(u64),
    /// One request at a time. The raw socket does a round trip.
    Request(u64),
}

impl Work {
    pub(crate) fn count(self) -> u64 {
        match self {
            Work::OneWay(count) | Work::RoundTrip(count) | Work::Request(count) => count,
        }
    }
}

/// Who runs the bus's tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setup {
    OneThread,
    /// One thread, too, but what is measured is the future that it runs the executor with.
    MainFuture,
    GlobalExecutor,
}

/// Where the two processes run.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Placement {
    /// Wherever the system puts them, as most programs have it.
    Free,
    /// Each on a core of its own.
    Apart,
    OneCore,
}

/// The cores that may be used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cores {
    all: CpuSet,
    first_two: [usize; 2],
}

/// The variable that tells a child its core.
pub(crate) const CORE: &str = "LAHJA_BENCH_CORE";

/// What it says if the child is not bound.
const ANY: &str = "any";

impl Cores {
    /// Returns the cores that this process may use.
    pub(crate) fn allowed() -> Result<Self> {
        let all = sched_getaffinity(None)?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|&core| all.is_set(core));
        match (cores.next(), cores.next()) {
            (Some(first), Some(second)) => Ok(Self { all, first_two: [first, second] }),
            _ => Err("the benchmark needs two cores".into()),
        }
    }

    /// Binds this process. Returns what to tell a child.
    pub(crate) fn bind(&self, placement: Placement) -> Result<String> {
        let [first, second] = self.first_two;
        match placement {
            Placement::Free => sched_setaffinity(None, &self.all)?,
            Placement::Apart | Placement::OneCore => bind(first)?,
        }
        Ok(match placement {
            Placement::Free => ANY.to_owned(),
            Placement::Apart => second.to_string(),
            Placement::OneCore => first.to_string(),
        })
    }
}

/// Binds a child to the core that it was told.
pub(crate) fn bind_child() -> Result<()> {
    let core = std::env::var(CORE)?;
    if core != ANY {
        bind(core.parse()?)?;
    }
    Ok(())
}

fn bind(core: usize) -> Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core);
    Ok(sched_setaffinity(None, &cores)?)
}

/// How an end waits for the other's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waits {
    /// It asks again and again: the raw socket always, lahja as it does by default.
    Polling,
    /// It sleeps.
    Parked,
}

/// The variable that is set if a child is to wait parked.
pub(crate) const PARKED: &str = "LAHJA_BENCH_PARKED";

impl Waits {
    pub(crate) fn of_child() -> Self {
        match std::env::var_os(PARKED) {
            Some(_) => Self::Parked,
            None => Self::Polling,
        }
    }
}

/// What one repeat measures.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) work: Work,
    pub(crate) setup: Setup,
    pub(crate) waits: Waits,
    pub(crate) core: String,
}

impl Case {
    /// Returns what a child needs to know of its case.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let parked = (self.waits == Waits::Parked).then_some((PARKED, ""));
        [(CORE, self.core.as_str())].into_iter().chain(parked)
    }
}
