//! The same work over lahja: a bus, a child process, events and requests.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lahja_smol::{Endpoint, EventBus, Limits, Received, Scope, Smol};
use smol::process::Command;

use crate::Result;
use crate::work::{Case, Done, Drop, Ping, Pong, Setup, Waits, Work};

pub(crate) const CHILD: &str = "lahja-child";

/// How long the child may take to end.
const GRACE: Duration = Duration::from_secs(5);

/// Does the work and returns how long it took.
pub(crate) fn measure(case: &Case) -> Result<Duration> {
    let case = case.clone();
    let setup = case.setup;
    run(setup, |smol| async move {
        let bus = EventBus::new_on(smol)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(CHILD).args(case.work.child_arguments()).envs(case.variables());
        if setup == Setup::GlobalExecutor {
            command.arg("--threads");
        }
        let parent = bus.endpoint("parent").limits(limits(case.waits)).await?;
        let child = bus.spawn("child", command).await?;
        parent.wait_until_connected_to("child").await;
        let took = measure_at(&parent, case.work).await?;
        child.shutdown(GRACE).await?;
        Ok(took)
    })
}

async fn measure_at(parent: &Endpoint, work: Work) -> Result<Duration> {
    match work {
        Work::OneWay(count) => {
            let done = parent.wait_for::<Done>();
            parent.wait_until_subscribed::<Drop>(Scope::All).await;
            let start = Instant::now();
            for seq in 0..count {
                parent.broadcast(Drop::new(seq)).await?;
            }
            done.await?;
            Ok(start.elapsed())
        }
        Work::RoundTrip(count) => {
            let mut pongs = parent.stream::<Pong>();
            pongs.ready().await?;
            parent.wait_until_subscribed::<Ping>(Scope::All).await;
            let start = Instant::now();
            for seq in 0..count {
                parent.broadcast(Ping::new(seq)).await?;
                let pong = pongs.next().await.ok_or("the bus is closed")??;
                assert_eq!(pong.seq, seq);
            }
            Ok(start.elapsed())
        }
        Work::Request(count) => {
            parent.wait_until_subscribed::<Ping>(Scope::All).await;
            let start = Instant::now();
            for seq in 0..count {
                let pong = parent.request(Ping::new(seq)).await?;
                assert_eq!(pong.seq, seq);
            }
            Ok(start.elapsed())
        }
    }
}

impl Work {
    fn child_arguments(self) -> [String; 2] {
        let kind = match self {
            Work::OneWay(_) => "one-way",
            Work::RoundTrip(_) => "round-trip",
            Work::Request(_) => "request",
        };
        [kind.to_owned(), self.count().to_string()]
    }
}

/// The other end.
pub(crate) fn child(setup: Setup) -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(2).collect();
    let [kind, count, ..] = &arguments[..] else {
        return Err("the child needs its work".into());
    };
    let (kind, count) = (kind.clone(), count.parse::<u64>()?);
    run(setup, |smol| async move {
        let endpoint = EventBus::connect_on(smol).limits(limits(Waits::of_child())).await?;
        match kind.as_str() {
            "one-way" => {
                let mut drops = endpoint.stream::<Drop>();
                for seq in 0..count {
                    let Some(drop) = drops.next().await else {
                        break;
                    };
                    assert_eq!(drop?.seq, seq);
                }
                endpoint.broadcast(Done).await?;
            }
            "round-trip" => {
                let mut pings = endpoint.stream::<Ping>();
                while let Some(ping) = pings.next().await {
                    endpoint.broadcast(Pong::from(ping?.into_inner())).await?;
                }
            }
            _ => endpoint.answer(|ping: Received<Ping>| Pong::from(ping.into_inner())).detach(),
        }
        endpoint.closed().await;
        Ok(())
    })
}

fn limits(waits: Waits) -> Limits {
    let mut limits = Limits::default();
    if waits == Waits::Parked {
        limits.poll_for = Duration::ZERO;
    }
    limits
}

/// Runs the work, as a task if not told otherwise: what it waits for then wakes it without a detour
/// by the thread that drives the executor.
fn run<T, F>(setup: Setup, work: impl FnOnce(Smol) -> F) -> Result<T>
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    match setup {
        Setup::GlobalExecutor => smol::block_on(smol::spawn(work(Smol::default()))),
        Setup::MainFuture => {
            let executor = Arc::new(smol::Executor::new());
            smol::block_on(executor.run(work(Smol::from(executor.clone()))))
        }
        Setup::OneThread => {
            let executor = Arc::new(smol::Executor::new());
            let task = executor.spawn(work(Smol::from(executor.clone())));
            smol::block_on(executor.run(task))
        }
    }
}
