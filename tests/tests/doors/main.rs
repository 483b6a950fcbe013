//! What concerns the operating system rather than the runtime, shown once, on smol: crowds at a
//! socket, descriptors that run out, processes that stop, die or leave others behind.
//!
//! `LAHJA_ROUNDS` sets how often the cases that repeat something do so; `LAHJA_WATCHDOG`, in
//! seconds, how long a case may take.

mod crowds;
mod descriptors;
mod door;
mod handshakes;
mod other;
#[path = "../contract/subjects.rs"]
mod subjects;

/// Returns how often to do what is to be done again and again.
fn rounds(default: u64) -> u64 {
    match std::env::var("LAHJA_ROUNDS") {
        Ok(rounds) => rounds.parse().expect("LAHJA_ROUNDS is a number"),
        Err(_) => default,
    }
}
