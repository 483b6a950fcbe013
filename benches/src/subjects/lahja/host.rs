//! The runtimes that lahja is measured on.

use std::process::Command;
use std::sync::Arc;

use lahja_async_std::AsyncStd;
use lahja_core::Platform;
use lahja_smol::Smol;

use crate::Result;
use crate::case::Threads;

/// A runtime with its adapter.
pub trait Host: Send + Sync + 'static {
    /// The adapter.
    type Platform: Platform<Command: From<Command>>;

    /// The subject's name.
    const NAME: &'static str;

    /// Runs the work on so many threads and returns what it returns; nothing if it cannot be run
    /// like that.
    fn run<T, F>(threads: Threads, work: impl FnOnce(Self::Platform) -> F) -> Option<Result<T>>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static;
}

/// smol: an executor that the measuring thread drives, or the global one, whose threads are others.
#[derive(Debug)]
pub struct OnSmol;

impl Host for OnSmol {
    type Platform = Smol;

    const NAME: &'static str = "lahja on smol";

    fn run<T, F>(threads: Threads, work: impl FnOnce(Smol) -> F) -> Option<Result<T>>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let executor = Arc::new(smol::Executor::new());
        Some(match threads {
            Threads::One => {
                let task = executor.spawn(work(Smol::from(executor.clone())));
                smol::block_on(executor.run(task))
            }
            Threads::Main => smol::block_on(executor.run(work(Smol::from(executor.clone())))),
            Threads::Several => smol::block_on(smol::spawn(work(Smol::default()))),
        })
    }
}

/// async-std: its executor has threads of its own, one or several, and the measuring thread waits.
#[derive(Debug)]
pub struct OnAsyncStd;

impl Host for OnAsyncStd {
    type Platform = AsyncStd;

    const NAME: &'static str = "lahja on async-std";

    fn run<T, F>(threads: Threads, work: impl FnOnce(AsyncStd) -> F) -> Option<Result<T>>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        match threads {
            Threads::One | Threads::Several => {
                Some(async_std::task::block_on(async_std::task::spawn(work(AsyncStd))))
            }
            Threads::Main => None,
        }
    }
}
