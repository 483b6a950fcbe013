//! Child processes.

use std::io;
use std::os::fd::OwnedFd;
use std::process::ExitStatus;
use std::sync::Once;

use lahja_core::{ChildProcess, Runtime};
use smol::process::{Child, Command, driver};

use crate::runtime::Smol;

/// A child process on smol.
#[derive(Debug)]
pub struct SmolChild(Child);

impl ChildProcess for SmolChild {
    fn id(&self) -> u32 {
        self.0.id()
    }

    fn kill(&mut self) -> io::Result<()> {
        self.0.kill()
    }

    async fn status(&mut self) -> io::Result<ExitStatus> {
        self.0.status().await
    }
}

/// Starts a program. The first one starts the task that reaps children, which would otherwise be
/// a thread.
pub(crate) fn spawn(smol: &Smol, mut command: Command, stdin: OwnedFd) -> io::Result<SmolChild> {
    static DRIVER: Once = Once::new();
    DRIVER.call_once(|| {
        smol.spawn(Box::pin(async {
            driver().await;
        }));
    });
    command.stdin(stdin).spawn().map(SmolChild)
}
