//! What is measured in a run: groups of experiments.

mod experiment;
mod figure;
mod scale;

use crate::case::{Placement, Threads, Work};

pub(crate) use experiment::{Against, Experiment};
pub(crate) use figure::Figure;
pub(crate) use scale::Scale;

/// Experiments that are measured in turn, repeat by repeat, and shown in one plot, each in a panel.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) name: &'static str,
    pub(crate) experiments: Vec<Experiment>,
}

/// Returns everything there is to measure.
///
/// Streams to one consumer and to eight go on for a quarter of a second or so where they are fast: in much
/// less, how they begin weighs, and what else the machine does.
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
    let work = Work::OneWay { events: scale.count(10_000_000) };
    let new = |name| Experiment::new(name, work, Figure::Deliveries);
    Group {
        name: "one way",
        experiments: vec![
            new("one way"),
            new("one way, parked").parked(),
            new("one way, several threads").threads(Threads::Several),
        ],
    }
}

fn fan_out(scale: &Scale) -> Group {
    let work = Work::OneWay { events: scale.count(1_000_000) };
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
    // Each consumer receives as many, so that what its first events cost weighs the same.
    let events = scale.count(100_000);
    let new = |consumers: usize| {
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
