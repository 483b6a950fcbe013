//! What the tests run on.

use std::process::Command;
use std::sync::Arc;

use lahja_contract::Subject;
use smol::Executor;

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
