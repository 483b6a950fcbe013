//! Child processes, each waited for by a thread.

use std::io;
use std::process::{Child, ExitStatus};
use std::thread;

use async_channel::Receiver;
use lahja_core::ChildProcess;
use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

/// A child process.
#[derive(Debug)]
pub struct Process {
    child: Child,
    // Closed when the process has ended; it is not reaped by then.
    ended: Receiver<()>,
}

impl Process {
    pub(super) fn new(child: Child) -> Self {
        let (ends, ended) = async_channel::bounded(1);
        let id = WaitId::Pid(Pid::from_child(&child));
        thread::spawn(move || {
            let how = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            while waitid(id.clone(), how).is_err_and(|error| error == Errno::INTR) {}
            drop(ends);
        });
        Self { child, ended }
    }
}

impl ChildProcess for Process {
    fn id(&self) -> u32 {
        self.child.id()
    }

    fn kill(&mut self) -> io::Result<()> {
        self.child.kill()
    }

    async fn status(&mut self) -> io::Result<ExitStatus> {
        let _ = self.ended.recv().await;
        self.child.wait()
    }
}
