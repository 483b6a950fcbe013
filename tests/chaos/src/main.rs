//! A mesh of processes on one bus, which are killed at every moment and started again, and a check
//! of what each of them saw.
//!
//! ```text
//! cargo run --release -p lahja-chaos -- --kills N [--seconds S] [--seed X] [--processes P]
//!     [--events-at-least M]
//! ```
//!
//! Every process broadcasts numbered events, consumes those of all others, asks and answers, and
//! keeps a journal. The supervisor kills processes with SIGKILL, at random and at named points of
//! the program, stops others for a while with SIGSTOP, and starts again what it has killed. It
//! goes on until N were killed and M events were received; a run that is not done after S seconds
//! hangs. In the end it looks at those who survived, and a checker reads all journals. The seed is
//! printed; it settles what is done to whom and when, not how the system runs the processes.

mod birth;
mod checker;
mod events;
mod fate;
mod journal;
mod options;
mod process;
mod report;
mod supervisor;

use std::process::ExitCode;

use lahja_chaos_common::{Error, Result, held, scratch};

use birth::{Birth, PROCESS};
use options::Options;

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((first, rest)) if first == PROCESS => process::run(Birth::parse(rest)?),
        _ => supervisor::run(Options::parse(&arguments)?),
    }
}
