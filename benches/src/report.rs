//! What is shown of the results.

mod svg;
mod table;

use std::fs;
use std::path::Path;

use crate::Result;
use crate::results::Results;

pub(crate) use table::print;

/// The name of the file with everything.
pub(crate) const FILE: &str = "results.json";

/// Writes everything into a directory: the results and their plots.
pub(crate) fn save(results: &Results, directory: &Path) -> Result<()> {
    fs::create_dir_all(directory)?;
    fs::write(directory.join(FILE), serde_json::to_string_pretty(results)? + "\n")?;
    plot(results, directory)
}

/// Reads results.
pub(crate) fn load(file: &Path) -> Result<Results> {
    Ok(serde_json::from_str(&fs::read_to_string(file)?)?)
}

/// Draws a plot of each group into a directory.
pub(crate) fn plot(results: &Results, directory: &Path) -> Result<()> {
    fs::create_dir_all(directory)?;
    for group in &results.groups {
        let is_word = |c: char| c.is_ascii_alphanumeric();
        let words: Vec<_> =
            group.name.split(|c| !is_word(c)).filter(|word| !word.is_empty()).collect();
        let file = directory.join(words.join("-").to_lowercase()).with_extension("svg");
        fs::write(file, svg::plot(group, results.repeats))?;
    }
    Ok(())
}
