//! Descriptors that run out while peers keep coming.

use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use lahja_contract::Stage;
use lahja_contract::process::until;
use lahja_contract::puppet::Number;
use lahja_contract::scratch::Scratch;
use lahja_smol::UnixConnector;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::door::Door;
use crate::other::{self, Other};
use crate::subjects::Own;

mod one_thread {
    lahja_contract::own_cases!(super::Own, {
        a_server_without_descriptors_serves_its_peers_and_lets_in_more_when_it_has_some,
    });
}

/// How many events a peer sends that was there before.
const EVENTS: u64 = 100_000;

/// How many want to be accepted meanwhile.
const CROWD: usize = 200;

/// Connects to the server and broadcasts once it is told to, until that is gone.
async fn send(stage: Stage<Own>, name: &str, path: &str) {
    let peer = stage.build(name, |peer| peer);
    assert!(other::report("here").await);
    peer.connect(UnixConnector::on(stage.platform().clone(), path)).await.unwrap();
    assert!(other::report("connected").await);
    for number in 0..EVENTS {
        peer.broadcast(Number(number)).await.unwrap();
    }
    other::report("done").await;
}

async fn a_server_without_descriptors_serves_its_peers_and_lets_in_more_when_it_has_some(
    stage: Stage<Own>,
) {
    if let Some(role) = other::role() {
        let (who, path) = role.split_once(' ').unwrap();
        if who != "crowd" {
            return send(stage, who, path).await;
        }
        assert!(other::report("here").await);
        let connect = |_| UnixStream::connect(path).unwrap();
        let _crowd: Vec<_> = (0..CROWD).map(connect).collect();
        other::report("all are there").await;
        return;
    }
    let scratch = Scratch::new();
    let path = scratch.join("socket");
    let door = Door::new(stage.platform());
    let server = door.serve(&path);
    let mut numbers = server.stream::<Number>();
    let start = |role: &str| Other::start(format!("{role} {}", path.display()));
    let [mut established, mut late, mut crowd] = ["established", "late", "crowd"].map(start);
    for other in [&mut established, &mut late, &mut crowd] {
        assert_eq!(other.reported().await, "here");
    }
    established.go_on();
    assert_eq!(established.reported().await, "connected");

    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), ..limit }).unwrap();
    crowd.go_on();
    assert_eq!(crowd.reported().await, "all are there");
    until(|| door.count().failed() > 0).await;
    let (before, began) = (door.count().attempts(), Instant::now());
    established.go_on();
    for number in 0..EVENTS {
        assert_eq!(numbers.next().await.unwrap().unwrap().0, number);
    }
    // Whatever else there was to do, a pause came between any two.
    until(|| began.elapsed() > Duration::from_secs(1)).await;
    let (attempts, time) = (door.count().attempts() - before, began.elapsed());
    println!("{attempts} attempts in {time:?}, and {EVENTS} events");
    assert!(attempts as f64 <= 200.0 * time.as_secs_f64());

    drop(crowd);
    let freed = Instant::now();
    late.go_on();
    assert_eq!(late.reported().await, "connected");
    println!("the next was let in {:?} after descriptors were free", freed.elapsed());
    server.wait_until_connected_to("late").await;
    assert_eq!(server.connections(), ["established", "late"]);
    assert!(door.count().accepted() > CROWD as u64);
}
