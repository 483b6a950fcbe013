//! What the suite asks of whoever runs it.

use std::process::Command;

use lahja_core::{EventBus, Platform};

/// A runtime with its adapter, as the contract is to hold on it: one number of threads, one kind
/// of executor. Write one subject for each that users may choose.
pub trait Subject: 'static {
    /// The adapter.
    type Platform: Platform;

    /// Runs `main` on the runtime and returns when its future is ready.
    ///
    /// What the future spawns on the platform must run in the meantime. It is called once in a
    /// process.
    fn run<F: Future<Output = ()>>(main: impl FnOnce(Self::Platform) -> F);

    /// Describes a program in the adapter's way; most often `command.into()`.
    ///
    /// Only its name, arguments and environment count. A case that redirects has a shell do it,
    /// since a `Command` does not tell its redirections.
    fn command(command: Command) -> <Self::Platform as Platform>::Command;

    /// Returns the environment variables that the runtime needs from the start of a process, such
    /// as its number of threads.
    fn environment() -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

/// An event bus on a subject's adapter.
pub type Bus<S> = EventBus<<S as Subject>::Platform>;
