//! A table of a group, for a terminal.

use std::collections::BTreeMap;

use crate::outcome::Outcome;
use crate::plan::{Against, Figure};
use crate::results::{ExperimentResults, GroupResults, Spread, SubjectResults, Trouble, short};

/// Prints a group.
pub(crate) fn print(group: &GroupResults, repeats: usize) {
    println!("\n== {}: medians of {repeats} (min - max)", group.name);
    group.experiments.iter().for_each(print_experiment);
}

fn print_experiment(this: &ExperimentResults) {
    let experiment = &this.experiment;
    let against = match &experiment.against {
        Against::Subject(name) => format!("ratio to {name}"),
        Against::Experiment(name) if *name != experiment.name => format!("ratio to {name}"),
        Against::Experiment(_) | Against::Nothing => String::new(),
    };
    println!(
        "\n{:42} {:30} {:>10} {:>10} {:>10}   {against}",
        experiment.name,
        format!("{}, {}", experiment.figure.title(), experiment.figure.unit()),
        companion(experiment.figure).0,
        "cpu out",
        "cpu in",
    );
    for subject in &this.subjects {
        if let Some(figure) = subject.figure {
            print_subject(this, subject, figure);
        }
    }
    let mut cannot = BTreeMap::<&str, Vec<&str>>::new();
    for subject in &this.subjects {
        match &subject.trouble {
            Some(Trouble::Failed(why)) => println!("  {:40} FAILED: {why}", subject.name),
            Some(Trouble::Cannot(why)) => cannot.entry(why).or_default().push(&subject.name),
            None => {}
        }
    }
    for (why, subjects) in cannot {
        println!("  none ({why}): {}", subjects.join(", "));
    }
}

fn print_subject(this: &ExperimentResults, subject: &SubjectResults, figure: Spread) {
    let median = |figure: &dyn Fn(&Outcome) -> Option<f64>| {
        let spread = Spread::of(subject.repeats.iter().filter_map(figure).collect());
        spread.map(|spread| short(spread.median)).unwrap_or_default()
    };
    let case = &this.experiment.case;
    let beside = companion(this.experiment.figure).1;
    let beside = median(&|outcome| beside.and_then(|figure| figure.of(case, outcome)));
    let cpu = |cpu_ns: u64, outcome: &Outcome| {
        let events = outcome.deliveries as f64;
        (events > 0.0).then_some(cpu_ns as f64 / 1e3 / events)
    };
    print!(
        "  {:40} {:30} {:>10} {:>10} {:>10}   {}",
        subject.name,
        written(figure),
        beside,
        median(&|outcome| cpu(outcome.producer_cpu_ns, outcome)),
        median(&|outcome| cpu(outcome.consumer_cpu_ns, outcome)),
        subject.ratio.map(written).unwrap_or_default(),
    );
    let names = subject.repeats.first().map(|outcome| outcome.figures.keys());
    for name in names.into_iter().flatten().filter(|_| this.experiment.figure != Figure::BytesEach)
    {
        print!("   {} {name}", median(&|outcome| outcome.figures.get(name).copied()));
    }
    println!();
}

/// Returns the figure that is shown beside another, and its name.
fn companion(figure: Figure) -> (&'static str, Option<Figure>) {
    match figure {
        Figure::Median => ("p99", Some(Figure::NinetyNinth)),
        Figure::NinetyNinth => ("p50", Some(Figure::Median)),
        Figure::CpuPerDelivery => (Figure::Deliveries.unit(), Some(Figure::Deliveries)),
        _ => ("", None),
    }
}

fn written(spread: Spread) -> String {
    let Spread { median, min, max } = spread;
    format!("{} ({} - {})", short(median), short(min), short(max))
}
