//! What this crate measures itself.

mod raw;

pub use raw::Raw;
