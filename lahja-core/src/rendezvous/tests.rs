use std::env;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use rustix::io::{FdFlags, fcntl_getfd};

use super::testing::{TempDir, claim, entries, lock, stale_socket};
use super::*;

const CONTENDERS: u32 = 8;
const ROUNDS: u32 = 1_000;

fn name(name: &str) -> EndpointName {
    name.parse().unwrap()
}

fn bus_in(temp: &TempDir) -> BusDir {
    BusDir::at(temp.join("bus")).unwrap()
}

/// What an endpoint leaves whose process was killed.
fn residue(dir: &Path, name: &str) {
    stale_socket(&dir.join(format!("{name}.ipc")));
    File::create(dir.join(format!("{name}.lock"))).unwrap();
}

#[test]
fn an_endpoint_is_found_by_name_and_leaves_nothing_behind() {
    let temp = TempDir::new();
    let bus = bus_in(&temp);
    let (seat, listener) = claim(&bus, "e1").unwrap();
    assert_eq!(seat.dir().path(), bus.path());
    assert_eq!(entries(bus.path()), [".bus.lock", "e1.ipc", "e1.lock"]);
    let mode = fs::metadata(seat.socket_path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);

    let stream = bus.connect(&name("e1")).unwrap();
    let (accepted, _) = listener.accept().unwrap();
    check_peer(&stream).unwrap();
    check_peer(&accepted).unwrap();

    drop(seat);
    assert_eq!(entries(bus.path()), [".bus.lock"]);
}

#[test]
fn a_name_is_taken_until_its_endpoint_leaves() {
    let temp = TempDir::new();
    let bus = bus_in(&temp);
    let (seat, listener) = claim(&bus, "e1").unwrap();
    for handle in [&bus, &bus_in(&temp)] {
        match claim(handle, "e1") {
            Err(JoinError::NameTaken { name }) => assert_eq!(name, "e1"),
            other => panic!("{other:?}"),
        }
    }
    bus.connect(&name("e1")).unwrap();
    listener.accept().unwrap();
    // The listener may outlive its seat: the name is free all the same.
    drop(seat);
    claim(&bus, "e1").unwrap();
}

#[test]
fn the_bus_is_locked_by_one_at_a_time() {
    let temp = TempDir::new();
    let (one, other) = (bus_in(&temp), bus_in(&temp));
    let held = one.try_lock().unwrap().unwrap();
    assert!(one.try_lock().unwrap().is_none());
    assert!(other.try_lock().unwrap().is_none());
    drop(held);
    assert!(other.try_lock().unwrap().is_some());
}

#[test]
fn the_living_are_listed_and_the_dead_removed() {
    let temp = TempDir::new();
    let bus = bus_in(&temp);
    let _seats = ["e3", "e1", "me", "e.lock"].map(|name| claim(&bus, name).unwrap());
    residue(bus.path(), "dead");
    stale_socket(&bus.path().join("unlocked.ipc"));
    File::create(bus.path().join("unbound.lock")).unwrap();
    fs::write(bus.path().join("Cargo.lock"), "precious").unwrap();

    let others = lock(&bus).others(&name("me")).unwrap();
    assert_eq!(others, ["e.lock", "e1", "e3"].map(name));
    let mut kept = vec![".bus.lock".to_owned(), "Cargo.lock".to_owned()];
    for name in ["e.lock", "e1", "e3", "me"] {
        kept.extend([format!("{name}.ipc"), format!("{name}.lock")]);
    }
    kept.sort();
    assert_eq!(entries(bus.path()), kept);
}

#[test]
fn an_endpoint_is_live_while_it_holds_its_name() {
    let temp = TempDir::new();
    let bus = bus_in(&temp);
    assert!(!bus.is_live(&name("e1")).unwrap());
    let seat = claim(&bus, "e1").unwrap();
    assert!(bus.is_live(&name("e1")).unwrap());
    drop(seat);
    assert!(!bus.is_live(&name("e1")).unwrap());
    residue(bus.path(), "e1");
    let joining = lock(&bus);
    assert!(bus.is_live(&name("e1")).unwrap(), "cannot be told yet");
    drop(joining);
    assert!(!bus.is_live(&name("e1")).unwrap());
    assert_eq!(entries(bus.path()), [".bus.lock"]);
}

