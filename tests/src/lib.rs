//! What lahja promises, as a suite of tests to run on any runtime.
//!
//! The author of an adapter implements [`Subject`] for it and writes one line in one file of
//! tests, [`contract!`]. Each case of the suite becomes a `#[test]` of its own. What holds of that
//! adapter alone can be tested in the same way, with [`own_cases!`].
//!
//! A *case* is an async function that is generic over its subject and is given a [`Stage`]: a bus,
//! endpoints in memory, child processes, sockets. It runs in a process of its own, so it may count
//! its descriptors and children, and under a watchdog. Its other processes are the same program
//! once more in a [role](roles), most of them as a [puppet] that does over the bus what the case
//! orders.
//!
//! # Examples
//!
//! In `tests/contract.rs` of an adapter:
//!
//! ```
//! # use std::process::Command;
//! use lahja_contract::Subject;
//! use lahja_smol::Smol;
//!
//! struct Global;
//!
//! impl Subject for Global {
//!     type Platform = Smol;
//!
//!     fn run<F: Future<Output = ()>>(main: impl FnOnce(Smol) -> F) {
//!         smol::block_on(main(Smol::default()));
//!     }
//!
//!     fn command(command: Command) -> smol::process::Command {
//!         command.into()
//!     }
//! }
//!
//! lahja_contract::contract!(Global);
//! # fn main() {}
//! ```

mod harness;
mod macros;
mod subject;

#[doc(hidden)]
pub mod cases;
pub mod counted;
pub mod process;
pub mod puppet;
pub mod reference;
pub mod roles;
pub mod scratch;
pub mod stage;
pub mod transport;
pub mod wire;

pub use harness::rounds;
#[doc(hidden)]
pub use harness::{child, run};
#[doc(hidden)]
pub use lahja_core::Transport;
pub use stage::Stage;
pub use subject::{Bus, Subject};

/// Compiles and runs what README.md shows.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
