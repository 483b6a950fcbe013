//! What holds of the adapter for smol alone.

mod pipes;
#[path = "../contract/subjects.rs"]
mod subjects;
mod threads;