#[test]
fn a_path_that_is_too_long_is_refused_before_anything_is_touched() {
    let temp = TempDir::new();
    let bus = BusDir::at(temp.join("x".repeat(60))).unwrap();
    let long = "y".repeat(64);
    match claim(&bus, &long) {
        Err(JoinError::Socket(SocketError::PathTooLong { len, max: 107, .. })) => {
            assert!(len > 107);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(entries(bus.path()), [".bus.lock"]);
}

#[test]
fn a_shared_bus_is_found_by_its_name() {
    let temp = TempDir::new();
    let base = temp.join("base");
    let open = |name| BusDir::open_in(&base, name, geteuid());
    let _seat = claim(&open("demo").unwrap(), "e1").unwrap();
    assert!(open("demo").unwrap().is_live(&name("e1")).unwrap());
    assert!(matches!(open("../demo"), Err(BusError::Name { .. })));
    assert!(matches!(open("bus-1"), Err(BusError::Reserved { .. })));
    assert_eq!(entries(&base), ["demo"]);
}

#[test]
fn a_directory_that_was_removed_or_replaced_is_gone() {
    let temp = TempDir::new();
    let bus = bus_in(&temp);
    fs::rename(bus.path(), temp.join("moved")).unwrap();
    assert!(matches!(bus.try_lock(), Err(BusError::Gone { .. })));
    let _new = bus_in(&temp);
    assert!(matches!(bus.try_lock(), Err(BusError::Gone { .. })));
}

#[test]
fn every_descriptor_is_closed_on_exec() {
    let temp = TempDir::new();
    let bus = bus_in(&temp);
    let bus_lock = lock(&bus);
    let (_seat, listener) = bus_lock.claim(&name("e1")).unwrap();
    let stream = bus.connect(&name("e1")).unwrap();
    let mut ours = 0;
    for entry in fs::read_dir("/proc/self/fd").unwrap() {
        let fd = entry.unwrap().path();
        let target = fs::read_link(&fd).unwrap_or_default();
        if target.starts_with(temp.path()) {
            let number = fd.file_name().unwrap().to_str().unwrap();
            let info = fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap();
            let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
            let flags = u32::from_str_radix(flags.unwrap().trim(), 8).unwrap();
            assert_ne!(flags & 0o2000000, 0, "{target:?} is inherited");
            ours += 1;
        }
    }
    assert_eq!(ours, 3, "the directory, the bus's lock, the name's lock");
    for flags in [fcntl_getfd(&listener), fcntl_getfd(&stream)] {
        assert!(flags.unwrap().contains(FdFlags::CLOEXEC));
    }
}

#[test]
fn a_stale_socket_has_exactly_one_heir_among_threads() {
    let temp = TempDir::new();
    let bus = bus_in(&temp);
    for round in 0..ROUNDS {
        residue(bus.path(), "e1");
        let start = Barrier::new(CONTENDERS as usize);
        let contend = || {
            start.wait();
            claim(&bus, "e1")
        };
        let claims: Vec<_> = thread::scope(|scope| {
            let contenders: Vec<_> = (0..CONTENDERS).map(|_| scope.spawn(contend)).collect();
            contenders.into_iter().map(|c| c.join().unwrap()).collect()
        });
        let heirs: Vec<_> = claims.into_iter().flatten().collect();
        let [(_seat, listener)] = heirs.as_slice() else {
            panic!("{} heirs in round {round}", heirs.len());
        };
        bus.connect(&name("e1")).unwrap();
        listener.accept().unwrap();
    }
    assert_eq!(entries(bus.path()), [".bus.lock"]);
}

#[test]
fn claims_and_leaves_in_a_race_never_give_a_name_two_holders() {
    let temp = TempDir::new();
    let bus = bus_in(&temp);
    let holders = AtomicU32::new(0);
    race(
        &holders,
        || claim(&bus, "e1").ok(),
        || {
            bus.connect(&name("e1")).unwrap();
        },
    );
    assert_eq!(entries(bus.path()), [".bus.lock"]);
}

#[test]
fn binds_in_a_race_never_give_a_path_two_listeners() {
    let temp = TempDir::new();
    let path = temp.join("a.sock");
    let holders = AtomicU32::new(0);
    race(
        &holders,
        || bind_path(&path).ok(),
        || {
            connect_path(&path).unwrap();
        },
    );
    assert_eq!(temp.entries(), [""; 0]);
}

/// Has every contender try until it held `take`'s result for a number of rounds.
fn race<T>(holders: &AtomicU32, take: impl Fn() -> Option<T> + Sync, visit: impl Fn() + Sync) {
    thread::scope(|scope| {
        for _ in 0..CONTENDERS {
            scope.spawn(|| {
                for _ in 0..ROUNDS / CONTENDERS {
                    let held = loop {
                        if let Some(held) = take() {
                            break held;
                        }
                        thread::yield_now();
                    };
                    assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0);
                    visit();
                    holders.fetch_sub(1, Ordering::SeqCst);
                    drop(held);
                }
            });
        }
    });
}

#[test]
fn a_stale_socket_has_exactly_one_heir_among_processes() {
    if let Some(dir) = env::var_os(CONTENDER) {
        let bus = BusDir::at(dir).unwrap();
        return contend(|| claim(&bus, "e1").ok());
    }
    let test = "rendezvous::tests::a_stale_socket_has_exactly_one_heir_among_processes";
    let temp = TempDir::new();
    let bus = bus_in(&temp);
    contest(test, bus.path(), |bus| residue(bus, "e1"), || bus.connect(&name("e1")));
    assert_eq!(entries(bus.path()), [".bus.lock"]);
}

#[test]
fn a_stale_path_has_exactly_one_heir_among_processes() {
    if let Some(dir) = env::var_os(CONTENDER) {
        return contend(|| bind_path(Path::new(&dir).join("e1.ipc")).ok());
    }
    let test = "rendezvous::tests::a_stale_path_has_exactly_one_heir_among_processes";
    let temp = TempDir::new();
    let path = temp.join("e1.ipc");
    contest(test, temp.path(), |_| stale_socket(&path), || connect_path(&path));
    assert_eq!(temp.entries(), [""; 0]);
}

/// Has processes contend for what is left of the dead in a directory, and connects to the heir.
fn contest(
    test: &str,
    dir: &Path,
    leave: impl Fn(&Path),
    connect: impl Fn() -> Result<UnixStream, SocketError>,
) {
    let mut contenders: Vec<_> = (0..CONTENDERS).map(|_| Contender::start(test, dir)).collect();
    for round in 0..ROUNDS {
        leave(dir);
        contenders.iter_mut().for_each(Contender::send);
        let heirs = contenders.iter_mut().filter_map(|c| c.answer().then_some(()));
        assert_eq!(heirs.count(), 1, "round {round}");
        connect().unwrap();
        contenders.iter_mut().for_each(Contender::send);
        contenders.iter_mut().for_each(|c| assert!(!c.answer()));
    }
    for contender in contenders {
        contender.finish();
    }
}

#[test]
fn a_killed_endpoint_needs_no_cleaning_by_hand() {
    if let Some(dir) = env::var_os(CONTENDER) {
        let bus = BusDir::at(dir).unwrap();
        return contend(|| claim(&bus, "e1").ok());
    }
    let test = "rendezvous::tests::a_killed_endpoint_needs_no_cleaning_by_hand";
    let temp = TempDir::new();
    let private = BusDir::private_in(temp.path(), geteuid()).unwrap();
    // Whoever looks whether it lives cleans up as well.
    for is_looked_at in [false, true] {
        let mut victim = Contender::start(test, private.path());
        victim.send();
        assert!(victim.answer());
        assert!(matches!(claim(&private, "e1"), Err(JoinError::NameTaken { .. })));
        assert!(private.is_live(&name("e1")).unwrap());
        victim.kill();
        if is_looked_at {
            assert!(!private.is_live(&name("e1")).unwrap());
        }
        let (_seat, listener) = claim(&private, "e1").unwrap();
        private.connect(&name("e1")).unwrap();
        listener.accept().unwrap();
    }
    drop(private);
    assert_eq!(temp.entries(), [""; 0]);
}

/// Says in a child's environment in which directory it shall contend.
const CONTENDER: &str = "LAHJA_TEST_CONTENDER";

/// A process that runs one test of this program, told what to do by its standard input.
#[derive(Debug)]
struct Contender {
    child: Child,
    link: UnixStream,
}

impl Contender {
    fn start(test: &str, dir: &Path) -> Self {
        let (link, theirs) = UnixStream::pair().unwrap();
        let child = Command::new(env::current_exe().unwrap())
            .args(["--exact", test])
            .env(CONTENDER, dir)
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, link }
    }

    /// Makes it try to take what it contends for, or give it back if it has tried.
    fn send(&mut self) {
        self.link.write_all(&[0]).unwrap();
    }

    /// Waits until it has done so, and tells whether it holds it now.
    fn answer(&mut self) -> bool {
        let mut answer = [0];
        self.link.read_exact(&mut answer).unwrap();
        answer == [1]
    }

    fn finish(mut self) {
        self.link.shutdown(Shutdown::Both).unwrap();
        assert!(self.child.wait().unwrap().success());
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// The child's side of [`Contender`].
fn contend<T>(take: impl Fn() -> Option<T>) {
    let stdin = rustix::stdio::stdin().try_clone_to_owned().unwrap();
    let mut link = UnixStream::from(stdin);
    let mut order = [0];
    loop {
        if link.read(&mut order).unwrap() == 0 {
            return;
        }
        let taken = take();
        link.write_all(&[u8::from(taken.is_some())]).unwrap();
        if link.read(&mut order).unwrap() == 0 {
            return;
        }
        drop(taken);
        link.write_all(&[0]).unwrap();
    }
}
