//! One run from its seed to its end.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use futures_lite::future::yield_now;

use crate::actor::{act, answer_any, close_any, subscribe_any};
use crate::events::Alive;
use crate::executor::Simulation;
use crate::mood::Mood;
use crate::oracle;
use crate::record::{Got, Record};
use crate::run::Run;

/// What acting takes at the most, unless somebody waits for what has been or will not be.
const SOON: Duration = Duration::from_secs(60);

/// What runs have come to.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) polls: u64,
    pub(crate) links: usize,
    pub(crate) broadcasts: usize,
    pub(crate) deliveries: usize,
    /// Events that streams were told they have lost.
    pub(crate) losses: u64,
    pub(crate) requests: usize,
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Self) {
        self.polls += other.polls;
        self.links += other.links;
        self.broadcasts += other.broadcasts;
        self.deliveries += other.deliveries;
        self.losses += other.losses;
        self.requests += other.requests;
    }

    fn of(run: &Run) -> Self {
        let record = run.record();
        let mut tally = Self {
            polls: run.simulation.polls(),
            links: record.links.len(),
            broadcasts: record.sent.len(),
            requests: record.questions.len(),
            ..Self::default()
        };
        for (_, got) in record.subscribers.iter().flat_map(|subscriber| &subscriber.got) {
            match got {
                Got::Event { .. } => tally.deliveries += 1,
                Got::Lagged(count) => tally.losses += count,
            }
        }
        tally
    }
}

/// Runs what a seed decides, and judges it. Returns its trace, which is the same for two runs of one
/// seed, and what it has come to.
///
/// # Panics
///
/// Panics if anything is not as it has to be, and says what happened if the run `is_watched`.
pub(crate) fn run(seed: u64, is_watched: bool) -> (u64, Tally) {
    Alive::reset();
    fastrand::seed(seed);
    let mut random = Rng::with_seed(seed);
    let mood = Mood::new(&mut random);
    let simulation = Simulation::new(random.fork().u64(..), mood.restlessness);
    let record = Record::new(mood.endpoints, is_watched);
    let run = Run::new(simulation, mood, record);
    let teller = Teller(&run);
    if is_watched {
        eprintln!("{:#?}", run.mood);
    }
    act_all(&run, &mut random);
    oracle::judge(&run);
    end(&run, &mut random);
    oracle::judge_ended(&run);
    drop(teller);
    (run.simulation.trace(), Tally::of(&run))
}

/// Connects, subscribes and acts until nothing is left to do.
fn act_all(run: &Arc<Run>, random: &mut Rng) {
    let simulation = &run.simulation;
    let endpoints = run.mood.endpoints;
    for at in 0..endpoints {
        simulation.start(run.clone().watch(at));
    }
    for near in 0..endpoints {
        for far in near + 1..endpoints {
            let (run, mut random) = (run.clone(), random.fork());
            simulation.start(async move { run.connect([near, far], &mut random).await });
        }
    }
    if run.mood.is_connected_first {
        simulation.run();
    }
    let mut tasks = Vec::new();
    for at in 0..endpoints {
        let (preparing, mut numbers) = (run.clone(), random.fork());
        let preparation = simulation.start(async move {
            let Some(endpoint) = preparing.endpoint(at) else { return };
            answer_any(&preparing, &endpoint, at, &mut numbers);
            for _ in 0..2 {
                subscribe_any(&preparing, &endpoint, at, &mut numbers).await;
            }
        });
        for _ in 0..run.mood.actors {
            let (run, random) = (run.clone(), random.fork());
            tasks.push(simulation.start(async move {
                while run.mood.is_connected_first && run.simulation.is_running(preparation) {
                    yield_now().await;
                }
                act(run.clone(), at, random).await;
                let now = run.simulation.elapsed();
                run.record().done = now;
            }));
        }
    }
    simulation.run();
    for task in tasks {
        assert!(!simulation.is_running(task), "somebody waits for ever");
    }
    let done = run.record().done;
    assert!(run.mood.may_stall || done < SOON, "somebody waited for nothing, until {done:?}");
}

/// Closes what is open, one by one or all at once, and lets everything end.
fn end(run: &Arc<Run>, random: &mut Rng) {
    for at in 0..run.mood.endpoints {
        let (closing, mut numbers) = (run.clone(), random.fork());
        run.simulation.start(async move { close_any(&closing, at, &mut numbers).await });
        if random.bool() {
            run.simulation.run();
        }
    }
    run.simulation.run();
    for consumer in run.take_consumers() {
        consumer.end(run);
    }
    run.simulation.run();
}

/// Says what happened in a run that fails.
struct Teller<'a>(&'a Run);

impl Drop for Teller<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let record = self.0.record();
            record.story.iter().flatten().for_each(|line| eprintln!("{line}"));
            drop(record);
            // What refers to the run would not be dropped.
            drop(self.0.take_consumers());
            (0..self.0.mood.endpoints).for_each(|at| drop(self.0.take_endpoint(at)));
            self.0.simulation.stop();
        }
    }
}
