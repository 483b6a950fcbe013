//! Endpoints that are wired by hand, at Unix sockets whose paths they know.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net;
use std::time::Duration;

use futures_lite::future::poll_once;
use lahja_core::{
    BroadcastError, ConnectError, Endpoint, Limits, Received, Scope, SocketError, UnixConnector,
    UnixListener, memory_pair,
};

use super::common::{expect, listen};
use crate::process::until;
use crate::puppet::{Number, Question, describe};
use crate::scratch::{Scratch, entries};
use crate::stage::{Stage, met};
use crate::subject::Subject;
use crate::wire::RawPeer;

fn endpoint<S: Subject>(stage: &Stage<S>, name: &str) -> Endpoint {
    stage.build(name, |builder| builder)
}

/// Makes an endpoint that takes a handshake for failed soon.
fn impatient<S: Subject>(stage: &Stage<S>, name: &str) -> Endpoint {
    let mut limits = Limits::default();
    limits.handshake_timeout = Duration::from_millis(50);
    stage.limited(name, &limits)
}

fn connector<S: Subject>(stage: &Stage<S>, scratch: &Scratch) -> UnixConnector<S::Platform> {
    UnixConnector::on(stage.platform().clone(), scratch.join("socket"))
}

fn listener<S: Subject>(stage: &Stage<S>, scratch: &Scratch) -> UnixListener<S::Platform> {
    UnixListener::bind_on(stage.platform(), scratch.join("socket")).unwrap()
}

pub async fn a_server_and_its_client_talk<S: Subject>(stage: Stage<S>) {
    let scratch = Scratch::new();
    let [a, b] = ["a", "b"].map(|name| endpoint(&stage, name));
    let server = a.serve(listener(&stage, &scratch));
    let mode = fs::metadata(scratch.join("socket")).unwrap().permissions();
    assert_eq!(mode.mode() & 0o7777, 0o600);
    assert_eq!(b.connect(connector(&stage, &scratch)).await.unwrap(), "a");
    let mut numbers = listen(&b).await;
    a.broadcast(Number(1)).await.unwrap();
    expect(&mut numbers, [1]).await;
    let _answer = a.answer(|question: Received<Question>| Number(question.0 * 2));
    b.wait_until_subscribed::<Question>(Scope::All).await;
    assert_eq!(b.request(Question(4)).await.unwrap(), Number(8));
    drop(server);
    until(|| entries(scratch.path()).is_empty()).await;
}

pub async fn connecting_waits_for_the_server<S: Subject>(stage: Stage<S>) {
    let scratch = Scratch::new();
    let [a, b] = ["a", "b"].map(|name| endpoint(&stage, name));
    let mut connecting = Box::pin(b.connect(connector(&stage, &scratch)));
    assert!(poll_once(&mut connecting).await.is_none());
    let _server = a.serve(listener(&stage, &scratch));
    assert_eq!(connecting.await.unwrap(), "a");

    // Also if something is there that nobody answers at.
    let c = endpoint(&stage, "c");
    let stale = scratch.join("stale");
    drop(net::UnixListener::bind(&stale).unwrap());
    let connector = UnixConnector::on(stage.platform().clone(), &stale);
    let mut connecting = Box::pin(c.connect(connector));
    assert!(poll_once(&mut connecting).await.is_none());
    let _server = a.serve(UnixListener::bind_on(stage.platform(), &stale).unwrap());
    assert_eq!(connecting.await.unwrap(), "a");
}

pub async fn nothing_counts_as_sent_to_a_listener_that_dies_before_it_accepts<S: Subject>(
    stage: Stage<S>,
) {
    let scratch = Scratch::new();
    let [a, b] = ["a", "b"].map(|name| endpoint(&stage, name));
    let mut numbers = a.stream::<Number>();
    // The system takes the hello for somebody who never reads it.
    let mute = net::UnixListener::bind(scratch.join("socket")).unwrap();
    let mut connecting = Box::pin(b.connect(connector(&stage, &scratch)));
    for _ in 0..3 {
        assert!(poll_once(&mut connecting).await.is_none());
    }
    assert_eq!(b.connections(), [""; 0]);
    let unsent = b.broadcast(Number(1)).await;
    assert!(matches!(unsent, Err(BroadcastError::NoSubscribers(Number(1)))), "{unsent:?}");
    drop(mute);
    let _server = a.serve(listener(&stage, &scratch));
    assert_eq!(connecting.await.unwrap(), "a");
    b.broadcast(Number(2)).await.unwrap();
    expect(&mut numbers, [2]).await;
}

