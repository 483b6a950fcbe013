//! Processes that want what is not theirs, or cannot do what they are asked.

use std::fs::File;
use std::io::{Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use lahja_core::{JoinError, RequestError};

use super::common::still_serves;
use crate::process::blocking;
use crate::puppet::{Manner, Number, Order, Question, Report, have_done, order};
use crate::roles::{CLAIM, told};
use crate::scratch::Scratch;
use crate::stage::Stage;
use crate::subject::Subject;
use crate::wire;

pub async fn a_name_that_is_taken_here_or_elsewhere_is_free_after_a_kill<S: Subject>(
    stage: Stage<S>,
) {
    let parent = stage.endpoint("parent").await;
    let taken = async |name: &str| {
        let error = stage.bus().endpoint(name).await.unwrap_err();
        let text = format!("endpoint name {name:?} is taken");
        assert_eq!(error.to_string(), text);
        assert!(matches!(error, JoinError::NameTaken { name: taken } if taken == name));
    };
    taken("parent").await;
    for name in ["m1", "m2", "m3"] {
        let mut member = stage.member(stage.bus().path(), name);
        parent.wait_until_connected_to(name).await;
        taken(name).await;
        // And seen from there.
        let join = Order::Join(stage.bus().path().into(), "parent".into());
        assert_eq!(
            order(&parent, name, join).await,
            Report::Failed(r#"endpoint name "parent" is taken"#.into())
        );
        member.kill();
        member.ended().await;
        let _heir = stage.bus().endpoint(name).await.unwrap();
        taken(name).await;
    }
    still_serves(stage.bus(), &parent).await;
}

pub async fn a_process_that_nobody_spawned_is_told_so<S: Subject>(stage: Stage<S>) {
    let scratch = Scratch::new();
    let mut file =
        File::options().create_new(true).read(true).write(true).open(scratch.join("file")).unwrap();
    file.write_all(b"content").unwrap();
    file.rewind().unwrap();
    for (stdin, is_left) in [
        (Stdio::null(), "/dev/null"),
        (Stdio::from(file.try_clone().unwrap()), "file"),
        (Stdio::piped(), "pipe:"),
    ] {
        let [error, text, stdin] = claim(stage.role(CLAIM, &[]), stdin).await;
        assert_eq!(error, "NotSpawned");
        assert_eq!(text, "this process was not spawned with an endpoint");
        assert!(stdin.contains(is_left), "{stdin}");
    }
    // What is no link is left unread.
    assert_eq!(file.stream_position().unwrap(), 0);
}

pub async fn a_foreign_socket_as_standard_input_is_no_parent<S: Subject>(stage: Stage<S>) {
    let link = || {
        let (near, far) = UnixStream::pair().unwrap();
        (near, OwnedFd::from(far))
    };
    // Bytes that are no frame, a frame that is no invitation, and an end at once.
    let (mut near, far) = link();
    near.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let [error, text, _] = claim(stage.role(CLAIM, &[]), far).await;
    assert!(error.starts_with("Io("), "{error}");
    let expected = "the link to the parent failed: a frame of 542393671 bytes is longer than 16384";
    assert_eq!(text, expected);

    for content in [&b"rubbish"[..], b"lhj1", &[0xff; 100]] {
        let (mut near, far) = link();
        near.write_all(&wire::frame(content)).unwrap();
        let [error, _, _] = claim(stage.role(CLAIM, &[]), far).await;
        assert_eq!(error, "NotSpawned", "{content:?}");
    }

    let (near, far) = link();
    drop(near);
    let [error, _, _] = claim(stage.role(CLAIM, &[]), far).await;
    assert_eq!(error, "NotSpawned");

    // Half an invitation, and silence.
    let (mut near, far) = link();
    near.write_all(&[100, 0, 0, 0, 1]).unwrap();
    let [error, text, _] = claim(stage.role(CLAIM, &["50"]), far).await;
    assert_eq!(error, "TimedOut");
    let expected = "the parent has not handed over an endpoint in time";
    assert_eq!(text, expected);
    let (_near, far) = link();
    let [error, _, _] = claim(stage.role(CLAIM, &["50"]), far).await;
    assert_eq!(error, "TimedOut");
}

pub async fn connecting_to_the_parent_twice_is_an_error<S: Subject>(stage: Stage<S>) {
    let parent = stage.endpoint("parent").await;
    let _child = stage.puppet("c").await;
    for _ in 0..2 {
        assert_eq!(
            order(&parent, "c", Order::ConnectAgain).await,
            Report::Failed("this process was not spawned with an endpoint".into())
        );
    }
    have_done(&parent, "c", Order::Answer(Manner::Doubling)).await;
    assert_eq!(parent.request(Question(1)).await.unwrap(), Number(2));
}

pub async fn a_handler_that_panics_costs_its_event_alone<S: Subject>(stage: Stage<S>) {
    let parent = stage.endpoint("parent").await;
    let _child = stage.puppet("c").await;
    have_done(&parent, "c", Order::Answer(Manner::Panicking)).await;
    for number in 0..10 {
        let answer = parent.request(Question(number)).without_timeout().await;
        match answer {
            Ok(answer) if number % 2 == 0 => assert_eq!(answer, Number(2 * number)),
            Err(error @ RequestError::Unanswered) if number % 2 == 1 => {
                assert_eq!(error.to_string(), "nobody who was asked has answered");
            }
            other => panic!("{number}: {other:?}"),
        }
    }
    assert_eq!(order(&parent, "c", Order::Panics(5)).await, Report::Number(5));
    still_serves(stage.bus(), &parent).await;
}

/// Has a process that nobody spawned take over an endpoint from what `stdin` is, and returns what
/// it tells: the error as it is, the error as a text, and its standard input after that.
async fn claim(mut command: Command, stdin: impl Into<Stdio>) -> [String; 3] {
    command.stdin(stdin);
    let output = blocking(move || command.output().unwrap()).await;
    assert!(output.status.success(), "{output:?}");
    let lines = told(&String::from_utf8(output.stdout).unwrap());
    lines.try_into().expect("it tells three lines")
}
