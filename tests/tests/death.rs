//! What the others see when a process dies, and what is left of it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::mpsc;
use std::time::Duration;

use lahja_contract::process::{Process, until};
use lahja_contract::puppet::{
    Manner, Number, Order, Question, Reach, Report, have_done, order, start, until_gone,
};
use lahja_contract::scratch::entries;
use lahja_contract::wire::{self, RawPeer, kind};
use lahja_contract::{cases, child};
use lahja_smol::{Event, EventBus, RequestError, Scope, Smol};
use smol::future::poll_once;
use smol::io::{AsyncBufReadExt, BufReader};

cases! {
    a_killed_process_is_seen_by_all_others,
    requests_in_flight_fail_when_their_answerer_is_killed,
    what_a_process_sent_before_it_was_killed_arrives_before_its_end_is_seen,
    what_a_peer_sent_arrives_though_it_left_something_unread,
    the_children_of_a_killed_process_end_and_its_bus_is_removed,
    a_bus_is_removed_with_the_last_process_on_it,
    a_process_that_is_killed_again_and_again_comes_back,
    a_stopped_process_delays_nobody_but_itself,
}

cases! {
    on [many_threads = lahja_contract::setup::Setup::Global(4)] {
        an_endpoint_is_connected_though_the_end_of_its_former_life_is_seen_late,
    }
}

/// Starts a puppet that nobody spawned, which ends with the test at the latest.
fn member(dir: &Path, name: &str) -> smol::process::Child {
    let mut command = child!("member", dir, name);
    command.kill_on_drop(true).spawn().unwrap()
}

async fn a_killed_process_is_seen_by_all_others(smol: Smol) {
    let (bus, parent) = start(&smol).await;
    let mut b = bus.spawn("b", child!("puppet")).await.unwrap();
    let _c = bus.spawn("c", child!("puppet")).await.unwrap();
    let mut member = member(bus.path(), "m");
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
    member.kill().unwrap();
    until_gone(&parent, "m").await;
    let seen = order(&parent, "c", Order::TakeUntilGone("m".into())).await;
    assert_eq!(seen, Report::Numbers(vec![]));
    assert_eq!(parent.connections(), ["c"]);
    // Their connections end a moment before they have left the bus.
    b.status().await.unwrap();
    member.status().await.unwrap();
}

async fn requests_in_flight_fail_when_their_answerer_is_killed(smol: Smol) {
    let (bus, parent) = start(&smol).await;
    let mut b = bus.spawn("b", child!("puppet")).await.unwrap();
    let _c = bus.spawn("c", child!("puppet")).await.unwrap();
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
}