pub async fn connecting_gives_up_when_its_time_is_up<S: Subject>(stage: Stage<S>) {
    let scratch = Scratch::new();
    let a = impatient(&stage, "a");
    let error = a.connect(connector(&stage, &scratch)).await.unwrap_err();
    match &error {
        ConnectError::Io(source) => assert_eq!(source.kind(), io::ErrorKind::NotFound),
        other => panic!("{other}"),
    }
    let path = scratch.join("socket");
    let expected = format!(
        "the transport failed: cannot connect to socket {path:?}: \
         No such file or directory (os error 2)"
    );
    assert_eq!(describe(&error), expected);

    // Somebody listens and says nothing.
    let _mute = net::UnixListener::bind(&path).unwrap();
    let error = a.connect(connector(&stage, &scratch)).await.unwrap_err();
    assert!(matches!(error, ConnectError::TimedOut), "{error}");
    assert_eq!(error.to_string(), "the handshake was not done in time");
}

pub async fn two_hundred_connect_at_once<S: Subject>(stage: Stage<S>) {
    let scratch = Scratch::new();
    let server = endpoint(&stage, "server");
    let mut numbers = server.stream::<Number>();
    let _server = server.serve(listener(&stage, &scratch));
    let clients: Vec<_> = (0..200).map(|n| endpoint(&stage, &format!("c{n}"))).collect();
    let mut connecting = Vec::new();
    for client in &clients {
        let mut connect = Box::pin(client.connect(connector(&stage, &scratch)));
        let connected = poll_once(&mut connect).await;
        connecting.push((connect, connected));
    }
    for (connect, connected) in connecting {
        let connected = match connected {
            Some(connected) => connected,
            None => connect.await,
        };
        assert_eq!(connected.unwrap(), "server");
    }
    for client in &clients {
        server.wait_until_connected_to(client.name()).await;
    }
    assert_eq!(server.connections().len(), 200);
    for (n, client) in clients.iter().enumerate() {
        client.broadcast(Number(n as u64)).await.unwrap();
        let event = numbers.next().await.unwrap().unwrap();
        assert_eq!((event.0, event.origin()), (n as u64, client.name()));
    }
}

pub async fn a_dropped_server_stops_accepting_and_keeps_its_peers<S: Subject>(stage: Stage<S>) {
    let scratch = Scratch::new();
    let [a, b] = ["a", "b"].map(|name| endpoint(&stage, name));
    let server = a.serve(listener(&stage, &scratch));
    b.connect(connector(&stage, &scratch)).await.unwrap();
    drop(server);
    until(|| entries(scratch.path()).is_empty()).await;
    let late = impatient(&stage, "late");
    late.connect(connector(&stage, &scratch)).await.unwrap_err();
    let mut numbers = listen(&b).await;
    a.broadcast(Number(1)).await.unwrap();
    expect(&mut numbers, [1]).await;
    // The place is free again.
    let _server = a.serve(listener(&stage, &scratch));
    let c = endpoint(&stage, "c");
    assert_eq!(c.connect(connector(&stage, &scratch)).await.unwrap(), "a");
}

pub async fn a_stale_socket_is_replaced<S: Subject>(stage: Stage<S>) {
    let scratch = Scratch::new();
    drop(net::UnixListener::bind(scratch.join("socket")).unwrap());
    fs::write(scratch.join("socket.lock"), "").unwrap();
    let [a, b] = ["a", "b"].map(|name| endpoint(&stage, name));
    let _server = a.serve(listener(&stage, &scratch));
    assert_eq!(b.connect(connector(&stage, &scratch)).await.unwrap(), "a");
}

pub async fn a_live_socket_is_in_use<S: Subject>(stage: Stage<S>) {
    let scratch = Scratch::new();
    let [a, b] = ["a", "b"].map(|name| endpoint(&stage, name));
    let path = scratch.join("socket");
    let _server = a.serve(listener(&stage, &scratch));
    let error = UnixListener::bind_on(stage.platform(), &path).unwrap_err();
    assert_eq!(error.to_string(), format!("socket path {path:?} is in use"));
    assert!(matches!(error, SocketError::InUse { path: at } if at == path));
    assert_eq!(b.connect(connector(&stage, &scratch)).await.unwrap(), "a");

    // Also one that is not lahja's.
    let path = scratch.join("foreign");
    let _foreign = net::UnixListener::bind(&path).unwrap();
    let error = UnixListener::bind_on(stage.platform(), &path).unwrap_err();
    assert!(matches!(error, SocketError::InUse { .. }), "{error}");
    assert!(path.exists());
}

pub async fn a_path_that_is_too_long_is_an_error_with_its_length<S: Subject>(stage: Stage<S>) {
    let scratch = Scratch::new();
    let path = scratch.join("x".repeat(107));
    let len = path.as_os_str().len();
    let expected = format!("socket path {path:?} of {len} bytes is longer than 107");
    let error = UnixListener::bind_on(stage.platform(), &path).unwrap_err();
    assert_eq!(error.to_string(), expected);
    assert!(matches!(error, SocketError::PathTooLong { max: 107, .. }));
    let a = endpoint(&stage, "a");
    let connector = UnixConnector::on(stage.platform().clone(), &path);
    let error = a.connect(connector).await.unwrap_err();
    assert_eq!(describe(&error), format!("the transport failed: {expected}"));
    assert!(entries(scratch.path()).is_empty());
}

