//! What children inherit and leave to their own, and what becomes of them without a parent.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use lahja_contract::process::{Process, Program, blocking, children, until};
use lahja_contract::puppet::{Number, Order, Report, order, until_gone};
use lahja_contract::roles::{DEAF, PARENT, PUPPET, told};
use lahja_contract::scratch::Scratch;
use lahja_contract::{Stage, Subject};
use lahja_smol::{EventBus, Limits, SpawnError, UnixConnector, UnixListener};
use smol::future::{block_on, poll_once};

use crate::other::{self, Other};
use crate::subjects::{Global, Own};

mod one_thread {
    lahja_contract::own_cases!(super::Own, {
        a_grandchild_that_holds_on_to_its_inheritance_hides_no_death,
        a_child_inherits_its_standard_streams_alone,
        what_the_system_took_arrives_though_its_sender_was_killed,
    });
}

mod four_threads {
    lahja_contract::own_cases!(super::Global<4>, {
        none_of_fifty_children_outlives_a_parent_that_was_killed,
    });
}

/// Has a shell start a process that keeps the shell's standard input open, and note its id.
fn leave_behind(note: &str) -> String {
    format!("exec 3<&0; sleep 600 <&3 3<&- >/dev/null 2>&1 & echo $! >{note}; exec 3<&-")
}

/// Returns the process that was left behind, which holds the end of a link.
fn left_behind(note: &str) -> Process {
    let id = fs::read_to_string(note).unwrap().trim().parse().unwrap();
    let process = Process::open(id);
    let stdin = fs::read_link(format!("/proc/{id}/fd/0")).unwrap();
    assert!(stdin.to_str().unwrap().starts_with("socket:"), "{stdin:?}");
    process
}

async fn a_grandchild_that_holds_on_to_its_inheritance_hides_no_death(stage: Stage<Own>) {
    let scratch = Scratch::new();
    let note = scratch.join("note").to_str().unwrap().to_owned();
    let parent = stage.endpoint("parent").await;
    let command = stage.role_after(&leave_behind(&note), PUPPET, &[]);
    let mut child = stage.spawn("c", command).await.unwrap();
    parent.wait_until_connected_to("c").await;
    let grandchild = left_behind(&note);
    child.kill().unwrap();
    assert_eq!(child.status().await.unwrap().signal(), Some(9));
    until_gone(&parent, "c").await;
    grandchild.kill();

    // Nor that of one which has not joined, and says nothing.
    let command = stage.shell(&format!("{}; exit 3", leave_behind(&note)));
    let error = stage.spawn("c", command).timeout(Duration::MAX).await.unwrap_err();
    assert!(matches!(error, SpawnError::Exited(status) if status.code() == Some(3)), "{error}");
    left_behind(&note).kill();

    let _heir = stage.puppet("c").await;
    assert_eq!(order(&parent, "c", Order::Groups).await, Report::Names(vec![]));
}

async fn a_child_inherits_its_standard_streams_alone(stage: Stage<Own>) {
    let scratch = Scratch::new();
    let [before, after] = ["before", "after"].map(|name| scratch.join(name));
    let list = |path: &Path| stage.shell(&format!("ls /proc/$$/fd >{}", path.display()));
    let mut command = list(&before);
    assert!(blocking(move || command.stdin(Stdio::null()).status()).await.unwrap().success());

    // A bus, its locks, a listener, connections both ways, and the link to another child.
    let [one, other] = stage.meet(["one", "other"]).await;
    let _child = stage.puppet("c").await;
    let error = stage.spawn("lister", list(&after)).await.unwrap_err();
    assert!(matches!(error, SpawnError::Exited(status) if status.success()), "{error}");
    let inherited = fs::read_to_string(after).unwrap();
    assert_eq!(inherited, fs::read_to_string(before).unwrap());
    assert!(inherited.lines().count() >= 3, "{inherited}");
    assert!(one.is_connected_to("c") && other.is_connected_to("c"));
}

/// How many events are on their way: less than a socket takes.
const EVENTS: u64 = 1_000;

async fn what_the_system_took_arrives_though_its_sender_was_killed(stage: Stage<Own>) {
    if let Some(path) = other::role() {
        let sender = stage.build("sender", |sender| sender);
        sender.connect(UnixConnector::on(stage.platform().clone(), path)).await.unwrap();
        assert!(other::report("connected").await);
        for number in 0..EVENTS {
            sender.broadcast(Number(number)).await.unwrap();
        }
        until(|| sender.stats().unsent_bytes == 0).await;
        other::report("sent").await;
        return;
    }
    let mut no_polling = Limits::default();
    no_polling.poll_for = Duration::ZERO;
    for limits in [no_polling, Limits::default()] {
        let scratch = Scratch::new();
        let socket = scratch.join("socket");
        let server = stage.limited("server", &limits);
        server.serve(UnixListener::bind_on(stage.platform(), &socket).unwrap()).detach();
        let mut numbers = server.stream::<Number>();
        let mut sender = Other::start(socket.to_str().unwrap());
        assert_eq!(sender.reported().await, "connected");
        server.wait_until_connected_to("sender").await;
        // No task of this process has a turn until the sender is dead.
        sender.go_on();
        assert_eq!(block_on(sender.reported()), "sent");
        drop(sender);
        assert!(poll_once(numbers.next()).await.is_none());
        until_gone(&server, "sender").await;
        for number in 0..EVENTS {
            let event = poll_once(numbers.next()).await.expect("it has arrived");
            assert_eq!(event.unwrap().unwrap().0, number);
        }
    }
}

/// Starts a parent of children in these roles, and returns it with them.
async fn family<S: Subject>(stage: &Stage<S>, roles: &[&str]) -> (Program, Vec<Process>) {
    let mut command = stage.role(PARENT, roles);
    command.stdout(Stdio::piped());
    let mut parent = Program::start(command);
    let output = BufReader::new(parent.stdout());
    let told = blocking(move || {
        let lines = output.lines().flat_map(|line| told(&line.unwrap()));
        lines.take(2).collect::<Vec<_>>()
    });
    let ids = told.await.pop().unwrap();
    let children = ids.split(' ').map(|id| Process::open(id.parse().unwrap())).collect();
    (parent, children)
}

async fn none_of_fifty_children_outlives_a_parent_that_was_killed(stage: Stage<Global<4>>) {
    // One half ends with its endpoint, the other when it is told to by a signal.
    let roles: Vec<_> = [PUPPET, DEAF].repeat(25);
    let (mut parent, orphans) = family(&stage, &roles).await;
    assert_eq!(orphans.len(), 50);
    parent.kill();
    let killed = Instant::now();
    for orphan in orphans {
        orphan.ended().await;
    }
    println!("none is left after {:?}", killed.elapsed());
    parent.ended().await;
    // Whoever makes the next bus removes what is left of theirs.
    drop(EventBus::new().unwrap());
    assert_eq!(children(), [0_u32; 0]);
}
