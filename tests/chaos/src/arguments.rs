//! The command lines, which are options with a number each.

use crate::Result;

/// Reads `--name N` again and again.
pub fn options(arguments: &[String]) -> impl Iterator<Item = Result<(&str, u64)>> {
    arguments.chunks(2).map(|option| {
        let name = option[0].as_str();
        let value = option.get(1).and_then(|value| value.parse().ok());
        Ok((name, value.ok_or_else(|| format!("{name} needs a number"))?))
    })
}
