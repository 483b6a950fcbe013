//! What a process holds of the system.

use std::fs;
use std::io;
use std::time::Duration;

use smol::Timer;

/// What a process holds of the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Open descriptors.
    pub descriptors: usize,
    /// Threads that run.
    pub threads: usize,
}

impl Held {
    /// Counts what this process holds.
    ///
    /// # Errors
    ///
    /// The system does not tell.
    pub fn count() -> io::Result<Self> {
        Ok(Self {
            // One is that of the listing.
            descriptors: fs::read_dir("/proc/self/fd")?.count() - 1,
            threads: fs::read_dir("/proc/self/task")?.count(),
        })
    }

    /// Counts for a fifth of a second, while what is about to go goes.
    ///
    /// # Errors
    ///
    /// The system does not tell.
    pub async fn least() -> io::Result<Self> {
        let mut least = Self::count()?;
        for _ in 0..10 {
            Timer::after(Duration::from_millis(20)).await;
            let now = Self::count()?;
            least.descriptors = least.descriptors.min(now.descriptors);
            least.threads = least.threads.min(now.threads);
        }
        Ok(least)
    }

    /// Counts until it is what is expected, for two seconds at most.
    ///
    /// # Errors
    ///
    /// The system does not tell.
    pub async fn settle(expected: Self) -> io::Result<Self> {
        for _ in 0..100 {
            if Self::count()? == expected {
                break;
            }
            Timer::after(Duration::from_millis(20)).await;
        }
        Self::count()
    }
}

/// Returns how many bytes of memory a process has in use, unless it has ended.
pub fn resident(process: u32) -> Option<u64> {
    let statm = fs::read_to_string(format!("/proc/{process}/statm")).ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}
