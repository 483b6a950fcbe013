//! What the command line says.

use std::time::Duration;

use crate::Result;
use crate::events::MAX_PROCESSES;

/// How to run the mesh.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// How many processes are to be killed.
    pub(crate) kills: u64,
    /// How long the run may take before it counts as hanging.
    pub(crate) limit: Duration,
    pub(crate) seed: u64,
    /// How many processes live at a time.
    pub(crate) processes: usize,
    /// How many events are to be received; killing goes on until they are.
    pub(crate) events: u64,
}

impl Options {
    /// Reads `--kills N --seconds S --seed X --processes P --events-at-least M`.
    pub(crate) fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self {
            kills: 300,
            limit: Duration::from_secs(3600),
            seed: fastrand::u64(..),
            processes: MAX_PROCESSES,
            events: 0,
        };
        for option in lahja_chaos_common::arguments::options(arguments) {
            let (name, value) = option?;
            match name {
                "--kills" => options.kills = value,
                "--seconds" => options.limit = Duration::from_secs(value),
                "--seed" => options.seed = value,
                "--processes" => options.processes = usize::try_from(value)?,
                "--events-at-least" => options.events = value,
                _ => return Err(format!("there is no option {name}").into()),
            }
        }
        match options.processes {
            3..=MAX_PROCESSES => Ok(options),
            _ => Err(format!("a mesh has 3 to {MAX_PROCESSES} processes").into()),
        }
    }
}
