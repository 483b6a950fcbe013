//! Notes the compiler, which is part of every result.

use std::process::Command;

fn main() {
    let rustc = std::env::var_os("RUSTC").expect("Cargo names the compiler");
    let version = Command::new(rustc).arg("--version").output().expect("the compiler runs").stdout;
    println!("cargo::rustc-env=LAHJA_BENCH_RUSTC={}", String::from_utf8_lossy(&version).trim());
    println!("cargo::rerun-if-changed=build.rs");
}
