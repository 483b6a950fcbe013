//! Endpoints that are wired by hand, at Unix sockets whose paths they know.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net;
use std::time::Duration;

use lahja_contract::cases;
use lahja_contract::process::until;
use lahja_contract::puppet::{Number, Question};
use lahja_contract::scratch::{Scratch, entries};
use lahja_contract::wire::RawPeer;
use lahja_smol::{
    ConnectError, Endpoint, Limits, Received, Smol, SocketError, UnixConnector, UnixListener,
};
use smol::future::{poll_once, zip};

cases! {
    a_server_and_its_client_talk,
    connecting_waits_for_the_server,
    connecting_gives_up_when_its_time_is_up,
    two_hundred_connect_at_once,
    a_dropped_server_stops_accepting_and_keeps_its_peers,
    a_stale_socket_is_replaced,
    a_live_socket_is_in_use,
    a_path_that_is_too_long_is_an_error_with_its_length,
    a_path_in_no_directory_is_an_error,
    a_taken_name_and_a_second_connection_are_refused,
    mute_peers_do_not_keep_a_good_one_out,
}

fn endpoint(smol: &Smol, name: &str) -> Endpoint {
    Endpoint::new(name, smol.clone()).unwrap()
}

fn with_short_limit(smol: &Smol, name: &str, timeout: Duration) -> Endpoint {
    let mut limits = Limits::default();
    limits.handshake_timeout = timeout;
    let builder = Endpoint::builder(name).unwrap().limits(limits);
    builder.build(smol.clone())
}

fn connector(smol: &Smol, scratch: &Scratch) -> UnixConnector {
    UnixConnector::on(smol.clone(), scratch.join("socket"))
}

fn listener(smol: &Smol, scratch: &Scratch) -> UnixListener {
    UnixListener::bind_on(smol, scratch.join("socket")).unwrap()
}

async fn a_server_and_its_client_talk(smol: Smol) {
    let scratch = Scratch::new();
    let (a, b) = (endpoint(&smol, "a"), endpoint(&smol, "b"));
    let server = a.serve(listener(&smol, &scratch));
    let mode = fs::metadata(scratch.join("socket")).unwrap().permissions();
    assert_eq!(mode.mode() & 0o7777, 0o600);
    assert_eq!(b.connect(connector(&smol, &scratch)).await.unwrap(), "a");
    let mut numbers = b.stream::<Number>();
    numbers.ready().await.unwrap();
    a.broadcast(Number(1)).await.unwrap();
    assert_eq!(numbers.next().await.unwrap().unwrap().0, 1);
    let _answer = a.answer(|question: Received<Question>| Number(question.0 * 2));
    b.wait_until_subscribed::<Question>(lahja_smol::Scope::All).await;
    assert_eq!(b.request(Question(4)).await.unwrap(), Number(8));
    drop(server);
    until(|| entries(scratch.path()).is_empty()).await;
}

async fn connecting_waits_for_the_server(smol: Smol) {
    let scratch = Scratch::new();
    let (a, b) = (endpoint(&smol, "a"), endpoint(&smol, "b"));
    let mut connecting = Box::pin(b.connect(connector(&smol, &scratch)));
    assert!(poll_once(&mut connecting).await.is_none());
    let _server = a.serve(listener(&smol, &scratch));
    assert_eq!(connecting.await.unwrap(), "a");

    // Also if something is there that nobody answers at.
    let c = endpoint(&smol, "c");
    let stale = scratch.join("stale");
    drop(net::UnixListener::bind(&stale).unwrap());
    let connector = UnixConnector::on(smol.clone(), &stale);
    let mut connecting = Box::pin(c.connect(connector));
    assert!(poll_once(&mut connecting).await.is_none());
    let _server = a.serve(UnixListener::bind_on(&smol, &stale).unwrap());
    assert_eq!(connecting.await.unwrap(), "a");
}

async fn connecting_gives_up_when_its_time_is_up(smol: Smol) {
    let scratch = Scratch::new();
    let a = with_short_limit(&smol, "a", Duration::from_millis(50));
    let error = a.connect(connector(&smol, &scratch)).await.unwrap_err();
    match &error {
        ConnectError::Io(source) => assert_eq!(source.kind(), std::io::ErrorKind::NotFound),
        other => panic!("{other}"),
    }
    let path = scratch.join("socket");
    let expected = format!(
        "the transport failed: cannot connect to socket {path:?}: \
         No such file or directory (os error 2)"
    );
    assert_eq!(lahja_contract::puppet::describe(&error), expected);

    // Somebody listens and says nothing.
    let _mute = net::UnixListener::bind(&path).unwrap();
    let error = a.connect(connector(&smol, &scratch)).await.unwrap_err();
    assert!(matches!(error, ConnectError::TimedOut), "{error}");
    assert_eq!(error.to_string(), "the handshake was not done in time");
}

