//! The bounds that an endpoint keeps, and their defaults.

use std::time::Duration;

/// The lowest limit for frames that an endpoint may have, in bytes.
pub(crate) const MIN_FRAME: u32 = 256;

/// What an endpoint allows itself and its peers.
///
/// Every queue, table and frame has a bound. The defaults suit events of up to a few megabytes;
/// change single fields of [`Limits::default`] for anything else.
///
/// # Examples
///
/// ```
/// use lahja_core::Limits;
///
/// let mut limits = Limits::default();
/// limits.frame = 64 * 1024;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The longest frame, in bytes, sent or received, and the longest event, in however many parts
    /// it comes; at least 256. Default: 16 MiB.
    pub frame: u32,
    /// The deepest nesting of an event's value. Default: 64.
    pub depth: usize,
    /// What each peer may send on each topic before this endpoint has consumed it, in bytes: those of
    /// the encoded events, and 16 for each. One event may exceed it. Default: 384 KiB.
    ///
    /// Small events wait as they came if their topic has one subscription here, which loses nothing and has
    /// no predicate. Those that came together share memory of at most twice their length, which is freed
    /// when the consumer asks for another event after the last of them.
    pub window: u32,
    /// What may wait for one connection's transport, in bytes, before events and responses wait
    /// to be queued. One frame may exceed it. Default: 512 KiB.
    pub backlog: usize,
    /// How many events a subscription queues, where it does not say otherwise: of this endpoint itself,
    /// and if it may drop events, of peers as well. Default: 1,024.
    pub capacity: usize,
    /// What a subscription queues that may drop events, in bytes, however many events that are: bytes
    /// as they came from peers, and the type's size in memory for each event of this endpoint itself. One
    /// event may exceed it. Default: 4 MiB.
    pub queue: usize,
    /// Topics announced on one connection, by either end. Default: 4,096.
    pub topics: u32,
    /// Requests in flight on one connection, in each direction; at least 1. Default: 4,096.
    pub requests: u32,
    /// How long a request may take, where it does not say otherwise. Default: 30 s.
    pub request_timeout: Duration,
    /// How long producers wait for a consumer that consumes nothing before they go on without
    /// it, from when the first of them had to wait, whether that one waits still or not.
    /// Default: 10 s.
    pub stalled_after: Duration,
    /// How long a handshake, and connecting with all its retries, may take. Default: 10 s.
    pub handshake_timeout: Duration,
    /// The longest frame, in bytes, before the handshake is done. Default: 4 KiB.
    pub handshake_frame: u32,
    /// Handshakes that a server conducts at once; one more ends the oldest. Default: 64.
    pub handshakes: usize,
    /// How long a connection that finds nothing to read asks its transport again before it sleeps,
    /// if that has paid lately. It makes whatever comes within that time several times faster, as
    /// waking a sleeping process takes longer than the rest of a round trip, and costs the time of
    /// a core while frames come that often. After a read of 128 frames or more it sleeps at once: to be
    /// woken is little for each of so many. Zero turns it off, and so does a single core.
    ///
    /// Meanwhile the executor is never idle. An executor that looks after something only when it is
    /// idle, or only now and then, serves it late: smol's polls the future that `Executor::run` is
    /// given once in 200 tasks. Spawn what is to be fast. Default: 100 us.
    pub poll_for: Duration,
}

impl Limits {
    /// Raises what is too low for anything to be sent.
    pub(crate) fn raised(mut self) -> Self {
        self.frame = self.frame.max(MIN_FRAME);
        self.requests = self.requests.max(1);
        self.backlog = self.backlog.max(1);
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame: 16 << 20,
            depth: 64,
            window: 384 << 10,
            backlog: 512 << 10,
            capacity: 1_024,
            queue: 4 << 20,
            topics: 4_096,
            requests: 4_096,
            request_timeout: Duration::from_secs(30),
            stalled_after: Duration::from_secs(10),
            handshake_timeout: Duration::from_secs(10),
            handshake_frame: 4 << 10,
            handshakes: 64,
            poll_for: Duration::from_micros(100),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(count: usize) -> String {
        match count {
            count if count % (1 << 20) == 0 => format!("{} MiB", count >> 20),
            count => format!("{} KiB", count >> 10),
        }
    }

    fn number(count: usize) -> String {
        match count {
            count if count < 1_000 => count.to_string(),
            count => format!("{},{:03}", count / 1_000, count % 1_000),
        }
    }

    fn time(duration: Duration) -> String {
        match duration.subsec_micros() {
            0 => format!("{} s", duration.as_secs()),
            micros => format!("{micros} us"),
        }
    }

    #[test]
    fn the_defaults_are_as_documented() {
        let limits = Limits::default();
        let defaults = [
            bytes(limits.frame as usize),
            number(limits.depth),
            bytes(limits.window as usize),
            bytes(limits.backlog),
            number(limits.capacity),
            bytes(limits.queue),
            number(limits.topics as usize),
            number(limits.requests as usize),
            time(limits.request_timeout),
            time(limits.stalled_after),
            time(limits.handshake_timeout),
            bytes(limits.handshake_frame as usize),
            number(limits.handshakes),
            time(limits.poll_for),
        ];
        let docs =
            include_str!("limits.rs").lines().map(|line| line.trim().trim_start_matches("///"));
        let docs = docs.collect::<String>();
        let declared = docs.split_once("pub struct Limits").unwrap().1;
        let declared = declared.split_once("impl Limits").unwrap().0;
        let documented: Vec<_> = declared
            .split("Default: ")
            .skip(1)
            .map(|text| text.split_once('.').unwrap().0)
            .collect();
        assert_eq!(documented, defaults);
    }
}
