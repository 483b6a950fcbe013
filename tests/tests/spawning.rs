//! Child processes that are handed their endpoints.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use lahja_contract::counted::Counted;
use lahja_contract::process::{Process, children, descriptors, threads, until};
use lahja_contract::puppet::{
    Manner, Number, Order, Question, Reach, Report, describe, have_done, order, start, until_gone,
};
use lahja_contract::scratch::{Scratch, entries};
use lahja_contract::setup::shell;
use lahja_contract::{cases, child};
use lahja_core::EventBus;
use lahja_smol::{EndpointName, NameError, Received, Smol, SpawnError};
use rustix::process::Signal;
use smol::process::Command;

const GRACE: Duration = Duration::from_secs(30);

cases! {
    a_child_has_joined_when_spawn_is_done,
    parent_and_children_broadcast_stream_request_and_answer,
    a_child_is_in_the_groups_given_at_spawn,
    the_standard_input_of_a_child_is_null_once_it_has_joined,
    the_standard_output_and_error_of_a_child_are_the_users,
    a_program_that_is_missing_or_not_executable_is_an_error_of_running_it,
    a_child_that_exits_before_it_has_joined_is_an_error_with_its_status,
    a_child_that_never_joins_is_killed_when_its_time_is_up,
    a_child_that_closes_its_standard_input_has_not_taken_its_endpoint,
    a_child_whose_name_is_taken_says_so_and_ends,
    a_bad_name_starts_no_process,
    a_spawn_that_is_given_up_leaves_no_process,
    a_child_that_leaves_when_asked_is_reaped,
    a_child_that_is_terminated_tells_the_signal,
    a_child_that_ignores_everything_is_killed_in_the_end,
    a_killed_child_tells_the_signal_and_its_name_is_free,
    a_dropped_child_ends,
    descriptors_tasks_and_children_are_back_at_the_baseline_after_50_cycles,
}

cases! {
    on [this_thread = lahja_contract::setup::Setup::Own] {
        no_thread_is_started_behind_the_users_back,
    }
}

async fn a_child_has_joined_when_spawn_is_done(smol: Smol) {
    let (bus, parent) = start(&smol).await;
    let child = bus.spawn("c", child!("puppet")).await.unwrap();
    assert_eq!(child.name(), &"c");
    assert_eq!(children(), [child.id()]);
    parent.wait_until_connected_to("c").await;
    assert_eq!(parent.connections(), ["c"]);
    assert_eq!(order(&parent, "c", Order::Connections).await, Report::Names(vec!["parent".into()]));
}

async fn parent_and_children_broadcast_stream_request_and_answer(smol: Smol) {
    let (bus, parent) = start(&smol).await;
    let _b = bus.spawn("b", child!("puppet")).await.unwrap();
    let _c = bus.spawn("c", child!("puppet")).await.unwrap();
    let mut numbers = parent.stream::<Number>();
    numbers.ready().await.unwrap();
    for child in ["b", "c"] {
        have_done(&parent, child, Order::Listen(None)).await;
        have_done(&parent, child, Order::Answer(Manner::Doubling)).await;
    }

    // Nothing is promised about the order of events from different endpoints.
    parent.broadcast(Number(1)).await.unwrap();
    let mut expected = vec![("parent".to_owned(), 1)];
    for (child, number) in [("b", 2), ("c", 3)] {
        let Report::Numbers(mut taken) = order(&parent, child, Order::Take(expected.len())).await
        else {
            panic!("{child} reports something else");
        };
        taken.sort_by_key(|(_, number)| *number);
        assert_eq!(taken, expected);
        have_done(&parent, child, Order::Broadcast(number, Reach::All)).await;
        expected.push((child.to_owned(), number));
    }
    let mut received = Vec::new();
    while received.len() < expected.len() {
        let event = numbers.next().await.unwrap().unwrap();
        received.push((event.origin().to_string(), event.0));
    }
    received.sort_by_key(|(_, number)| *number);
    assert_eq!(received, expected);
    let rest = order(&parent, "b", Order::Take(2)).await;
    assert_eq!(rest, Report::Numbers(expected[1..].to_vec()));
    let rest = order(&parent, "c", Order::Take(1)).await;
    assert_eq!(rest, Report::Numbers(expected[2..].to_vec()));

    let _answer = parent.answer(|question: Received<Question>| Number(question.0 + 100));
    for (child, other) in [("b", "c"), ("c", "b")] {
        let answer = parent.request(Question(4)).to(child).await.unwrap();
        assert_eq!(answer, Number(8));
        let answer = order(&parent, child, Order::Ask(5, other.into())).await;
        assert_eq!(answer, Report::Number(10));
        let answer = order(&parent, child, Order::Ask(6, "parent".into())).await;
        assert_eq!(answer, Report::Number(106));
    }
    // A handler that has just answered may hold the endpoint for a moment yet.
    parent.close(GRACE).await;
}

