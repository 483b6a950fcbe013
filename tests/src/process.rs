//! Looking at processes: this one, its children, and others.

use std::fs;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use smol::Async;
use smol::future::yield_now;
use smol::process::Command;

/// Returns a command that runs the program `lahja-contract-child` in a role.
///
/// Use it in integration tests of this package, which know where the program is.
#[macro_export]
macro_rules! child {
    ($role:expr $(, $argument:expr)*) => {{
        let mut command = ::smol::process::Command::new($crate::child!());
        command.arg($role)$(.arg($argument))*;
        command
    }};
    () => {
        env!("CARGO_BIN_EXE_lahja-contract-child")
    };
}

/// Returns a command that runs a script of the shell.
pub fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

/// Another process, which is not confused with a later one of the same id.
#[derive(Debug)]
pub struct Process {
    id: Pid,
    fd: Async<OwnedFd>,
}

impl Process {
    /// Opens a process that lives, or is a child that was not waited for.
    pub fn open(id: u32) -> Self {
        let id = Pid::from_raw(id.try_into().unwrap()).unwrap();
        let fd = pidfd_open(id, PidfdFlags::NONBLOCK).unwrap();
        let fd = Async::new_nonblocking(fd).unwrap();
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
        self.fd.readable().await.unwrap();
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
