//! The other process of a case: the same case once more, which then does something else.

use std::env;
use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use lahja_contract::process::blocking;
use lahja_contract::roles::{tell, told};

/// Says to a process that it is the other one, and what it needs to know.
const OTHER: &str = "LAHJA_OTHER";

/// Returns what the other process needs to know; `None` in the case itself.
pub(crate) fn role() -> Option<String> {
    env::var(OTHER).ok()
}

/// Tells the case something and waits until it wants to go on; `false` when it is gone.
pub(crate) async fn report(line: &str) -> bool {
    tell(line);
    blocking(|| std::io::stdin().lines().next().is_some()).await
}

/// The other process, which is killed and waited for when this is dropped.
#[derive(Debug)]
pub(crate) struct Other {
    process: Child,
    stdin: ChildStdin,
    stdout: Option<Lines<BufReader<ChildStdout>>>,
}

impl Other {
    /// Starts this case once more.
    pub(crate) fn start(role: impl AsRef<str>) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(env::args_os().skip(1)).env(OTHER, role.as_ref());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let stdin = process.stdin.take().unwrap();
        let stdout = process.stdout.take().map(|stdout| BufReader::new(stdout).lines());
        Self { process, stdin, stdout }
    }

    /// Waits for what it reports.
    pub(crate) async fn reported(&mut self) -> String {
        let mut lines = self.stdout.take().expect("one waits at a time");
        let (lines, line) = blocking(move || {
            let line = lines.by_ref().find_map(|line| told(&line.unwrap()).pop());
            (lines, line)
        })
        .await;
        self.stdout = Some(lines);
        line.expect("it reports")
    }

    /// Has it go on.
    pub(crate) fn go_on(&mut self) {
        self.stdin.write_all(b"\n").unwrap();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        // It may have ended.
        _ = self.process.kill();
        _ = self.process.wait();
    }
}
