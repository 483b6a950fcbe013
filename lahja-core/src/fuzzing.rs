//! What fuzz targets do with their input: state machines against simple models of them.
//!
//! Each function takes bytes, lets them decide what happens, and panics if something does not hold
//! that must. `fuzz/` makes a program of each. The tests give them random bytes, and the inputs
//! that fuzzing has found worth keeping.
//!
//! This module exists in tests, and where the compiler is told `--cfg fuzzing`.

mod frame;
mod hello;
mod inbox;
mod input;
mod payload;
mod peers;
mod pending;
mod push;
mod routing;
mod session;
#[cfg(test)]
mod tests;

pub use frame::frame;
pub use inbox::inbox;
pub use payload::{payload, payload_memory};
pub use peers::peers;
pub use pending::pending;
pub use routing::routing;
pub use session::session;
