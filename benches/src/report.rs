//! What is printed: medians, and the ratio pair by pair.

use std::time::Duration;

use crate::work::Work;

/// The pairs of one workload.
pub(crate) struct Report {
    name: &'static str,
    work: Work,
    pairs: Vec<(Duration, Duration)>,
}

impl Report {
    pub(crate) fn print_head() {
        println!("{:22} {:>14} {:>14} {:>22}", "", "raw", "lahja", "ratio (min - max)");
    }

    pub(crate) fn new(name: &'static str, work: Work) -> Self {
        let pairs = Vec::new();
        Self { name, work, pairs }
    }

    pub(crate) fn add(&mut self, raw: Duration, lahja: Duration) {
        self.pairs.push((raw, lahja));
    }

    /// Prints rates for what is about throughput, times for what is about latency; the ratio is
    /// lahja's figure over the raw one's.
    pub(crate) fn print(&self) {
        let count = self.work.count() as f64;
        let rate = |took: Duration| count / took.as_secs_f64() / 1e6;
        let time = |took: Duration| took.as_secs_f64() * 1e6 / count;
        let (figure, unit): (&dyn Fn(Duration) -> f64, _) = match self.work {
            Work::OneWay(_) => (&rate, "M/s"),
            Work::RoundTrip(_) | Work::Request(_) => (&time, "us"),
        };
        let sorted = |of: &dyn Fn(&(Duration, Duration)) -> f64| {
            let mut figures: Vec<f64> = self.pairs.iter().map(of).collect();
            figures.sort_by(f64::total_cmp);
            figures
        };
        let raw = sorted(&|pair| figure(pair.0));
        let lahja = sorted(&|pair| figure(pair.1));
        let ratios = sorted(&|pair| figure(pair.1) / figure(pair.0));
        let middle = ratios.len() / 2;
        println!(
            "{:22} {:>10.2} {unit:3} {:>10.2} {unit:3} {:>8.2} ({:.2} - {:.2})",
            self.name,
            raw[middle],
            lahja[middle],
            ratios[middle],
            ratios[0],
            ratios[ratios.len() - 1],
        );
    }
}
