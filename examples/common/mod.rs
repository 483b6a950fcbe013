//! What the examples of several processes share: their arguments, and how parents and children
//! wait for each other.

use std::env;
use std::error::Error;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use async_signal::{Signal, Signals};
use lahja_smol::{Child, Endpoint};
use smol::future::or;
use smol::stream::StreamExt;

const USAGE: &str = "the only option is --rounds N";

/// How long a child that is asked to leave may take before it is sent a signal.
pub(crate) const GRACE: Duration = Duration::from_secs(1);

pub(crate) type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// The arguments of an example.
#[derive(Debug, Default)]
pub(crate) struct Args {
    /// Which of the children this process is. The parent has none.
    pub(crate) role: Option<String>,
    pub(crate) rounds: Option<u32>,
}

impl Args {
    pub(crate) fn parse() -> Result<Self> {
        let mut parsed = Self::default();
        let mut args = env::args().skip(1);
        while let Some(option) = args.next() {
            let value = args.next().ok_or(USAGE)?;
            match option.as_str() {
                "--rounds" => parsed.rounds = Some(value.parse().map_err(|_| USAGE)?),
                "--role" => parsed.role = Some(value),
                _ => return Err(USAGE.into()),
            }
        }
        Ok(parsed)
    }
}

/// Returns the command that runs this program again as one of the children.
///
/// Its process group is its own, so that Ctrl-C reaches the parent alone, which then ends its
/// children in order.
pub(crate) fn child(role: &str) -> io::Result<smol::process::Command> {
    let mut command = Command::new(env::current_exe()?);
    command.args(env::args_os().skip(1)).args(["--role", role]);
    command.process_group(0);
    Ok(command.into())
}

/// Catches Ctrl-C, SIGTERM and the end of the terminal from now on. A parent does so before it has
/// children.
pub(crate) fn interruptions() -> io::Result<Signals> {
    Signals::new([Signal::Hup, Signal::Int, Signal::Term])
}

/// Waits for what the children do, or until this process is interrupted, which is no error.
pub(crate) async fn unless_interrupted(
    mut interruptions: Signals,
    children: impl Future<Output = Result>,
) -> Result {
    let interrupted = async {
        interruptions.next().await;
        Ok(())
    };
    or(interrupted, children).await
}

/// Waits until a child has ended. Anything but success is an error.
pub(crate) async fn success(child: &mut Child) -> Result {
    let status = child.status().await?;
    if !status.success() {
        return Err(format!("the process of {} has failed: {status}", child.name()).into());
    }
    Ok(())
}

/// Does the work of a child until it is done, or the endpoint closes: the parent has died or wants
/// this process to leave. What was broadcast arrives before the process ends.
pub(crate) async fn until_closed(
    endpoint: &Endpoint,
    work: impl Future<Output = Result>,
) -> Result {
    let closed = async {
        endpoint.closed().await;
        Ok(())
    };
    let outcome = or(closed, work).await;
    endpoint.close(GRACE).await;
    outcome
}
