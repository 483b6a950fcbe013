//! The contract on every runtime there is: smol's global executor with one thread and with four,
//! an executor of the user's own on the thread that drives it, async-std, and the reference runtime
//! of a thread for each task. Then parents and children on different ones.

mod subjects;

mod smol_one_thread {
    lahja_contract::contract!(super::subjects::Global<1>);
}

mod smol_four_threads {
    lahja_contract::contract!(super::subjects::Global<4>);
}

mod smol_own_executor {
    lahja_contract::contract!(super::subjects::Own);
}

mod async_std {
    lahja_contract::contract!(super::AsyncStd);
}

mod threads {
    lahja_contract::contract!(lahja_contract::reference::Threads);
}

mod smol_with_async_std {
    lahja_contract::contract!(super::subjects::Own, children on super::AsyncStd);
}

mod smol_with_threads {
    lahja_contract::contract!(super::subjects::Own, children on lahja_contract::reference::Threads);
}

mod async_std_with_smol {
    lahja_contract::contract!(super::AsyncStd, children on super::subjects::Global<4>);
}

mod async_std_with_threads {
    lahja_contract::contract!(super::AsyncStd, children on lahja_contract::reference::Threads);
}

mod threads_with_smol {
    lahja_contract::contract!(lahja_contract::reference::Threads, children on super::subjects::Global<1>);
}

mod threads_with_async_std {
    lahja_contract::contract!(lahja_contract::reference::Threads, children on super::AsyncStd);
}

use std::process::Command;

use lahja_contract::Subject;

/// async-std's global executor, with as many threads as there are cores.
struct AsyncStd;

impl Subject for AsyncStd {
    type Platform = lahja_async_std::AsyncStd;

    fn run<F: Future<Output = ()>>(main: impl FnOnce(Self::Platform) -> F) {
        ::async_std::task::block_on(main(lahja_async_std::AsyncStd));
    }

    fn command(command: Command) -> async_process::Command {
        command.into()
    }
}
