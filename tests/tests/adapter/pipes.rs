//! A child process that is connected by its standard input and output, which are plain pipes.

use std::env;
use std::fs::File;
use std::process::Stdio;

use async_signal::{Signal, Signals};
use lahja_contract::puppet::{
    self, Manner, Number, Order, Question, Reach, Report, have_done, order, until_gone,
};
use lahja_contract::{Stage, Subject};
use lahja_smol::{Endpoint, Received, RequestError, Smol, StreamTransport};
use smol::future::{or, poll_once, zip};
use smol::io::AsyncReadExt;
use smol::process::{Child, Command};
use smol::stream::StreamExt;

use crate::subjects::{Global, Own};

/// Makes the tests on one subject.
macro_rules! pipes {
    ($subject:ty) => {
        lahja_contract::own_cases!($subject, {
            events_and_requests_go_both_ways,
            the_end_of_the_child_is_seen,
            the_end_of_the_parent_is_seen,
            what_the_child_prints_does_not_get_into_the_pipe,
            writing_where_nobody_reads_any_more_brings_no_signal,
        });
    };
}

mod one_thread {
    pipes!(super::Global<1>);
}

mod four_threads {
    pipes!(super::Global<4>);
}

mod own_executor {
    pipes!(super::Own);
}

/// Says to a process that it is the child of the case that it runs.
const CHILD: &str = "LAHJA_PIPED";

/// A subject on smol.
trait On: Subject<Platform = Smol> {}

impl<S: Subject<Platform = Smol>> On for S {}

/// Describes this case once more, as its child.
fn child() -> Command {
    // What the harness of the tests prints must not get into the pipe, which waits at descriptor
    // 3 meanwhile.
    let mut command = Command::new("sh");
    command.args(["-c", r#"exec 3>&1 >&2; exec "$0" "$@""#]);
    command.arg(env::current_exe().unwrap()).args(env::args_os().skip(1)).env(CHILD, "");
    command
}

/// Gives this process, a child, its standard output back.
fn restore_stdout() {
    let pipe = File::options().write(true).open("/proc/self/fd/3").unwrap();
    rustix::stdio::dup2_stdout(pipe).unwrap();
}

/// Starts a child whose endpoint is connected to that of this process.
async fn start<S: On>(stage: &Stage<S>, stderr: Stdio) -> (Endpoint, Child) {
    let mut command = child();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr);
    let mut child = command.spawn().unwrap();
    let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let parent = stage.build("parent", |parent| parent);
    let peer = parent.attach(StreamTransport::new(stdout, stdin)).await;
    assert_eq!(peer.unwrap(), "piped");
    (parent, child)
}

fn is_child() -> bool {
    env::var_os(CHILD).is_some()
}

/// What the child does: it is a puppet whose endpoint is connected to its parent by pipes.
async fn piped<S: On>(stage: Stage<S>) {
    restore_stdout();
    let endpoint = stage.build("piped", |piped| piped);
    endpoint.attach(lahja_smol::stdio().unwrap()).await.unwrap();
    println!("this goes to the standard error");
    let gone = until_gone(&endpoint, "parent");
    or(puppet::obey(stage.platform().clone(), endpoint.clone()), gone).await;
}

async fn events_and_requests_go_both_ways<S: On>(stage: Stage<S>) {
    if is_child() {
        return piped(stage).await;
    }
    let (parent, _child) = start(&stage, Stdio::inherit()).await;
    have_done(&parent, "piped", Order::Listen(None)).await;
    have_done(&parent, "piped", Order::Answer(Manner::Doubling)).await;
    for number in 0..1_000 {
        parent.broadcast(Number(number)).await.unwrap();
    }
    let taken = order(&parent, "piped", Order::Take(1_000)).await;
    let expected = (0..1_000).map(|number| ("parent".into(), number));
    assert_eq!(taken, Report::Numbers(expected.collect()));
    assert_eq!(parent.request(Question(4)).await.unwrap(), Number(8));

    let mut numbers = parent.stream::<Number>();
    let _answer = parent.answer(|question: Received<Question>| Number(question.0 + 100));
    numbers.ready().await.unwrap();
    for number in 0..100 {
        have_done(&parent, "piped", Order::Broadcast(number, Reach::All)).await;
        let event = numbers.next().await.unwrap().unwrap();
        assert_eq!((event.origin().as_str(), event.0), ("piped", number));
    }
    let answer = order(&parent, "piped", Order::Ask(1, "parent".into())).await;
    assert_eq!(answer, Report::Number(101));
}

async fn the_end_of_the_child_is_seen<S: On>(stage: Stage<S>) {
    if is_child() {
        return piped(stage).await;
    }
    for is_killed in [true, false] {
        let (parent, mut child) = start(&stage, Stdio::inherit()).await;
        have_done(&parent, "piped", Order::Answer(Manner::Silent)).await;
        let mut request = parent.request(Question(1)).without_timeout().into_future();
        assert!(poll_once(&mut request).await.is_none());
        let gone = parent.connections_changed();
        if is_killed {
            child.kill().unwrap();
        } else {
            let exit = parent.request(Order::Exit(0)).without_timeout();
            assert!(matches!(exit.await, Err(RequestError::PeerGone { sent: true, .. })));
        }
        gone.await;
        assert!(!parent.is_connected_to("piped"));
        match request.await {
            Err(RequestError::PeerGone { peer, .. }) => assert_eq!(peer, "piped"),
            other => panic!("{other:?}"),
        }
        child.status().await.unwrap();
    }
}

async fn the_end_of_the_parent_is_seen<S: On>(stage: Stage<S>) {
    if is_child() {
        return piped(stage).await;
    }
    let (parent, mut child) = start(&stage, Stdio::inherit()).await;
    have_done(&parent, "piped", Order::Listen(None)).await;
    drop(parent);
    assert!(child.status().await.unwrap().success());
}

async fn what_the_child_prints_does_not_get_into_the_pipe<S: On>(stage: Stage<S>) {
    if is_child() {
        return piped(stage).await;
    }
    let (parent, mut child) = start(&stage, Stdio::piped()).await;
    let mut stderr = child.stderr.take().unwrap();
    have_done(&parent, "piped", Order::Say("said".into())).await;
    drop(parent);
    let mut printed = String::new();
    let (read, ended) = zip(stderr.read_to_string(&mut printed), child.status()).await;
    read.unwrap();
    assert!(ended.unwrap().success());
    // The harness of the tests prints there too.
    assert!(printed.contains("this goes to the standard error\nsaid\nsaid\n"), "{printed}");
}

async fn writing_where_nobody_reads_any_more_brings_no_signal<S: On>(stage: Stage<S>) {
    if is_child() {
        let mut signals = Signals::new([Signal::Pipe]).unwrap();
        restore_stdout();
        let endpoint = stage.build("piped", |piped| piped);
        let error = endpoint.attach(lahja_smol::stdio().unwrap()).await.unwrap_err();
        assert!(poll_once(signals.next()).await.is_none(), "{error}");
        return;
    }
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    drop(reader);
    let mut command = child();
    let mut child = command.stdin(Stdio::piped()).stdout(writer).spawn().unwrap();
    assert!(child.status().await.unwrap().success());
}
