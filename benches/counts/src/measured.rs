//! The part of a run that counts. Callgrind collects in one function alone, so what prepares and
//! tidies up between is left out.

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The function below, as callgrind is told to look for it.
pub(crate) const FUNCTION: &str = "lahja_counts::measured::measured*";

/// Does what is to be counted. Returns how many allocations it made, those that grew included.
#[inline(never)]
pub(crate) fn measured(work: &mut dyn FnMut()) -> usize {
    let before = allocations();
    work();
    allocations() - before
}

fn allocations() -> usize {
    let stats = INSTRUMENTED_SYSTEM.stats();
    stats.allocations + stats.reallocations
}
