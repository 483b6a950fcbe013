//! Pauses between attempts, each about twice as long as the one before.

use std::time::Duration;

/// The first pause and the longest.
const FIRST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(1);

/// A sequence of pauses, from 10 ms to 1 s, with jitter so that many who failed together do not
/// try again together.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Self::from(FIRST)
    }

    /// Starts with pauses of about `first`.
    pub(crate) fn from(first: Duration) -> Self {
        Self { first, next: first }
    }

    /// Starts again with the shortest pause, after a success.
    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }

    /// Returns the next pause: between half the current length and all of it.
    pub(crate) fn pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(LONGEST);
        pause.mul_f64(fastrand::f64() / 2.0 + 0.5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_second_and_start_again_after_a_success() {
        let mut backoff = Backoff::new();
        let mut longest = Duration::from_millis(10);
        for _ in 0..20 {
            let pause = backoff.pause();
            assert!(longest / 2 <= pause && pause <= longest, "{pause:?}");
            longest = (longest * 2).min(Duration::from_secs(1));
        }
        backoff.reset();
        assert!(backoff.pause() <= Duration::from_millis(10));
    }

    #[test]
    fn pauses_differ_from_one_sequence_to_the_next() {
        let mut pauses: Vec<_> = (0..20).map(|_| Backoff::new().pause()).collect();
        pauses.sort();
        pauses.dedup();
        assert!(pauses.len() > 10, "{pauses:?}");
    }
}
