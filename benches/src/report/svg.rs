//! A plot of a group: a panel for each experiment, a row for each subject, a point for the median
//! and a line for the range.

use std::fmt::Write;

use crate::plan::{Against, Figure};
use crate::results::{ExperimentResults, GroupResults, Spread, short};

const WIDTH: f64 = 760.0;
/// Where the axis begins; left of it are names.
const LEFT: f64 = 190.0;
/// Where the axis ends; right of it are medians.
const RIGHT: f64 = 660.0;
const TITLE: f64 = 34.0;
const ROW: f64 = 22.0;
const AXIS: f64 = 46.0;
const TICKS: f64 = 5.0;

const STYLE: &str = "\
svg { background: #fff; color: #1c1c1c; font: 13px sans-serif }
text { fill: currentColor }
.title { font-weight: bold }
.end { text-anchor: end }
.middle { text-anchor: middle }
.grid { stroke: #8888; stroke-width: 1 }
.range { stroke: #1668b8; stroke-width: 2 }
.median { fill: #1668b8 }
@media (prefers-color-scheme: dark) {
svg { background: #16181c; color: #e8e8e8 }
.range { stroke: #6cb2f5 }
.median { fill: #6cb2f5 }
}";

/// Draws a group.
pub(super) fn plot(group: &GroupResults, repeats: usize) -> String {
    let mut panels = String::new();
    let mut top = TITLE;
    for experiment in &group.experiments {
        let rows: Vec<_> = experiment
            .subjects
            .iter()
            .filter_map(|subject| Some((&*subject.name, subject.figure?)))
            .collect();
        panel(&mut panels, top, experiment, &rows, greatest(group, experiment));
        top += TITLE + ROW * rows.len() as f64 + AXIS;
    }
    let title = escaped(&format!("{}: medians of {repeats} and their ranges", group.name));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {top}\" width=\"{WIDTH}\" \
         height=\"{top}\" role=\"img\">\n<title>{title}</title>\n<style>\n{STYLE}\n</style>\n\
         <text class=\"title\" x=\"10\" y=\"22\">{title}</text>\n{panels}</svg>\n"
    )
}

/// Returns the greatest value that the axis has to show. Experiments that are compared have one
/// axis.
fn greatest(group: &GroupResults, this: &ExperimentResults) -> f64 {
    let figure = this.experiment.figure;
    let is_compared =
        |other: &&ExperimentResults| matches!(other.experiment.against, Against::Experiment(_));
    let are_compared = group.experiments.iter().any(|other| is_compared(&other));
    let shown = group.experiments.iter().filter(|other| match are_compared {
        true => other.experiment.figure == figure,
        false => other.experiment.name == this.experiment.name,
    });
    let spreads = shown.flat_map(|other| &other.subjects).filter_map(|subject| subject.figure);
    spreads.map(|spread| spread.max).fold(0.0, f64::max)
}

fn panel(
    out: &mut String,
    top: f64,
    this: &ExperimentResults,
    rows: &[(&str, Spread)],
    greatest: f64,
) {
    let step = step(greatest);
    let end = step * TICKS;
    let x = |value: f64| LEFT + (RIGHT - LEFT) * value / end;
    let (first, bottom) = (top + TITLE, top + TITLE + ROW * rows.len() as f64);
    text(out, "title", 10.0, top + 20.0, &this.experiment.name);
    for tick in 0..=TICKS as u32 {
        let value = step * f64::from(tick);
        line(out, "grid", (x(value), first), (x(value), bottom + 4.0));
        text(out, "middle", x(value), bottom + 18.0, &short(value));
    }
    text(out, "middle", (LEFT + RIGHT) / 2.0, bottom + 35.0, &label(this.experiment.figure));
    for (at, (name, spread)) in rows.iter().enumerate() {
        let y = first + ROW * (at as f64 + 0.5);
        text(out, "end", LEFT - 10.0, y + 4.0, name);
        line(out, "range", (x(spread.min), y), (x(spread.max), y));
        for value in [spread.min, spread.max] {
            line(out, "range", (x(value), y - 5.0), (x(value), y + 5.0));
        }
        // A string holds whatever is written to it.
        let _ = writeln!(
            out,
            "<circle class=\"median\" cx=\"{:.1}\" cy=\"{y:.1}\" r=\"4\"/>",
            x(spread.median)
        );
        text(out, "value", RIGHT + 10.0, y + 4.0, &short(spread.median));
    }
}

fn label(figure: Figure) -> String {
    format!("{}, {}", figure.title(), figure.unit())
}

/// Returns a round number of which few enough reach the greatest value.
fn step(greatest: f64) -> f64 {
    let least = match greatest > 0.0 {
        true => greatest / TICKS,
        false => 1.0,
    };
    let power = 10_f64.powf(least.log10().floor());
    let round = [1.0, 2.0, 2.5, 4.0, 5.0].map(|factor| factor * power);
    round.into_iter().find(|step| *step >= least).unwrap_or(10.0 * power)
}

fn text(out: &mut String, class: &str, x: f64, y: f64, content: &str) {
    let content = escaped(content);
    let _ = writeln!(out, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{content}</text>");
}

fn line(out: &mut String, class: &str, from: (f64, f64), to: (f64, f64)) {
    let ((x1, y1), (x2, y2)) = (from, to);
    let _ = writeln!(
        out,
        "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Work;
    use crate::plan::Experiment;
    use crate::results::SubjectResults;

    fn group() -> GroupResults {
        let experiment =
            Experiment::new("one & <two>", Work::OneWay { events: 1 }, Figure::Deliveries);
        let subject = |name: &str, min, median, max| SubjectResults {
            figure: Some(Spread { median, min, max }),
            ..SubjectResults::new(name)
        };
        let subjects = vec![
            subject("raw", 8.0, 10.0, 12.0),
            subject("other", 4.0, 5.0, 6.0),
            SubjectResults::new("absent"),
        ];
        let experiments = vec![ExperimentResults { experiment, subjects }];
        GroupResults { name: "a group".into(), experiments }
    }

    /// Reads every tag, and fails where they do not nest or a text holds what it must not.
    fn is_well_formed(svg: &str) -> bool {
        let mut open = Vec::new();
        for part in svg.split('<').skip(1) {
            let Some((tag, text)) = part.split_once('>') else { return false };
            if text.contains('>') || tag.matches('"').count() % 2 != 0 {
                return false;
            }
            if let Some(name) = tag.strip_prefix('/') {
                if open.pop() != Some(name) {
                    return false;
                }
            } else if !tag.ends_with('/') {
                open.push(tag.split(' ').next().unwrap_or(tag));
            }
        }
        open.is_empty()
    }

    #[test]
    fn a_plot_is_well_formed_and_shows_who_was_measured() {
        let svg = plot(&group(), 5);
        assert!(is_well_formed(&svg), "{svg}");
        assert!(!is_well_formed(&svg.replacen("</text>", "", 1)));
        assert!(svg.contains("one &amp; &lt;two&gt;"));
        assert_eq!(svg.matches("<circle").count(), 2);
        assert!(svg.contains(">raw<") && !svg.contains(">absent<"));
    }

    #[test]
    fn points_are_where_their_values_are() {
        let svg = plot(&group(), 5);
        // The axis ends at 5 steps of 2.5.
        let x = LEFT + (RIGHT - LEFT) * 10.0 / 12.5;
        assert!(svg.contains(&format!("cx=\"{x:.1}\"")), "{svg}");
    }

    #[test]
    fn an_axis_has_round_steps_and_shows_everything() {
        assert_eq!([12.0, 12.5, 0.9, 101.0, 49.0].map(step), [2.5, 2.5, 0.2, 25.0, 10.0]);
        assert_eq!(step(0.0), 1.0);
    }
}
