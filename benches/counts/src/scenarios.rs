//! What is counted.

use std::fmt;

use lahja_core::{Endpoint, Event, EventStream, Received, Scope};
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::measured::measured;
use crate::stage::{Stage, at_once, begin};

/// How many events are on their way at once.
const ROUND: u64 = 100;

/// An event of the size that the benchmark has, too.
#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(response = Pong)]
struct Ping {
    seq: u64,
    sent_ns: u64,
    #[serde(with = "serde_bytes")]
    payload: Vec<u8>,
}

/// The answer to it.
#[derive(Debug, Serialize, Deserialize, Event)]
struct Pong {
    seq: u64,
    sent_ns: u64,
    #[serde(with = "serde_bytes")]
    payload: Vec<u8>,
}

impl Ping {
    fn new(seq: u64) -> Self {
        Self { seq, sent_ns: 1_533_887_070_928_814_200, payload: vec![7; 64] }
    }
}

impl From<Ping> for Pong {
    fn from(Ping { seq, sent_ns, payload }: Ping) -> Self {
        Self { seq, sent_ns, payload }
    }
}

/// One path of an event through lahja. Making the event is never counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// From `broadcast` into the outgoing bytes of one connection.
    Broadcast,
    /// The same for eight connections.
    BroadcastToEight,
    /// From a connection's incoming bytes into the queue of a subscription, with no decoding.
    Dispatch,
    /// From that queue to the consumer: decoding, and returning credit.
    Decode,
    /// From `broadcast` to a consumer of the same endpoint.
    Local,
    /// A request, its handler, and the response, one at a time. Each leaves at once.
    Request,
    /// The same with a whole round of requests in flight.
    InFlight,
    /// An event from end to end, the transport in memory and the executor included.
    OneWay,
}

impl Scenario {
    pub(crate) const ALL: [Self; 8] = [
        Self::Broadcast,
        Self::BroadcastToEight,
        Self::Dispatch,
        Self::Decode,
        Self::Local,
        Self::Request,
        Self::InFlight,
        Self::OneWay,
    ];

    /// # Errors
    ///
    /// There is no such scenario.
    pub(crate) fn named(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|scenario| scenario.name() == name);
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("`{name}` is no scenario; there are {names}").into()
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Broadcast => "broadcast",
            Self::BroadcastToEight => "broadcast-8",
            Self::Dispatch => "dispatch",
            Self::Decode => "decode",
            Self::Local => "local",
            Self::Request => "request",
            Self::InFlight => "in-flight",
            Self::OneWay => "one-way",
        }
    }

    /// Sends `count` events. Returns how many allocations were made on the path.
    ///
    /// # Errors
    ///
    /// These are no whole rounds.
    pub(crate) fn run(self, count: u64) -> Result<usize> {
        if count % ROUND != 0 {
            return Err(format!("{count} events are no rounds of {ROUND}").into());
        }
        let rounds = count / ROUND;
        Ok(match self {
            Self::BroadcastToEight => broadcasts(self, 8, rounds),
            Self::Broadcast | Self::Dispatch | Self::Decode | Self::OneWay => {
                broadcasts(self, 1, rounds)
            }
            Self::Local => local(rounds),
            Self::Request => requests(rounds),
            Self::InFlight => in_flight(rounds),
        })
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Sends events to peers, and counts the steps that belong to the scenario.
fn broadcasts(scenario: Scenario, peers: usize, rounds: u64) -> usize {
    let stage = Stage::new(peers);
    let mut streams: Vec<_> = stage.peers.iter().map(Endpoint::stream::<Ping>).collect();
    stage.drive(stage.near.wait_until_subscribed::<Ping>(Scope::All));
    let mut allocations = 0;
    let mut step =
        |counts_in: &[Scenario], work: &mut dyn FnMut()| match counts_in.contains(&scenario) {
            true => allocations += measured(work),
            false => work(),
        };
    use Scenario::{Broadcast, BroadcastToEight, Decode, Dispatch, OneWay};
    for round in 0..rounds {
        let mut events = events(round);
        step(&[Broadcast, BroadcastToEight, OneWay], &mut || broadcast(&stage.near, &mut events));
        step(&[OneWay], &mut || stage.run_near());
        step(&[Dispatch, OneWay], &mut || stage.run_far());
        step(&[Decode, OneWay], &mut || {
            for stream in &mut streams {
                consume(stream, round);
            }
        });
        step(&[OneWay], &mut || {
            stage.run_far();
            stage.run_near();
        });
    }
    allocations
}

fn local(rounds: u64) -> usize {
    let stage = Stage::new(0);
    let mut stream = stage.near.stream::<Ping>();
    let mut allocations = 0;
    for round in 0..rounds {
        let mut events = events(round);
        allocations += measured(&mut || {
            broadcast(&stage.near, &mut events);
            consume(&mut stream, round);
        });
    }
    allocations
}

fn requests(rounds: u64) -> usize {
    let stage = answering();
    let mut allocations = 0;
    for round in 0..rounds {
        let mut events = events(round);
        allocations += measured(&mut || {
            for event in events.drain(..) {
                let seq = event.seq;
                stage.pass_time();
                let response = stage.drive(stage.near.request(event).into_future());
                assert_eq!(response.expect("the peer answers").seq, seq);
            }
        });
    }
    allocations
}

fn in_flight(rounds: u64) -> usize {
    let stage = answering();
    let mut allocations = 0;
    let mut waiting = Vec::with_capacity(ROUND as usize);
    for round in 0..rounds {
        let mut events = events(round);
        allocations += measured(&mut || {
            for event in events.drain(..) {
                let mut request = stage.near.request(event).into_future();
                begin(&mut request);
                waiting.push(request);
            }
            stage.run_near();
            stage.run_far();
            stage.run_near();
            for (seq, request) in (round * ROUND..).zip(waiting.drain(..)) {
                assert_eq!(at_once(request).expect("the peer answers").seq, seq);
            }
        });
    }
    allocations
}

/// Returns a stage whose only peer answers.
fn answering() -> Stage {
    let stage = Stage::new(1);
    stage.peers[0].answer(|ping: Received<Ping>| Pong::from(ping.into_inner())).detach();
    stage.drive(stage.near.wait_until_subscribed::<Ping>(Scope::All));
    stage
}

/// Makes the events of a round.
fn events(round: u64) -> Vec<Ping> {
    (round * ROUND..(round + 1) * ROUND).map(Ping::new).collect()
}

fn broadcast(endpoint: &Endpoint, events: &mut Vec<Ping>) {
    for event in events.drain(..) {
        at_once(endpoint.broadcast(event)).expect("the endpoint is open");
    }
}

/// Takes all events of a round.
fn consume(stream: &mut EventStream<Ping>, round: u64) {
    for seq in round * ROUND..(round + 1) * ROUND {
        let event = at_once(stream.next()).expect("the endpoint is open");
        assert_eq!(event.expect("nothing is lost").seq, seq);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_comes_to_its_end() {
        for scenario in Scenario::ALL {
            scenario.run(20 * ROUND).unwrap();
        }
    }
}
