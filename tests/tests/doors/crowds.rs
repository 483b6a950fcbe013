//! Crowds of peers at one socket, and what else the one thread has to do meanwhile.

use std::io::{ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use lahja_contract::Stage;
use lahja_contract::process::until;
use lahja_contract::puppet::{Number, until_gone};
use lahja_contract::scratch::Scratch;
use lahja_contract::wire;
use lahja_smol::{Connector, Limits, Received, UnixConnector};
use smol::Timer;
use smol::future::poll_once;

use crate::door::Door;
use crate::other::{self, Other};
use crate::subjects::Own;

mod one_thread {
    lahja_contract::own_cases!(super::Own, {
        a_flood_of_peers_leaves_a_timer_usable,
        a_flood_of_events_leaves_a_timer_usable,
        two_hundred_that_connect_at_once_to_a_backlog_of_two_are_all_let_in,
        mute_and_dribbling_peers_keep_no_good_one_out,
    });
}

/// How late a timer was that something else shares the thread with.
#[derive(Debug, Default)]
struct Lateness(Vec<Duration>);

impl Lateness {
    /// Has a timer of 10 ms run down again and again.
    async fn measure() -> Self {
        let mut lateness = Self::default();
        for _ in 0..100 {
            let due = Instant::now() + Duration::from_millis(10);
            Timer::at(due).await;
            lateness.0.push(due.elapsed());
        }
        lateness.0.sort();
        lateness
    }

    fn print(&self, amid: &str) {
        let [half, most, all] = [50, 99, 100].map(|share| self.0[self.0.len() * share / 100 - 1]);
        println!(
            "late amid {amid}: {half:?} at the median, {most:?} in 99 of 100, {all:?} at most"
        );
    }
}

async fn a_flood_of_peers_leaves_a_timer_usable(stage: Stage<Own>) {
    if let Some(path) = other::role() {
        // Blocks while the backlog is full.
        while UnixStream::connect(&path).is_ok() {}
        return;
    }
    let scratch = Scratch::new();
    let door = Door::new(stage.platform());
    let server = door.serve(&scratch.join("socket"));
    let flood = Other::start(scratch.join("socket").to_str().unwrap());
    until(|| door.count().accepted() > 0).await;
    stage.apart(Lateness::measure()).recv().await.unwrap().print("peers");
    let accepted = door.count().accepted();
    println!("{accepted} peers were accepted");
    // It goes on.
    until(|| door.count().accepted() > accepted + 1_000).await;
    drop(flood);
    let good = stage.build("good", |good| good);
    assert_eq!(good.connect(connector_to(&stage, &scratch)).await.unwrap(), "server");
    server.wait_until_connected_to("good").await;
    assert_eq!(door.count().failed(), 0);
}

async fn a_flood_of_events_leaves_a_timer_usable(stage: Stage<Own>) {
    if let Some(path) = other::role() {
        let flooder = stage.build("flooder", |flooder| flooder);
        flooder.connect(UnixConnector::on(stage.platform().clone(), path)).await.unwrap();
        for number in 0.. {
            flooder.broadcast(Number(number)).require_subscriber(false).await.unwrap();
        }
    }
    let scratch = Scratch::new();
    let door = Door::new(stage.platform());
    let server = door.serve(&scratch.join("socket"));
    let count = Arc::new(AtomicU64::new(0));
    let counted = count.clone();
    let _counting = server.subscribe(move |_: Received<Number>| {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    let flood = Other::start(scratch.join("socket").to_str().unwrap());
    until(|| count.load(Ordering::Relaxed) > 0).await;
    stage.apart(Lateness::measure()).recv().await.unwrap().print("events");
    let events = count.load(Ordering::Relaxed);
    println!("{events} events were received");
    // It goes on.
    until(|| count.load(Ordering::Relaxed) > events + 10_000).await;
    drop(flood);
    until_gone(&server, "flooder").await;
}

async fn two_hundred_that_connect_at_once_to_a_backlog_of_two_are_all_let_in(stage: Stage<Own>) {
    const COUNT: usize = 200;
    let scratch = Scratch::new();
    let door = Door::new(stage.platform()).with_backlog(2);
    let server = door.serve(&scratch.join("socket"));
    let names: Vec<_> = (0..COUNT).map(|n| format!("c{n}")).collect();
    let clients: Vec<_> = names.iter().map(|name| stage.build(name, |client| client)).collect();
    let mut connecting = Vec::new();
    for client in &clients {
        let mut connect = Box::pin(client.connect(connector_to(&stage, &scratch)));
        assert!(poll_once(&mut connect).await.is_none());
        connecting.push(connect);
    }
    // Nobody was accepted yet, and no more than the backlog and one have found a place.
    assert_eq!(door.count().attempts(), 0);
    let full = connector_to(&stage, &scratch).connect().await.map(drop).unwrap_err();
    assert_eq!(full.kind(), ErrorKind::WouldBlock);
    for connect in connecting {
        assert_eq!(connect.await.unwrap(), "server");
    }
    for client in &clients {
        server.wait_until_connected_to(client.name()).await;
    }
    assert_eq!(server.connections().len(), COUNT);
}

fn connector_to(stage: &Stage<Own>, scratch: &Scratch) -> UnixConnector {
    UnixConnector::on(stage.platform().clone(), scratch.join("socket"))
}

/// Holds connections that say nothing, and as many that say a byte at a time, until it is killed.
async fn loiter(path: &str) {
    let connect = |_| UnixStream::connect(path).unwrap();
    let count = Limits::default().handshakes;
    let _mute: Vec<_> = (0..count).map(connect).collect();
    let mut dribbling: Vec<_> = (0..count).map(connect).collect();
    if !other::report("all are there").await {
        return;
    }
    let frame = wire::frame(&[wire::kind::HELLO; 4_096]);
    for byte in frame {
        dribbling.retain_mut(|peer| peer.write_all(&[byte]).is_ok());
        thread::sleep(Duration::from_millis(5));
    }
}

async fn mute_and_dribbling_peers_keep_no_good_one_out(stage: Stage<Own>) {
    if let Some(path) = other::role() {
        return loiter(&path).await;
    }
    let scratch = Scratch::new();
    let door = Door::new(stage.platform());
    let server = door.serve(&scratch.join("socket"));
    let mut numbers = server.stream::<Number>();
    let mut crowd = Other::start(scratch.join("socket").to_str().unwrap());
    assert_eq!(crowd.reported().await, "all are there");
    crowd.go_on();
    for round in 0..20 {
        let good = stage.build("good", |good| good);
        assert_eq!(good.connect(connector_to(&stage, &scratch)).await.unwrap(), "server");
        good.broadcast(Number(round)).await.unwrap();
        assert_eq!(numbers.next().await.unwrap().unwrap().0, round);
        drop(good);
        until_gone(&server, "good").await;
    }
    assert!(door.count().accepted() >= 2 * Limits::default().handshakes as u64 + 20);
}
