//! What concerns the operating system rather than the runtime, shown once, on smol: crowds at a
//! socket, descriptors that run out, processes that stop, die or leave others behind.
//!
//! Each takes seconds. Some do the same again and again, and oftener where `LAHJA_ROUNDS` says so:
//!
//! ```sh
//! LAHJA_ROUNDS=1000 LAHJA_WATCHDOG=1800 cargo test -p lahja-contract --test doors -- stops cycles
//! ```

mod crowds;
mod cycles;
mod descriptors;
mod door;
mod handshakes;
mod kin;
mod other;
mod stops;
#[path = "../contract/subjects.rs"]
mod subjects;
