//! A stranger who tries to reach what is being bound.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lahja_contract::Stage;
use lahja_contract::process::until;
use lahja_contract::scratch::{Scratch, entries};
use lahja_core::UnixListener;
use lahja_smol::EventBus;
use rustix::fs::Mode;
use rustix::process::umask;

use crate::become_a_stranger;
use crate::other::{self, Other};
use crate::subjects::Global;

mod one_thread {
    lahja_contract::own_cases!(super::Global<1>, {
        no_socket_is_reached_by_a_stranger_while_it_is_bound_a_thousand_times,
    });
}

/// How often each of the two sockets is bound.
const BINDS: u64 = 1_000;

/// The sockets, as the stranger sees them.
const SOCKETS: [&str; 2] = ["socket", "bus/e.ipc"];

/// What came of trying to connect to a socket.
#[derive(Debug, Default)]
struct Tally {
    // Nobody was let through because of the mode of the socket or its directory.
    denied: u64,
    missing: u64,
    // Whatever else there was: the connection, or its refusal by a socket that does not listen yet.
    reached: u64,
}

impl Tally {
    fn try_again(&mut self, path: &str) {
        match UnixStream::connect(path).map_err(|error| error.kind()) {
            Err(ErrorKind::PermissionDenied) => self.denied += 1,
            Err(ErrorKind::NotFound) => self.missing += 1,
            Ok(_) | Err(_) => self.reached += 1,
        }
    }
}

/// Tries to connect to both sockets until the case says that it is enough.
async fn try_to_connect(dir: &str) {
    std::env::set_current_dir(dir).unwrap();
    let enough = Arc::new(AtomicBool::new(false));
    let told = enough.clone();
    // On another thread, as this one is the stranger's.
    let waiting = smol::spawn(async move {
        other::report("begins").await;
        told.store(true, Ordering::Relaxed);
    });
    become_a_stranger();
    let mut tallies = [Tally::default(), Tally::default()];
    while !enough.load(Ordering::Relaxed) || tallies.iter().any(|tally| tally.denied == 0) {
        for (tally, path) in tallies.iter_mut().zip(SOCKETS) {
            tally.try_again(path);
        }
    }
    waiting.await;
    other::report(&format!("{tallies:?}")).await;
}

fn mode(path: impl AsRef<Path>) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

async fn no_socket_is_reached_by_a_stranger_while_it_is_bound_a_thousand_times(
    stage: Stage<Global<1>>,
) {
    if let Some(dir) = other::role() {
        return try_to_connect(&dir).await;
    }
    if crate::was_run_as_root().await {
        return;
    }
    umask(Mode::empty());
    let scratch = Scratch::new();
    fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let [socket, seat] = SOCKETS.map(|path| scratch.join(path));
    let bus = EventBus::at(scratch.join("bus")).unwrap();
    let mut stranger = Other::start(scratch.path().to_str().unwrap());
    assert_eq!(stranger.reported().await, "begins");
    for _ in 0..BINDS {
        let server = stage.build("server", |server| server);
        let serving = server.serve(UnixListener::bind_on(stage.platform(), &socket).unwrap());
        let member = bus.endpoint("e").await.unwrap();
        assert_eq!([mode(&socket), mode(&seat)], [0o600, 0o600]);
        assert_eq!(mode(bus.path()), 0o700);
        serving.stop().await;
        drop(member);
        until(|| !seat.exists()).await;
    }
    // They stay now, for the stranger to have tried each at least once.
    let server = stage.build("server", |server| server);
    let _serving = server.serve(UnixListener::bind_on(stage.platform(), &socket).unwrap());
    let member = bus.endpoint("e").await.unwrap();
    stranger.go_on();
    let tallies = stranger.reported().await;
    println!("{tallies}");
    assert_eq!(tallies.matches("reached: 0 ").count(), 2, "{tallies}");
    assert!(server.connections().is_empty() && member.connections().is_empty());
    assert_eq!(entries(scratch.path()), ["bus", "socket", "socket.lock"]);
}
