//! Measures lahja between two processes, in turn with a raw Unix socket doing the same typed work
//! in the same run, and for round trips with a bare smol socket as well. Only the ratios count: they
//! hold when the machine's speed drifts.
//!
//! *Polling*: the raw socket asks its kernel again and again, lahja as long as that pays (the
//! default), and the system places the two processes. *Parked*: both sleep, bound to a core each.
//! *One core*: both sleep, bound to one core. *Main*: polling, where lahja's end is the future that
//! the executor is run with, which the executor leaves waiting while one of its tasks polls.
//!
//! ```text
//! cargo run --release -p lahja-bench [-- --quick] [--repeats N] [--threads] [WORKLOAD]
//! ```
//!
//! `WORKLOAD` is part of the name of what alone is to be measured.
//! `--quick` does a hundredth of the work, to see that everything runs. `--threads` runs the bus on
//! smol's global executor, whose threads are not the one that measures, instead of on an executor
//! that the measuring thread drives itself.

mod bare;
mod lahja;
mod raw;
mod report;
mod work;

use std::error::Error;

use report::{Report, Times};
use work::{Case, Cores, Placement, Setup, Waits, Work, bind_child};

/// The workload that is not a task on the executor.
const MAIN: &str = "round trip, main";

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let setup = match has("--threads") {
        true => Setup::GlobalExecutor,
        false => Setup::OneThread,
    };
    match arguments.first().map(String::as_str) {
        Some(lahja::CHILD) => return bind_child().and_then(|()| lahja::child(setup)),
        Some(bare::CHILD) => return bind_child().and_then(|()| bare::child()),
        Some(raw::CHILD) => return bind_child().and_then(|()| raw::child()),
        _ => {}
    }
    let scale = if has("--quick") { 100 } else { 1 };
    let repeats = match arguments.iter().position(|argument| argument == "--repeats") {
        Some(at) => arguments.get(at + 1).ok_or("--repeats needs a number")?.parse()?,
        None => 5,
    };
    let works = [
        ("one way", Work::OneWay(3_000_000 / scale), Placement::Free, Waits::Polling),
        ("one way, parked", Work::OneWay(3_000_000 / scale), Placement::Apart, Waits::Parked),
        ("round trip, polling", Work::RoundTrip(100_000 / scale), Placement::Free, Waits::Polling),
        ("round trip, parked", Work::RoundTrip(5_000 / scale), Placement::Apart, Waits::Parked),
        (
            "round trip, one core",
            Work::RoundTrip(50_000 / scale),
            Placement::OneCore,
            Waits::Parked,
        ),
        (MAIN, Work::RoundTrip(5_000 / scale), Placement::Free, Waits::Polling),
        ("request, polling", Work::Request(100_000 / scale), Placement::Free, Waits::Polling),
        ("request, parked", Work::Request(5_000 / scale), Placement::Apart, Waits::Parked),
        ("request, one core", Work::Request(50_000 / scale), Placement::OneCore, Waits::Parked),
    ];
    let cores = Cores::allowed()?;
    let only = arguments.last().filter(|last| works.iter().any(|work| work.0.contains(&***last)));
    println!("64 B typed events between two processes, {repeats} interleaved pairs, medians");
    Report::print_head();
    for (name, work, placement, waits) in works {
        if only.is_some_and(|only| !name.contains(&**only)) {
            continue;
        }
        let setup = match name {
            MAIN => Setup::MainFuture,
            _ => setup,
        };
        let case = Case { work, setup, waits, core: cores.bind(placement)? };
        let mut report = Report::new(name, work);
        for _ in 0..repeats {
            let raw = raw::measure(&case)?;
            // It has neither a way to poll nor to gather.
            let bare = match (work, waits) {
                (Work::OneWay(_), _) | (_, Waits::Polling) => None,
                (_, Waits::Parked) => Some(bare::measure(&case)?),
            };
            report.add(Times { raw, bare, lahja: lahja::measure(&case)? });
        }
        report.print();
    }
    Ok(())
}
