//! The lahja of Python: a program of its own, which `python/lahja_bench.py` is, for each end.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use lahja_bench::{
    Answer, Case, Children, Control, Latencies, Outcome, Result, Subject, Tally, Work, directory,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::measured::unwanted;
use crate::shape::Shape;

/// The variable that names a Python which has lahja.
const PYTHON: &str = "LAHJA_BENCH_PYTHON";

const PROGRAM: &str = include_str!("../python/lahja_bench.py");

/// The lahja of Python, with one of its endpoints.
pub(crate) enum Python {
    Asyncio,
    Trio,
}

/// What the producer says.
#[derive(Deserialize)]
struct Measurement {
    start_ns: u64,
    end_ns: u64,
    cpu_ns: u64,
    latencies_ns: Vec<u64>,
}

impl Python {
    fn start(&self, python: OsString, case: &Case, index: Option<usize>) -> Result<Process> {
        let endpoint = match self {
            Self::Asyncio => "asyncio",
            Self::Trio => "trio",
        };
        let shape = match Shape::of(case) {
            Shape::There | Shape::Everywhere => "there",
            Shape::ThereAndBack => "there-and-back",
        };
        let at_once = match case.work {
            Work::InFlight { at_once, .. } => at_once,
            _ => 1,
        };
        let per_second = match case.work {
            Work::Paced { per_second, .. } => per_second,
            _ => 0,
        };
        let mut command = Command::new(python);
        command.args(["-c", PROGRAM, endpoint, shape]);
        command.args([case.work.count(), case.payload as u64].map(|number| number.to_string()));
        command.args([case.consumers as u64, at_once, per_second].map(|number| number.to_string()));
        command.arg(directory()?).args(index.map(|index| index.to_string()));
        Process::start(command)
    }
}

impl Subject for Python {
    fn name(&self) -> &'static str {
        match self {
            Self::Asyncio => "Python lahja asyncio",
            Self::Trio => "Python lahja trio",
        }
    }

    fn slowness(&self) -> u64 {
        match self {
            Self::Asyncio => 30,
            Self::Trio => 100,
        }
    }

    fn measure(&self, case: &Case) -> Result<Answer> {
        let Some(python) = std::env::var_os(PYTHON) else {
            return Ok(Answer::cannot(format!("{PYTHON} names no Python with lahja")));
        };
        if let Some(why) = unwanted(case) {
            return Ok(Answer::cannot(why));
        }
        let mut process = self.start(python, case, None)?;
        process.hear("ready")?;
        let mut children = Children::new(self, case)?;
        children.start_all()?;
        children.wait_until_ready()?;
        process.say("go")?;
        let measurement: Measurement = process.result()?;
        let is_answered = Shape::of(case) == Shape::ThereAndBack;
        if is_answered {
            children.go()?;
        }
        let tallies = children.wait_until_done()?;
        process.end()?;
        children.wait_until_ended()?;
        let last_ns = tallies.iter().map(|tally| tally.end_ns).max();
        let end_ns = if is_answered { None } else { last_ns }.unwrap_or(measurement.end_ns);
        let outcome = Outcome {
            elapsed_ns: end_ns.saturating_sub(measurement.start_ns),
            events: case.work.count(),
            producer_cpu_ns: measurement.cpu_ns,
            ..Outcome::default()
        };
        let latencies = Latencies::of(measurement.latencies_ns);
        Ok(outcome.with_latencies(latencies).with_tallies(&tallies).into())
    }

    fn child(&self, case: &Case, index: usize) -> Result<()> {
        let python = std::env::var_os(PYTHON).ok_or("there is no Python")?;
        let mut process = self.start(python, case, Some(index))?;
        process.hear("ready")?;
        let mut control = Control::ready(index)?;
        let tally: Tally = process.result()?;
        if Shape::of(case) == Shape::ThereAndBack {
            control.wait_for_go()?;
        }
        control.done(&tally)?;
        process.end()
    }
}

/// A process that is spoken with in lines.
struct Process {
    process: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Process {
    fn start(mut command: Command) -> Result<Self> {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let stdin = process.stdin.take().ok_or("its input is a pipe")?;
        let stdout = process.stdout.take().ok_or("its output is a pipe")?;
        Ok(Self { process, stdin, stdout: BufReader::new(stdout) })
    }

    fn say(&mut self, line: &str) -> Result<()> {
        Ok(writeln!(self.stdin, "{line}")?)
    }

    fn hear(&mut self, line: &str) -> Result<()> {
        match self.line()? {
            heard if heard == line => Ok(()),
            heard => Err(format!("{line} was due from Python, {heard:?} came").into()),
        }
    }

    fn result<T: DeserializeOwned>(&mut self) -> Result<T> {
        Ok(serde_json::from_str(&self.line()?)?)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.stdout.read_line(&mut line)? == 0 {
            return Err(format!("Python has ended: {}", self.process.wait()?).into());
        }
        Ok(line.trim_end().to_owned())
    }

    /// Waits until it has ended, which it does without input.
    fn end(self) -> Result<()> {
        let Self { mut process, stdin, mut stdout } = self;
        drop(stdin);
        stdout.read_to_end(&mut Vec::new())?;
        match process.wait()? {
            status if status.success() => Ok(()),
            status => Err(format!("Python has failed: {status}").into()),
        }
    }
}
