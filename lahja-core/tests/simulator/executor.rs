//! A runtime on one thread in which a seed decides what runs next, and time passes here alone.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use fastrand::Rng;
use lahja_core::{BoxFuture, Runtime};

/// The most microseconds that pass between two polls.
const TICK: u64 = 3;

/// The most polls of one run, far beyond what any takes: more is a loop without an end.
const MAX_POLLS: u64 = 1_000_000;

/// Nothing happens this late: what sleeps until then sleeps for ever.
const NEVER: Duration = Duration::from_secs(1 << 32);

/// One run: its tasks, its timers and its clock. Clones are handles to the same.
#[derive(Clone)]
pub(crate) struct Simulation(Arc<Mutex<State>>);

struct State {
    random: Rng,
    /// How often of 256 times a task is polled that nobody has woken.
    restlessness: u8,
    start: Instant,
    now: Duration,
    polls: u64,
    next_id: u64,
    tasks: BTreeMap<u64, Option<BoxFuture>>,
    // In the order of their ids, so that the order in which they were woken makes no difference.
    ready: BTreeSet<u64>,
    timers: BTreeMap<(Duration, u64), Waker>,
    trace: DefaultHasher,
}

/// Locks what a failed test may have left locked, so that its failure is the only one.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Wakes one task.
struct TaskWaker {
    simulation: Simulation,
    id: u64,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut state = lock(&self.simulation.0);
        if state.tasks.contains_key(&self.id) {
            state.ready.insert(self.id);
        }
    }
}

impl Simulation {
    pub(crate) fn new(seed: u64, restlessness: u8) -> Self {
        Self(Arc::new(Mutex::new(State {
            random: Rng::with_seed(seed),
            restlessness,
            start: Instant::now(),
            now: Duration::ZERO,
            polls: 0,
            next_id: 0,
            tasks: BTreeMap::new(),
            ready: BTreeSet::new(),
            timers: BTreeMap::new(),
            trace: DefaultHasher::new(),
        })))
    }

    /// Starts a task. Its id is as old as it.
    pub(crate) fn start(&self, future: impl Future<Output = ()> + Send + 'static) -> u64 {
        let mut state = lock(&self.0);
        let id = state.next_id();
        state.tasks.insert(id, Some(Box::pin(future)));
        state.ready.insert(id);
        id
    }

    pub(crate) fn is_running(&self, task: u64) -> bool {
        lock(&self.0).tasks.contains_key(&task)
    }

    /// Returns how many tasks have not ended.
    pub(crate) fn tasks(&self) -> usize {
        lock(&self.0).tasks.len()
    }

    /// Returns the time since the run began.
    pub(crate) fn elapsed(&self) -> Duration {
        lock(&self.0).now
    }

    /// Returns a generator of numbers of its own for something that is made now.
    pub(crate) fn fork_random(&self) -> Rng {
        lock(&self.0).random.fork()
    }

    /// Makes something part of the trace.
    pub(crate) fn note(&self, what: impl Hash) {
        what.hash(&mut lock(&self.0).trace);
    }

    /// Returns a number that two runs have in common if the same was noted, polled and timed.
    pub(crate) fn trace(&self) -> u64 {
        lock(&self.0).trace.finish()
    }

    /// Returns how often tasks were polled.
    pub(crate) fn polls(&self) -> u64 {
        lock(&self.0).polls
    }

    /// Wakes somebody later.
    pub(crate) fn wake_after(&self, duration: Duration, waker: Waker) {
        let mut state = lock(&self.0);
        let id = state.next_id();
        let at = state.now.saturating_add(duration);
        state.timers.insert((at, id), waker);
    }

    /// Runs until nothing is left to do: no task is ready, and no time to wait for.
    pub(crate) fn run(&self) {
        while let Some(id) = self.next() {
            self.poll(id);
        }
    }

    /// Runs a future to its end, and then what is left to do.
    pub(crate) fn block_on<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let result = Arc::new(Mutex::new(None));
        let slot = result.clone();
        self.start(async move {
            let result = future.await;
            *lock(&slot) = Some(result);
        });
        self.run();
        let result = lock(&result).take();
        result.expect("hung: nothing is left that would wake it")
    }

    /// Drops every task, as the end of a runtime may.
    pub(crate) fn stop(&self) {
        let mut state = lock(&self.0);
        let tasks = std::mem::take(&mut state.tasks);
        let timers = std::mem::take(&mut state.timers);
        drop(state);
        drop((tasks, timers));
    }

    /// Chooses the task to poll next.
    fn next(&self) -> Option<u64> {
        let mut state = lock(&self.0);
        let restlessness = state.restlessness;
        loop {
            let tick = state.random.u64(0..=TICK);
            state.now += Duration::from_micros(tick);
            let due = state.take_due();
            if !due.is_empty() {
                drop(state);
                due.iter().for_each(Waker::wake_by_ref);
                state = lock(&self.0);
                continue;
            }
            if state.ready.is_empty() {
                let (&(at, _), _) = state.timers.first_key_value()?;
                if at >= NEVER {
                    return None;
                }
                state.now = at;
                continue;
            }
            let State { random, tasks, ready, .. } = &mut *state;
            let mut any = |count| random.usize(..count);
            let id = match any(256) < usize::from(restlessness) {
                true => tasks.keys().nth(any(tasks.len())),
                false => ready.iter().nth(any(ready.len())),
            };
            let id = *id.expect("it is below the count");
            state.ready.remove(&id);
            let now = state.now;
            (id, now).hash(&mut state.trace);
            state.polls += 1;
            assert!(state.polls < MAX_POLLS, "something goes on without an end");
            return Some(id);
        }
    }

    fn poll(&self, id: u64) {
        let future = lock(&self.0).tasks.get_mut(&id).and_then(Option::take);
        let mut future = future.expect("a task is polled by one");
        let waker = Waker::from(Arc::new(TaskWaker { simulation: self.clone(), id }));
        let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
        let mut state = lock(&self.0);
        match polled {
            Poll::Pending => {
                state.tasks.insert(id, Some(future));
            }
            Poll::Ready(()) => {
                state.tasks.remove(&id);
                state.ready.remove(&id);
            }
        }
    }
}

impl State {
    fn next_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    fn take_due(&mut self) -> Vec<Waker> {
        let mut due = Vec::new();
        while let Some(timer) = self.timers.first_entry() {
            if timer.key().0 > self.now {
                break;
            }
            due.push(timer.remove());
        }
        due
    }
}

impl Runtime for Simulation {
    fn spawn(&self, future: BoxFuture) {
        self.start(future);
    }

    fn sleep(&self, duration: Duration) -> BoxFuture {
        let at = self.elapsed().saturating_add(duration);
        Box::pin(Sleep { simulation: self.clone(), at, timer: None })
    }

    fn now(&self) -> Instant {
        let state = lock(&self.0);
        state.start + state.now
    }
}

struct Sleep {
    simulation: Simulation,
    at: Duration,
    timer: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let simulation = self.simulation.clone();
        let mut state = lock(&simulation.0);
        if state.now >= self.at {
            return Poll::Ready(());
        }
        let id = *self.timer.get_or_insert_with(|| state.next_id());
        state.timers.insert((self.at, id), context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(id) = self.timer {
            lock(&self.simulation.0).timers.remove(&(self.at, id));
        }
    }
}
