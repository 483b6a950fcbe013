//! What the tasks of one process share.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use lahja_smol::{Endpoint, Lagged, Received};
use rustix::process::{Signal, getpid, kill_process};
use smol::Timer;
use smol::channel::{Receiver, Sender, bounded};

use crate::birth::Birth;
use crate::events::{MAX_PROCESSES, Quiet, Tick, name};
use crate::fate::{Fate, Point};
use crate::journal::{Journal, Record, Which};

/// Numbers that are announced in the journal at once.
const AHEAD: u64 = 64;

/// Tells the supervisor something.
pub(crate) fn say(what: fmt::Arguments<'_>) {
    println!("{what}");
}

/// Stops here to be killed, if that is the fate of this process.
pub(crate) fn reach(fate: Fate, point: Point) {
    let is_fatal = match fate {
        // What is over while it joins cannot be stopped there.
        Fate::KilledAt(Point::Joining, _) => matches!(point, Point::Joining | Point::Joined),
        Fate::KilledAt(fatal, _) => fatal == point,
        _ => false,
    };
    if !is_fatal {
        return;
    }
    say(format_args!("at {}", point.name()));
    loop {
        // Who stops processes at random may wake this one.
        _ = kill_process(getpid(), Signal::STOP);
    }
}

/// One life of one process.
pub(crate) struct Me {
    pub(crate) birth: Birth,
    pub(crate) journal: Journal,
    pub(crate) endpoint: Endpoint,
    born: Instant,
    // The number of the next event, and of the last that was handed over.
    next: AtomicU64,
    done: AtomicU64,
    may_broadcast: AtomicU64,
    // How many questions were put to each slot, and how many may be.
    asked: Mutex<[(u64, u64); MAX_PROCESSES]>,
    received: AtomicU64,
    reached: Mutex<[[Position; MAX_PROCESSES]; 2]>,
    is_quiet: AtomicBool,
    // Tasks that broadcast or ask.
    busy: AtomicU32,
    told_to_leave: (Sender<()>, Receiver<()>),
}

/// How far a subscription to the events of a slot has come.
#[derive(Debug, Clone, Copy, Default)]
struct Position {
    life: u32,
    number: u64,
}

impl Me {
    pub(crate) fn new(birth: Birth, born: Instant, journal: Journal, endpoint: Endpoint) -> Self {
        Self {
            birth,
            journal,
            endpoint,
            born,
            next: AtomicU64::new(1),
            done: AtomicU64::new(0),
            may_broadcast: AtomicU64::new(0),
            asked: Mutex::default(),
            received: AtomicU64::new(0),
            reached: Mutex::default(),
            is_quiet: AtomicBool::new(false),
            busy: AtomicU32::new(0),
            told_to_leave: bounded(1),
        }
    }

    /// Tells whether the process is to stop when it reaches the point next.
    pub(crate) fn is_due(&self, point: Point) -> bool {
        match self.birth.fate {
            Fate::KilledAt(fatal, after) => fatal == point && self.born.elapsed() >= after,
            _ => false,
        }
    }

    /// Tells whether the process is to leave within this time.
    pub(crate) fn leaves_within(&self, time: Duration) -> bool {
        matches!(self.birth.fate, Fate::Leaves(after) if self.born.elapsed() + time >= after)
    }

    /// Stops here to be killed, if it is time for that.
    pub(crate) fn reach(&self, point: Point) {
        if self.is_due(point) {
            reach(self.birth.fate, point);
        }
    }

    /// Writes down that this process has seen something wrong.
    pub(crate) fn fault(&self, what: fmt::Arguments<'_>) {
        self.journal.note_at_once(&Record::Fault(what.to_string()));
    }

    /// Takes the number of the next event, which the journal knows of by then.
    pub(crate) fn next_event(&self) -> u64 {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        if number > self.may_broadcast.load(Ordering::Relaxed) {
            let ahead = number + 16 * AHEAD;
            self.may_broadcast.store(ahead, Ordering::Relaxed);
            self.journal.note_at_once(&Record::MayBroadcast(ahead));
        }
        number
    }

    /// Returns the number that the next event will have.
    pub(crate) fn next(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// Notes that an event was handed over.
    pub(crate) fn broadcast(&self, number: u64) {
        self.done.store(number, Ordering::Relaxed);
    }

    pub(crate) fn has_broadcast(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Takes the number of the next question to a slot, which the journal knows of by then.
    pub(crate) fn next_question(&self, slot: usize) -> u64 {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let (number, may_ask) = &mut asked[slot];
        *number += 1;
        if *number > *may_ask {
            *may_ask = *number + AHEAD;
            self.journal.note_at_once(&Record::MayAsk(slot, *may_ask));
        }
        *number
    }

    /// Takes what a subscription has yielded.
    pub(crate) fn take<T: Tick>(&self, which: Which, event: Result<Received<T>, Lagged>) {
        let slot = T::SLOT;
        let mut reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        let position = &mut reached[usize::from(which == Which::Slow)][slot];
        match event {
            Ok(event) => {
                let content = event.content();
                *position = Position { life: content.life, number: content.number };
                self.journal.received(which, slot, content.life, content.number);
                self.received.fetch_add(1, Ordering::Relaxed);
                if !content.is_whole() {
                    self.fault(format_args!("event {} of e{slot} is damaged", content.number));
                }
                if event.origin().as_str() != name(slot) {
                    self.fault(format_args!("an event of e{slot} came from {}", event.origin()));
                }
            }
            Err(Lagged(count)) => {
                position.number += count;
                self.journal.lagged(which, slot, count);
            }
        }
    }

    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Tells whether a subscription has come to the last event of a process.
    pub(crate) fn has_reached(&self, which: Which, last: &Quiet) -> bool {
        let reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        let position = reached[usize::from(which == Which::Slow)][last.slot];
        position.life == last.life && position.number >= last.last
    }

    /// Notes that a task broadcasts or asks, until the guard is dropped.
    pub(crate) fn busy(self: &std::sync::Arc<Self>) -> Busy {
        self.busy.fetch_add(1, Ordering::Relaxed);
        Busy(self.clone())
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.is_quiet.load(Ordering::Relaxed)
    }

    /// Has everything end that broadcasts or asks, and waits for that.
    pub(crate) async fn until_quiet(&self) {
        self.is_quiet.store(true, Ordering::Relaxed);
        while self.busy.load(Ordering::Relaxed) > 0 {
            Timer::after(Duration::from_millis(5)).await;
        }
    }

    pub(crate) fn tell_to_leave(&self) {
        // It may have been told before.
        _ = self.told_to_leave.0.try_send(());
    }

    pub(crate) async fn until_told_to_leave(&self) {
        self.told_to_leave.1.recv().await.expect("the sender is in the same place");
    }
}

/// A task that broadcasts or asks.
pub(crate) struct Busy(std::sync::Arc<Me>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}
