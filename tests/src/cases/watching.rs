//! What endpoints see of each other's subscriptions and connections.

use futures_lite::future::poll_once;
use lahja_core::{Received, Scope, UnixConnector, UnixListener};

use super::common::{expect, listen, until_unsubscribed};
use crate::process::until;
use crate::puppet::{Load, Number, until_gone};
use crate::scratch::Scratch;
use crate::stage::{Stage, met};
use crate::subject::Subject;

pub async fn a_handler_shows_to_others_and_to_oneself<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    assert!(!b.is_subscribed::<Number>(Scope::Any));
    let subscription = b.subscribe(|_: Received<Number>| ());
    assert!(b.is_subscribed::<Number>(Scope::Endpoint("b")));
    subscription.ready().await.unwrap();
    assert!(a.is_subscribed::<Number>(Scope::Endpoint("b")));
    assert!(!a.is_subscribed::<Load>(Scope::Any));
    subscription.unsubscribe();
    assert!(!b.is_subscribed::<Number>(Scope::Any));
    until_unsubscribed::<Number>(&a, Scope::Any).await;
}

pub async fn a_stream_shows_to_others_and_to_oneself<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let stream = b.stream::<Number>();
    assert!(b.is_subscribed::<Number>(Scope::Endpoint("b")));
    stream.ready().await.unwrap();
    assert!(a.is_subscribed::<Number>(Scope::Endpoint("b")));
    drop(stream);
    assert!(!b.is_subscribed::<Number>(Scope::Any));
    until_unsubscribed::<Number>(&a, Scope::Any).await;
}

pub async fn the_last_of_several_subscriptions_ends_what_others_see<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let first = listen::<Number>(&b).await;
    let second = listen::<Number>(&b).await;
    drop(first);
    // By the time that this has arrived, an end would have been told.
    let _marker = listen::<Load>(&b).await;
    assert!(a.is_subscribed::<Number>(Scope::Endpoint("b")));
    drop(second);
    until_unsubscribed::<Number>(&a, Scope::Any).await;
}

pub async fn any_is_one_endpoint_or_oneself<S: Subject>(stage: Stage<S>) {
    let [a, b, c] = stage.meet(["a", "b", "c"]).await;
    let elsewhere = listen::<Number>(&c).await;
    assert!(a.is_subscribed::<Number>(Scope::Any));
    assert!(b.is_subscribed::<Number>(Scope::Any));
    drop(elsewhere);
    until_unsubscribed::<Number>(&a, Scope::Any).await;
    let _own = a.stream::<Number>();
    assert!(a.is_subscribed::<Number>(Scope::Any));
}

pub async fn all_is_every_other_endpoint_of_which_there_is_one<S: Subject>(stage: Stage<S>) {
    let a = stage.endpoint("a").await;
    let _own = a.stream::<Number>();
    assert!(!a.is_subscribed::<Number>(Scope::All));
    let [b, c] = stage.meet(["b", "c"]).await;
    met(&[&a, &b, &c]).await;
    let _at_b = listen::<Number>(&b).await;
    assert!(!a.is_subscribed::<Number>(Scope::All));
    let _at_c = listen::<Number>(&c).await;
    assert!(a.is_subscribed::<Number>(Scope::All));
    // A newcomer that has not subscribed changes that.
    let d = stage.endpoint("d").await;
    a.wait_until_connected_to("d").await;
    assert!(!a.is_subscribed::<Number>(Scope::All));
    drop(d);
    until_gone(&a, "d").await;
    assert!(a.is_subscribed::<Number>(Scope::All));
}

pub async fn what_a_peer_had_subscribed_to_is_known_once_it_is_connected<S: Subject>(
    stage: Stage<S>,
) {
    let early = stage.endpoint("early").await;
    let mut numbers = early.stream::<Number>();
    for name in ["one", "two", "three"] {
        let late = stage.endpoint(name).await;
        late.wait_until_connected_to("early").await;
        assert!(late.is_subscribed::<Number>(Scope::All));
        late.broadcast(Number(1)).await.unwrap();
        expect(&mut numbers, [1]).await;
    }
}

pub async fn a_server_sees_what_its_clients_want_without_connecting_back<S: Subject>(
    stage: Stage<S>,
) {
    let scratch = Scratch::new();
    let path = scratch.join("server");
    let server = stage.build("server", |server| server);
    let listener = UnixListener::bind_on(stage.platform(), &path).unwrap();
    let serving = server.serve(listener);
    let client = stage.build("client", |client| client);
    let mut numbers = client.stream::<Number>();
    let connector = UnixConnector::on(stage.platform().clone(), &path);
    assert_eq!(client.connect(connector).await.unwrap(), "server");
    server.wait_until_connected_to("client").await;
    assert!(server.is_subscribed::<Number>(Scope::Endpoint("client")));
    server.broadcast(Number(1)).to("client").await.unwrap();
    expect(&mut numbers, [1]).await;
    let loads = client.stream::<Load>();
    server.wait_until_subscribed::<Load>(Scope::Endpoint("client")).await;
    drop(loads);
    until_unsubscribed::<Load>(&server, Scope::Any).await;
    serving.stop().await;
}

pub async fn what_changes_is_told_to_whoever_asked_before<S: Subject>(stage: Stage<S>) {
    let a = stage.endpoint("a").await;
    let mut connections = a.connections_changed();
    let mut subscriptions = a.subscriptions_changed();
    assert!(poll_once(&mut connections).await.is_none());
    assert!(poll_once(&mut subscriptions).await.is_none());

    let b = stage.endpoint("b").await;
    connections.await;
    a.wait_until_connected_to("b").await;
    assert_eq!(a.connections(), ["b"]);

    let at_b = b.stream::<Number>();
    subscriptions.await;
    a.wait_until_subscribed::<Number>(Scope::Endpoint("b")).await;
    let subscriptions = a.subscriptions_changed();
    drop(at_b);
    subscriptions.await;

    let own = a.subscriptions_changed();
    let _at_a = a.stream::<Number>();
    own.await;

    let connections = a.connections_changed();
    drop(b);
    connections.await;
    until_gone(&a, "b").await;
    assert_eq!(a.connections(), [""; 0]);
}

pub async fn both_ends_count_what_went_between_them<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let mut numbers = listen::<Number>(&b).await;
    for number in 0..10 {
        a.broadcast(Number(number)).await.unwrap();
    }
    expect(&mut numbers, 0..10).await;
    let sent = || a.traffic("b").unwrap().sent;
    until(|| b.traffic("a").unwrap().received.events == 10).await;
    assert_eq!(sent().events, 10);
    assert_eq!(a.traffic("b").unwrap().received.events, 0);
    assert!(a.traffic("unknown").is_none());
}
