//! The memory that this process has.

use std::fs::read_to_string;

use crate::Result;

/// Returns the process's share of resident memory (`Pss`). The kernel tells kibibytes, and knows
/// pages only, so it takes the growth by many things to learn what one of them needs.
///
/// # Errors
///
/// The kernel does not tell.
pub fn resident_bytes() -> Result<u64> {
    let rollup = read_to_string("/proc/self/smaps_rollup")?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(kibibytes.ok_or("smaps_rollup has no Pss")?.parse::<u64>()? * 1024)
}
