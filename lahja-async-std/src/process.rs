//! Child processes.

use std::io;
use std::os::fd::OwnedFd;
use std::process::ExitStatus;
use std::task::{Context, Waker};

use async_process::{Child, Command, driver};
use lahja_core::{ChildProcess, Runtime};

use crate::runtime::AsyncStd;

/// A child process on async-std.
#[derive(Debug)]
pub struct AsyncStdChild(Child);

impl AsyncStdChild {
    /// Starts a program. The first one of a [`AsyncStd`] and its clones starts the task that reaps
    /// children, which would otherwise be a thread.
    pub(crate) fn start(on: &AsyncStd, mut command: Command, stdin: OwnedFd) -> io::Result<Self> {
        on.reaping().call_once(|| {
            let mut driving = Box::pin(async {
                driver().await;
            });
            // A driver counts once it was polled; a child that is started before starts a thread.
            let _ = driving.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            on.spawn(driving);
        });
        command.stdin(stdin).spawn().map(Self)
    }
}

impl ChildProcess for AsyncStdChild {
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
