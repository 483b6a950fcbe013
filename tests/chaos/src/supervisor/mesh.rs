//! The state of the mesh, as far as the supervisor knows it.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lahja_smol::EventBus;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use smol::channel::{Receiver, Sender, bounded};
use smol::{Executor, Task, Timer};

use super::{child, slot};
use crate::Result;
use crate::birth::Way;
use crate::checker::{End, Life};
use crate::fate::{Fate, Point};
use crate::held::{Held, resident};
use crate::options::Options;
use crate::process::STALLED_AFTER;

/// How often the state of the mesh is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// The most memory that a process may have in use: more than twice what was seen in long runs.
const MOST_MEMORY: u64 = 96 << 20;

/// A process to send signals to, which is not confused with a later one of the same id.
pub(super) struct Target {
    id: u32,
    fd: OwnedFd,
}

impl Target {
    pub(super) fn open(id: u32) -> Result<Self> {
        let pid = Pid::from_raw(id.try_into()?).ok_or("no process has this id")?;
        Ok(Self { id, fd: pidfd_open(pid, PidfdFlags::empty())? })
    }

    fn signal(&self, signal: Signal) {
        // It may have ended.
        _ = pidfd_send_signal(&self.fd, signal);
    }
}

/// What is known of the process in a slot.
#[derive(Default)]
pub(super) struct Slot {
    life: u32,
    // Whether its endpoint was handed to it.
    is_handed: bool,
    pub(super) target: Option<Target>,
    pub(super) has_joined: bool,
    pub(super) survives: bool,
    has_ended: bool,
    received: u64,
}

/// What was done to the mesh.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) kills: BTreeMap<String, u64>,
    pub(crate) restarts: u64,
    pub(crate) left: u64,
    pub(crate) stops: u64,
    pub(crate) long_stops: u64,
    pub(crate) most_memory: u64,
    received: u64,
}

impl Tally {
    pub(crate) fn killed(&self) -> u64 {
        self.kills.values().sum()
    }
}

