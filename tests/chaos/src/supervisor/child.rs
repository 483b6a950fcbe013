//! Starting one process of the mesh: as a child that is handed its endpoint, or as a program that
//! joins the bus by itself.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use lahja_smol::{EventBus, SpawnError};
use rustix::pipe::{PipeFlags, pipe_with};
use smol::io::{BufReader, Lines};
use smol::process::Command;
use smol::stream::StreamExt;
use smol::{Async, Executor, Task};

use crate::Result;
use crate::birth::{Birth, Way};
use crate::events::name;

/// How long a process may take to join, and to leave when it is asked.
const GRACE: Duration = Duration::from_secs(30);

pub(crate) fn journal_path(scratch: &Path, slot: usize, life: u32) -> PathBuf {
    scratch.join(format!("e{slot}-{life:08x}"))
}

pub(crate) fn stderr_path(scratch: &Path) -> PathBuf {
    scratch.join("stderr")
}

/// A process that was started.
pub(super) struct Started {
    said: Lines<BufReader<Async<File>>>,
    process: Task<Result<Process, SpawnError>>,
}

/// A process that has its endpoint, or is to take one.
enum Process {
    Handed(lahja_smol::Child),
    Joins(smol::process::Child),
}

impl Started {
    /// Starts a process.
    pub(super) fn start(
        birth: &Birth,
        bus: &EventBus,
        executor: &Arc<Executor<'static>>,
        scratch: &Path,
    ) -> Result<Self> {
        let (said, says) = pipe_with(PipeFlags::CLOEXEC)?;
        let complains = File::options().append(true).create(true).open(stderr_path(scratch))?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(birth.arguments()).stdout(Stdio::from(says)).stderr(complains);
        let process = match birth.way {
            Way::Spawned => {
                let spawn = bus.spawn(name(birth.slot), command).timeout(GRACE);
                executor.spawn(async move { Ok(Process::Handed(spawn.await?)) })
            }
            Way::Joins(_) => {
                let child = command.stdin(Stdio::null()).spawn().map_err(SpawnError::Run);
                executor.spawn(async move { Ok(Process::Joins(child?)) })
            }
        };
        let said = BufReader::new(Async::new(File::from(said))?);
        Ok(Self { said: smol::io::AsyncBufReadExt::lines(said), process })
    }

    /// Returns the next line that the process says; `None` at its end.
    pub(super) async fn says(&mut self) -> Option<String> {
        self.said.next().await?.ok()
    }

    /// Asks a child to leave, its parent's way. Others are asked over the bus.
    pub(super) fn shut_down(self, executor: &Arc<Executor<'static>>) -> Leaving {
        let Self { said, process } = self;
        let status = executor.spawn(async move {
            match process.await? {
                Process::Handed(child) => Ok(child.shutdown(GRACE).await?),
                Process::Joins(mut child) => Ok(child.status().await?),
            }
        });
        Leaving { said, status }
    }

    /// Waits for the end of the process, which has closed its output.
    pub(super) async fn status(self) -> Result<ExitStatus> {
        match self.process.await {
            Ok(Process::Handed(mut child)) => Ok(child.status().await?),
            Ok(Process::Joins(mut child)) => Ok(child.status().await?),
            Err(SpawnError::Exited(status)) => Ok(status),
            Err(error) => Err(error.into()),
        }
    }
}

/// A process that was asked to leave.
pub(super) struct Leaving {
    said: Lines<BufReader<Async<File>>>,
    status: Task<Result<ExitStatus>>,
}

impl Leaving {
    /// Waits for the end of the process. Tells whether it was one in order.
    pub(super) async fn ended_in_order(mut self) -> Result<(ExitStatus, bool)> {
        let mut has_left = false;
        while let Some(line) = self.said.next().await {
            has_left |= line? == "left";
        }
        let status = self.status.await?;
        Ok((status, has_left && status.success()))
    }
}
