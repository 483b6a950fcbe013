//! What the others see when a process dies, and what is left of it.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{ChildStdout, Stdio};

use futures_lite::future::poll_once;
use lahja_core::{EventBus, RequestError, Scope};
use rustix::process::Signal;

use crate::process::{Process, Program, blocking};
use crate::puppet::{Manner, Number, Order, Question, Reach, Report, have_done, order, until_gone};
use crate::roles::{PARENT, PUPPET, SURVIVOR, told};
use crate::scratch::entries;
use crate::stage::Stage;
use crate::subject::Subject;

pub async fn a_killed_process_is_seen_by_all_others<S: Subject>(stage: Stage<S>) {
    let parent = stage.endpoint("parent").await;
    let mut b = stage.puppet("b").await;
    let _c = stage.puppet("c").await;
    let mut member = stage.member(stage.bus().path(), "m");
    parent.wait_until_connected_to("m").await;
    have_done(&parent, "c", Order::Listen(None)).await;
    for (name, others) in [("b", ["c", "m"]), ("c", ["b", "m"]), ("m", ["b", "c"])] {
        for other in others {
            have_done(&parent, name, Order::Meet(other.into())).await;
        }
        let mut expected = vec!["parent".to_owned()];
        expected.extend(others.map(str::to_owned));
        expected.sort();
        let connections = order(&parent, name, Order::Connections).await;
        assert_eq!(connections, Report::Names(expected));
    }
    b.kill().unwrap();
    until_gone(&parent, "b").await;
    let seen = order(&parent, "c", Order::TakeUntilGone("b".into())).await;
    assert_eq!(seen, Report::Numbers(vec![]));
    member.kill();
    until_gone(&parent, "m").await;
    let seen = order(&parent, "c", Order::TakeUntilGone("m".into())).await;
    assert_eq!(seen, Report::Numbers(vec![]));
    assert_eq!(parent.connections(), ["c"]);
    // Their connections end a moment before they have left the bus.
    b.status().await.unwrap();
    member.ended().await;
}

