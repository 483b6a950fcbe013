//! What is shown of the results.

mod svg;
mod table;

use std::error::Error;
use std::fmt::Display;
use std::fs::{self, OpenOptions};
use std::path::Path;

use crate::Result;
use crate::results::Results;

pub(crate) use table::print;

/// The name of the file with everything.
pub(crate) const FILE: &str = "results.json";

/// Sees to it that results can be written into a directory. Those that are there stay.
///
/// # Errors
///
/// They cannot.
pub(crate) fn prepare(directory: &Path) -> Result<()> {
    make(directory)?;
    let file = directory.join(FILE);
    OpenOptions::new().create(true).append(true).open(&file).map_err(cannot("write", &file))?;
    Ok(())
}

/// Writes everything into a directory: the results and their plots.
///
/// # Errors
///
/// Something cannot be written.
pub(crate) fn save(results: &Results, directory: &Path) -> Result<()> {
    make(directory)?;
    let file = directory.join(FILE);
    let text = serde_json::to_string_pretty(results)? + "\n";
    fs::write(&file, text).map_err(cannot("write", &file))?;
    plot(results, directory)
}

/// Reads results.
///
/// # Errors
///
/// The file cannot be read, or holds something else.
pub(crate) fn load(file: &Path) -> Result<Results> {
    let text = fs::read_to_string(file).map_err(cannot("read", file))?;
    serde_json::from_str(&text).map_err(cannot("find results in", file))
}

/// Draws a plot of each group into a directory.
///
/// # Errors
///
/// The directory cannot be made, or a plot cannot be written.
pub(crate) fn plot(results: &Results, directory: &Path) -> Result<()> {
    make(directory)?;
    for group in &results.groups {
        let is_word = |c: char| c.is_ascii_alphanumeric();
        let words: Vec<_> =
            group.name.split(|c| !is_word(c)).filter(|word| !word.is_empty()).collect();
        let file = directory.join(words.join("-").to_lowercase()).with_extension("svg");
        fs::write(&file, svg::plot(group, results.repeats)).map_err(cannot("write", &file))?;
    }
    Ok(())
}

fn make(directory: &Path) -> Result<()> {
    fs::create_dir_all(directory).map_err(cannot("make", directory))
}

/// Says what an error kept from being done, and where.
fn cannot<E: Display>(what: &str, path: &Path) -> impl FnOnce(E) -> Box<dyn Error + Send + Sync> {
    move |error| format!("cannot {what} {}: {error}", path.display()).into()
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use super::*;
    use crate::results::{GroupResults, Machine};

    /// Sees that something fails, and says what it could not do.
    fn fails<T: Debug>(result: Result<T>, what: &str) {
        let error = result.unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot {what}: ")), "{error}");
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        fails(load(Path::new("/dev/null")), "find results in /dev/null");
        fails(load(Path::new("/proc/no-results")), "read /proc/no-results");
    }

    #[test]
    fn what_cannot_be_written_is_named() {
        let group = GroupResults { name: "one way".to_owned(), experiments: Vec::new() };
        let machine = Machine { cores: 2, kernel: String::new(), rustc: String::new() };
        let results = Results { machine, repeats: 1, groups: vec![group] };
        fails(prepare(Path::new("/dev/null")), "make /dev/null");
        fails(prepare(Path::new("/proc")), "write /proc/results.json");
        fails(save(&results, Path::new("/proc")), "write /proc/results.json");
        fails(plot(&results, Path::new("/proc")), "write /proc/one-way.svg");
    }
}
