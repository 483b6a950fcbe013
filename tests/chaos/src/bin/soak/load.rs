//! Everything that goes on around the subject.

mod children;
mod garbage;
mod guests;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lahja_core::EventBus;
use lahja_smol::Endpoint;
use smol::process::{Command, Stdio};
use smol::{Executor, Timer};

use crate::Result;
use crate::counted::Counted;
use crate::tally::Tally;
use crate::work::{self, Worker, limits, within};

pub(crate) use guests::empty_scratch;

/// The name of the subject, whose leaks are looked for.
pub(crate) const SUBJECT: &str = "subject";

/// How many peers there are at a time.
const PEERS: usize = 4;

/// How long the load may take to come to its end, in milliseconds, before it counts as hanging.
const HANGS: u64 = 60_000;

/// How long who is to leave may take, in milliseconds.
const LEAVING: u64 = 30_000;

/// The subject, and what it takes to put it under load.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) bus: EventBus<Counted>,
    pub(crate) runtime: Counted,
    pub(crate) endpoint: Endpoint,
    pub(crate) tally: Arc<Tally>,
    executor: Arc<Executor<'static>>,
    program: PathBuf,
    stderr: PathBuf,
}

impl Load {
    /// Makes the subject. What its children complain of is added to a file.
    pub(crate) async fn start(executor: Arc<Executor<'static>>, stderr: PathBuf) -> Result<Self> {
        let runtime = Counted::new(executor.clone());
        let bus = EventBus::new_on(runtime.clone())?;
        let endpoint = bus.endpoint(SUBJECT).limits(limits()).await?;
        let program = std::env::current_exe()?;
        let tally = Arc::default();
        Ok(Self { bus, runtime, endpoint, tally, executor, program, stderr })
    }

    /// Puts the subject under load for a while, and waits until all that was begun has ended.
    pub(crate) async fn run(self: &Arc<Self>, time: Duration, seed: u64) -> Result<()> {
        let mut dice = fastrand::Rng::with_seed(seed);
        let worker = Arc::new(Worker::new(self.endpoint.clone(), self.tally.clone()));
        let work = work::begin(&worker, &self.executor, &mut dice);
        let mut tasks = Vec::new();
        for slot in 0..PEERS {
            let peers = children::peers(self.clone(), worker.clone(), slot, dice.fork());
            tasks.push(self.executor.spawn(peers));
        }
        tasks.extend(children::fail(self, &worker, &mut dice));
        let garbage = garbage::connect(self.clone(), worker.clone(), dice.fork());
        tasks.push(self.executor.spawn(garbage));
        let guests = guests::come_and_go(self.clone(), worker.clone(), dice.fork());
        tasks.push(self.executor.spawn(guests));
        let until = Instant::now() + time;
        while Instant::now() < until && !tasks.iter().any(|task| task.is_finished()) {
            Timer::after(Duration::from_millis(20)).await;
        }
        worker.stop();
        let ended = async {
            for task in tasks {
                task.await?;
            }
            work.ended().await
        };
        within(HANGS, ended).await.ok_or("the load hangs")?
    }

    /// Waits until nobody of this name is connected to the subject.
    async fn until_gone(&self, name: &str) -> Result<()> {
        let gone = async {
            loop {
                let changed = self.endpoint.connections_changed();
                if !self.endpoint.is_connected_to(name) {
                    return;
                }
                changed.await;
            }
        };
        let gone = within(LEAVING, gone).await;
        gone.ok_or_else(|| format!("{name} has not left").into())
    }

    /// Describes this program in another of its roles.
    fn command<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Result<Command> {
        let complains = std::fs::File::options().append(true).create(true).open(&self.stderr)?;
        let mut command = Command::new(&self.program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(complains);
        Ok(command)
    }
}
