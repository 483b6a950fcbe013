//! Child processes that never become members of the bus: the error says why, and none is left.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use futures_lite::future::poll_once;
use lahja_core::{BoxFuture, ChildProcess, EventBus, NameError, Platform, Runtime, SpawnError};

use super::common::still_spawns;
use crate::process::{Process, children, until};
use crate::puppet::describe;
use crate::roles::{FICKLE, PUPPET};
use crate::scratch::{Scratch, entries};
use crate::stage::Stage;
use crate::subject::Subject;

pub async fn a_program_that_is_missing_or_not_executable_is_an_error_of_running_it<S: Subject>(
    stage: Stage<S>,
) {
    let parent = stage.endpoint("parent").await;
    let scratch = Scratch::new();
    let plain = scratch.join("plain");
    fs::write(&plain, "#!/bin/sh\n").unwrap();
    for (program, kind) in [
        (scratch.join("missing"), io::ErrorKind::NotFound),
        (plain, io::ErrorKind::PermissionDenied),
    ] {
        match stage.spawn("c", stage.program(program)).await.unwrap_err() {
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
    still_spawns(&stage, &parent).await;
}

pub async fn a_child_that_exits_before_it_has_joined_is_an_error_with_its_status<S: Subject>(
    stage: Stage<S>,
) {
    let parent = stage.endpoint("parent").await;
    let error = stage.spawn("c", stage.shell("exit 3")).await.unwrap_err();
    assert_eq!(error.to_string(), "the child ended before it had joined the bus: exit status: 3");
    assert!(matches!(error, SpawnError::Exited(status) if status.code() == Some(3)));
    let error = stage.spawn("c", stage.shell("kill -KILL $$")).await.unwrap_err();
    assert!(matches!(error, SpawnError::Exited(status) if status.signal() == Some(9)));
    still_spawns(&stage, &parent).await;
}

pub async fn a_child_that_never_joins_is_killed_when_its_time_is_up<S: Subject>(stage: Stage<S>) {
    let parent = stage.endpoint("parent").await;
    let timeout = Duration::from_millis(50);
    let spawning = stage.spawn("c", stage.shell("trap '' TERM; exec sleep 600"));
    let error = spawning.timeout(timeout).await.unwrap_err();
    assert_eq!(error.to_string(), "the child has not joined the bus within 50ms");
    assert!(matches!(error, SpawnError::TimedOut(t) if t == timeout));
    still_spawns(&stage, &parent).await;
}

pub async fn a_child_that_closes_its_standard_input_has_not_taken_its_endpoint<S: Subject>(
    stage: Stage<S>,
) {
    let parent = stage.endpoint("parent").await;
    let error = stage.spawn("c", stage.shell("exec <&-; exec sleep 600")).await;
    let error = error.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the child closed its standard input without taking its endpoint"
    );
    assert!(matches!(error, SpawnError::NotTaken));
    still_spawns(&stage, &parent).await;
}

pub async fn a_child_that_gives_up_has_not_taken_its_endpoint<S: Subject>(stage: Stage<S>) {
    let parent = stage.endpoint("parent").await;
    let error = stage.spawn("c", stage.role(FICKLE, &[])).await.unwrap_err();
    assert!(matches!(error, SpawnError::NotTaken), "{error}");
    assert_eq!(parent.connections(), [""; 0]);
    still_spawns(&stage, &parent).await;
}

/// A platform whose processes cannot be waited for: that they have ended is an error.
#[derive(Clone)]
struct Forgetful<P>(P);

struct Forgotten<C>(C);

impl<P: Platform> Runtime for Forgetful<P> {
    fn spawn(&self, future: BoxFuture) {
        self.0.spawn(future);
    }

    fn sleep(&self, duration: Duration) -> BoxFuture {
        self.0.sleep(duration)
    }
}

impl<P: Platform> Platform for Forgetful<P> {
    crate::macros::same_sockets!(P);

    type Command = P::Command;
    type Child = Forgotten<P::Child>;

    fn spawn_process(&self, command: P::Command, stdin: OwnedFd) -> io::Result<Self::Child> {
        self.0.spawn_process(command, stdin).map(Forgotten)
    }
}

impl<C: ChildProcess> ChildProcess for Forgotten<C> {
    fn id(&self) -> u32 {
        self.0.id()
    }

    fn kill(&mut self) -> io::Result<()> {
        self.0.kill()
    }

    async fn status(&mut self) -> io::Result<ExitStatus> {
        self.0.status().await?;
        Err(io::Error::other("forgotten"))
    }
}

pub async fn a_child_that_cannot_be_waited_for_is_an_error_of_the_link<S: Subject>(
    stage: Stage<S>,
) {
    let parent = stage.endpoint("parent").await;
    let bus = EventBus::at_on(Forgetful(stage.platform().clone()), stage.bus().path()).unwrap();
    let command = stage.command(stage.shell("exit 3"));
    let error = bus.spawn("c", command).await.unwrap_err();
    assert!(matches!(error, SpawnError::Link(_)), "{error}");
    assert_eq!(describe(&error), "the link to the child failed: forgotten");
    still_spawns(&stage, &parent).await;
}

pub async fn a_child_whose_name_is_taken_says_so_and_ends<S: Subject>(stage: Stage<S>) {
    let parent = stage.endpoint("parent").await;
    let error = stage.spawn("parent", stage.role(PUPPET, &[])).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the child could not join the bus: endpoint name \"parent\" is taken"
    );
    assert!(matches!(error, SpawnError::Join { .. }));
    still_spawns(&stage, &parent).await;
}

pub async fn a_bad_name_starts_no_process<S: Subject>(stage: Stage<S>) {
    let parent = stage.endpoint("parent").await;
    let scratch = Scratch::new();
    let touched = scratch.join("touched");
    let command = || stage.shell(&format!("touch {}", touched.display()));
    let error = stage.spawn("", command()).await.unwrap_err();
    assert!(matches!(error, SpawnError::Name(NameError::Empty)));
    let error = stage.spawn("a/b", command()).await.unwrap_err();
    assert_eq!(error.to_string(), "endpoint name \"a/b\" holds '/' at byte 1");
    still_spawns(&stage, &parent).await;
    assert!(entries(scratch.path()).is_empty());
}

pub async fn a_spawn_that_is_given_up_leaves_no_process<S: Subject>(stage: Stage<S>) {
    let parent = stage.endpoint("parent").await;
    let spawning = stage.spawn("c", stage.role(PUPPET, &[]));
    let mut spawning = spawning.into_future();
    assert!(poll_once(&mut spawning).await.is_none());
    let [id] = children()[..] else {
        panic!("one child was started");
    };
    let process = Process::open(id);
    drop(spawning);
    process.ended().await;
    until(|| children().is_empty()).await;
    still_spawns(&stage, &parent).await;
}
