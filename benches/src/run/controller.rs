//! A whole run.

use super::measurement::measure;
use super::options::Options;
use crate::Result;
use crate::case::Case;
use crate::outcome::Answer;
use crate::plan::{Experiment, Group, groups};
use crate::report;
use crate::results::{ExperimentResults, GroupResults, Machine, Results, SubjectResults, Trouble};
use crate::subject::Subject;

/// Measures what the options want, and prints and saves it.
///
/// # Errors
///
/// There is nothing to measure, or the results cannot be saved, which is seen before anything is measured
/// unless it changes meanwhile. Or a subject has failed: everything else is saved then.
pub(super) fn run(subjects: &[&dyn Subject], options: &Options) -> Result<()> {
    let subjects: Vec<_> = subjects.iter().filter(|it| options.wants_subject(it.name())).collect();
    let mut results =
        Results { machine: Machine::this()?, repeats: options.repeats, groups: Vec::new() };
    let groups = prepare(&subjects, options)?;
    let Machine { cores, kernel, rustc } = &results.machine;
    println!(
        "{cores} cores, Linux {kernel}, {rustc}\n\
         cpu out, cpu in: processor time of the producer and of the consumers for each event \
         received, us"
    );
    for Group { name, experiments } in groups {
        let mut group = empty(name, experiments, &subjects);
        for _ in 0..options.repeats {
            for experiment in &mut group.experiments {
                repeat(experiment, &subjects);
            }
        }
        group.sum_up();
        report::print(&group, options.repeats);
        results.groups.push(group);
    }
    report::save(&results, &options.out)?;
    println!("\nresults and plots are in {}", options.out.display());
    let experiments = results.groups.iter().flat_map(|group| &group.experiments);
    let subjects = experiments.flat_map(|experiment| &experiment.subjects);
    match subjects.filter(|subject| subject.has_failed()).count() {
        0 => Ok(()),
        count => Err(format!("failures: {count}").into()),
    }
}

/// Returns what is to be measured, once there is a place for the results.
///
/// # Errors
///
/// It is nothing, or there is no place for the results.
fn prepare(subjects: &[&&dyn Subject], options: &Options) -> Result<Vec<Group>> {
    let groups = groups(&options.scale).into_iter().map(|group| options.wanted(group));
    let groups: Vec<_> = groups.filter(|group| !group.experiments.is_empty()).collect();
    if groups.is_empty() || subjects.is_empty() {
        return Err("there is nothing of that name to measure".into());
    }
    report::prepare(&options.out)?;
    Ok(groups)
}

fn empty(name: &str, experiments: Vec<Experiment>, subjects: &[&&dyn Subject]) -> GroupResults {
    let new = || subjects.iter().map(|subject| SubjectResults::new(subject.name())).collect();
    let experiments = experiments.into_iter();
    let experiments = experiments.map(|it| ExperimentResults { experiment: it, subjects: new() });
    GroupResults { name: name.to_owned(), experiments: experiments.collect() }
}

/// Measures every subject once more, but those who cannot or have failed.
fn repeat(experiment: &mut ExperimentResults, subjects: &[&&dyn Subject]) {
    let ExperimentResults { experiment, subjects: all } = experiment;
    for (results, subject) in all.iter_mut().zip(subjects) {
        if results.trouble.is_some() {
            continue;
        }
        let case = &experiment.case;
        let case = Case { work: case.work.divided(subject.slowness()), ..case.clone() };
        match measure(**subject, &case, experiment.limit()) {
            Ok(Answer::Done(outcome)) => results.repeats.push(outcome),
            Ok(Answer::Cannot(why)) => results.trouble = Some(Trouble::Cannot(why)),
            Err(error) => results.trouble = Some(Trouble::Failed(error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subjects::Raw;

    const RAW: &[&&dyn Subject] = &[&(&Raw as &dyn Subject)];

    fn error(subjects: &[&&dyn Subject], arguments: &[&str]) -> String {
        prepare(subjects, &Options::read(arguments).unwrap()).unwrap_err().to_string()
    }

    #[test]
    fn nothing_is_measured_if_results_have_no_place() {
        let error = error(RAW, &["--out", "/dev/null"]);
        assert!(error.starts_with("cannot make /dev/null: "), "{error}");
    }

    #[test]
    fn nothing_to_measure_is_refused_before_a_place_is_made() {
        let nothing = "there is nothing of that name to measure";
        assert_eq!(error(RAW, &["--out", "/dev/null", "--only", "nonsense"]), nothing);
        assert_eq!(error(&[], &["--out", "/dev/null"]), nothing);
    }
}
