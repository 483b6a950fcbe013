//! Each case in a process of its own, and the watchdog that turns a hang into a failure.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use std::{env, fs, process, thread};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::process::until;
use crate::roles;
use crate::scratch::{Scratch, entries};
use crate::stage::{Stage, Troupe};
use crate::subject::Subject;

/// Sets how long a process may take before it is taken for hung, in seconds. The default is 120.
const WATCHDOG: &str = "LAHJA_WATCHDOG";

/// Sets how often a case does what it does again and again.
const ROUNDS: &str = "LAHJA_ROUNDS";

/// How much longer a process and those it has started may take to end.
const MARGIN: Duration = Duration::from_secs(10);

/// Says to a process which case it is run for.
const CASE: &str = "LAHJA_CONTRACT_CASE";

/// Says to a process what it does as a child: its role and the arguments, one a line.
const ROLE: &str = "LAHJA_CONTRACT_ROLE";

/// The file that says that the test was run: one whose name is wrong would pass as none.
const RAN: &str = "ran";

/// The test that plays a role.
const CHILD: &str = "a_child_process_runs";

/// Runs a case in a process of its own. `module` is that of its test, in a group's module.
///
/// # Panics
///
/// Panics if the case fails or hangs, or leaves a bus behind.
pub fn run<S: Subject, C: Subject, F: Future<Output = ()>>(
    module: &str,
    case: &str,
    main: impl FnOnce(Stage<S>) -> F,
) {
    let test = test_name(module, case);
    if env::var(CASE).is_ok_and(|running| running == test) {
        let (contract, _group) = module.rsplit_once("::").expect("a case is in a group");
        drive(main, troupe::<C>(contract));
    } else {
        run_again::<S>(&test, CASE, &test);
    }
}

/// Plays the role that this process has been given. Without one, checks that a child process can
/// be run. `module` is that of the contract.
///
/// # Panics
///
/// Panics if the role does, or hangs.
pub fn child<S: Subject>(module: &str) {
    match env::var(ROLE) {
        Ok(role) => {
            let lines = role.lines().map(str::to_owned).collect();
            drive::<S, _>(|stage| roles::play(stage, lines), troupe::<S>(module));
        }
        Err(_) => run_again::<S>(&test_name(module, CHILD), ROLE, roles::NOTHING),
    }
}

/// Returns how often a case is to do what it does again and again: as often as the environment
/// variable `LAHJA_ROUNDS` says, or else `default` times.
///
/// # Panics
///
/// Panics if that is no number.
pub fn rounds(default: u64) -> u64 {
    number(ROUNDS).unwrap_or(default)
}

fn watchdog() -> Duration {
    Duration::from_secs(number(WATCHDOG).unwrap_or(120))
}

/// Returns the number that an environment variable sets.
fn number(variable: &str) -> Option<u64> {
    let number = env::var(variable).ok()?;
    Some(number.parse().unwrap_or_else(|_| panic!("{variable} is no number: {number}")))
}

/// Returns a command that runs this program once more, in a role.
pub(crate) fn in_role(troupe: &Troupe, role: &str, arguments: &[&str]) -> Command {
    let mut command = this_program(&troupe.test);
    command.envs(troupe.environment.iter().map(|(name, value)| (name, value)));
    let lines = [&[role], arguments].concat();
    assert!(lines.iter().all(|line| !line.contains('\n')), "not one line: {lines:?}");
    command.env(ROLE, lines.join("\n"));
    command
}

/// Returns where this process makes its buses, unless it is told where.
fn buses() -> PathBuf {
    runtime_dir().join("lahja")
}

fn runtime_dir() -> PathBuf {
    env::var_os("XDG_RUNTIME_DIR").expect("the process of a case has it").into()
}

fn troupe<C: Subject>(module: &str) -> Troupe {
    Troupe { test: test_name(module, CHILD), environment: C::environment() }
}

/// Returns the name by which libtest knows a test.
fn test_name(module: &str, test: &str) -> String {
    match module.split_once("::") {
        Some((_crate, module)) => format!("{module}::{test}"),
        None => test.to_owned(),
    }
}

fn this_program(test: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", test, "--include-ignored", "--nocapture"]);
    command
}

/// Runs `main` on the subject, under a watchdog.
fn drive<S: Subject, F: Future<Output = ()>>(main: impl FnOnce(Stage<S>) -> F, troupe: Troupe) {
    watch_over();
    fs::write(runtime_dir().join(RAN), "").unwrap();
    let is_case = env::var_os(ROLE).is_none();
    S::run(|platform| async move {
        main(Stage::new(platform, troupe)).await;
        // A task that holds an endpoint has its last turn, and an orphan its last second.
        if is_case {
            until(|| entries(buses()).is_empty()).await;
        }
    });
}

/// Runs one test of this program again, in a process of its own.
fn run_again<S: Subject>(test: &str, variable: &str, value: &str) {
    let home = Scratch::new();
    let mut command = this_program(test);
    command
        .envs(S::environment())
        .env(variable, value)
        .env("XDG_RUNTIME_DIR", home.path())
        .stdin(Stdio::null());
    let output = output_of_all(test, command);
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && home.join(RAN).exists(),
        "{test}: {}\n{stdout}\n{stderr}",
        output.status
    );
    let left = entries(home.join("lahja"));
    assert!(left.is_empty(), "{test} left buses: {left:?}");
}

/// Runs a process, waits for it and for all that it has started, and returns what they have printed.
///
/// # Panics
///
/// Panics if one of them outlives the watchdog, which is so if it is stopped. It is killed.
fn output_of_all(test: &str, mut command: Command) -> Output {
    let command = command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
    let process = command.spawn().unwrap();
    let group = Pid::from_child(&process);
    let (ended, end) = mpsc::channel();
    // They share its output, whose end is so that of them all.
    thread::spawn(move || ended.send(process.wait_with_output().unwrap()));
    end.recv_timeout(watchdog() + MARGIN).unwrap_or_else(|_| {
        // None is left if the last one has just ended.
        _ = kill_process_group(group, Signal::KILL);
        let Output { stdout, stderr, .. } = end.recv().expect("all of them were killed");
        let [stdout, stderr] =
            [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        panic!("{test} does not end, or left a process that does not\n{stdout}\n{stderr}");
    })
}

/// Ends this process if it takes too long.
fn watch_over() {
    thread::spawn(|| {
        thread::sleep(watchdog());
        let name = env::var(ROLE).or_else(|_| env::var(CASE));
        let buses = buses();
        let there: Vec<_> =
            entries(&buses).into_iter().map(|bus| (entries(buses.join(&bus)), bus)).collect();
        eprintln!("hangs: {name:?}; buses: {there:?}");
        process::exit(101);
    });
}
