//! What a case on smol runs on, and the watchdog that turns a hang into a failure.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use std::{env, process, thread};

use lahja_smol::Smol;
use smol::Executor;

use crate::scratch::{Scratch, entries};

/// How long a case may take before it is taken for hung.
const WATCHDOG: Duration = Duration::from_secs(60);

/// Says to a process, and to its children, which set-up it runs on.
const VARIABLE: &str = "LAHJA_SETUP";

/// What the endpoints of a case run on, in every process of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setup {
    /// smol's global executor with this many threads.
    Global(u8),
    /// An executor of the user's own, on one thread.
    Own,
}

impl Setup {
    fn of_this_process() -> Option<Self> {
        match env::var(VARIABLE).ok()?.as_str() {
            "own" => Some(Self::Own),
            threads => Some(Self::Global(threads.parse().unwrap())),
        }
    }

    fn apply(self, command: &mut Command) {
        match self {
            Self::Own => command.env(VARIABLE, "own"),
            Self::Global(threads) => {
                let threads = threads.to_string();
                command.env("SMOL_THREADS", &threads);
                command.env(VARIABLE, threads)
            }
        };
    }
}

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
pub fn shell(script: &str) -> smol::process::Command {
    let mut command = smol::process::Command::new("sh");
    command.args(["-c", script]);
    command
}

/// Makes a test of each of the given cases in each set-up.
///
/// With `on [..]` in front, the cases run in these set-ups alone.
#[macro_export]
macro_rules! cases {
    (on [$($module:ident = $setup:expr),+] $cases:tt) => {
        $($crate::cases!(@ $module $setup; $cases);)+
    };
    (@ $module:ident $setup:expr; { $($case:ident),+ $(,)? }) => {
        mod $module {
            $(
                #[test]
                fn $case() {
                    let name = concat!(stringify!($module), "::", stringify!($case));
                    $crate::setup::run(name, $setup, super::$case);
                }
            )+
        }
    };
    ($($case:ident),+ $(,)?) => {
        $crate::cases! {
            on [
                one_thread = $crate::setup::Setup::Global(1),
                four_threads = $crate::setup::Setup::Global(4),
                own_executor = $crate::setup::Setup::Own
            ]
            { $($case),+ }
        }
    };
}

/// Runs a case in a process of its own.
///
/// # Panics
///
/// Panics if the case fails or hangs, or leaves a bus behind.
pub fn run<F: Future<Output = ()>>(test: &str, setup: Setup, case: impl FnOnce(Smol) -> F) {
    if Setup::of_this_process().is_some() {
        drive(case);
    } else {
        run_again(test, setup);
    }
}

/// Runs `main` on the set-up of this process, under a watchdog.
pub fn drive<F: Future<Output = ()>>(main: impl FnOnce(Smol) -> F) {
    watch_over();
    match Setup::of_this_process() {
        Some(Setup::Own) => {
            let executor = Arc::new(Executor::new());
            smol::block_on(executor.run(main(Smol::from(executor.clone()))));
        }
        _ => smol::block_on(main(Smol::default())),
    }
}

/// Runs one test of this program again, in a process of its own.
fn run_again(test: &str, setup: Setup) {
    let home = Scratch::new();
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", test, "--include-ignored", "--nocapture"])
        .env("XDG_RUNTIME_DIR", home.path())
        .stdin(Stdio::null());
    setup.apply(&mut command);
    // Its end is that of all processes that it has started, as they share its output.
    let output = command.output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && stdout.contains("test result: ok. 1 passed"),
        "{test} on {setup:?}: {}\n{stdout}\n{stderr}",
        output.status
    );
    let base = home.join("lahja");
    let left: Vec<_> =
        entries(&base).into_iter().map(|bus| (entries(base.join(&bus)), bus)).collect();
    assert!(left.is_empty(), "{test} on {setup:?} left buses: {left:?}");
}

/// Ends this process if it takes too long.
fn watch_over() {
    thread::spawn(|| {
        thread::sleep(WATCHDOG);
        let arguments: Vec<_> = env::args().collect();
        eprintln!("hangs: {arguments:?}");
        process::exit(101);
    });
}
