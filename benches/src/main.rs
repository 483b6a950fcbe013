//! lahja on smol and on async-std against a raw socket.

fn main() -> lahja_bench::Result<()> {
    lahja_bench::main(&[&lahja_bench::subjects::Raw])
}
