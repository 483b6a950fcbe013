//! How the producer and its consumers agree when the work begins and ends, beside what is measured:
//! a Unix socket in the measurement's own directory, and lines of text.
//!
//! A consumer connects and says `ready INDEX`; the producer says `go`, if the consumer waits for
//! that; the consumer says `done TALLY`, with a [`Tally`] as JSON.

mod children;

use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::case::{Case, Work};
use crate::meter::{cpu_ns, monotonic_ns};
use crate::payload::Parcel;

pub use children::Children;

/// The variable that names the measurement's own directory.
pub(crate) const DIRECTORY: &str = "LAHJA_BENCH_DIR";

/// Returns the measurement's own directory, for sockets and the like. It is removed afterwards.
///
/// # Errors
///
/// The process is not part of a measurement.
pub fn directory() -> Result<PathBuf> {
    Ok(std::env::var_os(DIRECTORY).ok_or("this process is not part of a measurement")?.into())
}

fn path() -> Result<PathBuf> {
    Ok(directory()?.join("control"))
}

/// What a consumer has received.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How many events.
    pub received: u64,
    /// When the last one came, on the clock of [`monotonic_ns`].
    pub end_ns: u64,
    /// The process's processor time from the first event to the last.
    pub cpu_ns: u64,
    /// How long each took, if the work is about that.
    pub latencies_ns: Vec<u64>,
}

impl Tally {
    /// Says what it cost to receive nothing since the process's [processor time](crate::cpu_ns) was
    /// `start_ns`.
    pub fn idle(start_ns: u64) -> Self {
        Self { end_ns: monotonic_ns(), cpu_ns: cpu_ns() - start_ns, ..Self::default() }
    }
}

/// Counts what a consumer receives, and sees to it that it is all and in order.
#[derive(Debug, Clone)]
pub struct Receipt {
    expected: u64,
    payload: usize,
    is_timed: bool,
    tally: Tally,
}

impl Receipt {
    /// Expects the events of a case.
    pub fn new(case: &Case) -> Self {
        let is_timed = matches!(case.work, Work::Paced { .. } | Work::Beside { .. });
        let payload = match case.work {
            Work::Beside { .. } => crate::SMALL,
            _ => case.payload,
        };
        Self { expected: case.work.count(), payload, is_timed, tally: Tally::default() }
    }

    /// Takes an event.
    ///
    /// # Panics
    ///
    /// Panics if it is not the one that is due.
    pub fn take(&mut self, parcel: &Parcel) {
        self.take_parts(parcel.seq, parcel.sent_ns, &parcel.payload);
    }

    /// Takes an event that is no parcel.
    ///
    /// # Panics
    ///
    /// Panics if it is not the one that is due.
    pub fn take_parts(&mut self, seq: u64, sent_ns: u64, payload: &[u8]) {
        let tally = &mut self.tally;
        assert_eq!(seq, tally.received, "an event is lost, or came twice, or out of order");
        // The compiler could do without bytes that nobody looks at.
        assert_eq!(black_box(payload).len(), self.payload, "an event came with another payload");
        if self.is_timed {
            tally.latencies_ns.push(monotonic_ns().saturating_sub(sent_ns));
        }
        if tally.received == 0 {
            tally.cpu_ns = cpu_ns();
        }
        tally.received += 1;
        if tally.received == self.expected {
            tally.end_ns = monotonic_ns();
            tally.cpu_ns = cpu_ns() - tally.cpu_ns;
        }
    }

    /// Returns how many have come.
    pub fn received(&self) -> u64 {
        self.tally.received
    }

    /// Tells whether all have come.
    pub fn is_complete(&self) -> bool {
        self.tally.received == self.expected
    }

    /// Returns what was received.
    ///
    /// # Errors
    ///
    /// Something is missing.
    pub fn tally(self) -> Result<Tally> {
        match self.is_complete() {
            true => Ok(self.tally),
            false => {
                Err(format!("{} of {} events came", self.tally.received, self.expected).into())
            }
        }
    }
}

/// The consumer's side.
#[derive(Debug)]
pub struct Control {
    link: Link,
}

impl Control {
    /// Connects to the producer, and says that this consumer is ready.
    ///
    /// # Errors
    ///
    /// There is no producer.
    pub fn ready(index: usize) -> Result<Self> {
        let mut link = Link::new(UnixStream::connect(path()?)?)?;
        link.say(&format!("ready {index}"))?;
        Ok(Self { link })
    }

    /// Waits, blocking, until the producer says go. A consumer that just takes what comes needs not.
    ///
    /// # Errors
    ///
    /// The producer is gone.
    pub fn wait_for_go(&mut self) -> Result<()> {
        self.link.hear("go").map(drop)
    }

    /// Says that everything has come.
    ///
    /// # Errors
    ///
    /// The producer is gone.
    pub fn done(mut self, tally: &Tally) -> Result<()> {
        self.link.say(&format!("done {}", serde_json::to_string(tally)?))
    }
}

/// A connection, of either side.
#[derive(Debug)]
struct Link {
    reader: BufReader<UnixStream>,
}

impl Link {
    fn new(stream: UnixStream) -> Result<Self> {
        Ok(Self { reader: BufReader::new(stream) })
    }

    fn say(&mut self, line: &str) -> Result<()> {
        Ok(self.reader.get_mut().write_all(format!("{line}\n").as_bytes())?)
    }

    /// Waits for a line that begins with a word, and returns the rest.
    fn hear(&mut self, word: &str) -> Result<String> {
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 {
            return Err(format!("the other end has gone before it said {word}").into());
        }
        match line.strip_prefix(word) {
            Some(rest) => Ok(rest.trim().to_owned()),
            None => Err(format!("{word} was due, {line:?} came").into()),
        }
    }
}
