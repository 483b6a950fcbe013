//! What is measured: the workloads and the event they send.

use lahja_smol::Event;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::{Deserialize, Serialize};

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
    GlobalExecutor,
}

/// The cores that this process and its children use.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cores {
    All,
    One,
}

impl Cores {
    pub(crate) fn apply(self) -> std::io::Result<()> {
        let mut cores = CpuSet::new();
        match self {
            Cores::All => (0..CpuSet::MAX_CPU).for_each(|core| cores.set(core)),
            Cores::One => {
                let allowed = sched_getaffinity(None)?;
                let first = (0..CpuSet::MAX_CPU).find(|&core| allowed.is_set(core));
                cores.set(first.unwrap_or(0));
            }
        }
        Ok(sched_setaffinity(None, &cores)?)
    }
}
