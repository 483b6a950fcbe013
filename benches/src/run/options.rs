//! The command line of a run.

use std::path::PathBuf;

use crate::Result;
use crate::plan::{Group, Scale};

/// Where results go if nothing else is said.
const DIRECTORY: &str = "target/lahja-bench";

/// What is to be measured.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) scale: Scale,
    pub(super) repeats: usize,
    /// Parts of the names of groups and experiments; all if there are none.
    pub(super) only: Vec<String>,
    /// Parts of the names of subjects; all if there are none.
    pub(super) subjects: Vec<String>,
    pub(super) out: PathBuf,
}

impl Options {
    pub(super) fn read(arguments: &[&str]) -> Result<Self> {
        let mut options = Self {
            scale: Scale::Full,
            repeats: 0,
            only: Vec::new(),
            subjects: Vec::new(),
            out: DIRECTORY.into(),
        };
        let mut arguments = arguments.iter();
        while let Some(&argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument {
                "--quick" => options.scale = Scale::Quick,
                "--repeats" => options.repeats = count(value()?)?,
                "--only" => options.only.push((*value()?).to_owned()),
                "--subject" => options.subjects.push((*value()?).to_owned()),
                "--out" => options.out = (*value()?).into(),
                _ => return Err(format!("{argument} is unknown; {USAGE}").into()),
            }
        }
        if options.repeats == 0 {
            options.repeats = options.scale.repeats();
        }
        Ok(options)
    }

    /// Leaves of a group what is wanted.
    pub(super) fn wanted(&self, mut group: Group) -> Group {
        group.experiments.retain(|experiment| self.wants_experiment(group.name, &experiment.name));
        group
    }

    fn wants_experiment(&self, group: &str, name: &str) -> bool {
        self.only.is_empty()
            || self.only.iter().any(|only| group.contains(&**only) || name.contains(&**only))
    }

    pub(super) fn wants_subject(&self, name: &str) -> bool {
        self.subjects.is_empty() || self.subjects.iter().any(|subject| name.contains(&**subject))
    }
}

fn count(text: &str) -> Result<usize> {
    match text.parse() {
        Ok(0) | Err(_) => Err(format!("--repeats {text} is no number of repeats").into()),
        Ok(count) => Ok(count),
    }
}

const USAGE: &str = "there are --quick, --repeats N, --only TEXT, --subject TEXT and --out DIR, \
    and instead of them: plot FILE DIR, and: check FILE";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_in_any_order_and_again_and_again() {
        let options = Options::read(&["--only", "one", "--quick", "--only", "8"]).unwrap();
        assert_eq!((options.scale, options.repeats), (Scale::Quick, 1));
        assert!(options.wants_experiment("one way", "parked"));
        assert!(options.wants_experiment("fan-out", "to 8 processes"));
        assert!(!options.wants_experiment("request", "parked"));
        assert!(options.wants_subject("raw"));
        assert_eq!(Options::read(&["--repeats", "3"]).unwrap().repeats, 3);
    }

    #[test]
    fn what_is_not_an_option_is_refused() {
        assert!(Options::read(&["--fast"]).is_err());
        assert!(Options::read(&["--repeats"]).is_err());
        for count in ["many", "0", "-1"] {
            let error = Options::read(&["--repeats", count]).unwrap_err().to_string();
            assert_eq!(error, format!("--repeats {count} is no number of repeats"));
        }
    }
}
