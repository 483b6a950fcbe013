//! Two builds of one program on one bus.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use lahja_contract::scratch::Scratch;
use lahja_skew::{CONSUMER, DONE};

const OLD: &str = env!("CARGO_BIN_EXE_old-build");
const NEW: &str = env!("CARGO_BIN_EXE_new-build");

/// What both builds define alike.
const ALIKE: [&str; 2] = ["same", "moved"];

/// What they do not.
const DIFFERENT: [&str; 5] =
    ["field added", "field renamed", "field retyped", "nested change", "variant added"];

/// Starts a program that is killed after a minute, since it hangs then.
fn start(build: &str, bus: &Path, name: &str) -> Child {
    let mut command = Command::new("timeout");
    command.args(["--signal=KILL", "60", build]).arg(bus).arg(name);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

/// Returns what a program says until it is done, in order.
fn said(program: &mut Child) -> Vec<String> {
    let lines = BufReader::new(program.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut said: Vec<_> = lines.take_while(|line| line != DONE).collect();
    said.sort_unstable();
    said
}

/// Runs a producer and a consumer, and returns what each says.
fn run(producer: &str, consumer: &str) -> [Vec<String>; 2] {
    let scratch = Scratch::new();
    let bus = scratch.join("bus");
    let consumer = start(consumer, &bus, CONSUMER);
    let producer = start(producer, &bus, "producer");
    let mut programs = [producer, consumer];
    let said = programs.each_mut().map(said);
    for mut program in programs {
        drop(program.stdin.take());
        assert!(program.wait().unwrap().success());
    }
    said
}

/// Makes lines about several events, in order.
fn lines(parts: &[(&[&str], &str)]) -> Vec<String> {
    let each = parts
        .iter()
        .flat_map(|(events, what)| events.iter().map(move |event| format!("{event}: {what}")));
    let mut lines: Vec<_> = each.collect();
    lines.sort_unstable();
    lines
}

#[test]
fn a_build_understands_itself() {
    for build in [OLD, NEW] {
        let [produced, consumed] = run(build, build);
        let sent = lines(&[(&ALIKE, "sent"), (&DIFFERENT, "sent"), (&["request"], "answered")]);
        assert_eq!(produced, sent);
        assert_eq!(consumed, lines(&[(&ALIKE, "came"), (&DIFFERENT, "came")]));
    }
}

#[test]
fn two_builds_exchange_what_they_define_alike_and_both_say_what_not() {
    for (producer, consumer) in [(OLD, NEW), (NEW, OLD)] {
        let [produced, consumed] = run(producer, consumer);
        let expected = lines(&[
            (&ALIKE, "sent"),
            (&DIFFERENT, "not for consumer"),
            (&DIFFERENT, "differs from that of consumer"),
            (&["request"], "not for consumer"),
            (&["request"], "differs from that of consumer"),
        ]);
        assert_eq!(produced, expected);
        let expected = lines(&[
            (&ALIKE, "came"),
            (&DIFFERENT, "1 events were lost"),
            (&DIFFERENT, "differs from that of producer"),
            (&["request"], "differs from that of producer"),
        ]);
        assert_eq!(consumed, expected);
    }
}
