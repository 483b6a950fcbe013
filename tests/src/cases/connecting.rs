//! Wiring by hand, and joining and leaving a bus.

use std::fs;
use std::time::Duration;

use futures_lite::future::zip;
use lahja_core::{
    ConnectError, Endpoint, EventBus, JoinError, Scope, SocketError, UnixConnector, UnixListener,
    memory_pair,
};

use super::common::{GRACE, expect, listen};
use crate::process::until;
use crate::puppet::{Number, until_gone};
use crate::scratch::{Scratch, entries};
use crate::stage::{Stage, join, met};
use crate::subject::Subject;

async fn attach(
    one: &Endpoint,
    other: &Endpoint,
) -> (Result<(), ConnectError>, Result<(), ConnectError>) {
    let (near, far) = memory_pair();
    let (one, other) = zip(one.attach(near), other.attach(far)).await;
    (one.map(drop), other.map(drop))
}

pub async fn connecting_to_oneself_is_refused<S: Subject>(stage: Stage<S>) {
    let scratch = Scratch::new();
    let path = scratch.join("socket");
    let a = stage.build("a", |a| a);
    let serving = a.serve(UnixListener::bind_on(stage.platform(), &path).unwrap());
    let myself = a.connect(UnixConnector::on(stage.platform().clone(), &path)).await;
    assert!(matches!(myself, Err(ConnectError::Myself)), "{myself:?}");
    let (near, far) = attach(&a, &a).await;
    assert!(matches!(near, Err(ConnectError::Myself)), "{near:?}");
    assert!(matches!(far, Err(ConnectError::Myself)), "{far:?}");
    assert_eq!(a.connections(), [""; 0]);
    serving.stop().await;
}

pub async fn connecting_twice_is_refused_and_the_first_connection_stays<S: Subject>(
    stage: Stage<S>,
) {
    let scratch = Scratch::new();
    let path = scratch.join("socket");
    let [a, b] = ["a", "b"].map(|name| stage.build(name, |builder| builder));
    let serving = a.serve(UnixListener::bind_on(stage.platform(), &path).unwrap());
    let connector = || UnixConnector::on(stage.platform().clone(), &path);
    assert_eq!(b.connect(connector()).await.unwrap(), "a");
    met(&[&a, &b]).await;
    let again = b.connect(connector()).await;
    assert!(matches!(again, Err(ConnectError::AlreadyConnected)), "{again:?}");
    let (near, far) = attach(&a, &b).await;
    assert!(matches!(near, Err(ConnectError::AlreadyConnected)), "{near:?}");
    assert!(matches!(far, Err(ConnectError::AlreadyConnected)), "{far:?}");
    let mut numbers = listen(&a).await;
    b.broadcast(Number(1)).await.unwrap();
    expect(&mut numbers, [1]).await;
    serving.stop().await;
}

pub async fn two_peers_of_one_name_are_one_too_many<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.mesh(["a", "b"]).await;
    let twin = stage.build("a", |twin| twin);
    let (near, far) = attach(&a, &twin).await;
    assert!(matches!(near, Err(ConnectError::NameTaken)), "{near:?}");
    assert!(matches!(far, Err(ConnectError::NameTaken)), "{far:?}");
    let (near, far) = attach(&b, &twin).await;
    assert!(near.is_err() && far.is_err(), "{near:?}, {far:?}");
    assert_eq!(b.connections(), ["a"]);
    assert_eq!(twin.connections(), [""; 0]);
}

pub async fn a_server_that_stops_keeps_its_peers_and_frees_its_path<S: Subject>(stage: Stage<S>) {
    let scratch = Scratch::new();
    let path = scratch.join("socket");
    let bind = || UnixListener::bind_on(stage.platform(), &path);
    let [a, b, c] = ["a", "b", "c"].map(|name| stage.build(name, |builder| builder));
    let serving = a.serve(bind().unwrap());
    assert!(matches!(bind(), Err(SocketError::InUse { path: used }) if used == path));
    b.connect(UnixConnector::on(stage.platform().clone(), &path)).await.unwrap();
    met(&[&a, &b]).await;
    serving.stop().await;
    assert_eq!(entries(scratch.path()), [""; 0]);
    let serving = c.serve(bind().unwrap());
    let mut numbers = listen(&a).await;
    b.broadcast(Number(1)).await.unwrap();
    expect(&mut numbers, [1]).await;
    assert_eq!(b.connect(UnixConnector::on(stage.platform().clone(), &path)).await.unwrap(), "c");
    serving.stop().await;
}

