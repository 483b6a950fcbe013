//! Measures lahja between two processes, in turn with a raw Unix socket doing the same typed work
//! in the same run. Only the ratios count: they hold when the machine's speed drifts.
//!
//! ```text
//! cargo run --release -p lahja-bench [-- --quick] [--repeats N] [--threads] [WORKLOAD]
//! ```
//!
//! `WORKLOAD` is part of the name of what alone is to be measured. //! `--quick` does a hundredth of the work, to see that everything runs. `--threads` runs the bus on
//! smol's global executor, whose threads are not the one that measures, instead of on an executor
//! that the measuring thread drives itself.

mod lahja;
mod raw;
mod report;
mod work;

use std::error::Error;

use report::Report;
use work::{Cores, Setup, Work};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let setup = match has("--threads") {
        true => Setup::GlobalExecutor,
        false => Setup::OneThread,
    };
    match arguments.first().map(String::as_str) {
        Some(lahja::CHILD) => return lahja::child(setup),
        Some(raw::CHILD) => return raw::child(),
        _ => {}
    }
    let scale = if has("--quick") { 100 } else { 1 };
    let repeats = match arguments.iter().position(|argument| argument == "--repeats") {
        Some(at) => arguments.get(at + 1).ok_or("--repeats needs a number")?.parse()?,
        None => 5,
    };
    let works = [
        ("one way", Work::OneWay(3_000_000 / scale), Cores::All),
        ("round trip, parked", Work::RoundTrip(5_000 / scale), Cores::All),
        ("round trip, one core", Work::RoundTrip(50_000 / scale), Cores::One),
        ("request, parked", Work::Request(5_000 / scale), Cores::All),
        ("request, one core", Work::Request(50_000 / scale), Cores::One),
    ];
    let only = arguments.last().filter(|last| works.iter().any(|work| work.0.contains(&***last)));
    println!("64 B typed events between two processes, {repeats} interleaved pairs, medians");
    Report::print_head();
    for (name, work, cores) in works {
        if only.is_some_and(|only| !name.contains(&**only)) {
            continue;
        }
        cores.apply()?;
        let mut report = Report::new(name, work);
        for _ in 0..repeats {
            report.add(raw::measure(work)?, lahja::measure(work, setup)?);
        }
        report.print();
    }
    Ok(())
}
