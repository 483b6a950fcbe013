//! What must hold of every run, whatever happened in it.

mod delivery;
mod requests;

use crate::events::Alive;
use crate::record::{Link, Record};
use crate::run::{NAMES, Run};

/// Judges a run in which nothing is left to do, before its endpoints are closed.
pub(crate) fn judge(run: &Run) {
    let record = run.record();
    for link in &record.links {
        judge_link(run, &record, link);
    }
    for (at, panics) in record.panics.iter().enumerate() {
        let Some(endpoint) = run.endpoint(at) else { continue };
        let stats = endpoint.stats();
        assert_eq!(stats.requests_in_flight, 0, "e{at}: slots return to the baseline");
        assert_eq!(stats.malformed_payloads, 0, "e{at}: no corrupt payload is decoded");
        delivery::judge_lost(run, &record, at, stats.lost_events);
        assert_eq!(stats.handler_panics, *panics, "e{at}: panics are counted");
    }
    requests::judge(run, &record);
    delivery::judge(run, &record);
    drop(record);
    run.wires().iter().for_each(|wire| wire.assert_sound());
}

/// Judges a run whose endpoints are closed and gone.
pub(crate) fn judge_ended(run: &Run) {
    assert_eq!(run.simulation.tasks(), 0, "tasks return to the baseline");
    for wire in run.wires() {
        assert_eq!(wire.halves(), 0, "wires are let go");
        wire.assert_sound();
    }
    assert_eq!(Alive::count(), 0, "values return to the baseline");
    delivery::judge(run, &run.record());
}

/// A wire that does not break carries a connection for as long as both ends want it.
fn judge_link(run: &Run, record: &Record, link: &Link) {
    let is_closed = link.ends.iter().any(|&end| record.closed[end].began.is_some());
    if link.is_doomed || is_closed {
        return;
    }
    assert_eq!(link.lost, [None; 2], "a good connection ends: {link:?}");
    for (end, peer) in [(0, 1), (1, 0)] {
        assert!(link.attached[end].is_some(), "a good connection is not made: {link:?}");
        let endpoint = run.endpoint(link.ends[end]).expect("it is not closed");
        assert!(endpoint.is_connected_to(NAMES[link.ends[peer]]), "{link:?}");
    }
}
