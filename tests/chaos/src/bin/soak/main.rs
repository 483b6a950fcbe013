//! A soak: one process, the subject, around which everything goes on that could leak, and which
//! must hold no more in the end than after a warm-up.
//!
//! ```text
//! cargo run --release -p lahja-chaos --bin soak -- --minutes 30
//! ```
//!
//! Load and quiet points take turns. At a quiet point nothing goes on, all peers are gone, and what
//! the subject holds is counted (`quiet.rs`). `verdict.rs` says what counts as growth.

mod counted;
mod events;
mod load;
mod options;
mod peer;
mod quiet;
mod report;
mod tally;
mod verdict;
mod work;

use std::alloc::System;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lahja_chaos_common::scratch::Scratch;
use lahja_chaos_common::{Error, Result};
use smol::Executor;
use smol::process::Command;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

use load::Load;
use options::Options;
use quiet::{Exact, Point};
use verdict::Growth;

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Quiet points of a run, the first of which is after the warm-up.
const POINTS: u32 = 11;

/// How long the warm-up may take until everything has been done once.
const WARM_UP: Duration = Duration::from_secs(20);

/// How long the subject may take to leave, when nobody else is there.
const CLOSING: Duration = Duration::from_secs(5);

/// What a panic says that belongs to the load.
const AS_ASKED: &str = "as it was asked";

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    quieten_panics();
    match arguments.split_first() {
        Some((first, rest)) if first == peer::PEER => peer::run(rest),
        Some((first, _)) if first == peer::IDLE => peer::idle(),
        Some((first, _)) if first == peer::DEAF => peer::deaf(),
        _ => run(Options::parse(&arguments)?),
    }
}

/// How many panics do not belong to the load.
static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Lets no panic be heard that belongs to the load, and counts the others.
fn quieten_panics() {
    let others = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let payload = panic.payload();
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        if text != Some(AS_ASKED) {
            PANICS.fetch_add(1, Ordering::Relaxed);
            others(panic);
        }
    }));
}

fn run(options: Options) -> Result<ExitCode> {
    println!("seed {}", options.seed);
    let scratch = Scratch::create()?;
    let stderr = scratch.path().join("stderr");
    let executor = Arc::new(Executor::new());
    let starting = Load::start(executor.clone(), stderr.clone());
    let load = Arc::new(smol::block_on(executor.run(starting))?);
    let running = executor.spawn(soak(load.clone(), options));
    let (idle, points) = smol::block_on(executor.run(running))?;
    report::totals(&load);
    let mut failed = false;
    let mut fails = |what: String| {
        println!("FAILED {what}");
        failed = true;
    };
    let (tally, bus) = (load.tally.clone(), load.bus.path().to_owned());
    drop(load);
    while executor.try_tick() {}
    drop(executor);
    if bus.exists() {
        fails(format!("the directory of the bus is left: {}", bus.display()));
    }
    for name in tally.missing() {
        fails(format!("the load lacks what it is to have: {name}"));
    }
    let complaints = std::fs::read_to_string(&stderr).unwrap_or_default();
    complaints.lines().for_each(|line| fails(format!("a child has said: {line}")));
    if PANICS.load(Ordering::Relaxed) > 0 {
        fails("a panic that nobody asked for".into());
    }
    let grown = verdict::growth(&idle, &points);
    for Growth { name, how } in &grown {
        fails(format!("{name}: {how}"));
    }
    let names: Vec<_> = grown.iter().map(|growth| growth.name).collect();
    println!("{:12}{}", "growth", if names.is_empty() { "none".into() } else { names.join(", ") });
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Puts the subject under load, again and again, and counts in between.
async fn soak(load: Arc<Load>, options: Options) -> Result<(Exact, Vec<Point>)> {
    let begin = Instant::now();
    // The first child starts what reaps all of them.
    drop(load.bus.spawn("first", Command::new("true")).await);
    let idle = Exact::least(&load).await?;
    let mut dice = fastrand::Rng::with_seed(options.seed);
    let mut points: Vec<Point> = Vec::with_capacity(POINTS as usize);
    report::head();
    for at in 1..=POINTS {
        // Whatever else takes its time is made up for, but there is load before every point.
        let due = (options.time * at / POINTS).saturating_sub(begin.elapsed());
        load.run(due.max(options.time / (2 * POINTS)), dice.u64(..)).await?;
        while at == 1 && !load.tally.missing().is_empty() && begin.elapsed() < WARM_UP {
            load.run(options.time / (2 * POINTS), dice.u64(..)).await?;
        }
        let point = Point::reach(&load, begin, &idle).await?;
        report::point(&point, &load.tally);
        points.push(point);
        if !verdict::changed(&idle, &points).is_empty() {
            break;
        }
    }
    load.endpoint.close(CLOSING).await;
    Ok((idle, points))
}
