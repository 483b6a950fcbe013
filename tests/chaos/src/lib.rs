//! What the mesh and the soak share.

pub mod arguments;
pub mod held;
pub mod scratch;

/// Whatever ends a run before its time.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// The result of a step of a run.
pub type Result<T, E = Error> = std::result::Result<T, E>;
