//! What holds of the adapter for smol alone.

mod pipes;
mod processes;
#[path = "../contract/subjects.rs"]
mod subjects;
mod threads;
