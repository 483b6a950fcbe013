//! lahja on smol and on async-std against a raw socket. See the library for how to run it.

use lahja_bench::subjects::{AsyncChannel, BareSmol, Lahja, OnAsyncStd, OnSmol, Raw};

fn main() -> lahja_bench::Result<()> {
    let (smol, async_std) = (Lahja::<OnSmol>::new(), Lahja::<OnAsyncStd>::new());
    lahja_bench::main(&[&Raw, &BareSmol, &AsyncChannel, &smol, &async_std])
}