pub(super) struct Mesh {
    pub(super) options: Options,
    pub(super) bus: EventBus,
    pub(super) executor: Arc<Executor<'static>>,
    pub(super) scratch: PathBuf,
    slots: Vec<Mutex<Slot>>,
    lives: Mutex<Vec<Life>>,
    tally: Mutex<Tally>,
    violations: Mutex<Vec<String>>,
    // Closed when those who survive are to leave.
    end: (Sender<()>, Receiver<()>),
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Mesh {
    pub(super) fn new(
        options: Options,
        bus: EventBus,
        executor: Arc<Executor<'static>>,
        scratch: &Path,
    ) -> Self {
        Self {
            slots: (0..options.processes).map(|_| Mutex::default()).collect(),
            options,
            bus,
            executor,
            scratch: scratch.to_owned(),
            lives: Mutex::default(),
            tally: Mutex::default(),
            violations: Mutex::default(),
            end: bounded(1),
        }
    }

    /// Lives a life of each kind, so that everything is there that a first one starts. Returns what
    /// this process holds then.
    pub(super) async fn warm_up(&self) -> Result<Held> {
        let mut dice = self.dice(self.options.processes);
        for way in [Way::Spawned, self.joins()] {
            let fate = Fate::KilledAt(Point::Born, Duration::ZERO);
            slot::live(self, 0, fate, way, &mut dice).await?;
        }
        Held::least().await.map_err(Into::into)
    }

    /// Begins to keep every slot alive, to stop processes now and then, and to watch their memory.
    /// All that ends when what is returned is dropped.
    pub(super) fn keep_all(self: &Arc<Self>) -> Vec<Task<()>> {
        let keep = |slot: usize| {
            let mesh = self.clone();
            self.executor.spawn(async move {
                if let Err(error) = slot::keep(mesh.clone(), slot).await {
                    mesh.violation(format!("e{slot} could not be kept: {error}"));
                }
                mesh.slot(slot).has_ended = true;
            })
        };
        let mut tasks: Vec<_> = (0..self.slots.len()).map(keep).collect();
        tasks.push(self.executor.spawn(stop_now_and_then(self.clone())));
        tasks.push(self.executor.spawn(watch_memory(self.clone())));
        tasks
    }

    /// Waits until enough was killed, and every process that lives is to survive.
    pub(super) async fn until_all_survive(&self) {
        let survives = |slot: &Mutex<Slot>| {
            let slot = lock(slot);
            slot.has_joined && slot.survives
        };
        while !(self.is_done() && self.slots.iter().all(survives)) {
            Timer::after(LOOK).await;
        }
    }

    pub(super) async fn until_all_ended(&self) {
        while !self.slots.iter().all(|slot| lock(slot).has_ended) {
            Timer::after(LOOK).await;
        }
    }

    /// Has those who survive leave.
    pub(super) fn let_leave(&self) {
        self.end.0.close();
    }

    pub(super) async fn until_end(&self) {
        // Nothing is ever sent.
        _ = self.end.1.recv().await;
    }

    /// Tells whether enough was killed and received.
    pub(super) fn is_done(&self) -> bool {
        let tally = lock(&self.tally);
        tally.killed() >= self.options.kills && tally.received >= self.options.events
    }

    pub(super) fn dice(&self, of: usize) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.options.seed.wrapping_mul(31).wrapping_add(of as u64))
    }

    pub(super) fn joins(&self) -> Way {
        Way::Joins(self.bus.path().to_owned())
    }

    pub(super) fn journal(&self, slot: usize, life: u32) -> PathBuf {
        child::journal_path(&self.scratch, slot, life)
    }

    pub(super) fn slot(&self, slot: usize) -> MutexGuard<'_, Slot> {
        lock(&self.slots[slot])
    }

    /// Begins a life in a slot, and returns its number.
    pub(super) fn begin_life(&self, slot: usize, fate: Fate, way: &Way) -> u32 {
        let mut lives = lock(&self.lives);
        let life = loop {
            let life = fastrand::u32(1..);
            if lives.iter().all(|other| other.life != life) {
                break life;
            }
        };
        lock(&self.tally).restarts += u64::from(lives.iter().any(|other| other.slot == slot));
        lives.push(Life { slot, life, end: End::Killed, records: Vec::new() });
        let survives = fate == Fate::Survives;
        let is_handed = *way == Way::Spawned;
        *self.slot(slot) = Slot { life, is_handed, survives, ..Slot::default() };
        life
    }

    pub(super) fn end_life(&self, slot: usize, life: u32, end: End) -> End {
        let mut lives = lock(&self.lives);
        if let Some(ended) = lives.iter_mut().find(|other| other.life == life) {
            ended.end = end;
        }
        lock(&self.tally).left += u64::from(end == End::Left);
        *self.slot(slot) = Slot::default();
        end
    }

    pub(super) fn is_handed(&self, slot: usize) -> bool {
        self.slot(slot).is_handed
    }

    pub(super) fn kill(&self, slot: usize) {
        if let Some(target) = &self.slot(slot).target {
            target.signal(Signal::KILL);
        }
    }

    pub(super) fn kill_all(&self) {
        (0..self.slots.len()).for_each(|slot| self.kill(slot));
    }

    pub(super) fn count_kill(&self, at: &str) {
        *lock(&self.tally).kills.entry(at.to_owned()).or_default() += 1;
    }

    pub(super) fn count_received(&self, slot: usize, count: u64) {
        let mut slot = self.slot(slot);
        lock(&self.tally).received += count.saturating_sub(slot.received);
        slot.received = count;
    }

    pub(super) fn violation(&self, what: String) {
        lock(&self.violations).push(what);
    }

    /// Says what the mesh is at.
    pub(super) fn describe(&self) -> String {
        let tally = lock(&self.tally);
        let mut text = format!("{} killed, {} received", tally.killed(), tally.received);
        for (at, slot) in self.slots.iter().enumerate() {
            let slot = lock(slot);
            let state = match slot {
                ref slot if slot.has_ended => "ended",
                ref slot if slot.target.is_none() => "not born",
                ref slot if !slot.has_joined => "not joined",
                ref slot if slot.survives => "survives",
                _ => "lives",
            };
            text.push_str(&format!(", e{at} ({:08x}) {state}", slot.life));
        }
        text
    }

    /// Returns the lives, what was done to them, and what was wrong.
    pub(super) fn finish(&self) -> (Vec<Life>, Tally, Vec<String>) {
        let mut violations = std::mem::take(&mut *lock(&self.violations));
        let tally = std::mem::take(&mut *lock(&self.tally));
        if tally.most_memory > MOST_MEMORY {
            violations.push(format!("a process had {} bytes in use", tally.most_memory));
        }
        (std::mem::take(&mut *lock(&self.lives)), tally, violations)
    }
}

/// Stops processes for a while, some for longer than others wait for them.
async fn stop_now_and_then(mesh: Arc<Mesh>) {
    let mut dice = mesh.dice(mesh.options.processes + 1);
    while !mesh.is_done() {
        Timer::after(Duration::from_millis(dice.u64(10..150))).await;
        let is_long = dice.u32(0..6) == 0;
        let pause = match is_long {
            true => STALLED_AFTER.mul_f64(1.2 + dice.f64()),
            false => Duration::from_millis(dice.u64(1..60)),
        };
        let slot = dice.usize(..mesh.slots.len());
        let Some(life) = signal(&mesh, slot, None, Signal::STOP) else { continue };
        {
            let mut tally = lock(&mesh.tally);
            tally.stops += 1;
            tally.long_stops += u64::from(is_long);
        }
        Timer::after(pause).await;
        signal(&mesh, slot, Some(life), Signal::CONT);
    }
}

/// Sends a signal to the process in a slot, if it is of that life. Returns the life.
fn signal(mesh: &Mesh, slot: usize, life: Option<u32>, signal: Signal) -> Option<u32> {
    let slot = mesh.slot(slot);
    let target = slot.target.as_ref()?;
    if life.is_some_and(|life| life != slot.life) {
        return None;
    }
    target.signal(signal);
    Some(slot.life)
}

async fn watch_memory(mesh: Arc<Mesh>) {
    loop {
        for slot in &mesh.slots {
            let id = lock(slot).target.as_ref().map(|target| target.id);
            if let Some(memory) = id.and_then(resident) {
                let mut tally = lock(&mesh.tally);
                tally.most_memory = tally.most_memory.max(memory);
            }
        }
        Timer::after(Duration::from_millis(250)).await;
    }
}
