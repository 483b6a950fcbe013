//! What holds of the adapter for smol alone.

mod subjects;
mod threads;
