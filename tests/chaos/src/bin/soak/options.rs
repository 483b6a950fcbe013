//! What the command line says.

use std::time::Duration;

use lahja_chaos_common::arguments;

use crate::Result;

/// How to run the soak.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    /// How long it goes on.
    pub(crate) time: Duration,
    pub(crate) seed: u64,
}

impl Options {
    /// Reads `--minutes M --seconds S --seed X`; the times add up.
    pub(crate) fn parse(given: &[String]) -> Result<Self> {
        let mut seconds = 0;
        let mut seed = fastrand::u64(..);
        for option in arguments::options(given) {
            match option? {
                ("--minutes", value) => seconds += 60 * value,
                ("--seconds", value) => seconds += value,
                ("--seed", value) => seed = value,
                (name, _) => return Err(format!("there is no option {name}").into()),
            }
        }
        match seconds {
            0 => Err("say for how long: --minutes M or --seconds S".into()),
            _ => Ok(Self { time: Duration::from_secs(seconds), seed }),
        }
    }
}
