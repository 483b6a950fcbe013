//! Measures what carries events between processes: lahja on each of its runtimes, and others, in
//! turn with a raw Unix socket that does the same typed work in the same run. Only the ratios count:
//! they hold when the machine's speed drifts.
//!
//! ```text
//! cargo run --release -p lahja-bench
//!     [-- --quick] [--repeats N] [--only TEXT]... [--subject TEXT]... [--out DIR]
//! ```
//!
//! `--quick` does a small part of the work once, to see that everything runs. `--only` and
//! `--subject` take a part of a name; given again, they add to it. The tables are printed as they
//! come; `DIR` gets `results.json` with what each repeat found, and a plot of each group of
//! experiments. `plot FILE DIR` draws them again, and `check FILE` tells what is missing, and why.
//!
//! *Polling*: the raw and the bare socket ask their kernel again and again, lahja as long as that
//! pays; the system places the processes, since lahja does not poll where it has one core. *Parked*:
//! all sleep, each process bound to a core of its own. *One core*: all sleep, bound to one core.
//! *Main*: polling, where lahja's end is the future that the executor is run with, which the executor
//! leaves waiting while one of its tasks polls. *Several threads*: two, of smol's global executor or
//! of async-std's; else there is one, which for smol is the one that measures, and for async-std is
//! not. Where nothing is said, the raw socket sleeps, lahja does as by default, and the system places
//! the processes.
//!
//! # How it is measured
//!
//! A program is a list of [subjects](Subject) that is handed to [`main`]. For each measurement it
//! starts itself again as the producer, which starts itself again as the consumers. They
//! agree on the beginning and the end beside what is measured, so that they are the same for all
//! subjects: from just before the first event to when the last consumer has its last, or the producer
//! its last answer. Processor time is that of whole processes in the meantime, for consumers from their
//! first event on. Memory is by how much a process grows (`Pss`) with
//! many endpoints or connections, divided by their number.

mod case;
mod control;
mod memory;
mod meter;
mod outcome;
mod payload;
mod placement;
mod plan;
mod report;
mod results;
mod run;
mod subject;
pub mod subjects;

use std::error::Error;

pub use case::{Case, Placement, Threads, Waits, Work};
pub use control::{Children, Control, Receipt, Tally, directory};
pub use memory::resident_bytes;
pub use meter::{Laps, Meter, Pace, SETTLED, cpu_ns, monotonic_ns};
pub use outcome::{Answer, Latencies, Outcome};
pub use payload::Parcel;
pub use run::main;
pub use subject::Subject;

/// What most events carry, in bytes.
pub const SMALL: usize = 64;

/// The result of whatever may fail here; nobody tells the reasons apart.
pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;
