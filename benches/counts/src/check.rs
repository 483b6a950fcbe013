//! The check: what every event costs now, next to what it did when that was recorded.

use std::process::ExitCode;

use crate::Result;
use crate::callgrind::measure;
use crate::cost::{Change, Figure};
use crate::recorded::Recorded;
use crate::scenarios::Scenario;

/// Prints the figures of each scenario. Fails if one has risen.
pub(crate) fn check(recorded: &Recorded) -> Result<ExitCode> {
    println!("{:12} {:^31}   {:^31}", "per event", "instructions", "allocations");
    println!("{:12} {HEAD}   {HEAD}", "");
    let mut worse = Vec::new();
    let mut better = Vec::new();
    for scenario in Scenario::ALL {
        let figures = measure(scenario)?.against(recorded.of(scenario)?);
        let [instructions, allocations] = figures;
        println!("{scenario:12} {}   {}", row(instructions, 1), row(allocations, 2));
        for (figure, name) in figures.into_iter().zip(["instructions", "allocations"]) {
            match figure.change() {
                Change::Worse => worse.push(format!("{name} of {scenario}")),
                Change::Better => better.push(format!("{name} of {scenario}")),
                Change::None => {}
            }
        }
    }
    if !better.is_empty() {
        println!("better: {}; record it: {RECORD}", better.join(", "));
    }
    if worse.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    Err(format!(
        "risen by more than 10 % or half an allocation: {}\n\
        benches/counts/src/main.rs says how to see where they go; if that is worth it: {RECORD}",
        worse.join(", "),
    )
    .into())
}

const HEAD: &str = "      now   recorded     change";

const RECORD: &str = "cargo run --release -p lahja-counts -- check --record";

fn row(figure: Figure, decimals: usize) -> String {
    let Figure { now, recorded, .. } = figure;
    let change = figure.percent().map_or("-".to_owned(), |percent| format!("{percent:+.1} %"));
    format!("{now:9.decimals$}  {recorded:9.decimals$} {change:>10}")
}
