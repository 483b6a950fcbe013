//! What is printed: medians, and the ratios to the raw socket, repeat by repeat.

use std::time::Duration;

use crate::work::Work;

/// How long one repeat took.
pub(crate) struct Times {
    pub(crate) raw: Duration,
    pub(crate) bare: Option<Duration>,
    pub(crate) lahja: Duration,
}

/// The repeats of one workload.
pub(crate) struct Report {
    name: &'static str,
    work: Work,
    repeats: Vec<Times>,
}

impl Report {
    pub(crate) fn print_head() {
        println!(
            "{:22} {:>12} {:>12} {:>12}   ratios to raw (min - max)",
            "", "raw", "bare smol", "lahja"
        );
    }

    pub(crate) fn new(name: &'static str, work: Work) -> Self {
        Self { name, work, repeats: Vec::new() }
    }

    pub(crate) fn add(&mut self, times: Times) {
        self.repeats.push(times);
    }

    /// Prints rates for what is about throughput, times for what is about latency; a ratio is one
    /// figure over the raw one's of the same repeat.
    pub(crate) fn print(&self) {
        let raw = self.sorted(|times| Some(self.figure(times.raw)));
        let bare = self.sorted(|times| times.bare.map(|took| self.figure(took)));
        let lahja = self.sorted(|times| Some(self.figure(times.lahja)));
        let to_raw = |took, times: &Times| self.figure(took) / self.figure(times.raw);
        let bare_to_raw = self.sorted(|times| times.bare.map(|took| to_raw(took, times)));
        let lahja_to_raw = self.sorted(|times| Some(to_raw(times.lahja, times)));
        let unit = match self.work {
            Work::OneWay(_) => "M/s",
            Work::RoundTrip(_) | Work::Request(_) => "us",
        };
        print!("{:22}", self.name);
        for figures in [raw, bare, lahja] {
            match middle(&figures) {
                Some(figure) => print!(" {figure:>8.2} {unit:3}"),
                None => print!(" {:12}", ""),
            }
        }
        for (name, ratios) in [("lahja", lahja_to_raw), ("bare smol", bare_to_raw)] {
            if let (Some(ratio), Some(min), Some(max)) =
                (middle(&ratios), ratios.first(), ratios.last())
            {
                print!("   {name} {ratio:.2} ({min:.2} - {max:.2})");
            }
        }
        println!();
    }

    fn figure(&self, took: Duration) -> f64 {
        let count = self.work.count() as f64;
        match self.work {
            Work::OneWay(_) => count / took.as_secs_f64() / 1e6,
            Work::RoundTrip(_) | Work::Request(_) => took.as_secs_f64() * 1e6 / count,
        }
    }

    fn sorted(&self, figure: impl Fn(&Times) -> Option<f64>) -> Vec<f64> {
        let mut figures: Vec<f64> = self.repeats.iter().filter_map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures
    }
}

fn middle(sorted: &[f64]) -> Option<f64> {
    sorted.get(sorted.len() / 2).copied()
}
