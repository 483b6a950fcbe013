//! The figures that are kept in `recorded.txt`: a line for each scenario.

use std::fmt::Write;
use std::fs;

use crate::cost::Cost;
use crate::scenarios::Scenario;
use crate::{Result, callgrind};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/recorded.txt");

const HEAD: &str = "# What one event costs: scenario, instructions, allocations.
# Written by: cargo run --release -p lahja-counts -- check --record
";

/// What one event of each scenario costs.
#[derive(Debug, PartialEq)]
pub(crate) struct Recorded(Vec<(Scenario, Cost)>);

impl Recorded {
    pub(crate) fn measure() -> Result<Self> {
        let costs = Scenario::ALL.map(|scenario| Ok((scenario, callgrind::measure(scenario)?)));
        Ok(Self(costs.into_iter().collect::<Result<_>>()?))
    }

    pub(crate) fn read() -> Result<Self> {
        Self::parse(&fs::read_to_string(FILE).map_err(|error| format!("{FILE}: {error}"))?)
    }

    pub(crate) fn write(&self) -> Result<()> {
        let text = self.format();
        fs::write(FILE, &text)?;
        print!("{text}");
        Ok(())
    }

    /// # Errors
    ///
    /// The scenario is new.
    pub(crate) fn of(&self, scenario: Scenario) -> Result<Cost> {
        let found = self.0.iter().find(|(of, _)| *of == scenario);
        Ok(found.ok_or_else(|| format!("{scenario} is not in recorded.txt: record it"))?.1)
    }

    fn parse(text: &str) -> Result<Self> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        Ok(Self(lines.map(parse_line).collect::<Result<_>>()?))
    }

    fn format(&self) -> String {
        let mut text = HEAD.to_owned();
        for (scenario, Cost { instructions, allocations }) in &self.0 {
            writeln!(text, "{scenario:12} {instructions:9.1} {allocations:8.3}")
                .expect("a string takes everything");
        }
        text
    }
}

fn parse_line(line: &str) -> Result<(Scenario, Cost)> {
    match line.split_whitespace().collect::<Vec<_>>()[..] {
        [name, instructions, allocations] => {
            let cost =
                Cost { instructions: instructions.parse()?, allocations: allocations.parse()? };
            Ok((Scenario::named(name)?, cost))
        }
        _ => Err(format!("recorded.txt has a line that is none of its own: {line}").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let costs = Scenario::ALL
            .map(|scenario| (scenario, Cost { instructions: 1_234.5, allocations: 0.25 }));
        let recorded = Recorded(costs.into());
        assert_eq!(Recorded::parse(&recorded.format()).unwrap(), recorded);
    }

    #[test]
    fn every_scenario_is_recorded() {
        let recorded = Recorded::read().unwrap();
        for scenario in Scenario::ALL {
            recorded.of(scenario).unwrap();
        }
    }
}
