//! What a run has found.

mod spread;

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::outcome::Outcome;
use crate::plan::{Against, Experiment};

pub(crate) use spread::{Spread, short};

/// What a run has found, as it is kept in a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) machine: Machine,
    pub(crate) repeats: usize,
    pub(crate) groups: Vec<GroupResults>,
}

/// Where it was measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) cores: usize,
    pub(crate) kernel: String,
    pub(crate) rustc: String,
}

impl Machine {
    pub(crate) fn this() -> Result<Self> {
        Ok(Self {
            cores: std::thread::available_parallelism()?.get(),
            kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
            rustc: env!("LAHJA_BENCH_RUSTC").to_owned(),
        })
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct GroupResults {
    pub(crate) name: String,
    pub(crate) experiments: Vec<ExperimentResults>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ExperimentResults {
    #[serde(flatten)]
    pub(crate) experiment: Experiment,
    pub(crate) subjects: Vec<SubjectResults>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SubjectResults {
    pub(crate) name: String,
    /// What each repeat found, as long as it went well.
    pub(crate) repeats: Vec<Outcome>,
    pub(crate) trouble: Option<Trouble>,
    /// The figures of the repeats, in the figure's unit.
    pub(crate) figure: Option<Spread>,
    /// The ratios, each within a repeat.
    pub(crate) ratio: Option<Spread>,
}

/// Why there is nothing more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Trouble {
    Cannot(String),
    Failed(String),
}

impl SubjectResults {
    pub(crate) fn new(name: &str) -> Self {
        let name = name.to_owned();
        Self { name, repeats: Vec::new(), trouble: None, figure: None, ratio: None }
    }

    pub(crate) fn has_failed(&self) -> bool {
        matches!(self.trouble, Some(Trouble::Failed(_)))
    }
}

impl ExperimentResults {
    pub(crate) fn subject(&self, name: &str) -> Option<&SubjectResults> {
        self.subjects.iter().find(|subject| subject.name == name)
    }

    /// Returns the figures of a subject, repeat by repeat.
    pub(crate) fn figures(&self, subject: &str) -> Vec<f64> {
        let Experiment { case, figure, .. } = &self.experiment;
        let repeats = self.subject(subject).map(|subject| &subject.repeats[..]).unwrap_or_default();
        repeats.iter().filter_map(|outcome| figure.of(case, outcome)).collect()
    }
}

impl GroupResults {
    /// Sums up the repeats.
    pub(crate) fn sum_up(&mut self) {
        let before = self.clone();
        for (at, experiment) in self.experiments.iter_mut().enumerate() {
            for subject in &mut experiment.subjects {
                let figures = before.experiments[at].figures(&subject.name);
                subject.ratio = before.ratios(at, &subject.name, &figures);
                subject.figure = Spread::of(figures);
            }
        }
    }

    fn ratios(&self, at: usize, subject: &str, figures: &[f64]) -> Option<Spread> {
        let this = &self.experiments[at];
        let others = match &this.experiment.against {
            Against::Subject(other) if other == subject => return None,
            Against::Subject(other) => this.figures(other),
            Against::Experiment(name) if *name == this.experiment.name => return None,
            Against::Experiment(name) => {
                let other = self.experiments.iter().find(|other| other.experiment.name == *name)?;
                other.figures(subject)
            }
            Against::Nothing => return None,
        };
        Spread::of(figures.iter().zip(others).map(|(figure, other)| figure / other).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Work;
    use crate::plan::Figure;

    fn subject(name: &str, elapsed_ns: &[u64]) -> SubjectResults {
        let outcome = |&elapsed_ns| Outcome { elapsed_ns, deliveries: 1_000, ..Outcome::default() };
        let repeats = elapsed_ns.iter().map(outcome).collect();
        SubjectResults { repeats, ..SubjectResults::new(name) }
    }

    fn group(against: [Against; 2]) -> GroupResults {
        let experiments = ["a", "b"].into_iter().zip(against).map(|(name, against)| {
            let work = Work::OneWay { events: 1_000 };
            let mut experiment = Experiment::new(name, work, Figure::Deliveries);
            experiment.against = against;
            let subjects = vec![
                subject("raw", &[100_000, 200_000, 400_000]),
                subject("other", &[200_000, 200_000, if name == "a" { 200_000 } else { 100_000 }]),
            ];
            ExperimentResults { experiment, subjects }
        });
        let mut group = GroupResults { name: "group".into(), experiments: experiments.collect() };
        group.sum_up();
        group
    }

    #[test]
    fn a_ratio_is_of_figures_of_one_repeat() {
        let raw = || Against::Subject("raw".into());
        let group = group([raw(), raw()]);
        let [raw, other] = &group.experiments[0].subjects[..] else { panic!() };
        assert_eq!(raw.figure, Some(Spread { median: 5.0, min: 2.5, max: 10.0 }));
        assert_eq!(raw.ratio, None);
        assert_eq!(other.ratio, Some(Spread { median: 1.0, min: 0.5, max: 2.0 }));
    }

    #[test]
    fn a_ratio_to_another_experiment_is_of_the_same_subject() {
        let group = group([Against::Nothing, Against::Experiment("a".into())]);
        assert_eq!(group.experiments[0].subjects[1].ratio, None);
        let other = &group.experiments[1].subjects[1];
        assert_eq!(other.ratio, Some(Spread { median: 1.0, min: 1.0, max: 2.0 }));
    }

    #[test]
    fn who_has_fewer_repeats_has_fewer_ratios() {
        let mut group = group([Against::Subject("raw".into()), Against::Nothing]);
        group.experiments[0].subjects[1].repeats.truncate(1);
        group.sum_up();
        let other = &group.experiments[0].subjects[1];
        assert_eq!(other.ratio, Some(Spread { median: 0.5, min: 0.5, max: 0.5 }));
    }
}
