//! The contract on every runtime there is: smol's global executor with one thread and with four,
//! an executor of the user's own on the thread that drives it, async-std, and the reference runtime
//! of a thread for each task. Then parents and children on different ones.

mod smol_one_thread {
    lahja_contract::contract!(super::subjects::Smol<1>);
}

mod smol_four_threads {
    lahja_contract::contract!(super::subjects::Smol<4>);
}

mod smol_own_executor {
    lahja_contract::contract!(super::subjects::Own);
}

mod async_std {
    lahja_contract::contract!(super::subjects::AsyncStd);
}

mod threads {
    lahja_contract::contract!(lahja_contract::reference::Threads);
}

mod smol_with_async_std {
    lahja_contract::contract!(super::subjects::Own, children on super::subjects::AsyncStd);
}

mod smol_with_threads {
    lahja_contract::contract!(super::subjects::Own, children on lahja_contract::reference::Threads);
}

mod async_std_with_smol {
    lahja_contract::contract!(super::subjects::AsyncStd, children on super::subjects::Smol<4>);
}

mod async_std_with_threads {
    lahja_contract::contract!(super::subjects::AsyncStd, children on lahja_contract::reference::Threads);
}

mod threads_with_smol {
    lahja_contract::contract!(lahja_contract::reference::Threads, children on super::subjects::Smol<1>);
}

mod threads_with_async_std {
    lahja_contract::contract!(lahja_contract::reference::Threads, children on super::subjects::AsyncStd);
}

mod subjects {
    use std::process::Command;
    use std::sync::Arc;

    use lahja_contract::Subject;
    use smol::Executor;

    /// smol's global executor with this many threads.
    pub(crate) struct Smol<const THREADS: usize>;

    impl<const THREADS: usize> Subject for Smol<THREADS> {
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

    /// An executor of the user's own.
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

    /// async-std's global executor, with as many threads as there are cores.
    pub(crate) struct AsyncStd;

    impl Subject for AsyncStd {
        type Platform = lahja_async_std::AsyncStd;

        fn run<F: Future<Output = ()>>(main: impl FnOnce(Self::Platform) -> F) {
            async_std::task::block_on(main(lahja_async_std::AsyncStd));
        }

        fn command(command: Command) -> async_process::Command {
            command.into()
        }
    }
}
