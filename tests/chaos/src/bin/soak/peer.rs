//! A peer of the subject, in a process of its own, and other programs that the subject starts.

use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use futures_lite::future::or;
use lahja_smol::{EventBus, Smol};
use rustix::process::{Signal, set_parent_process_death_signal};
use smol::Executor;

use crate::Result;
use crate::events::{Leave, Misdefined};
use crate::work::{self, GROUP, Worker, limits};

/// The first argument of a peer.
pub(crate) const PEER: &str = "peer";

/// The first argument of a program that closes its standard input, and takes no endpoint.
pub(crate) const DEAF: &str = "deaf";

/// The first argument of a program that leaves its standard input alone.
pub(crate) const IDLE: &str = "idle";

/// How long a peer may take to deliver what it has accepted.
const CLOSING: Duration = Duration::from_secs(5);

/// Is a peer until it is told to leave, or its endpoint is closed. Its arguments are a seed, and
/// the bus and the name with which it joins, unless it is handed its endpoint.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let (seed, joins) = match arguments {
        [seed] => (seed, None),
        [seed, bus, name] => (seed, Some((PathBuf::from(bus), name.clone()))),
        _ => return Err("a peer is started by the subject".into()),
    };
    let dice = fastrand::Rng::with_seed(seed.parse()?);
    let executor = Arc::new(Executor::new());
    let living = executor.spawn(live(joins, dice, executor.clone()));
    smol::block_on(executor.run(living))
}

/// Does nothing until it is killed.
pub(crate) fn idle() -> Result<ExitCode> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    loop {
        std::thread::park();
    }
}

/// Closes its standard input and does nothing until it is killed.
pub(crate) fn deaf() -> Result<ExitCode> {
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    idle()
}

async fn live(
    joins: Option<(PathBuf, String)>,
    mut dice: fastrand::Rng,
    executor: Arc<Executor<'static>>,
) -> Result<ExitCode> {
    let smol = Smol::from(executor.clone());
    let endpoint = match joins {
        // The parent is told what has failed, and may have asked for it.
        None => match EventBus::connect_on(smol).limits(limits()).await {
            Ok(endpoint) => endpoint,
            Err(_) => return Ok(ExitCode::FAILURE),
        },
        Some((bus, name)) => {
            EventBus::at_on(smol, bus)?.endpoint(name).group(GROUP).limits(limits()).await?
        }
    };
    let mut leave = endpoint.stream::<Leave>();
    let _disputed = endpoint.stream::<Misdefined>();
    let worker = Arc::new(Worker::new(endpoint.clone(), Arc::default()));
    let _work = work::begin(&worker, &executor, &mut dice);
    or(async { drop(leave.next().await) }, endpoint.closed()).await;
    endpoint.close(CLOSING).await;
    Ok(ExitCode::SUCCESS)
}
