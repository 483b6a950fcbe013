//! What is printed: a line for each quiet point, and what was done in the end.

use lahja_smol::Stats;

use crate::load::Load;
use crate::quiet::Point;
use crate::tally::{Deed, Tally};

/// Prints what the columns of the quiet points are.
pub(crate) fn head() {
    println!(
        "{:>8} {:>10} {:>9} {:>8} {:>10} {:>11} {:>9} {:>9} {:>11} {:>7} {:>5}",
        "time, s",
        "events",
        "requests",
        "peers",
        "heap",
        "allocations",
        "RSS, KiB",
        "HWM, KiB",
        "descriptors",
        "threads",
        "tasks",
    );
}

/// Prints a quiet point. Events are those broadcast and received so far, peers those that have come
/// and gone.
pub(crate) fn point(point: &Point, tally: &Tally) {
    println!(
        "{:>8.1} {:>10} {:>9} {:>8} {:>10} {:>11} {:>9} {:>9} {:>11} {:>7} {:>5}",
        point.at.as_secs_f64(),
        tally.of(Deed::Broadcast) + tally.of(Deed::Received),
        tally.requests(),
        tally.peers(),
        point.heap.bytes,
        point.heap.allocations,
        point.resident[0],
        point.resident[1],
        point.exact.descriptors,
        point.exact.threads,
        point.exact.tasks,
    );
}

/// Prints what was done to the subject, and what it has seen.
pub(crate) fn totals(load: &Load) {
    let line = |name: &str, count: u64| println!("{name:40}{count:>12}");
    for (deed, name) in Deed::ALL {
        line(name, load.tally.of(*deed));
    }
    let Stats { traffic, handler_panics, failed_handshakes, broken_connections, stalls, .. } =
        load.endpoint.stats();
    line("frames sent", traffic.sent.frames);
    line("frames received", traffic.received.frames);
    line("bytes sent", traffic.sent.bytes);
    line("bytes received", traffic.received.bytes);
    line("events left out in stalls", traffic.sent.missed);
    line("panics of handlers", handler_panics);
    line("failed handshakes", failed_handshakes);
    line("broken connections", broken_connections);
    line("stalls", stalls);
}
