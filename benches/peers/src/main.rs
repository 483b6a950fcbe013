//! lahja, a raw socket and other libraries that carry events or requests between processes, in turn
//! in one run. `README.md` says what is compared, and how.

mod codec;
mod measured;
mod peer;
mod peers;
mod python;
mod shape;

use lahja_bench::subjects::{Lahja, OnAsyncStd, OnSmol, Raw};

use measured::Measured;
use peers::{Iceoryx, IpcChannel, LibZmq, Nng, Tarpc, Zbus, Zenoh, ZmqRs};
use python::Python;

fn main() -> lahja_bench::Result<()> {
    let (smol, async_std) = (Lahja::<OnSmol>::new(), Lahja::<OnAsyncStd>::new());
    lahja_bench::main(&[
        &Raw,
        &smol,
        &async_std,
        &Measured(IpcChannel),
        &Measured(Iceoryx::<true>),
        &Measured(Iceoryx::<false>),
        &Measured(ZmqRs),
        &Measured(LibZmq),
        &Measured(Nng),
        &Measured(Zbus),
        &Measured(Tarpc),
        &Measured(Zenoh),
        &Python::Asyncio,
        &Python::Trio,
    ])
}
