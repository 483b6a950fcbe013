//! Counts the instructions and allocations that one event costs on each path, and checks that they
//! have not risen. Unlike times, they are the same in each run, whatever else the machine does.
//!
//! ```text
//! cargo run --release -p lahja-counts -- check            # compares with recorded.txt
//! cargo run --release -p lahja-counts -- check --record   # writes recorded.txt
//! cargo run --release -p lahja-counts -- SCENARIO COUNT   # sends events, to run under a tool
//! ```
//!
//! It takes valgrind. Each scenario runs under callgrind with two numbers of events; the difference
//! is free of what is done once. Figures depend on the compiler and a little on the kind of
//! processor, which decides how the C library copies: record them anew with a change of those.
//!
//! To see where the instructions go:
//!
//! ```text
//! export CARGO_PROFILE_RELEASE_DEBUG=1
//! cargo build --release -p lahja-counts
//! valgrind --tool=callgrind --callgrind-out-file=counts.out \
//!     --toggle-collect='lahja_counts::measured::measured*' \
//!     target/release/lahja-counts broadcast 11000
//! callgrind_annotate counts.out
//! ```
//!
//! With `--inclusive=yes` it adds to each function what that calls.

mod callgrind;
mod check;
mod cost;
mod measured;
mod pipe;
mod recorded;
mod scenarios;
mod stage;

use std::error::Error;
use std::process::ExitCode;

use check::check;
use recorded::Recorded;
use scenarios::Scenario;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const USAGE: &str = "usage: lahja-counts check [--record] | lahja-counts SCENARIO COUNT";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    run(&arguments).unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::FAILURE
    })
}

fn run(arguments: &[&str]) -> Result<ExitCode> {
    match arguments {
        ["check"] => check(&Recorded::read()?),
        ["check", "--record"] => {
            Recorded::measure()?.write()?;
            Ok(ExitCode::SUCCESS)
        }
        [name, count] => {
            let scenario = Scenario::named(name)?;
            println!("{}", scenario.run(count.parse()?)?);
            Ok(ExitCode::SUCCESS)
        }
        _ => Err(USAGE.into()),
    }
}
