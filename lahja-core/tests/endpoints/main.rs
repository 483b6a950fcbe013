//! Endpoints of one process from end to end, over transports in memory.

mod audience;
mod clock;
mod common;
mod credit;
mod handmade;
mod in_memory;
mod parts;
mod requests;
mod serving;
mod skew;
mod stats;
mod testing;
#[cfg(feature = "tracing")]
mod tracing;
mod waiting;
