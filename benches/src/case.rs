//! What is measured: one workload, with everything that is the same for all subjects.

use serde::{Deserialize, Serialize};

/// What a subject is asked to do once. Its counts are as large as the run asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// The kind of work, and how much of it.
    pub work: Work,
    /// The length of each event's payload, in bytes.
    pub payload: usize,
    /// How many consumer processes there are.
    pub consumers: usize,
    /// Where the processes run. They are bound before a subject is called.
    pub placement: Placement,
    /// How an end waits for the other's bytes.
    pub waits: Waits,
    /// Who runs an asynchronous subject's tasks.
    pub threads: Threads,
}

/// A kind of work, and how much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Work {
    /// The producer sends events as fast as they go; each consumer gets all of them.
    OneWay {
        /// How many.
        events: u64,
    },
    /// The producer sends an event and waits for the consumer's event, which carries the same.
    RoundTrip {
        /// How often.
        trips: u64,
    },
    /// The producer makes one request at a time. A subject without requests does a round trip.
    Request {
        /// How many.
        requests: u64,
    },
    /// The producer makes requests, and has so many of them unanswered at any time.
    InFlight {
        /// How many in all.
        requests: u64,
        /// How many at once.
        at_once: u64,
    },
    /// The producer sends events at a steady rate. Each consumer measures how long each took, from
    /// its `sent_ns`.
    Paced {
        /// How many.
        events: u64,
        /// How many a second.
        per_second: u64,
    },
    /// As `Paced`, for small events of one topic, while large ones of another, of as many bytes as
    /// the case's payload, go to the same consumer as fast as they can. Without a payload, no large
    /// ones go.
    Beside {
        /// How many small events.
        events: u64,
        /// How many small events a second.
        per_second: u64,
    },
    /// Events within one process. There is no consumer process.
    Local {
        /// How many.
        events: u64,
    },
    /// As `OneWay`, where so many topics are subscribed to at the producer. The events are spread over
    /// them, or over as many as the subject can have types for.
    Topics {
        /// How many events.
        events: u64,
        /// How many topics.
        topics: u64,
    },
    /// The producer and the consumer are connected and nothing is sent.
    Idle {
        /// For how long.
        millis: u64,
    },
    /// Endpoints are made within one process, connected to nothing.
    Endpoints {
        /// How many.
        count: u64,
    },
    /// Connections are made within one process, both ends of each.
    Connections {
        /// How many.
        count: u64,
    },
}

impl Work {
    /// Returns how many events the producer sends, or requests it makes.
    pub fn count(self) -> u64 {
        match self {
            Self::OneWay { events }
            | Self::Paced { events, .. }
            | Self::Beside { events, .. }
            | Self::Local { events }
            | Self::Topics { events, .. } => events,
            Self::RoundTrip { trips } => trips,
            Self::Request { requests } | Self::InFlight { requests, .. } => requests,
            Self::Endpoints { count } | Self::Connections { count } => count,
            Self::Idle { .. } => 0,
        }
    }

    /// Returns the same work with fewer events, one at least, where they go as fast as they can.
    pub(crate) fn divided(mut self, by: u64) -> Self {
        match &mut self {
            Self::OneWay { events: count }
            | Self::RoundTrip { trips: count }
            | Self::Request { requests: count }
            | Self::InFlight { requests: count, .. }
            | Self::Local { events: count }
            | Self::Topics { events: count, .. } => *count = (*count / by).max(1),
            Self::Paced { .. } | Self::Beside { .. } | Self::Idle { .. } => {}
            Self::Endpoints { .. } | Self::Connections { .. } => {}
        }
        self
    }
}

/// Where the processes run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Placement {
    /// Wherever the system puts them, as most programs have it.
    Free,
    /// The producer on one core, the consumers on another.
    Apart,
    /// All on one core.
    OneCore,
}

/// How an end waits for the other's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Waits {
    /// As the subject does by default. The raw socket sleeps.
    Usual,
    /// It asks again and again: the raw socket always, others if and as long as they can.
    Polling,
    /// It sleeps.
    Parked,
}

/// Who runs an asynchronous subject's tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Threads {
    /// One thread of each process; the subject's own code is one of the tasks.
    One,
    /// Two or more threads of each process.
    Several,
    /// One thread, and the subject's own code is what the executor is run with, no task of it.
    Main,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_the_same_for_the_processes_that_get_it() {
        let case = Case {
            work: Work::InFlight { requests: 1_000, at_once: 64 },
            payload: 64,
            consumers: 1,
            placement: Placement::OneCore,
            waits: Waits::Parked,
            threads: Threads::Several,
        };
        let text = serde_json::to_string(&case).unwrap();
        assert_eq!(serde_json::from_str::<Case>(&text).unwrap(), case);
    }

    #[test]
    fn work_with_a_pace_is_not_divided() {
        let paced = Work::Paced { events: 10, per_second: 5 };
        assert_eq!(paced.divided(10), paced);
        assert_eq!(Work::OneWay { events: 25 }.divided(10), Work::OneWay { events: 2 });
        assert_eq!(Work::OneWay { events: 5 }.divided(10), Work::OneWay { events: 1 });
    }
}
