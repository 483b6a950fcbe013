//! Measures what carries events between processes: lahja on each of its runtimes, and others, in
//! turn with a raw Unix socket that does the same typed work in the same run. Only the ratios count:
//! they hold when the machine's speed drifts.
//!
//! A program is a list of [subjects](Subject) that is handed to [`main`]. For each measurement it
//! starts itself again as the producer, which starts itself again as the consumers.

mod case;
mod control;
mod memory;
mod meter;
mod outcome;
mod payload;
mod placement;
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
