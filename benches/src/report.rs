//! What is shown of the results.

mod svg;
mod table;

use std::fmt::Display;
use std::fs;
use std::path::Path;

use crate::Result;
use crate::results::Results;

pub(crate) use table::print;

/// The name of the file with everything.
pub(crate) const FILE: &str = "results.json";

/// Makes the directory that results and plots are written to, if there is none.
///
/// # Errors
///
/// It cannot be made.
pub(crate) fn prepare(directory: &Path) -> Result<()> {
    at(directory, fs::create_dir_all(directory))
}

/// Writes everything into a directory that is there: the results and their plots.
pub(crate) fn save(results: &Results, directory: &Path) -> Result<()> {
    let file = directory.join(FILE);
    at(&file, fs::write(&file, serde_json::to_string_pretty(results)? + "\n"))?;
    plot(results, directory)
}

/// Reads results.
///
/// # Errors
///
/// The file cannot be read, or holds something else.
pub(crate) fn load(file: &Path) -> Result<Results> {
    let text = at(file, fs::read_to_string(file))?;
    at(file, serde_json::from_str(&text))
}

/// Draws a plot of each group into a directory that is there.
pub(crate) fn plot(results: &Results, directory: &Path) -> Result<()> {
    for group in &results.groups {
        let is_word = |c: char| c.is_ascii_alphanumeric();
        let words: Vec<_> =
            group.name.split(|c| !is_word(c)).filter(|word| !word.is_empty()).collect();
        let file = directory.join(words.join("-").to_lowercase()).with_extension("svg");
        at(&file, fs::write(&file, svg::plot(group, results.repeats)))?;
    }
    Ok(())
}

/// Says where an error is.
fn at<T>(path: &Path, result: std::result::Result<T, impl Display>) -> Result<T> {
    result.map_err(|error| format!("{}: {error}", path.display()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_or_made_is_named() {
        let null = Path::new("/dev/null");
        let unread = load(null).unwrap_err().to_string();
        assert!(unread.starts_with("/dev/null: EOF"), "{unread}");
        let unmade = prepare(null).unwrap_err().to_string();
        assert!(unmade.starts_with("/dev/null: File exists"), "{unmade}");
        let absent = load(Path::new("/dev/null/none")).unwrap_err().to_string();
        assert!(absent.starts_with("/dev/null/none: "), "{absent}");
    }
}