pub async fn requests_in_flight_fail_when_their_answerer_is_killed<S: Subject>(stage: Stage<S>) {
    let parent = stage.endpoint("parent").await;
    let mut b = stage.puppet("b").await;
    let _c = stage.puppet("c").await;
    for child in ["b", "c"] {
        have_done(&parent, child, Order::Answer(Manner::Silent)).await;
    }
    let ask = |number, of| parent.request(Question(number)).to(of).without_timeout();
    let mut dying: Vec<_> = (0..1_000).map(|n| ask(n, "b").into_future()).collect();
    for request in &mut dying {
        assert!(poll_once(request).await.is_none());
    }
    let mut living = ask(1, "c").into_future();
    assert!(poll_once(&mut living).await.is_none());
    // One that asks both goes on as long as one of them lives.
    let mut both = parent.request(Question(2)).without_timeout().into_future();
    assert!(poll_once(&mut both).await.is_none());
    // They have arrived, as what comes behind them has.
    assert_eq!(order(&parent, "b", Order::Groups).await, Report::Names(vec![]));
    b.kill().unwrap();
    for request in dying {
        let error = request.await.unwrap_err();
        assert_eq!(error.to_string(), r#"endpoint "b" went away before it answered"#);
        assert!(
            matches!(&error, RequestError::PeerGone { peer, sent: true } if *peer == "b"),
            "{error:?}"
        );
    }
    assert!(poll_once(&mut living).await.is_none());
    assert!(poll_once(&mut both).await.is_none());
    assert_eq!(parent.stats().requests_in_flight, 2);
    drop((living, both));
    assert_eq!(parent.stats().requests_in_flight, 0);
    assert!(matches!(ask(3, "b").await, Err(RequestError::NoSubscribers(Question(3)))));
    // Its connections end a moment before it has left the bus.
    b.status().await.unwrap();
}

pub async fn what_a_process_sent_before_it_was_killed_arrives_before_its_end_is_seen<S: Subject>(
    stage: Stage<S>,
) {
    const COUNT: u64 = 10_000;
    let parent = stage.endpoint("parent").await;
    let _c = stage.puppet("c").await;
    have_done(&parent, "c", Order::Listen(None)).await;
    let mut numbers = parent.stream::<Number>();
    let mut b = stage.puppet("b").await;
    // This one has certainly left when it is reported as done.
    have_done(&parent, "b", Order::Broadcast(COUNT, Reach::All)).await;
    let dying = parent.request(Order::BroadcastAndDie(COUNT)).to("b");
    let died = dying.without_timeout().await;
    assert!(matches!(died, Err(RequestError::PeerGone { sent: true, .. })));
    until_gone(&parent, "b").await;
    // Nothing comes later, and of what came nothing is missing but a suffix.
    let mut arrived = Vec::new();
    while let Some(number) = poll_once(numbers.next()).await {
        let number = number.unwrap().unwrap();
        assert_eq!(number.origin(), &"b");
        arrived.push(number.0);
    }
    let expected = |len| {
        let order = std::iter::once(COUNT).chain(0..COUNT);
        order.take(len).collect::<Vec<u64>>()
    };
    assert_eq!(arrived, expected(arrived.len()));
    assert!(!arrived.is_empty());
    let seen = order(&parent, "c", Order::TakeUntilGone("b".into())).await;
    let Report::Numbers(seen) = seen else {
        panic!("{seen:?}");
    };
    let seen: Vec<_> = seen.into_iter().map(|(_, number)| number).collect();
    assert_eq!(seen, expected(seen.len()));
    b.status().await.unwrap();
}

pub async fn the_children_of_a_killed_process_end_and_its_bus_is_removed<S: Subject>(
    stage: Stage<S>,
) {
    let Family { mut parent, path, children, .. } = family(&stage, &[PUPPET; 5]).await;
    assert_eq!(children.len(), 5);
    assert!(path.exists());
    parent.kill();
    for orphan in children {
        orphan.ended().await;
    }
    parent.ended().await;
    // The dying parent may have had its place on the bus for longer than its children: what is
    // left then goes when the next bus is made.
    let next = EventBus::new_on(stage.platform().clone()).unwrap();
    assert!(!path.exists());
    drop(next);
}

pub async fn a_child_that_outlives_its_parent_goes_on<S: Subject>(stage: Stage<S>) {
    let Family { mut parent, path, children, .. } = family(&stage, &[SURVIVOR, PUPPET]).await;
    let bus = EventBus::at_on(stage.platform().clone(), &path).unwrap();
    let witness = bus.endpoint("witness").await.unwrap();
    have_done(&witness, "c0", Order::Listen(None)).await;
    parent.kill();
    parent.ended().await;
    // The other one has been told of it, too.
    children[1].ended().await;
    witness.broadcast(Number(7)).await.unwrap();
    let taken = order(&witness, "c0", Order::Take(1)).await;
    assert_eq!(taken, Report::Numbers(vec![("witness".into(), 7)]));
    children[0].kill();
    children[0].ended().await;
    until_gone(&witness, "c0").await;
}

pub async fn a_bus_is_removed_with_the_last_process_on_it<S: Subject>(stage: Stage<S>) {
    let bus = EventBus::new_on(stage.platform().clone()).unwrap();
    let parent = bus.endpoint("parent").await.unwrap();
    let path = bus.path().to_owned();
    let mut member = stage.member(&path, "m");
    let puppet = stage.command(stage.role(PUPPET, &[]));
    let mut killed = bus.spawn("k", puppet).await.unwrap();
    parent.wait_until_connected_to("m").await;
    assert_eq!(
        entries(&path),
        [
            ".bus.lock",
            ".private",
            "k.ipc",
            "k.lock",
            "m.ipc",
            "m.lock",
            "parent.ipc",
            "parent.lock"
        ]
    );
    killed.kill().unwrap();
    killed.status().await.unwrap();
    // It leaves without a word.
    let scope = Scope::Endpoint("m");
    parent.wait_until_subscribed::<Order>(scope).await;
    let leaving = parent.request(Order::Exit(0)).to("m").without_timeout();
    let left = leaving.await;
    assert!(matches!(left, Err(RequestError::PeerGone { .. })), "{left:?}");
    member.ended().await;
    // Nobody has cleaned up after these two yet, and nobody has to.
    drop(parent);
    assert!(path.exists());
    drop(bus);
    assert!(!path.exists());
}

pub async fn a_process_that_is_killed_again_and_again_comes_back<S: Subject>(stage: Stage<S>) {
    let parent = stage.endpoint("parent").await;
    let _b = stage.puppet("b").await;
    for round in 0..10 {
        let mut child = stage.puppet("c").await;
        have_done(&parent, "c", Order::Answer(Manner::Doubling)).await;
        let answer = order(&parent, "b", Order::Ask(round, "c".into())).await;
        assert_eq!(answer, Report::Number(2 * round));
        child.kill().unwrap();
        child.status().await.unwrap();
        let seen = order(&parent, "b", Order::Connections).await;
        let Report::Names(seen) = seen else {
            panic!("{seen:?}");
        };
        assert!(seen.len() <= 2, "{seen:?}");
    }
}

pub async fn a_stopped_process_delays_nobody_but_itself<S: Subject>(stage: Stage<S>) {
    let parent = stage.endpoint("parent").await;
    let b = stage.puppet("b").await;
    let _c = stage.puppet("c").await;
    for child in ["b", "c"] {
        have_done(&parent, child, Order::Listen(None)).await;
    }
    let process = Process::open(b.id());
    process.signal(Signal::STOP);
    for number in 0..1_000 {
        parent.broadcast(Number(number)).await.unwrap();
        let taken = order(&parent, "c", Order::Take(1)).await;
        assert_eq!(taken, Report::Numbers(vec![("parent".into(), number)]));
    }
    process.signal(Signal::CONT);
    let taken = order(&parent, "b", Order::Take(1_000)).await;
    let expected = (0..1_000).map(|number| ("parent".into(), number));
    assert_eq!(taken, Report::Numbers(expected.collect()));
}

/// A process with a private bus and children.
struct Family {
    parent: Program,
    path: PathBuf,
    children: Vec<Process>,
    // Kept, since all of them share it.
    _output: BufReader<ChildStdout>,
}

/// Starts a parent with children of these roles.
async fn family<S: Subject>(stage: &Stage<S>, roles: &[&str]) -> Family {
    let mut command = stage.role(PARENT, roles);
    command.stdout(Stdio::piped());
    let mut parent = Program::start(command);
    let mut output = BufReader::new(parent.stdout());
    let telling = blocking(move || {
        let lines = output.by_ref().lines().flat_map(|line| told(&line.unwrap()));
        let lines: Vec<_> = lines.take(2).collect();
        (output, lines)
    });
    let (output, lines) = telling.await;
    let [path, ids] = &lines[..] else {
        panic!("{lines:?}");
    };
    let children = ids.split(' ').map(|id| Process::open(id.parse().unwrap())).collect();
    Family { parent, path: path.into(), children, _output: output }
}
