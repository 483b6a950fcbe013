//! What the subject holds while nothing goes on.

use std::fs;
use std::time::{Duration, Instant};

use lahja_chaos_common::held::Held;
use smol::Timer;
use stats_alloc::{INSTRUMENTED_SYSTEM, Stats};

use crate::Result;
use crate::events::Mark;
use crate::load::{Load, empty_scratch};

/// How long what is about to go may take: longer than any deadline of the subject, its children and
/// peers.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often what is in use of the heap is counted for one quiet point, and the pause between.
const SAMPLES: usize = 20;
const SAMPLE: Duration = Duration::from_millis(10);

/// How many children there are, and who of them has ended and is not reaped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Children {
    pub(crate) alive: usize,
    pub(crate) zombies: usize,
}

/// What must be the same at every quiet point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exact {
    pub(crate) descriptors: usize,
    pub(crate) threads: usize,
    pub(crate) tasks: usize,
    pub(crate) children: Children,
    /// Entries of the bus's directory.
    pub(crate) files: usize,
    pub(crate) connections: usize,
    pub(crate) requests: usize,
    pub(crate) queued_events: usize,
    pub(crate) unconsumed_bytes: u64,
    pub(crate) unsent_bytes: u64,
}

/// What is in use of the heap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Heap {
    pub(crate) bytes: usize,
    pub(crate) allocations: usize,
}

/// What the subject holds at one quiet point.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Point {
    /// When that was, from the beginning of the run on.
    pub(crate) at: Duration,
    pub(crate) exact: Exact,
    pub(crate) heap: Heap,
    /// Resident memory in KiB, now and at the most.
    pub(crate) resident: [u64; 2],
}

impl Heap {
    fn count() -> Self {
        let Stats { allocations, deallocations, bytes_allocated, bytes_deallocated, .. } =
            INSTRUMENTED_SYSTEM.stats();
        Self {
            bytes: bytes_allocated - bytes_deallocated,
            allocations: allocations - deallocations,
        }
    }
}

impl Exact {
    pub(crate) fn count(load: &Load) -> Result<Self> {
        let Held { descriptors, threads } = Held::count()?;
        let stats = load.endpoint.stats();
        Ok(Self {
            descriptors,
            threads,
            tasks: load.runtime.tasks(),
            children: children()?,
            files: fs::read_dir(load.bus.path())?.count(),
            connections: load.endpoint.connections().len(),
            requests: stats.requests_in_flight,
            queued_events: stats.queued_events,
            unconsumed_bytes: stats.unconsumed_bytes,
            unsent_bytes: stats.unsent_bytes,
        })
    }

    /// Counts for a fifth of a second, while what is about to go goes.
    pub(crate) async fn least(load: &Load) -> Result<Self> {
        let Held { descriptors, threads } = Held::least().await?;
        Ok(Self { descriptors, threads, ..Self::count(load)? })
    }

    /// What is counted, by name.
    pub(crate) fn named(&self) -> [(&'static str, u64); 11] {
        [
            ("descriptors", self.descriptors as u64),
            ("threads", self.threads as u64),
            ("tasks", self.tasks as u64),
            ("children", self.children.alive as u64),
            ("zombies", self.children.zombies as u64),
            ("files of the bus", self.files as u64),
            ("connections", self.connections as u64),
            ("requests in flight", self.requests as u64),
            ("queued events", self.queued_events as u64),
            ("unconsumed bytes", self.unconsumed_bytes),
            ("unsent bytes", self.unsent_bytes),
        ]
    }
}

impl Point {
    /// Waits until the subject holds what is expected, though not for ever, and counts.
    pub(crate) async fn reach(load: &Load, begin: Instant, expected: &Exact) -> Result<Self> {
        let late = Instant::now() + PATIENCE;
        while Exact::count(load)? != *expected && Instant::now() < late {
            Timer::after(Duration::from_millis(20)).await;
        }
        empty_scratch(load).await?;
        // How much a thread keeps for its next broadcasts depends on whether a table has changed since
        // its last ones. Here one changes in any case, and a broadcast then lets go of what is outdated.
        drop(load.endpoint.stream::<Mark>());
        load.endpoint.broadcast(Mark).require_subscriber(false).await?;
        // What was begun by that is over soon: the least counts.
        let mut heap = Heap::count();
        for _ in 0..SAMPLES {
            Timer::after(SAMPLE).await;
            let now = Heap::count();
            heap.bytes = heap.bytes.min(now.bytes);
            heap.allocations = heap.allocations.min(now.allocations);
        }
        let exact = Exact::count(load)?;
        Ok(Self { at: begin.elapsed(), exact, heap, resident: resident()? })
    }
}

/// Finds the children of this process among all that there are.
fn children() -> Result<Children> {
    let mut found = Children::default();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        if !name.as_encoded_bytes().iter().all(u8::is_ascii_digit) {
            continue;
        }
        // It may have ended in the meantime.
        let stat = fs::read_to_string(format!("/proc/{}/stat", name.to_string_lossy()));
        let Ok(stat) = stat else { continue };
        // The name, in parentheses, may hold anything.
        let Some((_, rest)) = stat.rsplit_once(") ") else { continue };
        let mut rest = rest.split(' ');
        let (state, parent) = (rest.next(), rest.next());
        if parent.and_then(|parent| parent.parse().ok()) == Some(std::process::id()) {
            match state {
                Some("Z") => found.zombies += 1,
                _ => found.alive += 1,
            }
        }
    }
    Ok(found)
}

/// Reads how much memory is resident, and was at the most, in KiB.
fn resident() -> Result<[u64; 2]> {
    let status = fs::read_to_string("/proc/self/status")?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let value = line.and_then(|line| line.split_whitespace().next());
        Ok::<u64, crate::Error>(value.ok_or("no memory is in /proc/self/status")?.parse()?)
    };
    Ok([field("VmRSS:")?, field("VmHWM:")?])
}
