//! A child process that is connected by its standard input and output, which are plain pipes.

use std::process::Stdio;

use lahja_contract::puppet::{Manner, Number, Order, Question, Reach, Report, have_done, order};
use lahja_contract::{cases, child};
use lahja_smol::{Endpoint, Received, RequestError, Smol, StreamTransport};
use smol::future::{poll_once, zip};
use smol::io::AsyncReadExt;
use smol::process::Child;

cases! {
    events_and_requests_go_both_ways,
    the_end_of_the_child_is_seen,
    the_end_of_the_parent_is_seen,
    what_the_child_prints_does_not_get_into_the_pipe,
}

async fn start(smol: &Smol) -> (Endpoint, Child) {
    let mut command = child!("piped");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let parent = Endpoint::new("parent", smol.clone()).unwrap();
    let peer = parent.attach(StreamTransport::new(stdout, stdin)).await;
    assert_eq!(peer.unwrap(), "piped");
    (parent, child)
}

async fn events_and_requests_go_both_ways(smol: Smol) {
    let (parent, _child) = start(&smol).await;
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

async fn the_end_of_the_child_is_seen(smol: Smol) {
    for is_killed in [true, false] {
        let (parent, mut child) = start(&smol).await;
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

async fn the_end_of_the_parent_is_seen(smol: Smol) {
    let (parent, mut child) = start(&smol).await;
    have_done(&parent, "piped", Order::Listen(None)).await;
    drop(parent);
    assert!(child.status().await.unwrap().success());
}

async fn what_the_child_prints_does_not_get_into_the_pipe(smol: Smol) {
    let (parent, mut child) = start(&smol).await;
    let mut stderr = child.stderr.take().unwrap();
    have_done(&parent, "piped", Order::Say("said".into())).await;
    drop(parent);
    let mut printed = String::new();
    let (read, ended) = zip(stderr.read_to_string(&mut printed), child.status()).await;
    read.unwrap();
    assert!(ended.unwrap().success());
    assert_eq!(printed, "this goes to the standard error\nsaid\nsaid\n");
}
