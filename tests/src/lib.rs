//! What the tests of lahja with real processes share.
//!
//! A *case* is an async function that is given a [`Smol`](lahja_smol::Smol). [`cases!`] makes one
//! test of each case and [`Setup`](setup::Setup), and each test runs in a process of its own: it
//! may count its descriptors and children, and it has a directory for buses that must be empty at
//! the end. The other processes of a case are run from the program `lahja-contract-child`, most of
//! them as a [puppet] that does what the test orders over the bus.

pub mod counted;
pub mod process;
pub mod puppet;
pub mod scratch;
pub mod setup;
pub mod wire;
