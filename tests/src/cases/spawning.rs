//! Child processes that are handed their endpoints.

use std::fs;

use lahja_core::{EndpointName, Received};

use super::common::{GRACE, listen};
use crate::process::children;
use crate::puppet::{Manner, Number, Order, Question, Reach, Report, have_done, order};
use crate::roles::PUPPET;
use crate::scratch::Scratch;
use crate::stage::Stage;
use crate::subject::Subject;

pub async fn a_child_has_joined_when_spawn_is_done<S: Subject>(stage: Stage<S>) {
    let parent = stage.endpoint("parent").await;
    let child = stage.puppet("c").await;
    assert_eq!(child.name(), &"c");
    assert_eq!(children(), [child.id()]);
    parent.wait_until_connected_to("c").await;
    assert_eq!(parent.connections(), ["c"]);
    assert_eq!(order(&parent, "c", Order::Connections).await, Report::Names(vec!["parent".into()]));
}

pub async fn parent_and_children_broadcast_stream_request_and_answer<S: Subject>(stage: Stage<S>) {
    let parent = stage.endpoint("parent").await;
    let _b = stage.puppet("b").await;
    let _c = stage.puppet("c").await;
    let mut numbers = listen::<Number>(&parent).await;
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

pub async fn a_child_is_in_the_groups_given_at_spawn<S: Subject>(stage: Stage<S>) {
    let parent = stage.endpoint("parent").await;
    let group = |name: &str| EndpointName::new(name).unwrap();
    let spawning = stage.spawn("c", stage.role(PUPPET, &[]));
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

pub async fn the_standard_input_of_a_child_is_null_once_it_has_joined<S: Subject>(stage: Stage<S>) {
    let parent = stage.endpoint("parent").await;
    let _child = stage.puppet("c").await;
    let null = Report::Text("/dev/null".into());
    assert_eq!(order(&parent, "c", Order::Stdin).await, null);
}

pub async fn the_standard_output_and_error_of_a_child_are_the_users<S: Subject>(stage: Stage<S>) {
    let parent = stage.endpoint("parent").await;
    let scratch = Scratch::new();
    let script = format!("exec >{0}/out 2>{0}/err", scratch.path().display());
    let child = stage.spawn("c", stage.role_after(&script, PUPPET, &[])).await.unwrap();
    have_done(&parent, "c", Order::Say("hello".into())).await;
    assert!(child.shutdown(GRACE).await.unwrap().success());
    // A test harness prints more.
    let out = fs::read_to_string(scratch.join("out")).unwrap();
    assert!(out.contains("hello\n"), "{out}");
    assert_eq!(fs::read_to_string(scratch.join("err")).unwrap(), "hello\n");
}

pub async fn what_a_child_starts_inherits_nothing_of_the_bus<S: Subject>(stage: Stage<S>) {
    let parent = stage.endpoint("parent").await;
    let _child = stage.puppet("c").await;
    let _other = stage.puppet("other").await;
    have_done(&parent, "c", Order::Meet("other".into())).await;
    let Report::Names(inherited) = order(&parent, "c", Order::Inherited).await else {
        panic!("it reports something else");
    };
    assert!(inherited.len() >= 3, "{inherited:?}");
    // Neither the link to its parent, nor a connection, nor a lock.
    let bus = stage.bus().path().to_str().unwrap();
    let is_of_bus = |link: &String| link.starts_with("socket:") || link.starts_with(bus);
    assert!(!inherited.iter().any(is_of_bus), "{inherited:?}");
}
