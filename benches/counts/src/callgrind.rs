//! Running scenarios under valgrind's callgrind.

use std::io::ErrorKind;
use std::process::Command;

use crate::Result;
use crate::cost::Cost;
use crate::measured::FUNCTION;
use crate::scenarios::Scenario;

/// How many events the two runs send, of which the difference counts.
const COUNTS: [u32; 2] = [1_000, 11_000];

/// What both runs together cost: instructions and allocations.
#[derive(Clone, Copy)]
struct Total {
    instructions: u64,
    allocations: u64,
}

/// Measures what one event costs.
///
/// # Errors
///
/// Valgrind is missing, or a run has failed.
pub(crate) fn measure(scenario: Scenario) -> Result<Cost> {
    if cfg!(debug_assertions) {
        return Err("figures of a debug build say nothing: run it with --release".into());
    }
    let [few, many] = COUNTS;
    let (less, more) = (total(scenario, few)?, total(scenario, many)?);
    let per_event = |less: u64, more: u64| (more as f64 - less as f64) / f64::from(many - few);
    Ok(Cost {
        instructions: per_event(less.instructions, more.instructions),
        allocations: per_event(less.allocations, more.allocations),
    })
}

fn total(scenario: Scenario, count: u32) -> Result<Total> {
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--vgdb=no", "--callgrind-out-file=/dev/null"])
        .arg(format!("--toggle-collect={FUNCTION}"))
        .arg(std::env::current_exe()?)
        .args([scenario.name(), &count.to_string()]);
    let output = command.output().map_err(|error| match error.kind() {
        ErrorKind::NotFound => "valgrind is missing, and nothing can be counted without it: \
            install it (on Debian and Ubuntu, the package valgrind)"
            .into(),
        kind => format!("valgrind does not start: {kind}"),
    })?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("{scenario} has failed under valgrind:\n{said}").into());
    }
    match collected(&said) {
        Some(instructions @ 1..) => {
            let allocations = String::from_utf8_lossy(&output.stdout).trim().parse()?;
            Ok(Total { instructions, allocations })
        }
        _ => Err(format!("callgrind has collected nothing in {FUNCTION}:\n{said}").into()),
    }
}

/// Returns the number of instructions that callgrind reports.
fn collected(said: &str) -> Option<u64> {
    let line = said.lines().find(|line| line.contains("Collected :"))?;
    line.split_whitespace().last()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_found_in_the_report() {
        let said = "==1== Events    : Ir\n==1== Collected : 424969\n==1== \n";
        assert_eq!(collected(said), Some(424_969));
        assert_eq!(collected("==1== Events    : Ir\n"), None);
    }
}
