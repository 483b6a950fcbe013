//! Keeps the mesh alive and kills its processes, looks at it in the end, and checks the journals.

mod child;
mod ending;
mod mesh;
mod slot;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_lite::future::or;
use lahja_smol::{EventBus, Smol};
use smol::{Executor, Timer};

use crate::Result;
use crate::checker::{self, Life};
use crate::held::Held;
use crate::journal;
use crate::options::Options;
use crate::report;
use crate::scratch::Scratch;

pub(crate) use mesh::Tally;

use mesh::Mesh;

/// Runs the mesh and reports on it.
pub(crate) fn run(options: Options) -> Result<ExitCode> {
    println!("seed {}", options.seed);
    let begin = Instant::now();
    let mut scratch = Scratch::create()?;
    let executor = Arc::new(Executor::new());
    let bus = EventBus::new_on(Smol::from(executor.clone()))?;
    let bus_path = bus.path().to_owned();
    let mesh = Arc::new(Mesh::new(options, bus, executor.clone(), scratch.path()));
    let running = executor.spawn(run_mesh(mesh.clone()));
    smol::block_on(executor.run(running))?;
    while executor.try_tick() {}
    let (lives, tally, mut violations) = mesh.finish();
    drop(mesh);
    drop(executor);
    if bus_path.exists() {
        violations.push(format!("the directory of the bus is left: {}", bus_path.display()));
    }
    let stderr = std::fs::read_to_string(child::stderr_path(scratch.path())).unwrap_or_default();
    violations.extend(stderr.lines().map(|line| format!("a process has said: {line}")));
    let ran = begin.elapsed();
    let mut checked = Vec::new();
    for life in lives {
        let path = child::journal_path(scratch.path(), life.slot, life.life);
        // Who was killed as it was born has none.
        let records = if path.exists() { journal::read(&path)? } else { Vec::new() };
        checked.push(Life { records, ..life });
    }
    let (totals, found) = checker::check(&checked);
    violations.extend(found.iter().map(ToString::to_string));
    report::print(&tally, &totals, ran, begin.elapsed(), &violations);
    if violations.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    println!("the journals are in {}", scratch.path().display());
    scratch.keep();
    Ok(ExitCode::FAILURE)
}

/// Runs the mesh to its end, and ends it if it hangs.
async fn run_mesh(mesh: Arc<Mesh>) -> Result<()> {
    let limit = mesh.options.limit;
    let mut tasks = Vec::new();
    let orderly = async {
        let before = mesh.warm_up().await?;
        tasks = mesh.keep_all();
        mesh.until_all_survive().await;
        ending::end(&mesh).await?;
        mesh.until_all_ended().await;
        mesh.expect_nothing_left(before).await
    };
    let hangs = async {
        Timer::after(limit).await;
        mesh.violation(format!("not done after {limit:?}: {}", mesh.describe()));
        Ok(())
    };
    let ended = or(orderly, hangs).await;
    if let Err(error) = &ended {
        mesh.violation(format!("the mesh could not be run: {error}"));
    }
    mesh.kill_all();
    // What was killed is reaped.
    or(mesh.until_all_ended(), async {
        Timer::after(Duration::from_secs(5)).await;
    })
    .await;
    for task in tasks {
        task.cancel().await;
    }
    Ok(())
}

impl Mesh {
    /// Fails the run unless this process holds no more than before, and nobody is on the bus.
    async fn expect_nothing_left(&self, before: Held) -> Result<()> {
        for entry in std::fs::read_dir(self.bus.path())? {
            let name = entry?.file_name();
            let name = name.to_string_lossy();
            if !name.starts_with('.') {
                self.violation(format!("{name} is left on the bus"));
            }
        }
        let after = Held::settle(before).await?;
        if after != before {
            self.violation(format!("the parent holds {after:?} in the end, {before:?} before"));
        }
        Ok(())
    }
}
