//! Endpoints of one process in a simulation: one seed decides what they do, what runs next, what
//! time it is, and what becomes of every byte between them.
//!
//! ```sh
//! cargo test -p lahja-core --test simulator                               # 2,000 seeds
//! LAHJA_SEEDS=200000 cargo test --release -p lahja-core --test simulator  # as many as that
//! LAHJA_SEED=17 cargo test -p lahja-core --test simulator seed            # one, with its story
//! LAHJA_EVERY_ERRNO=1 cargo test -p lahja-core --test simulator error     # each at each call
//! ```
//!
//! `LAHJA_FIRST_SEED` says where to begin. A seed that fails is printed with how to run it alone.
//! What it has shown is mended, and the seed is kept in `regressions.txt`, which is run first. A seed
//! means the same as long as nothing in this directory changes.

mod actor;
mod answerer;
mod consumer;
mod conversation;
mod events;
mod executor;
mod monitor;
mod mood;
mod oracle;
mod record;
mod run;
mod scenario;
mod weather;
mod wire;

use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, available_parallelism};

use scenario::Tally;

/// How many seeds are run where the environment does not say.
const SEEDS: u64 = 2_000;

/// Every so many runs are repeated, to see that they are the same again.
const REPEATED: u64 = 8;

const REGRESSIONS: &str = include_str!("regressions.txt");

/// Returns a number from the environment.
fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

/// Runs one seed. Says how to run it alone if it fails.
fn run(seed: u64) -> Option<Tally> {
    let run = || {
        let (trace, tally) = scenario::run(seed, false);
        if seed % REPEATED == 0 {
            let (again, _) = scenario::run(seed, false);
            assert_eq!(trace, again, "it is not the same when it is run again");
        }
        tally
    };
    let tally = catch_unwind(AssertUnwindSafe(run)).ok();
    if tally.is_none() {
        eprintln!(
            "seed {seed} fails; to see what happens:\n\
             LAHJA_SEED={seed} cargo test -p lahja-core --test simulator seed"
        );
    }
    tally
}

/// Runs seeds on every core, until one fails.
fn run_all(seeds: impl Fn(u64) -> Option<u64> + Sync) -> Tally {
    let next = AtomicU64::new(0);
    let has_failed = AtomicBool::new(false);
    let work = || {
        let mut total = Tally::default();
        while let Some(seed) = seeds(next.fetch_add(1, Ordering::Relaxed)) {
            if has_failed.load(Ordering::Relaxed) {
                break;
            }
            match run(seed) {
                Some(tally) => total.add(&tally),
                None => has_failed.store(true, Ordering::Relaxed),
            }
        }
        total
    };
    let mut total = Tally::default();
    thread::scope(|scope| {
        let threads = available_parallelism().map_or(1, usize::from);
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            total.add(&thread.join().expect("panics are caught"));
        }
    });
    assert!(!has_failed.into_inner(), "a seed fails, see above");
    total
}

#[test]
fn every_seed_keeps_what_is_promised() {
    if let Some(seed) = number("LAHJA_SEED") {
        let (trace, tally) = scenario::run(seed, true);
        assert_eq!(trace, scenario::run(seed, false).0, "it is not the same when it is run again");
        println!("{tally:?}");
        return;
    }
    let kept: Vec<u64> = REGRESSIONS
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim())
        .filter(|line| !line.is_empty())
        .map(|seed| seed.parse().expect("a seed is a number"))
        .collect();
    run_all(|at| kept.get(at as usize).copied());
    let seeds = number("LAHJA_SEEDS").unwrap_or(SEEDS);
    let first = number("LAHJA_FIRST_SEED").unwrap_or(0);
    let total = run_all(|at| (at < seeds).then(|| first + at));
    println!("{seeds} seeds: {total:?}");
}
