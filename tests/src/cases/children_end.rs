//! The ends of child processes, by whatever cause, and what is left of them: nothing.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use futures_lite::future::poll_once;
use lahja_core::EventBus;
use rustix::process::Signal;

use super::common::{GRACE, still_spawns};
use crate::counted::Counted;
use crate::process::{Process, children, descriptors, until};
use crate::puppet::until_gone;
use crate::roles::{DEAF, PUPPET};
use crate::stage::Stage;
use crate::subject::Subject;

pub async fn a_child_that_leaves_when_asked_is_reaped<S: Subject>(stage: Stage<S>) {
    let parent = stage.endpoint("parent").await;
    let child = stage.puppet("c").await;
    parent.wait_until_connected_to("c").await;
    assert!(child.shutdown(GRACE).await.unwrap().success());
    until_gone(&parent, "c").await;
    still_spawns(&stage, &parent).await;
}

pub async fn a_child_that_is_terminated_tells_the_signal<S: Subject>(stage: Stage<S>) {
    let parent = stage.endpoint("parent").await;
    let mut child = stage.puppet("c").await;
    Process::open(child.id()).signal(Signal::TERM);
    assert_eq!(child.status().await.unwrap().signal(), Some(15));
    // Again, and in the form of a shutdown.
    assert_eq!(child.status().await.unwrap().signal(), Some(15));
    assert_eq!(child.shutdown(GRACE).await.unwrap().signal(), Some(15));
    still_spawns(&stage, &parent).await;
}

pub async fn a_child_that_ignores_everything_is_killed_in_the_end<S: Subject>(stage: Stage<S>) {
    let parent = stage.endpoint("parent").await;
    let short = Duration::from_millis(20);
    // This one is deaf to being asked only.
    let deaf = stage.spawn("c", stage.role(DEAF, &[])).await.unwrap();
    assert_eq!(deaf.shutdown(short).await.unwrap().signal(), Some(15));
    // An ignored signal stays so in the program that the shell becomes.
    let ignoring = |role| stage.role_after("trap '' TERM", role, &[]);
    let stubborn = stage.spawn("c", ignoring(DEAF)).await.unwrap();
    assert_eq!(stubborn.shutdown(short).await.unwrap().signal(), Some(9));
    // This one does not even read what it is asked.
    let stopped = stage.spawn("c", ignoring(PUPPET)).await.unwrap();
    Process::open(stopped.id()).signal(Signal::STOP);
    assert_eq!(stopped.shutdown(short).await.unwrap().signal(), Some(9));
    still_spawns(&stage, &parent).await;
}

pub async fn a_killed_child_tells_the_signal_and_its_name_is_free<S: Subject>(stage: Stage<S>) {
    let parent = stage.endpoint("parent").await;
    for _ in 0..3 {
        let mut child = stage.puppet("c").await;
        child.kill().unwrap();
        assert_eq!(child.status().await.unwrap().signal(), Some(9));
    }
    still_spawns(&stage, &parent).await;
}

pub async fn a_dropped_child_ends<S: Subject>(stage: Stage<S>) {
    let parent = stage.endpoint("parent").await;
    let child = stage.puppet("c").await;
    let process = Process::open(child.id());
    drop(child);
    process.ended().await;
    // Its end is that of its process, which is waited for in the background.
    until(|| children().is_empty()).await;
    // A program that goes on without its endpoint is told by a signal.
    let child = stage.spawn("c", stage.role(DEAF, &[])).await.unwrap();
    let process = Process::open(child.id());
    drop(child);
    process.ended().await;
    until(|| children().is_empty()).await;
    still_spawns(&stage, &parent).await;
}

pub async fn a_shutdown_that_is_given_up_drops_the_child<S: Subject>(stage: Stage<S>) {
    let parent = stage.endpoint("parent").await;
    // It does not end when it is asked to, and has all the time to do so.
    let child = stage.spawn("c", stage.role(DEAF, &[])).await.unwrap();
    let process = Process::open(child.id());
    let mut shutdown = Box::pin(child.shutdown(Duration::MAX));
    assert!(poll_once(&mut shutdown).await.is_none());
    until_gone(&parent, "c").await;
    assert!(poll_once(&mut shutdown).await.is_none());
    drop(shutdown);
    process.ended().await;
    until(|| children().is_empty()).await;
    still_spawns(&stage, &parent).await;
}

pub async fn descriptors_tasks_and_children_are_back_at_the_baseline_after_50_cycles<S: Subject>(
    stage: Stage<S>,
) {
    let platform = Counted::from(stage.platform().clone());
    let bus = EventBus::new_on(platform.clone()).unwrap();
    let parent = bus.endpoint("parent").await.unwrap();
    let cycle = async || {
        let command = stage.command(stage.role(PUPPET, &[]));
        let child = bus.spawn("c", command).await.unwrap();
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
