//! What the tests run on.

use std::process::Command;
use std::sync::Arc;

use lahja_contract::Subject;
use smol::Executor;

/// smol's global executor with this many threads.
pub(crate) struct Global<const THREADS: usize>;

impl<const THREADS: usize> Subject for Global<THREADS> {
    type Platform = lahja_smol::Smol;

    fn run<F: Future<Output = ()>>(main: impl FnOnce(Self::Platform) -> F) {
        smol::block_on(main(lahja_smol::Smol::default()));
    }

    fn command(command: Command) -> smol::process::Command {
        command.into()
    }

    fn environment() -> Vec<(&'static str, String)> {
        vec![("SMOL_THREADS", THREADS.to_string())]
    }
}

/// An executor of the user's own, on the thread that drives it.
pub(crate) struct Own;

impl Subject for Own {
    type Platform = lahja_smol::Smol;

    fn run<F: Future<Output = ()>>(main: impl FnOnce(Self::Platform) -> F) {
        let executor = Arc::new(Executor::new());
        let platform = lahja_smol::Smol::from(executor.clone());
        smol::block_on(executor.run(main(platform)));
    }

    fn command(command: Command) -> smol::process::Command {
        command.into()
    }
}
