//! One measurement, in a process of its own.

use std::fs::DirBuilder;
use std::io::Read;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::Result;
use crate::case::{Case, Threads};
use crate::control::DIRECTORY;
use crate::outcome::Answer;
use crate::placement::cores;
use crate::subject::Subject;

/// How many threads the executors of smol and async-std have if there are to be several.
const SEVERAL: &str = "2";

/// Measures a subject once, and leaves no process behind.
///
/// # Errors
///
/// The subject has failed, or has taken longer than the limit.
pub(super) fn measure(subject: &dyn Subject, case: &Case, limit: Duration) -> Result<Answer> {
    let directory = Directory::new()?;
    let threads = match case.threads {
        Threads::One | Threads::Main => "1",
        Threads::Several => SEVERAL,
    };
    let mut process = Command::new(std::env::current_exe()?)
        .args(["measure", subject.name(), &serde_json::to_string(case)?])
        .env(DIRECTORY, &directory.path)
        .envs([
            cores()?,
            ("SMOL_THREADS", threads.into()),
            ("ASYNC_STD_THREAD_COUNT", threads.into()),
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()?;
    let has_ended = ends_within(&process, limit)?;
    // As long as it is not reaped, its group is nobody else's.
    let _ = kill_process_group(Pid::from_child(&process), Signal::KILL);
    let output = finish(&mut process);
    if !has_ended {
        return Err(format!("took longer than {} s", limit.as_secs()).into());
    }
    let output = output?;
    let line = output.lines().last().unwrap_or_default();
    Ok(serde_json::from_str::<std::result::Result<Answer, String>>(line)??)
}

fn ends_within(process: &Child, limit: Duration) -> Result<bool> {
    let deadline = Instant::now() + limit;
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    loop {
        if waitid(WaitId::Pid(Pid::from_child(process)), options)?.is_some() {
            return Ok(true);
        }
        if Instant::now() > deadline {
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Reaps it, and returns what it has printed. That is less than a pipe holds.
fn finish(process: &mut Child) -> Result<String> {
    let mut output = String::new();
    if let Some(stdout) = &mut process.stdout {
        stdout.read_to_string(&mut output)?;
    }
    let status = process.wait()?;
    match output.is_empty() {
        true => Err(format!("ended without an outcome: {status}").into()),
        false => Ok(output),
    }
}

/// A directory for one measurement.
struct Directory {
    path: PathBuf,
}

impl Directory {
    fn new() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("lahja-bench-{}", std::process::id()));
        remove(&path);
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self { path })
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

fn remove(path: &Path) {
    // It may not be there.
    let _ = std::fs::remove_dir_all(path);
}