async fn what_a_process_sent_before_it_was_killed_arrives_before_its_end_is_seen(smol: Smol) {
    const COUNT: u64 = 10_000;
    let (bus, parent) = start(&smol).await;
    let _c = bus.spawn("c", child!("puppet")).await.unwrap();
    have_done(&parent, "c", Order::Listen(None)).await;
    let mut numbers = parent.stream::<Number>();
    let mut b = bus.spawn("b", child!("puppet")).await.unwrap();
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

async fn what_a_peer_sent_arrives_though_it_left_something_unread(smol: Smol) {
    const COUNT: u64 = 5_000;
    let (bus, parent) = start(&smol).await;
    let mut numbers = parent.stream::<Number>();
    let path = bus.path().join("parent.ipc");
    for is_unread in [true, false] {
        let mut peer = RawPeer::introduce(&smol, &path, "handmade").await;
        peer.say(&wire::announce(1, 0, Question::NAME)).await;
        let announced = peer.hear(kind::ANNOUNCE).await.unwrap();
        let (_epoch, rest) = wire::split_varint(&announced[1..]);
        let (number, _) = wire::split_varint(rest);
        peer.hear(kind::ACKNOWLEDGE).await.unwrap();
        let mut request = parent.request(Question(1)).without_timeout().into_future();
        if is_unread {
            assert!(poll_once(&mut request).await.is_none());
        }
        let mut events = Vec::new();
        for n in 0..COUNT {
            let payload = wire::varint(n);
            events.extend(wire::frame(&wire::event(number, &payload)));
        }
        peer.send(&events).await;
        drop(peer);
        until_gone(&parent, "handmade").await;
        for n in 0..COUNT {
            let event = poll_once(numbers.next()).await.expect("it has arrived");
            assert_eq!(event.unwrap().unwrap().0, n);
        }
        if is_unread {
            let error = request.await.unwrap_err();
            assert!(matches!(error, RequestError::PeerGone { .. }), "{error:?}");
        }
    }
}

async fn the_children_of_a_killed_process_end_and_its_bus_is_removed(smol: Smol) {
    let mut command = child!("parent", "5");
    let mut middle = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(middle.stdout.take().unwrap());
    let mut line = async || {
        let mut line = String::new();
        lines.read_line(&mut line).await.unwrap();
        line.trim_end().to_owned()
    };
    let path = PathBuf::from(line().await);
    let ids = line().await;
    let orphans: Vec<_> = ids.split(' ').map(|id| Process::open(id.parse().unwrap())).collect();
    assert_eq!(orphans.len(), 5);
    assert!(path.exists());
    middle.kill().unwrap();
    for orphan in orphans {
        orphan.ended().await;
    }
    middle.status().await.unwrap();
    // The dying parent may have had its place on the bus for longer than its children: what is
    // left then goes when the next bus is made.
    let next = EventBus::new_on(smol).unwrap();
    assert!(!path.exists());
    drop(next);
}

async fn a_bus_is_removed_with_the_last_process_on_it(smol: Smol) {
    let (bus, parent) = start(&smol).await;
    let path = bus.path().to_owned();
    let mut member = member(&path, "m");
    let mut killed = bus.spawn("k", child!("puppet")).await.unwrap();
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
    member.status().await.unwrap();
    // Nobody has cleaned up after these two yet, and nobody has to.
    drop(parent);
    assert!(path.exists());
    drop(bus);
    assert!(!path.exists());
}

async fn a_process_that_is_killed_again_and_again_comes_back(smol: Smol) {
    let (bus, parent) = start(&smol).await;
    let _b = bus.spawn("b", child!("puppet")).await.unwrap();
    for round in 0..10 {
        let mut child = bus.spawn("c", child!("puppet")).await.unwrap();
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

async fn a_stopped_process_delays_nobody_but_itself(smol: Smol) {
    let (bus, parent) = start(&smol).await;
    let b = bus.spawn("b", child!("puppet")).await.unwrap();
    let _c = bus.spawn("c", child!("puppet")).await.unwrap();
    for child in ["b", "c"] {
        have_done(&parent, child, Order::Listen(None)).await;
    }
    let process = Process::open(b.id());
    process.signal(rustix::process::Signal::STOP);
    for number in 0..1_000 {
        parent.broadcast(Number(number)).await.unwrap();
        let taken = order(&parent, "c", Order::Take(1)).await;
        assert_eq!(taken, Report::Numbers(vec![("parent".into(), number)]));
    }
    process.signal(rustix::process::Signal::CONT);
    let taken = order(&parent, "b", Order::Take(1_000)).await;
    let expected = (0..1_000).map(|number| ("parent".into(), number));
    assert_eq!(taken, Report::Numbers(expected.collect()));
}

async fn an_endpoint_is_connected_though_the_end_of_its_former_life_is_seen_late(smol: Smol) {
    let (bus, parent) = start(&smol).await;
    let (arrived, arrival) = smol::channel::bounded(1);
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    // The filter is called where the parent reads from the connection.
    let slow = parent.subscription::<Number>().filter(move |_| {
        arrived.send_blocking(()).unwrap();
        released.lock().unwrap().recv().is_ok()
    });
    let _slow = slow.stream();
    let first = bus.endpoint("m").await.unwrap();
    first.wait_until_connected_to("parent").await;
    first.broadcast(Number(1)).await.unwrap();
    arrival.recv().await.unwrap();
    drop(first);
    let second = bus.endpoint("m").await.unwrap();
    // The parent has not seen the end of the first one, so this one may not be let in.
    release.send(()).unwrap();
    second.wait_until_connected_to("parent").await;
    until(|| parent.connections() == ["m"]).await;
    assert_eq!(second.connections(), ["parent"]);
    second.close(Duration::from_secs(10)).await;
}
