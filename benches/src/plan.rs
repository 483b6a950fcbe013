//! What is measured in a run: groups of experiments.

mod figure;
mod scale;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::SMALL;
use crate::case::{Case, Placement, Threads, Waits, Work};

pub(crate) use figure::Figure;
pub(crate) use scale::Scale;

/// Experiments that are measured in turn, repeat by repeat, and shown in one plot for each figure.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) name: &'static str,
    pub(crate) experiments: Vec<Experiment>,
}

/// A case with what it is to show.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Experiment {
    pub(crate) name: String,
    pub(crate) case: Case,
    pub(crate) figure: Figure,
    pub(crate) against: Against,
}

/// What a figure is divided by, to give a ratio: one of the same repeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Against {
    /// That of another subject in the same experiment.
    Subject(String),
    /// That of the same subject in another experiment of the group.
    Experiment(String),
    /// Nothing.
    Nothing,
}

impl Experiment {
    pub(crate) fn new(name: &str, work: Work, figure: Figure) -> Self {
        let case = Case {
            work,
            payload: SMALL,
            consumers: 1,
            placement: Placement::Free,
            waits: Waits::Usual,
            threads: Threads::One,
        };
        Self { name: name.to_owned(), case, figure, against: Against::Subject("raw".to_owned()) }
    }

    fn payload(mut self, payload: usize) -> Self {
        self.case.payload = payload;
        self
    }

    fn consumers(mut self, consumers: usize) -> Self {
        self.case.consumers = consumers;
        self
    }

    fn waits(mut self, waits: Waits) -> Self {
        self.case.waits = waits;
        self
    }

    fn placement(mut self, placement: Placement) -> Self {
        self.case.placement = placement;
        self
    }

    /// Two cores, and nobody sleeps.
    fn polling(self) -> Self {
        self.waits(Waits::Polling).placement(Placement::Apart)
    }

    /// Two cores, and everybody sleeps.
    fn parked(self) -> Self {
        self.waits(Waits::Parked).placement(Placement::Apart)
    }

    fn one_core(self) -> Self {
        self.waits(Waits::Parked).placement(Placement::OneCore)
    }

    fn threads(mut self, threads: Threads) -> Self {
        self.case.threads = threads;
        self
    }

    fn against(mut self, against: Against) -> Self {
        self.against = against;
        self
    }

    fn against_experiment(self, name: &str) -> Self {
        self.against(Against::Experiment(name.to_owned()))
    }

    /// Returns how long one measurement may take before it counts as failed.
    pub(crate) fn limit(&self) -> Duration {
        let work = match self.case.work {
            Work::Paced { events, per_second } | Work::Beside { events, per_second } => {
                Duration::from_secs(events / per_second)
            }
            Work::Idle { millis } => Duration::from_millis(millis),
            _ => Duration::ZERO,
        };
        Duration::from_secs(60) + work
    }
}

/// Returns everything there is to measure.
pub(crate) fn groups(scale: &Scale) -> Vec<Group> {
    vec![
        one_way(scale),
        fan_out(scale),
        trips("round trip", scale, |trips| Work::RoundTrip { trips }),
        trips("request", scale, |requests| Work::Request { requests }),
        in_flight(scale),
        large(scale),
        beside(scale),
        python(scale),
        local(scale),
        rest(scale),
        memory(),
        growth(scale),
        topics(scale),
    ]
}

fn one_way(scale: &Scale) -> Group {
    let work = Work::OneWay { events: scale.count(3_000_000) };
    let new = |name| Experiment::new(name, work, Figure::Deliveries);
    Group {
        name: "one way",
        experiments: vec![
            new("one way"),
            new("one way, polling").polling(),
            new("one way, parked").parked(),
            new("one way, several threads").threads(Threads::Several),
        ],
    }
}

fn fan_out(scale: &Scale) -> Group {
    let work = Work::OneWay { events: scale.count(300_000) };
    let new = |name| Experiment::new(name, work, Figure::Deliveries).consumers(8);
    Group {
        name: "fan-out",
        experiments: vec![
            new("to 8 processes"),
            new("to 8 processes, several threads").threads(Threads::Several),
        ],
    }
}

fn trips(name: &'static str, scale: &Scale, work: impl Fn(u64) -> Work) -> Group {
    let new = |kind: &str, count| {
        Experiment::new(&format!("{name}, {kind}"), work(scale.count(count)), Figure::Median)
    };
    Group {
        name,
        experiments: vec![
            new("polling", 100_000).polling(),
            new("parked", 5_000).parked(),
            new("one core", 50_000).one_core(),
            new("main", 5_000).polling().threads(Threads::Main),
            new("several threads", 5_000).threads(Threads::Several),
        ],
    }
}