async fn two_hundred_connect_at_once(smol: Smol) {
    let scratch = Scratch::new();
    let server = endpoint(&smol, "server");
    let mut numbers = server.stream::<Number>();
    let _server = server.serve(listener(&smol, &scratch));
    let clients: Vec<_> = (0..200).map(|n| endpoint(&smol, &format!("c{n}"))).collect();
    let mut connecting = Vec::new();
    for client in &clients {
        let mut connect = Box::pin(client.connect(connector(&smol, &scratch)));
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

async fn a_dropped_server_stops_accepting_and_keeps_its_peers(smol: Smol) {
    let scratch = Scratch::new();
    let (a, b) = (endpoint(&smol, "a"), endpoint(&smol, "b"));
    let server = a.serve(listener(&smol, &scratch));
    b.connect(connector(&smol, &scratch)).await.unwrap();
    drop(server);
    until(|| entries(scratch.path()).is_empty()).await;
    let late = with_short_limit(&smol, "late", Duration::from_millis(50));
    late.connect(connector(&smol, &scratch)).await.unwrap_err();
    let mut numbers = b.stream::<Number>();
    numbers.ready().await.unwrap();
    a.broadcast(Number(1)).await.unwrap();
    assert_eq!(numbers.next().await.unwrap().unwrap().0, 1);
    // The place is free again.
    let _server = a.serve(listener(&smol, &scratch));
    let c = endpoint(&smol, "c");
    assert_eq!(c.connect(connector(&smol, &scratch)).await.unwrap(), "a");
}

async fn a_stale_socket_is_replaced(smol: Smol) {
    let scratch = Scratch::new();
    drop(net::UnixListener::bind(scratch.join("socket")).unwrap());
    fs::write(scratch.join("socket.lock"), "").unwrap();
    let (a, b) = (endpoint(&smol, "a"), endpoint(&smol, "b"));
    let _server = a.serve(listener(&smol, &scratch));
    assert_eq!(b.connect(connector(&smol, &scratch)).await.unwrap(), "a");
}

async fn a_live_socket_is_in_use(smol: Smol) {
    let scratch = Scratch::new();
    let (a, b) = (endpoint(&smol, "a"), endpoint(&smol, "b"));
    let path = scratch.join("socket");
    let _server = a.serve(listener(&smol, &scratch));
    let error = UnixListener::bind_on(&smol, &path).unwrap_err();
    assert_eq!(error.to_string(), format!("socket path {path:?} is in use"));
    assert!(matches!(error, SocketError::InUse { path: at } if at == path));
    assert_eq!(b.connect(connector(&smol, &scratch)).await.unwrap(), "a");

    // Also one that is not lahja's.
    let path = scratch.join("foreign");
    let _foreign = net::UnixListener::bind(&path).unwrap();
    let error = UnixListener::bind_on(&smol, &path).unwrap_err();
    assert!(matches!(error, SocketError::InUse { .. }), "{error}");
    assert!(path.exists());
}

async fn a_path_that_is_too_long_is_an_error_with_its_length(smol: Smol) {
    let scratch = Scratch::new();
    let path = scratch.join("x".repeat(107));
    let len = path.as_os_str().len();
    let expected = format!("socket path {path:?} of {len} bytes is longer than 107");
    let error = UnixListener::bind_on(&smol, &path).unwrap_err();
    assert_eq!(error.to_string(), expected);
    assert!(matches!(error, SocketError::PathTooLong { max: 107, .. }));
    let a = endpoint(&smol, "a");
    let connector = UnixConnector::on(smol.clone(), &path);
    let error = a.connect(connector).await.unwrap_err();
    assert_eq!(
        lahja_contract::puppet::describe(&error),
        format!("the transport failed: {expected}")
    );
    assert!(entries(scratch.path()).is_empty());
}

async fn a_path_in_no_directory_is_an_error(smol: Smol) {
    let scratch = Scratch::new();
    fs::write(scratch.join("file"), "").unwrap();
    for (place, kind) in [
        ("missing/socket", std::io::ErrorKind::NotFound),
        ("file/socket", std::io::ErrorKind::NotADirectory),
    ] {
        let path = scratch.join(place);
        match UnixListener::bind_on(&smol, &path).unwrap_err() {
            SocketError::Io { path: at, source, .. } => {
                assert_eq!((at, source.kind()), (path, kind));
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!(entries(scratch.path()), ["file"]);
}

async fn a_taken_name_and_a_second_connection_are_refused(smol: Smol) {
    let scratch = Scratch::new();
    let (a, b) = (endpoint(&smol, "a"), endpoint(&smol, "b"));
    let _server = a.serve(listener(&smol, &scratch));
    b.connect(connector(&smol, &scratch)).await.unwrap();
    let twice = b.connect(connector(&smol, &scratch)).await.unwrap_err();
    assert!(matches!(twice, ConnectError::AlreadyConnected), "{twice}");
    assert_eq!(twice.to_string(), "the endpoints are connected already");
    let myself = a.connect(connector(&smol, &scratch)).await.unwrap_err();
    assert!(matches!(myself, ConnectError::Myself), "{myself}");
    let twin = endpoint(&smol, "a");
    let taken = twin.connect(connector(&smol, &scratch)).await.unwrap_err();
    assert!(matches!(taken, ConnectError::NameTaken), "{taken}");
    assert_eq!(taken.to_string(), "the peer bears the same name");
    assert_eq!(a.connections(), ["b"]);
    let mut numbers = a.stream::<Number>();
    let (ready, ()) = zip(numbers.ready(), async {}).await;
    ready.unwrap();
    b.broadcast(Number(1)).await.unwrap();
    assert_eq!(numbers.next().await.unwrap().unwrap().0, 1);
}

async fn mute_peers_do_not_keep_a_good_one_out(smol: Smol) {
    let scratch = Scratch::new();
    let (a, b) = (endpoint(&smol, "a"), endpoint(&smol, "b"));
    let _server = a.serve(listener(&smol, &scratch));
    let path = scratch.join("socket");
    let mut mute = Vec::new();
    for _ in 0..Limits::default().handshakes {
        mute.push(RawPeer::connect(&smol, &path));
        let mut dribbling = RawPeer::connect(&smol, &path);
        dribbling.send(&[40, 0]).await;
        mute.push(dribbling);
    }
    assert_eq!(b.connect(connector(&smol, &scratch)).await.unwrap(), "a");
    // The oldest had to make room.
    mute[0].closed().await;
}