async fn a_child_is_in_the_groups_given_at_spawn(smol: Smol) {
    let (bus, parent) = start(&smol).await;
    let group = |name: &str| EndpointName::new(name).unwrap();
    let spawning = bus.spawn("c", child!("puppet"));
    let spawning = spawning.group(group("workers")).group(group("blue"));
    let _child = spawning.await.unwrap();
    let groups = Report::Names(vec!["workers".into(), "blue".into()]);
    assert_eq!(order(&parent, "c", Order::Groups).await, groups);
    have_done(&parent, "c", Order::Listen(None)).await;
    for group in ["workers", "blue"] {
        parent.broadcast(Number(1)).to_group(group).await.unwrap();
        let taken = Report::Numbers(vec![("parent".into(), 1)]);
        assert_eq!(order(&parent, "c", Order::Take(1)).await, taken);
    }
    parent.broadcast(Number(1)).to_group("green").await.unwrap_err();
}

async fn the_standard_input_of_a_child_is_null_once_it_has_joined(smol: Smol) {
    let (bus, parent) = start(&smol).await;
    let _child = bus.spawn("c", child!("puppet")).await.unwrap();
    let null = Report::Text("/dev/null".into());
    assert_eq!(order(&parent, "c", Order::Stdin).await, null);
}

async fn the_standard_output_and_error_of_a_child_are_the_users(smol: Smol) {
    let (bus, parent) = start(&smol).await;
    let scratch = Scratch::new();
    let file = |name: &str| File::create(scratch.join(name)).unwrap();
    let mut command = child!("puppet");
    command.stdout(file("out")).stderr(file("err"));
    let child = bus.spawn("c", command).await.unwrap();
    have_done(&parent, "c", Order::Say("hello".into())).await;
    assert!(child.shutdown(GRACE).await.unwrap().success());
    for name in ["out", "err"] {
        assert_eq!(fs::read_to_string(scratch.join(name)).unwrap(), "hello\n");
    }
}

async fn a_program_that_is_missing_or_not_executable_is_an_error_of_running_it(smol: Smol) {
    let (bus, parent) = start(&smol).await;
    let scratch = Scratch::new();
    let plain = scratch.join("plain");
    fs::write(&plain, "#!/bin/sh\n").unwrap();
    for (program, kind) in [
        (scratch.join("missing"), std::io::ErrorKind::NotFound),
        (plain, std::io::ErrorKind::PermissionDenied),
    ] {
        match bus.spawn("c", Command::new(program)).await.unwrap_err() {
            error @ SpawnError::Run(_) => {
                assert!(describe(&error).starts_with("the program cannot be run: "));
                let SpawnError::Run(source) = error else {
                    unreachable!("it was matched");
                };
                assert_eq!(source.kind(), kind);
            }
            other => panic!("{other}"),
        }
    }
    still_serves(&bus, &parent).await;
}

async fn a_child_that_exits_before_it_has_joined_is_an_error_with_its_status(smol: Smol) {
    let (bus, parent) = start(&smol).await;
    let error = bus.spawn("c", shell("exit 3")).await.unwrap_err();
    assert_eq!(error.to_string(), "the child ended before it had joined the bus: exit status: 3");
    assert!(matches!(error, SpawnError::Exited(status) if status.code() == Some(3)));
    let error = bus.spawn("c", shell("kill -KILL $$")).await.unwrap_err();
    assert!(matches!(error, SpawnError::Exited(status) if status.signal() == Some(9)));
    still_serves(&bus, &parent).await;
}

