//! Runs the contract on every runtime and prints one table of cases by runtimes, and the contract
//! of transports by transports. It fails if a case does.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let mut is_well = true;
    for (test, title) in [("contract", "runtimes"), ("transports", "transports")] {
        let table = Table::read(&run(test));
        table.print(title);
        is_well &= table.is_well();
    }
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs one of this package's files of tests and returns what it prints.
fn run(test: &str) -> String {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["test", "--package", env!("CARGO_PKG_NAME"), "--test", test, "--no-fail-fast"]);
    let output = command.output().expect("cargo can be run");
    let stdout = String::from_utf8_lossy(&output.stdout);
    // Failures tell more than the table can; where no test was run, it is an error of the build.
    if !output.status.success() {
        eprintln!("{stdout}\n{}", String::from_utf8_lossy(&output.stderr));
    }
    stdout.into_owned()
}

/// How each case went on each runtime: `group::case` to runtimes to results.
#[derive(Default)]
struct Table {
    runtimes: BTreeSet<String>,
    cases: BTreeMap<String, BTreeMap<String, String>>,
}

impl Table {
    /// Reads lines such as `test runtime::group::case ... ok`.
    fn read(output: &str) -> Self {
        let mut table = Self::default();
        for line in output.lines() {
            let Some((test, result)) =
                line.strip_prefix("test ").and_then(|line| line.split_once(" ... "))
            else {
                continue;
            };
            let (runtime, case) = test.split_once("::").expect("a case is in a runtime's module");
            table.runtimes.insert(runtime.to_owned());
            let results = table.cases.entry(case.to_owned()).or_default();
            results.insert(runtime.to_owned(), result.to_owned());
        }
        table
    }

    fn is_well(&self) -> bool {
        let mut results = self.cases.values().flat_map(BTreeMap::values);
        !self.cases.is_empty() && results.all(|result| result == "ok")
    }

    fn print(&self, title: &str) {
        println!("{} cases on {} {title}:", self.cases.len(), self.runtimes.len());
        let letters: Vec<_> = self.runtimes.iter().zip('a'..='z').collect();
        for (runtime, letter) in &letters {
            let results = self.cases.values().filter_map(|results| results.get(*runtime));
            let (passed, failed): (Vec<_>, Vec<_>) = results.partition(|result| *result == "ok");
            println!("  {letter} = {runtime}: {} passed, {} failed", passed.len(), failed.len());
        }
        let width = self.cases.keys().map(String::len).max().unwrap_or(0);
        let head: Vec<_> = letters.iter().map(|(_, letter)| letter.to_string()).collect();
        println!("\n{:width$}  {}", "", head.join("  "));
        for (case, results) in &self.cases {
            print!("{case:width$}");
            for (runtime, _) in &letters {
                let mark = match results.get(*runtime).map(String::as_str) {
                    Some("ok") => "+",
                    Some(_) => "FAILED",
                    None => ".",
                };
                print!("  {mark}");
            }
            println!();
        }
        println!();
    }
}
