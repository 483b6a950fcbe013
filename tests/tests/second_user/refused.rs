//! A stranger who does reach a socket, or listens at one.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{self, UnixStream};

use lahja_contract::Stage;
use lahja_contract::puppet::{Number, describe};
use lahja_contract::scratch::Scratch;
use lahja_contract::wire::{self, kind};
use lahja_core::UnixListener;
use lahja_smol::{ConnectError, UnixConnector};

use crate::become_a_stranger;
use crate::other::{self, Other};
use crate::subjects::Own;

mod one_thread {
    lahja_contract::own_cases!(super::Own, {
        a_stranger_who_gets_through_is_cut_off_before_a_byte_is_read,
        a_stranger_who_listens_is_told_nothing,
    });
}

/// How often the stranger tries.
const ATTEMPTS: u64 = 1_000;

/// Introduces itself in all form. Returns whether it was cut off with everything unread.
fn is_cut_off(socket: &str) -> bool {
    let mut stream = UnixStream::connect(socket).unwrap();
    let words = [wire::frame(&wire::hello("stranger")), wire::frame(&[kind::READY])].concat();
    let said = stream.write_all(&words).map_err(|error| error.kind());
    let mut heard = Vec::new();
    let end = stream.read_to_end(&mut heard).map_err(|error| error.kind());
    // The kernel tells that something was left unread; who is too late to say anything is told
    // that at once.
    let unread = (said, end) == (Ok(()), Err(ErrorKind::ConnectionReset));
    heard.is_empty() && (unread || said == Err(ErrorKind::BrokenPipe))
}

async fn a_stranger_who_gets_through_is_cut_off_before_a_byte_is_read(stage: Stage<Own>) {
    if let Some(dir) = other::role() {
        std::env::set_current_dir(dir).unwrap();
        become_a_stranger();
        let cut_off = (0..ATTEMPTS).filter(|_| is_cut_off("socket")).count();
        other::report(&cut_off.to_string()).await;
        return;
    }
    if crate::was_run_as_root().await {
        return;
    }
    let scratch = Scratch::new();
    let socket = scratch.join("socket");
    let server = stage.build("server", |server| server);
    server.serve(UnixListener::bind_on(stage.platform(), &socket).unwrap()).detach();
    let mut numbers = server.stream::<Number>();
    // Somebody has opened both to everybody.
    for (path, mode) in [(scratch.path(), 0o755), (&socket, 0o666)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let mut stranger = Other::start(scratch.path().to_str().unwrap());
    let good = stage.build("good", |good| good);
    let connector = UnixConnector::on(stage.platform().clone(), &socket);
    assert_eq!(good.connect(connector).await.unwrap(), "server");
    assert_eq!(stranger.reported().await, ATTEMPTS.to_string());
    assert_eq!(server.connections(), ["good"]);
    good.broadcast(Number(1)).await.unwrap();
    assert_eq!(numbers.next().await.unwrap().unwrap().0, 1);
}

/// Listens, and reports how many bytes came of those who connected.
async fn listen(dir: &str) {
    std::env::set_current_dir(dir).unwrap();
    become_a_stranger();
    let listener = net::UnixListener::bind("socket").unwrap();
    fs::set_permissions("socket", fs::Permissions::from_mode(0o666)).unwrap();
    let mut line = "listens".to_owned();
    while other::report(&line).await {
        let (mut peer, _) = listener.accept().unwrap();
        let mut heard = Vec::new();
        peer.read_to_end(&mut heard).unwrap();
        line = format!("{} bytes", heard.len());
    }
}

async fn a_stranger_who_listens_is_told_nothing(stage: Stage<Own>) {
    if let Some(dir) = other::role() {
        return listen(&dir).await;
    }
    if crate::was_run_as_root().await {
        return;
    }
    let scratch = Scratch::new();
    fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o1777)).unwrap();
    let mut stranger = Other::start(scratch.path().to_str().unwrap());
    assert_eq!(stranger.reported().await, "listens");
    for _ in 0..10 {
        let endpoint = stage.build("endpoint", |endpoint| endpoint);
        let connector = UnixConnector::on(stage.platform().clone(), scratch.join("socket"));
        stranger.go_on();
        let error = endpoint.connect(connector).await.unwrap_err();
        assert!(describe(&error).ends_with("peer belongs to user 12345"), "{}", describe(&error));
        match error {
            ConnectError::Io(error) => assert_eq!(error.kind(), ErrorKind::PermissionDenied),
            other => panic!("{other}"),
        }
        assert_eq!(stranger.reported().await, "0 bytes");
    }
}
