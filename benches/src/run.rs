//! The command line, and what each kind of process does.

mod check;
mod controller;
mod measurement;
mod options;

use std::path::Path;

use rustix::process::{Signal, set_parent_process_death_signal};

use crate::Result;
use crate::case::Case;
use crate::placement::{End, bind};
use crate::report;
use crate::subject::Subject;
use options::Options;

/// Runs the program: everything with these subjects, or, in a process that it has started itself,
/// one end of one measurement.
///
/// # Errors
///
/// The command line says something else or names nothing, a file cannot be read or written, or results
/// that are checked are not complete. Or a subject has failed: what the others did is saved then.
pub fn main(subjects: &[&dyn Subject]) -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["measure", subject, case] => {
            let case = begin(case, End::Producer)?;
            let answer = find(subjects, subject)?.measure(&case).map_err(|error| error.to_string());
            println!("{}", serde_json::to_string(&answer)?);
            Ok(())
        }
        ["child", subject, case, index] => {
            let case = begin(case, End::Consumer)?;
            find(subjects, subject)?.child(&case, index.parse()?)
        }
        ["plot", file, directory] => {
            report::plot(&report::load(Path::new(file))?, Path::new(directory))
        }
        ["check", file] => check::check(&report::load(Path::new(file))?),
        options => controller::run(subjects, &Options::read(options)?),
    }
}

/// Readies a process that was started for one end of a case.
fn begin(case: &str, end: End) -> Result<Case> {
    // Whoever started this process may be killed, and nobody else knows of it.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let case: Case = serde_json::from_str(case)?;
    bind(case.placement, end)?;
    Ok(case)
}

fn find<'a>(subjects: &[&'a dyn Subject], name: &str) -> Result<&'a dyn Subject> {
    let found = subjects.iter().find(|subject| subject.name() == name);
    Ok(*found.ok_or_else(|| format!("there is no subject {name}"))?)
}