pub async fn a_path_in_no_directory_is_an_error<S: Subject>(stage: Stage<S>) {
    let scratch = Scratch::new();
    fs::write(scratch.join("file"), "").unwrap();
    for (place, kind) in
        [("missing/socket", io::ErrorKind::NotFound), ("file/socket", io::ErrorKind::NotADirectory)]
    {
        let path = scratch.join(place);
        match UnixListener::bind_on(stage.platform(), &path).unwrap_err() {
            SocketError::Io { path: at, source, .. } => {
                assert_eq!((at, source.kind()), (path, kind));
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!(entries(scratch.path()), ["file"]);
}

pub async fn a_taken_name_and_a_second_connection_are_refused<S: Subject>(stage: Stage<S>) {
    let scratch = Scratch::new();
    let [a, b] = ["a", "b"].map(|name| endpoint(&stage, name));
    let _server = a.serve(listener(&stage, &scratch));
    b.connect(connector(&stage, &scratch)).await.unwrap();
    met(&[&a, &b]).await;
    let twice = b.connect(connector(&stage, &scratch)).await.unwrap_err();
    assert!(matches!(twice, ConnectError::AlreadyConnected), "{twice}");
    assert_eq!(twice.to_string(), "the endpoints are connected already");
    let myself = a.connect(connector(&stage, &scratch)).await.unwrap_err();
    assert!(matches!(myself, ConnectError::Myself), "{myself}");
    let twin = endpoint(&stage, "a");
    let taken = twin.connect(connector(&stage, &scratch)).await.unwrap_err();
    assert!(matches!(taken, ConnectError::NameTaken), "{taken}");
    assert_eq!(taken.to_string(), "the peer bears the same name");
    assert_eq!(a.connections(), ["b"]);
    let mut numbers = listen(&a).await;
    b.broadcast(Number(1)).await.unwrap();
    expect(&mut numbers, [1]).await;
}

pub async fn mute_peers_do_not_keep_a_good_one_out<S: Subject>(stage: Stage<S>) {
    let scratch = Scratch::new();
    let [a, b] = ["a", "b"].map(|name| endpoint(&stage, name));
    let _server = a.serve(listener(&stage, &scratch));
    let path = scratch.join("socket");
    let mut mute = Vec::new();
    for _ in 0..Limits::default().handshakes {
        mute.push(RawPeer::connect(stage.platform(), &path));
        let mut dribbling = RawPeer::connect(stage.platform(), &path);
        dribbling.send(&[40, 0]).await;
        mute.push(dribbling);
    }
    assert_eq!(b.connect(connector(&stage, &scratch)).await.unwrap(), "a");
    // The oldest had to make room.
    mute[0].closed().await;
}

pub async fn a_detached_server_accepts_until_its_endpoint_is_closed<S: Subject>(stage: Stage<S>) {
    let scratch = Scratch::new();
    let [a, b] = ["a", "b"].map(|name| endpoint(&stage, name));
    a.serve(listener(&stage, &scratch)).detach();
    assert_eq!(b.connect(connector(&stage, &scratch)).await.unwrap(), "a");
    drop(a);
    until(|| entries(scratch.path()).is_empty()).await;
}

pub async fn connecting_that_is_given_up_leaves_its_endpoint_free<S: Subject>(stage: Stage<S>) {
    let scratch = Scratch::new();
    let [a, b] = ["a", "b"].map(|name| endpoint(&stage, name));
    // While nobody is there, and while somebody is who says nothing.
    for is_mute in [false, true] {
        let path = scratch.join("mute");
        let mute = is_mute.then(|| net::UnixListener::bind(&path).unwrap());
        let connector = UnixConnector::on(stage.platform().clone(), &path);
        let mut given_up = Box::pin(b.connect(connector));
        for _ in 0..3 {
            assert!(poll_once(&mut given_up).await.is_none());
        }
        drop((given_up, mute));
    }
    let (near, _far) = memory_pair();
    let mut given_up = Box::pin(b.attach(near));
    assert!(poll_once(&mut given_up).await.is_none());
    drop(given_up);

    let _server = a.serve(listener(&stage, &scratch));
    assert_eq!(b.connect(connector(&stage, &scratch)).await.unwrap(), "a");
    met(&[&a, &b]).await;
    let mut numbers = listen(&a).await;
    b.broadcast(Number(1)).await.unwrap();
    expect(&mut numbers, [1]).await;
}
