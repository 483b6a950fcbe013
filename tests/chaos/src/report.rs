//! What is printed in the end.

use std::time::Duration;

use crate::checker::Totals;
use crate::journal::Outcome;
use crate::supervisor::Tally;

/// How many violations are printed.
const SHOWN: usize = 50;

/// Prints what was done, what was seen, and what was wrong.
pub(crate) fn print(
    tally: &Tally,
    totals: &Totals,
    ran: Duration,
    took: Duration,
    violations: &[String],
) {
    let line = |name: &str, count: u64| println!("{name:34}{:>14}", grouped(count));
    line("kills", tally.killed());
    for (at, count) in &tally.kills {
        line(&format!("  {at}"), *count);
    }
    line("left in order", tally.left);
    line("restarts", tally.restarts);
    line("stops", tally.stops);
    line("  longer than a stall", tally.long_stops);
    line("events broadcast", totals.broadcast);
    line("events received", totals.received);
    line("  declared lost in stalls", totals.lagged);
    line("events received slowly", totals.received_slowly);
    line("  declared dropped", totals.lagged_slowly);
    line("ends of peers seen", totals.ends_seen);
    line("questions ended", totals.outcomes.values().sum());
    for (outcome, name) in Outcome::ALL {
        if let Some(count) = totals.outcomes.get(&outcome) {
            line(&format!("  {name}"), *count);
        }
    }
    line("questions seen by those asked", totals.asked);
    line("most memory of a process, KiB", tally.most_memory >> 10);
    println!("{:34}{:>12.1} s", "time of the run", ran.as_secs_f64());
    println!("{:34}{:>12.1} s", "with checking", took.as_secs_f64());
    line("violations", violations.len() as u64);
    for violation in violations.iter().take(SHOWN) {
        println!("VIOLATION {violation}");
    }
}

fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
