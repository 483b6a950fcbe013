//! What counts as growth.
//!
//! What the system and the subject's tables hold must be the same at every quiet point as before the
//! load; a run ends where it is not. The heap and resident memory are judged by two rules:
//!
//! - At no point are they more than [`BYTES`], [`ALLOCATIONS`] or [`RESIDENT`] above the first.
//!   This is room for tables that keep the size they once needed, whose bounds are known: queues
//!   and slabs of the executor, timers of the reactor, the endpoint's own maps. (What each thread
//!   keeps for its next broadcast is given up before counting, see `quiet.rs`; the structure of
//!   types, which is kept for each, is known since the warm-up.)
//! - The least of the later half of the points is not more than a quarter of that above the least
//!   of the earlier half. What goes up and down passes. What goes up for good with every peer,
//!   event or connection does not, as there are hundreds of each in half of a run of minutes.

use crate::quiet::{Exact, Point};

/// How much more of the heap than at the first point may be in use, in bytes.
const BYTES: u64 = 16 << 10;

/// How many more allocations than at the first point there may be.
const ALLOCATIONS: u64 = 32;

/// How much more resident memory than at the first point there may be, in KiB. The allocator gives
/// back what it likes.
const RESIDENT: u64 = 32 << 10;

/// Something that has grown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Growth {
    pub(crate) name: &'static str,
    pub(crate) how: String,
}

/// Finds what has grown, each thing once: what must not change since before the load, and the rest
/// from the first point on.
pub(crate) fn growth(idle: &Exact, points: &[Point]) -> Vec<Growth> {
    let mut found = changed(idle, points);
    let series = |value: fn(&Point) -> u64| points.iter().map(value).collect::<Vec<_>>();
    let rises = [
        ("heap bytes", BYTES, series(|point| point.heap.bytes as u64)),
        ("heap allocations", ALLOCATIONS, series(|point| point.heap.allocations as u64)),
        ("resident memory", RESIDENT, series(|point| point.resident[0])),
    ];
    for (name, tolerance, values) in rises {
        found.extend(risen(name, tolerance, &values));
    }
    found
}

/// Finds what is not what it was before the load, though it must be.
pub(crate) fn changed(idle: &Exact, points: &[Point]) -> Vec<Growth> {
    let mut found = Vec::new();
    for (at, (name, before)) in idle.named().into_iter().enumerate() {
        let mut values = points.iter().map(|point| point.exact.named()[at].1);
        if let Some(now) = values.find(|value| *value != before) {
            let how = format!("{before} before the load, {now} at a quiet point");
            found.push(Growth { name, how });
        }
    }
    found
}

fn risen(name: &'static str, tolerance: u64, values: &[u64]) -> Option<Growth> {
    let first = *values.first()?;
    let most = *values.iter().max()?;
    let half = values.len() / 2;
    let earlier = *values[..half].iter().min()?;
    let later = *values[values.len() - half..].iter().min()?;
    let how = if most > first + tolerance {
        format!("{first} at the first quiet point, {most} later: more than {tolerance} above")
    } else if later > earlier + tolerance / 4 {
        format!(
            "never below {later} in the later half of the run, {earlier} in the earlier: more than \
             {} above",
            tolerance / 4
        )
    } else {
        return None;
    };
    Some(Growth { name, how })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::quiet::{Children, Heap};

    fn idle() -> Exact {
        Exact {
            descriptors: 11,
            threads: 2,
            tasks: 2,
            children: Children::default(),
            files: 4,
            connections: 0,
            requests: 0,
            queued_events: 0,
            unconsumed_bytes: 0,
            unsent_bytes: 0,
        }
    }

    fn points(shape: impl Fn(usize, &mut Point)) -> Vec<Point> {
        let exact = idle();
        let heap = Heap { bytes: 100_000, allocations: 150 };
        let still = Point { at: Duration::ZERO, exact, heap, resident: [8_000, 10_000] };
        let mut points = vec![still; 11];
        points.iter_mut().enumerate().for_each(|(at, point)| shape(at, point));
        points
    }

    fn names(points: &[Point]) -> Vec<&'static str> {
        growth(&idle(), points).iter().map(|growth| growth.name).collect()
    }

    #[test]
    fn what_stays_the_same_has_not_grown() {
        assert_eq!(names(&points(|_, _| ())), [""; 0]);
    }

    #[test]
    fn one_task_more_at_the_end_is_growth() {
        let points = points(|at, point| point.exact.tasks += usize::from(at == 10));
        assert_eq!(names(&points), ["tasks"]);
    }

    #[test]
    fn what_is_there_since_the_first_point_is_growth() {
        let points = points(|_, point| point.exact.connections += 1);
        assert_eq!(names(&points), ["connections"]);
    }

    #[test]
    fn every_number_is_looked_at() {
        let points = points(|at, point| {
            let exact = &mut point.exact;
            exact.threads += at;
            exact.children.alive += at;
            exact.children.zombies += at;
            exact.files += at;
            exact.connections += at;
            exact.requests += at;
            exact.queued_events += at;
            exact.unconsumed_bytes += at as u64;
            exact.unsent_bytes += at as u64;
        });
        assert_eq!(names(&points).len(), 9);
    }

    #[test]
    fn a_heap_that_goes_up_and_down_has_not_grown() {
        let points = points(|at, point| {
            point.heap.bytes += [0, 9_000, 700][at % 3];
            point.heap.allocations += at % 3;
            point.resident[0] += 20_000 * (at as u64 % 2);
        });
        assert_eq!(names(&points), [""; 0]);
    }

    #[test]
    fn a_heap_that_grows_slowly_has_grown() {
        let points = points(|at, point| point.heap.bytes += 1_000 * at);
        assert_eq!(names(&points), ["heap bytes"]);
    }

    #[test]
    fn two_allocations_more_each_time_are_growth() {
        let points = points(|at, point| point.heap.allocations += 2 * at);
        assert_eq!(names(&points), ["heap allocations"]);
    }

    #[test]
    fn a_heap_that_jumps_has_grown() {
        let points = points(|at, point| point.heap.bytes += 20_000 * usize::from(at == 4));
        assert_eq!(names(&points), ["heap bytes"]);
    }
}