async fn a_child_that_never_joins_is_killed_when_its_time_is_up(smol: Smol) {
    let (bus, parent) = start(&smol).await;
    let timeout = Duration::from_millis(50);
    let spawning = bus.spawn("c", shell("trap '' TERM; exec sleep 600"));
    let error = spawning.timeout(timeout).await.unwrap_err();
    assert_eq!(error.to_string(), "the child has not joined the bus within 50ms");
    assert!(matches!(error, SpawnError::TimedOut(t) if t == timeout));
    still_serves(&bus, &parent).await;
}

async fn a_child_that_closes_its_standard_input_has_not_taken_its_endpoint(smol: Smol) {
    let (bus, parent) = start(&smol).await;
    let error = bus.spawn("c", shell("exec <&-; exec sleep 600")).await;
    let error = error.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the child closed its standard input without taking its endpoint"
    );
    assert!(matches!(error, SpawnError::NotTaken));
    still_serves(&bus, &parent).await;
}

async fn a_child_whose_name_is_taken_says_so_and_ends(smol: Smol) {
    let (bus, parent) = start(&smol).await;
    let error = bus.spawn("parent", child!("puppet")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the child could not join the bus: endpoint name \"parent\" is taken"
    );
    assert!(matches!(error, SpawnError::Join { .. }));
    still_serves(&bus, &parent).await;
}

async fn a_bad_name_starts_no_process(smol: Smol) {
    let (bus, parent) = start(&smol).await;
    let scratch = Scratch::new();
    let touched = scratch.join("touched");
    let command = || shell(&format!("touch {}", touched.display()));
    let error = bus.spawn("", command()).await.unwrap_err();
    assert!(matches!(error, SpawnError::Name(NameError::Empty)));
    let error = bus.spawn("a/b", command()).await.unwrap_err();
    assert_eq!(error.to_string(), "endpoint name \"a/b\" holds '/' at byte 1");
    still_serves(&bus, &parent).await;
    assert!(entries(scratch.path()).is_empty());
}

async fn a_spawn_that_is_given_up_leaves_no_process(smol: Smol) {
    let (bus, parent) = start(&smol).await;
    let spawning = bus.spawn("c", child!("puppet"));
    let mut spawning = spawning.into_future();
    assert!(smol::future::poll_once(&mut spawning).await.is_none());
    let [id] = children()[..] else {
        panic!("one child was started");
    };
    let process = Process::open(id);
    drop(spawning);
    process.ended().await;
    until(|| children().is_empty()).await;
    still_serves(&bus, &parent).await;
}

async fn a_child_that_leaves_when_asked_is_reaped(smol: Smol) {
    let (bus, parent) = start(&smol).await;
    let child = bus.spawn("c", child!("puppet")).await.unwrap();
    parent.wait_until_connected_to("c").await;
    let gone = parent.connections_changed();
    assert!(child.shutdown(GRACE).await.unwrap().success());
    gone.await;
    assert!(!parent.is_connected_to("c"));
    still_serves(&bus, &parent).await;
}

async fn a_child_that_is_terminated_tells_the_signal(smol: Smol) {
    let (bus, parent) = start(&smol).await;
    let mut child = bus.spawn("c", child!("puppet")).await.unwrap();
    Process::open(child.id()).signal(Signal::TERM);
    assert_eq!(child.status().await.unwrap().signal(), Some(15));
    // Again, and in the form of a shutdown.
    assert_eq!(child.status().await.unwrap().signal(), Some(15));
    assert_eq!(child.shutdown(GRACE).await.unwrap().signal(), Some(15));
    still_serves(&bus, &parent).await;
}