fn in_flight(scale: &Scale) -> Group {
    let work = Work::InFlight { requests: scale.count(500_000), at_once: 64 };
    let new = |name| Experiment::new(name, work, Figure::Deliveries);
    Group {
        name: "64 in flight",
        experiments: vec![
            new("64 in flight"),
            new("64 in flight, apart").placement(Placement::Apart),
            new("64 in flight, one core").one_core(),
            new("64 in flight, several threads").threads(Threads::Several),
        ],
    }
}

fn large(scale: &Scale) -> Group {
    let new = |name, events, payload| {
        let work = Work::OneWay { events: scale.count(events) };
        Experiment::new(name, work, Figure::Bytes).payload(payload)
    };
    Group {
        name: "large payloads",
        experiments: vec![new("64 KiB", 40_000, 64 << 10), new("1 MiB", 3_000, 1 << 20)],
    }
}

fn beside(scale: &Scale) -> Group {
    // Its frame is to be no longer than those of the default limits.
    const NEARLY_A_FRAME: usize = (16 << 20) - 1024;
    let work = Work::Beside { events: scale.paced(3_000), per_second: 1_000 };
    let new = |name| Experiment::new(name, work, Figure::NinetyNinth).payload(0);
    let several = |name| new(name).threads(Threads::Several);
    Group {
        name: "beside a stream",
        experiments: vec![
            new("alone").against(Against::Nothing),
            new("beside 16 MiB events").payload(NEARLY_A_FRAME).against_experiment("alone"),
            several("alone, several threads").against(Against::Nothing),
            several("beside 16 MiB events, several threads")
                .payload(NEARLY_A_FRAME)
                .against_experiment("alone, several threads"),
        ],
    }
}

fn python(scale: &Scale) -> Group {
    let flat_out = Work::OneWay { events: scale.count(200_000) };
    let paced = Work::Paced { events: scale.paced(2_000), per_second: 500 };
    let new = |name, work, figure| Experiment::new(name, work, figure).payload(1).consumers(10);
    Group {
        name: "Python's benchmark",
        experiments: vec![
            new("10 processes, flat out", flat_out, Figure::Events),
            new("10 processes, 500 events a second", paced, Figure::Median),
        ],
    }
}

fn local(scale: &Scale) -> Group {
    let work = Work::Local { events: scale.count(2_000_000) };
    let new = Experiment::new("within one process", work, Figure::Deliveries).consumers(0);
    Group {
        name: "local",
        experiments: vec![new.against(Against::Subject("async-channel".to_owned()))],
    }
}

fn rest(scale: &Scale) -> Group {
    let idle = Work::Idle { millis: scale.millis(10_000) };
    let paced = Work::Paced { events: scale.paced(5_000), per_second: 1_000 };
    Group {
        name: "processor time",
        experiments: vec![
            Experiment::new("idle", idle, Figure::Load).against(Against::Nothing),
            Experiment::new("1,000 events a second", paced, Figure::Load),
        ],
    }
}

fn memory() -> Group {
    let new = |name, work| {
        let new = Experiment::new(name, work, Figure::BytesEach).consumers(0);
        new.against(Against::Nothing)
    };
    Group {
        name: "memory",
        experiments: vec![
            new("an endpoint", Work::Endpoints { count: 2_000 }),
            new("a connection, both ends", Work::Connections { count: 200 }),
        ],
    }
}

fn growth(scale: &Scale) -> Group {
    let new = |consumers: usize| {
        let events = scale.count(800_000) / consumers as u64;
        let name = format!("{consumers} processes");
        let new = Experiment::new(&name, Work::OneWay { events }, Figure::CpuPerDelivery);
        new.consumers(consumers).against_experiment("8 processes")
    };
    Group { name: "more processes", experiments: vec![new(8), new(32), new(100)] }
}

fn topics(scale: &Scale) -> Group {
    let new = |name, topics| {
        let work = Work::Topics { events: scale.count(500_000), topics };
        Experiment::new(name, work, Figure::CpuPerDelivery).against_experiment("1 topic")
    };
    Group {
        name: "more topics",
        experiments: vec![new("1 topic", 1), new("100 topics", 100), new("10,000 topics", 10_000)],
    }
}
