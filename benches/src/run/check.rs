//! Whether results are complete.

use crate::Result;
use crate::case::Threads;
use crate::plan::{Against, Experiment, Scale, groups};
use crate::results::{Results, SubjectResults, Trouble};

/// Checks that there is a positive figure for every experiment, of whatever it is compared with and
/// of lahja on each runtime, and that nothing went wrong in a later repeat of these.
pub(super) fn check(results: &Results) -> Result<()> {
    let missing: Vec<String> = groups(&Scale::Quick)
        .iter()
        .flat_map(|group| &group.experiments)
        .flat_map(|experiment| missing(results, experiment))
        .collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(format!("the results are not complete: {}", missing.join("; ")).into()),
    }
}

fn missing(results: &Results, experiment: &Experiment) -> Vec<String> {
    let mut subjects = vec!["lahja on smol"];
    if experiment.case.threads != Threads::Main {
        subjects.push("lahja on async-std");
    }
    if let Against::Subject(baseline) = &experiment.against {
        subjects.push(baseline);
    }
    let mut found = results.groups.iter().flat_map(|group| &group.experiments);
    let found = found.find(|found| found.experiment.name == experiment.name);
    let line = |subject| {
        let why = why_missing(found.and_then(|found| found.subject(subject)))?;
        Some(format!("{subject} in {}: {why}", experiment.name))
    };
    subjects.into_iter().filter_map(line).collect()
}

/// Says why there is no positive figure, or what went wrong after it.
fn why_missing(subject: Option<&SubjectResults>) -> Option<&str> {
    match subject {
        None => Some("it was not measured"),
        Some(SubjectResults {
            trouble: Some(Trouble::Failed(why) | Trouble::Cannot(why)), ..
        }) => Some(why),
        Some(SubjectResults { figure: Some(figure), .. }) if figure.min > 0.0 => None,
        Some(_) => Some("there is no positive figure"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{ExperimentResults, GroupResults, Machine, Spread};

    const ALL: [&str; 4] = ["raw", "async-channel", "lahja on smol", "lahja on async-std"];

    fn complete() -> Results {
        let figure = Some(Spread { median: 1.0, min: 1.0, max: 1.0 });
        let subjects = ALL.map(|name| SubjectResults { figure, ..SubjectResults::new(name) });
        let groups = groups(&Scale::Quick).into_iter().map(|group| GroupResults {
            name: group.name.to_owned(),
            experiments: group
                .experiments
                .into_iter()
                .map(|experiment| ExperimentResults { experiment, subjects: subjects.to_vec() })
                .collect(),
        });
        let machine = Machine { cores: 2, kernel: String::new(), rustc: String::new() };
        Results { machine, repeats: 1, groups: groups.collect() }
    }

    #[test]
    fn results_with_everything_pass() {
        check(&complete()).unwrap();
    }

    #[test]
    fn what_went_wrong_after_the_first_repeat_is_named() {
        for trouble in [Trouble::Failed, Trouble::Cannot] {
            let mut results = complete();
            let trouble = Some(trouble("it broke".to_owned()));
            results.groups[0].experiments[0].subjects[2].trouble = trouble;
            let error = check(&results).unwrap_err().to_string();
            assert!(error.ends_with(": lahja on smol in one way: it broke"), "{error}");
        }
    }

    #[test]
    fn a_subject_that_is_not_there_is_named() {
        let mut results = complete();
        results.groups[0].experiments[0].subjects.remove(2);
        let error = check(&results).unwrap_err().to_string();
        assert!(error.ends_with(": lahja on smol in one way: it was not measured"), "{error}");
    }

    #[test]
    fn an_experiment_that_is_not_there_is_named() {
        let mut results = complete();
        let gone = results.groups[0].experiments.remove(0);
        let error = check(&results).unwrap_err().to_string();
        assert!(error.contains(&format!("raw in {}: it was not", gone.experiment.name)), "{error}");
    }

    #[test]
    fn a_subject_without_a_positive_figure_is_named() {
        let mut results = complete();
        results.groups[1].experiments[0].subjects[2].figure = None;
        results.groups[2].experiments[0].subjects[3].figure.as_mut().unwrap().min = 0.0;
        let error = check(&results).unwrap_err().to_string();
        assert_eq!(error.matches(" in ").count(), 2, "{error}");
        assert!(error.contains("lahja on smol in to 8 processes: there is no"), "{error}");
        assert!(error.contains("lahja on async-std in round trip, polling"), "{error}");
    }
}