async fn a_child_that_ignores_everything_is_killed_in_the_end(smol: Smol) {
    let (bus, parent) = start(&smol).await;
    let short = Duration::from_millis(20);
    // This one is deaf to being asked only.
    let deaf = bus.spawn("c", child!("deaf")).await.unwrap();
    assert_eq!(deaf.shutdown(short).await.unwrap().signal(), Some(15));
    // An ignored signal stays so in the program that the shell becomes.
    let script = format!("trap '' TERM; exec {} deaf", child!());
    let stubborn = bus.spawn("c", shell(&script)).await.unwrap();
    assert_eq!(stubborn.shutdown(short).await.unwrap().signal(), Some(9));
    // This one does not even read what it is asked.
    let script = format!("trap '' TERM; exec {} puppet", child!());
    let stopped = bus.spawn("c", shell(&script)).await.unwrap();
    Process::open(stopped.id()).signal(Signal::STOP);
    assert_eq!(stopped.shutdown(short).await.unwrap().signal(), Some(9));
    still_serves(&bus, &parent).await;
}

async fn a_killed_child_tells_the_signal_and_its_name_is_free(smol: Smol) {
    let (bus, parent) = start(&smol).await;
    for _ in 0..3 {
        let mut child = bus.spawn("c", child!("puppet")).await.unwrap();
        child.kill().unwrap();
        assert_eq!(child.status().await.unwrap().signal(), Some(9));
    }
    still_serves(&bus, &parent).await;
}

async fn a_dropped_child_ends(smol: Smol) {
    let (bus, parent) = start(&smol).await;
    let child = bus.spawn("c", child!("puppet")).await.unwrap();
    let process = Process::open(child.id());
    drop(child);
    process.ended().await;
    // Its end is that of its process, which is waited for in the background.
    until(|| children().is_empty()).await;
    // A program that goes on without its endpoint is told by a signal.
    let child = bus.spawn("c", child!("deaf")).await.unwrap();
    let process = Process::open(child.id());
    drop(child);
    process.ended().await;
    until(|| children().is_empty()).await;
    still_serves(&bus, &parent).await;
}

async fn descriptors_tasks_and_children_are_back_at_the_baseline_after_50_cycles(smol: Smol) {
    let platform = Counted::from(smol);
    let bus = EventBus::new_on(platform.clone()).unwrap();
    let parent = bus.endpoint("parent").await.unwrap();
    let cycle = async || {
        let child = bus.spawn("c", child!("puppet")).await.unwrap();
        parent.wait_until_connected_to("c").await;
        assert!(child.shutdown(GRACE).await.unwrap().success());
        until_gone(&parent, "c").await;
    };
    let resting_tasks = platform.tasks();
    // The runtime opens descriptors of its own with the first child.
    cycle().await;
    until(|| platform.tasks() == resting_tasks).await;
    let resting_descriptors = descriptors();
    for _ in 0..50 {
        cycle().await;
        assert!(children().is_empty());
    }
    until(|| platform.tasks() == resting_tasks).await;
    // Another thread may have closed the last of that first cycle a moment after it was counted.
    until(|| descriptors() <= resting_descriptors).await;
}

async fn no_thread_is_started_behind_the_users_back(smol: Smol) {
    let before = threads();
    let (bus, parent) = start(&smol).await;
    let child = bus.spawn("c", child!("puppet")).await.unwrap();
    assert_eq!(order(&parent, "c", Order::Groups).await, Report::Names(vec![]));
    child.shutdown(GRACE).await.unwrap();
    let mut started = threads();
    for thread in before {
        let known = started.iter().position(|name| *name == thread).unwrap();
        started.remove(known);
    }
    // The reactor of every executor on async-io.
    assert_eq!(started, ["async-io"]);
}

/// Checks that no process is left, and that a good child is still served.
async fn still_serves(bus: &lahja_smol::EventBus, parent: &lahja_smol::Endpoint) {
    assert_eq!(children(), [0_u32; 0]);
    let child = bus.spawn("c", child!("puppet")).await.unwrap();
    have_done(parent, "c", Order::Answer(Manner::Doubling)).await;
    let answer = parent.request(Question(21)).to("c").await.unwrap();
    assert_eq!(answer, Number(42));
    assert!(child.shutdown(GRACE).await.unwrap().success());
    assert_eq!(children(), [0_u32; 0]);
}
