//! Runs the examples as a user would, and sees to it that they leave nothing behind.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::{env, fs, process};

/// A directory for the buses of one example, removed when this is dropped.
struct Home(PathBuf);

impl Home {
    fn new(test: &str) -> Self {
        let path = env::temp_dir().join(format!("lahja-e{}-{test}", process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// Starts an example. Cargo builds them all before it runs the tests.
    fn start(&self, example: &str, arguments: &[&str]) -> Child {
        let test = env::current_exe().unwrap();
        let target = test.parent().and_then(Path::parent).unwrap();
        let mut command = Command::new(target.join("examples").join(example));
        command.args(arguments).env("XDG_RUNTIME_DIR", &self.0).stdin(Stdio::null());
        command.stdout(Stdio::piped()).spawn().unwrap()
    }

    /// Runs an example to its end and returns the lines that it has printed.
    fn run(&self, example: &str, arguments: &[&str]) -> Vec<String> {
        let output = self.start(example, arguments).wait_with_output().unwrap();
        assert!(output.status.success(), "{}", output.status);
        self.nothing_is_left();
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    fn nothing_is_left(&self) {
        let buses = fs::read_dir(self.0.join("lahja"));
        let left: Vec<_> = buses.into_iter().flatten().map(|bus| bus.unwrap().path()).collect();
        assert!(left.iter().all(|path| !path.is_dir()), "there are buses left: {left:?}");
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}

fn signal(child: &Child, signal: &str) {
    let kill = Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(kill.unwrap().success());
}

#[test]
fn ping_pong_is_heard_in_each_way_there_is() {
    let lines = Home::new("rounds").run("inter_process_ping_pong", &["--rounds", "3"]);
    let of = |what: &str| -> Vec<_> {
        lines.iter().filter_map(|line| line.strip_prefix(what)).map(str::trim).collect()
    };
    assert!(!of("Hello from proc1").is_empty() && !of("Hello from proc2").is_empty());
    let from_second = of("Received via SUBSCRIBE API in proc1:");
    assert_eq!(from_second.len(), 3);
    assert!(from_second.iter().all(|hit| hit.starts_with("Hit from proc2 (")), "{from_second:?}");
    // What the first broadcasts it hears itself, and the second hears twice: the same, in order.
    let from_first = of("Receiving own event:");
    assert_eq!(from_first.len(), 3);
    assert!(from_first.iter().all(|hit| hit.starts_with("Hit from proc1 (")), "{from_first:?}");
    assert_eq!(of("Received via SUBSCRIBE API in proc2:"), from_first);
    assert_eq!(of("Received via STREAM API in proc2:"), from_first);
}

#[test]
fn ping_pong_leaves_nothing_behind_when_it_is_interrupted_terminated_or_killed() {
    for how in ["-INT", "-TERM", "-KILL"] {
        let home = Home::new(how);
        let mut parent = home.start("inter_process_ping_pong", &[]);
        let mut output = BufReader::new(parent.stdout.take().unwrap());
        let mut line = String::new();
        while !line.starts_with("Received via STREAM API in proc2:") {
            line.clear();
            assert!(output.read_line(&mut line).unwrap() > 0, "it ends by itself");
        }
        signal(&parent, how);
        parent.wait().unwrap();
        // Its children share its output: its end is theirs.
        output.read_to_end(&mut Vec::new()).unwrap();
        if how == "-KILL" {
            // The kernel lets go of a killed process's locks a moment after its output: the next
            // start removes what nobody could.
            home.run("request_api", &[]);
        }
        home.nothing_is_left();
    }
}

#[test]
fn request_api_prints_yay_three_times() {
    let lines = Home::new("request").run("request_api", &[]);
    assert_eq!(lines, ["Yay"; 3]);
}

#[test]
fn in_process_calls_and_asks() {
    let lines = Home::new("in-process").run("in_process", &[]);
    assert!(lines.iter().any(|line| line.ends_with("6 * 7 = 42")), "{lines:?}");
}

#[test]
fn explicit_wiring_connects_by_a_path() {
    let lines = Home::new("wiring").run("explicit_wiring", &[]);
    for said in ["client is connected to server", "client was told"] {
        assert!(lines.iter().any(|line| line.starts_with(said)), "{said}: {lines:?}");
    }
}
