//! Looking at processes: this one, its children, and others.

use std::os::fd::OwnedFd;
use std::process::{Child, ChildStdout, Command, ExitStatus};
use std::{fs, thread};

use futures_lite::future::yield_now;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

/// Runs `work` on a thread of its own and waits for what it returns.
///
/// # Panics
///
/// Panics if the work does.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, end) = async_channel::bounded(1);
    thread::spawn(move || {
        let result = work();
        // Nobody may wait for it any more.
        _ = done.try_send(result);
    });
    end.recv().await.expect("the work panicked")
}

/// Another process, which is not confused with a later one of the same id.
#[derive(Debug)]
pub struct Process {
    id: Pid,
    fd: OwnedFd,
}

impl Process {
    /// Opens a process that lives, or is a child that was not waited for.
    pub fn open(id: u32) -> Self {
        let id = Pid::from_raw(id.try_into().unwrap()).unwrap();
        let fd = pidfd_open(id, PidfdFlags::empty()).unwrap();
        Self { id, fd }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.id, signal).unwrap();
    }

    /// Kills it with SIGKILL.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Waits until it has ended.
    pub async fn ended(&self) {
        let fd = self.fd.try_clone().unwrap();
        blocking(move || {
            let mut fds = [PollFd::new(&fd, PollFlags::IN)];
            while poll(&mut fds, None) == Err(rustix::io::Errno::INTR) {}
        })
        .await;
    }
}

/// A program that is no child on a bus. It is killed and waited for when this is dropped.
#[derive(Debug)]
pub struct Program(Child);

impl Program {
    /// Runs a program.
    pub fn start(mut command: Command) -> Self {
        Self(command.spawn().unwrap())
    }

    /// Takes its standard output, which has to be a pipe.
    pub fn stdout(&mut self) -> ChildStdout {
        self.0.stdout.take().unwrap()
    }

    /// Kills it with SIGKILL.
    pub fn kill(&mut self) {
        self.0.kill().unwrap();
    }

    /// Waits until it has ended, and returns its status.
    pub async fn ended(&mut self) -> ExitStatus {
        Process::open(self.0.id()).ended().await;
        self.0.wait().unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// Returns the ids of this process's children, those included that ended and were not waited for.
pub fn children() -> Vec<u32> {
    let me = std::process::id();
    let mut children = Vec::new();
    for entry in fs::read_dir("/proc").unwrap() {
        let name = entry.unwrap().file_name();
        let Some(id) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if parent(id) == Some(me) {
            children.push(id);
        }
    }
    children
}

fn parent(id: u32) -> Option<u32> {
    // It may have ended since it was listed.
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(1)?.parse().ok()
}

/// Counts the open descriptors of this process.
pub fn descriptors() -> usize {
    // One is that of the listing.
    fs::read_dir("/proc/self/fd").unwrap().count() - 1
}

/// Returns the names of this process's threads.
pub fn threads() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    tasks
        .filter_map(|task| fs::read_to_string(task.unwrap().path().join("comm")).ok())
        .map(|name| name.trim_end().to_owned())
        .collect()
}

/// Lets others run until `condition` is true.
pub async fn until(mut condition: impl FnMut() -> bool) {
    while !condition() {
        yield_now().await;
    }
}
