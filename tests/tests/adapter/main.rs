//! What holds of the adapter for smol alone.

mod pipes;
mod subjects;
mod threads;