pub async fn endpoints_of_a_bus_are_connected_each_to_each<S: Subject>(stage: Stage<S>) {
    let endpoints = stage.meet(["a", "b", "c", "d"]).await;
    for endpoint in &endpoints {
        let others = ["a", "b", "c", "d"].into_iter();
        let others: Vec<_> = others.filter(|name| *name != endpoint.name().as_str()).collect();
        assert_eq!(endpoint.connections(), others);
    }
}

pub async fn whoever_joins_at_the_same_time_is_connected_too<S: Subject>(stage: Stage<S>) {
    let mut joining = Vec::new();
    for n in 0..8 {
        let join = stage.bus().endpoint(format!("e{n}"));
        joining.push(stage.apart(async move { join.await.unwrap() }));
    }
    let mut endpoints = Vec::new();
    for joined in joining {
        endpoints.push(joined.recv().await.unwrap());
    }
    met(&endpoints.iter().collect::<Vec<_>>()).await;
}

pub async fn a_name_is_free_once_its_endpoint_is_gone<S: Subject>(stage: Stage<S>) {
    let a = stage.endpoint("a").await;
    for _ in 0..3 {
        let b = stage.endpoint("b").await;
        a.wait_until_connected_to("b").await;
        let taken = stage.bus().endpoint("b").await.unwrap_err();
        assert!(matches!(&taken, JoinError::NameTaken { name } if *name == "b"), "{taken:?}");
        b.close(Duration::from_secs(60)).await;
        until_gone(&a, "b").await;
    }
}

pub async fn whoever_leaves_with_an_error_leaves_nothing_behind<S: Subject>(stage: Stage<S>) {
    let scratch = Scratch::new();
    let path = scratch.join("socket");
    let parent = stage.endpoint("parent").await;
    let member = async |name: &'static str| -> Result<(), Box<dyn std::error::Error>> {
        let endpoint = stage.bus().endpoint(name).await?;
        let _serving = endpoint.serve(UnixListener::bind_on(stage.platform(), &path)?);
        let _numbers = listen::<Number>(&endpoint).await;
        parent.wait_until_connected_to(name).await;
        Err("enough of this")?;
        Ok(())
    };
    for _ in 0..3 {
        assert_eq!(member("member").await.unwrap_err().to_string(), "enough of this");
        until_gone(&parent, "member").await;
        until(|| entries(scratch.path()).is_empty()).await;
        assert!(!parent.is_subscribed::<Number>(Scope::Any));
    }
    parent.close(Duration::from_secs(60)).await;
    // What begins with a dot is the bus's own.
    let kept = entries(stage.bus().path());
    assert!(kept.iter().all(|name| name.starts_with('.')), "{kept:?}");
}

pub async fn a_connection_of_whatever_kind_is_as_good<S: Subject>(stage: Stage<S>) {
    // One endpoint on a bus, and joined in memory to one that is on none.
    let [a, b] = stage.meet(["a", "b"]).await;
    let c = stage.build("c", |c| c);
    join(&a, &c).await;
    let [mut at_b, mut at_c] = [listen(&b).await, listen(&c).await];
    a.broadcast(Number(1)).await.unwrap();
    expect(&mut at_b, [1]).await;
    expect(&mut at_c, [1]).await;
    // Nobody passes on what is others'.
    b.broadcast(Number(2)).to("c").await.unwrap_err();
    c.broadcast(Number(3)).to("b").await.unwrap_err();
}

pub async fn those_who_open_a_bus_by_its_name_meet<S: Subject>(stage: Stage<S>) {
    let open = |name| EventBus::open_on(stage.platform().clone(), name).unwrap();
    let (one, other) = (open("office"), open("office"));
    assert_eq!(one.path(), other.path());
    let a = one.endpoint("a").await.unwrap();
    let b = other.endpoint("b").await.unwrap();
    let elsewhere = open("elsewhere").endpoint("b").await.unwrap();
    met(&[&a, &b]).await;
    let mut numbers = listen(&b).await;
    a.broadcast(Number(1)).await.unwrap();
    expect(&mut numbers, [1]).await;
    assert_eq!(elsewhere.connections(), [""; 0]);
    // Unlike a private bus it stays, for whoever opens it next.
    let paths = [one.path().to_owned(), open("elsewhere").path().to_owned()];
    for endpoint in [a, b, elsewhere] {
        endpoint.close(GRACE).await;
    }
    drop((one, other));
    for path in paths {
        assert_eq!(entries(&path), [".bus.lock"]);
        fs::remove_dir_all(path).unwrap();
    }
}
