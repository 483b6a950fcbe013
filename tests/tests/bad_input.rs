//! What cannot be: a typed error each time that says what is wrong and where, and everything else
//! goes on.

use std::fs::{self, File};
use std::io::{Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, chown, symlink};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use lahja_contract::puppet::{
    Load, Manner, Number, Order, Question, Report, describe, have_done, order, start, until_gone,
};
use lahja_contract::scratch::{Scratch, entries};
use lahja_contract::wire::{self, RawPeer, kind};
use lahja_contract::{cases, child};
use lahja_smol::{
    BroadcastError, BusError, Endpoint, Event, EventBus, JoinError, Limits, NameError,
    PayloadError, Platform, RequestError, Scope, Smol, SocketError,
};
use smol::process::Command;

cases! {
    a_bad_name_is_an_error_that_says_which_rule_it_breaks,
    a_bad_bus_name_is_an_error_that_says_so,
    a_name_that_is_taken_here_or_elsewhere_is_free_after_a_kill,
    a_directory_that_is_not_safe_is_refused,
    a_socket_path_that_is_too_long_is_an_error_before_anything_is_touched,
    a_process_that_nobody_spawned_is_told_so,
    a_foreign_socket_as_standard_input_is_no_parent,
    connecting_to_the_parent_twice_is_an_error,
    a_handler_that_panics_costs_its_event_alone,
    an_answer_of_the_wrong_type_is_refused_where_it_is_given,
    a_response_of_the_wrong_type_is_refused_where_it_arrives,
    frames_that_lie_cost_their_connection_alone,
    a_peer_that_says_nothing_is_disconnected_when_its_time_is_up,
    lies_after_the_handshake_cost_their_connection_alone,
}

/// Checks that a good client is still served.
async fn still_serves(bus: &EventBus, server: &Endpoint) {
    // Not by a handler: that may hold the server for a moment longer than the case does.
    let mut questions = server.stream::<Question>();
    let client = bus.endpoint("good-client").await.unwrap();
    let scope = Scope::Endpoint(server.name().as_str());
    client.wait_until_subscribed::<Question>(scope).await;
    let asking = async { client.request(Question(21)).to(server.name()).await };
    let answering = async {
        let question = questions.next().await.unwrap().unwrap();
        let answer = server.broadcast(Number(2 * question.0));
        answer.with(question.broadcast_config()).await.unwrap();
    };
    let (answer, ()) = smol::future::zip(asking, answering).await;
    assert_eq!(answer.unwrap(), Number(42));
    client.close(Duration::from_secs(10)).await;
    until_gone(server, "good-client").await;
}

async fn a_bad_name_is_an_error_that_says_which_rule_it_breaks(smol: Smol) {
    let (bus, parent) = start(&smol).await;
    let long = "x".repeat(65);
    for (name, text) in [
        ("", "endpoint name is empty"),
        (&long, "endpoint name of 65 bytes is longer than 64"),
        ("a/b", r#"endpoint name "a/b" holds '/' at byte 1"#),
        ("a\0", r#"endpoint name "a\0" holds '\0' at byte 1"#),
        ("ä\n", r#"endpoint name "ä\n" holds '\n' at byte 2"#),
        ("..", r#"endpoint name ".." begins with '.' or holds "..""#),
        ("a..b", r#"endpoint name "a..b" begins with '.' or holds "..""#),
        (".a", r#"endpoint name ".a" begins with '.' or holds "..""#),
    ] {
        let error = bus.endpoint(name).await.unwrap_err();
        assert_eq!(error.to_string(), text);
        assert!(matches!(error, JoinError::Name(_)), "{name}");
        let error: NameError = Endpoint::new(name, smol.clone()).unwrap_err();
        assert_eq!(error.to_string(), text);
    }
    still_serves(&bus, &parent).await;
}

async fn a_bad_bus_name_is_an_error_that_says_so(smol: Smol) {
    let open = |name: &str| EventBus::open_on(smol.clone(), name).unwrap_err();
    let error = open("a/b");
    assert!(matches!(error, BusError::Name { .. }));
    assert_eq!(error.to_string(), r#"event bus name "a/b" is not allowed"#);
    assert!(describe(&error).ends_with("holds '/' at byte 1"));
    for name in ["", "..", "x\0", &"x".repeat(300)] {
        assert!(matches!(open(name), BusError::Name { .. }), "{name:?}");
    }
    let error = open("bus-1");
    assert!(matches!(error, BusError::Reserved { .. }));
    assert_eq!(error.to_string(), r#"event bus name "bus-1" begins like that of a private one"#);
}

async fn a_name_that_is_taken_here_or_elsewhere_is_free_after_a_kill(smol: Smol) {
    let (bus, parent) = start(&smol).await;
    let taken = async |name: &str| {
        let error = bus.endpoint(name).await.unwrap_err();
        let text = format!("endpoint name {name:?} is taken");
        assert_eq!(error.to_string(), text);
        assert!(matches!(error, JoinError::NameTaken { name: taken } if taken == name));
    };
    taken("parent").await;
    for name in ["m1", "m2", "m3"] {
        let mut member = child!("member", bus.path(), name);
        let mut member = member.kill_on_drop(true).spawn().unwrap();
        parent.wait_until_connected_to(name).await;
        taken(name).await;
        // And seen from there.
        let join = Order::Join(bus.path().into(), "parent".into());
        assert_eq!(
            order(&parent, name, join).await,
            Report::Failed(r#"endpoint name "parent" is taken"#.into())
        );
        member.kill().unwrap();
        member.status().await.unwrap();
        let _heir = bus.endpoint(name).await.unwrap();
        taken(name).await;
    }
    still_serves(&bus, &parent).await;
}

async fn a_directory_that_is_not_safe_is_refused(smol: Smol) {
    let (bus, parent) = start(&smol).await;
    let scratch = Scratch::new();
    let refusal = |path: &Path| EventBus::at_on(smol.clone(), path).unwrap_err();

    let link = scratch.join("link");
    symlink(scratch.make_dir("real", 0o700), &link).unwrap();
    let error = refusal(&link);
    assert!(matches!(&error, BusError::Symlink { path } if *path == link));
    let text = format!("{link:?} is a symbolic link, not the directory of an event bus");
    assert_eq!(error.to_string(), text);

    let file = scratch.join("file");
    fs::write(&file, "").unwrap();
    let error = refusal(&file);
    assert!(matches!(&error, BusError::NotADirectory { path } if *path == file));
    assert_eq!(error.to_string(), format!("{file:?} is not a directory"));

    let open = scratch.make_dir("open", 0o770);
    let error = refusal(&open);
    assert!(matches!(&error, BusError::TooOpen { path, mode: 0o770 } if *path == open));
    let text = format!("event bus directory {open:?} has mode 0770 instead of 0700");
    assert_eq!(error.to_string(), text);

    let me = fs::metadata(scratch.path()).unwrap().uid();
    let error = refusal(&open.join("bus"));
    assert!(matches!(&error, BusError::UnsafeParent { path, .. } if *path == open));
    let text =
        format!("directory {open:?} of user {me} with mode 0770 is no safe place for an event bus");
    assert_eq!(error.to_string(), text);

    // Root can make a directory that is somebody else's; anybody else finds one that is root's.
    let (theirs, uid) = if me == 0 {
        let theirs = scratch.make_dir("theirs", 0o700);
        chown(&theirs, Some(12_345), None).unwrap();
        (theirs, 12_345)
    } else {
        ("/usr".into(), 0)
    };
    let error = refusal(&theirs);
    assert!(matches!(&error, BusError::ForeignOwner { path, .. } if *path == theirs));
    let text = format!("event bus directory {theirs:?} belongs to user {uid}");
    assert_eq!(error.to_string(), text);

    let missing = scratch.join("missing/bus");
    let error = refusal(&missing);
    assert!(matches!(&error, BusError::Io { source, .. }
        if source.kind() == std::io::ErrorKind::NotFound));
    let text = format!("cannot open {:?}: ", scratch.join("missing"));
    assert!(describe(&error).starts_with(&text), "{}", describe(&error));
    still_serves(&bus, &parent).await;
}

async fn a_socket_path_that_is_too_long_is_an_error_before_anything_is_touched(smol: Smol) {
    let scratch = Scratch::new();
    let dir = scratch.make_dir(&"d".repeat(60), 0o700);
    let bus = EventBus::at_on(smol, &dir).unwrap();
    let name = "n".repeat(40);
    let error = bus.endpoint(&name).await.unwrap_err();
    let path = dir.join(name + ".ipc");
    let len = path.as_os_str().len();
    let text = format!("socket path {path:?} of {len} bytes is longer than 107");
    assert_eq!(error.to_string(), text);
    assert!(matches!(error, JoinError::Socket(SocketError::PathTooLong { .. })));
    assert_eq!(entries(&dir), [".bus.lock"]);
    // A shorter name fits.
    let short = bus.endpoint("n").await.unwrap();
    still_serves(&bus, &short).await;
}

/// Has a process that nobody spawned take over an endpoint from what `stdin` is, and returns what
/// it says: the error as it is, the error as a text, and its standard input after that.
async fn claim(mut command: Command, stdin: impl Into<Stdio>) -> [String; 3] {
    let output = command.stdin(stdin).output().await.unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines = text.lines().map(str::to_owned);
    [(); 3].map(|()| lines.next().unwrap())
}

async fn a_process_that_nobody_spawned_is_told_so(_smol: Smol) {
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
        let [error, text, stdin] = claim(child!("claim"), stdin).await;
        assert_eq!(error, "NotSpawned");
        assert_eq!(text, "this process was not spawned with an endpoint");
        assert!(stdin.contains(is_left), "{stdin}");
    }
    // What is no link is left unread.
    assert_eq!(file.stream_position().unwrap(), 0);
}

async fn a_foreign_socket_as_standard_input_is_no_parent(_smol: Smol) {
    let link = || {
        let (near, far) = UnixStream::pair().unwrap();
        (near, OwnedFd::from(far))
    };
    // Bytes that are no frame, a frame that is no invitation, and an end at once.
    let (mut near, far) = link();
    near.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let [error, text, _] = claim(child!("claim"), far).await;
    assert!(error.starts_with("Io("), "{error}");
    let expected = "the link to the parent failed: a frame of 542393671 bytes is longer than 16384";
    assert_eq!(text, expected);

    for content in [&b"rubbish"[..], b"lhj1", &[0xff; 100]] {
        let (mut near, far) = link();
        near.write_all(&wire::frame(content)).unwrap();
        let [error, _, _] = claim(child!("claim"), far).await;
        assert_eq!(error, "NotSpawned", "{content:?}");
    }

    let (near, far) = link();
    drop(near);
    let [error, _, _] = claim(child!("claim"), far).await;
    assert_eq!(error, "NotSpawned");

    // Half an invitation, and silence.
    let (mut near, far) = link();
    near.write_all(&[100, 0, 0, 0, 1]).unwrap();
    let [error, text, _] = claim(child!("claim", "50"), far).await;
    assert_eq!(error, "TimedOut");
    let expected = "the parent has not handed over an endpoint in time";
    assert_eq!(text, expected);
    let (_near, far) = link();
    let [error, _, _] = claim(child!("claim", "50"), far).await;
    assert_eq!(error, "TimedOut");
}

async fn connecting_to_the_parent_twice_is_an_error(smol: Smol) {
    let (bus, parent) = start(&smol).await;
    let _child = bus.spawn("c", child!("puppet")).await.unwrap();
    for _ in 0..2 {
        assert_eq!(
            order(&parent, "c", Order::ConnectAgain).await,
            Report::Failed("this process was not spawned with an endpoint".into())
        );
    }
    have_done(&parent, "c", Order::Answer(Manner::Doubling)).await;
    assert_eq!(parent.request(Question(1)).await.unwrap(), Number(2));
}

async fn a_handler_that_panics_costs_its_event_alone(smol: Smol) {
    let (bus, parent) = start(&smol).await;
    let _child = bus.spawn("c", child!("puppet")).await.unwrap();
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
    assert_eq!(order(&parent, "c", Order::Panics).await, Report::Number(5));
    still_serves(&bus, &parent).await;
}

async fn an_answer_of_the_wrong_type_is_refused_where_it_is_given(smol: Smol) {
    let (bus, parent) = start(&smol).await;
    let asker = bus.endpoint("asker").await.unwrap();
    let mut questions = parent.stream::<Question>();
    asker.wait_until_subscribed::<Question>(Scope::All).await;
    let asking = async { asker.request(Question(1)).without_timeout().await };
    let answering = async {
        let question = questions.next().await.unwrap().unwrap();
        let wrong = parent.broadcast(Load(1, String::new()));
        let error = wrong.with(question.broadcast_config()).await.unwrap_err();
        let text = "the request wants a response of type lahja-contract.Number";
        assert_eq!(error.to_string(), text);
        match error {
            BroadcastError::WrongResponse { event, expected } => {
                assert_eq!(event, Load(1, String::new()));
                assert_eq!(expected, Number::NAME);
            }
            other => panic!("{other}"),
        }
        // The request is still to be answered.
        assert!(question.awaits_answer());
        let right = parent.broadcast(Number(3));
        right.with(question.broadcast_config()).await.unwrap();
    };
    let (answer, ()) = smol::future::zip(asking, answering).await;
    assert_eq!(answer.unwrap(), Number(3));
    drop(questions);
    still_serves(&bus, &parent).await;
}

async fn a_response_of_the_wrong_type_is_refused_where_it_arrives(smol: Smol) {
    let (bus, parent) = start(&smol).await;
    let path = bus.path().join("parent.ipc");
    let mut peer = RawPeer::introduce(&smol, path, "handmade").await;
    peer.say(&wire::announce(1, 0, Question::NAME)).await;
    let scope = Scope::Endpoint("handmade");
    parent.wait_until_subscribed::<Question>(scope).await;

    let number = wire::topic_hash(Number::NAME);
    for (response_type, payload, is_wrong) in [
        (wire::topic_hash(Load::NAME), &[1, 0][..], true),
        (number, &[0x80; 11][..], false),
        (number, &[1, 2][..], false),
        (number, &[][..], false),
    ] {
        let asking = async { parent.request(Question(1)).without_timeout().await };
        let answering = async {
            let event = peer.hear(kind::EVENT).await.unwrap();
            assert_eq!(event[..3], [kind::EVENT, 1, 0]);
            let (id, _question) = wire::split_varint(&event[3..]);
            let response = wire::response(id, response_type, payload);
            peer.say(&response).await;
            // Again: it is not asked any more.
            peer.say(&response).await;
        };
        let (answer, ()) = smol::future::zip(asking, answering).await;
        let error = answer.unwrap_err();
        match &error {
            RequestError::WrongResponse { expected } if is_wrong => {
                assert_eq!(*expected, Number::NAME);
                let text = "the response is not of type lahja-contract.Number";
                assert_eq!(error.to_string(), text);
            }
            RequestError::MalformedResponse { source } if !is_wrong => {
                assert_eq!(error.to_string(), "the response cannot be decoded");
                assert!(matches!(
                    source,
                    PayloadError::Malformed { .. }
                        | PayloadError::Trailing { len: 2, extra: 1 }
                        | PayloadError::Truncated { len: 0 }
                ));
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(parent.is_connected_to("handmade"));
    assert_eq!(parent.stats().requests_in_flight, 0);
    still_serves(&bus, &parent).await;
}

async fn frames_that_lie_cost_their_connection_alone(smol: Smol) {
    let (bus, parent) = start(&smol).await;
    let path = bus.path().join("parent.ipc");
    let hello = wire::frame(&wire::hello("liar"));
    let ready = wire::frame(&[kind::READY]);
    let garbage = wire::frame(&[0x7f; 100]);
    for (what, bytes) in [
        ("a length of zero", vec![0; 4]),
        ("the greatest length", vec![0xff; 4]),
        ("a length over that of a handshake", 4_097_u32.to_le_bytes().into()),
        ("garbage of the promised length", garbage.clone()),
        ("another protocol", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("a message out of place", ready.clone()),
        ("a hello cut short", wire::frame(&wire::hello("liar")[..20])),
        ("a second hello", [&hello[..], &hello].concat()),
        ("a bad name", wire::frame(&wire::hello("../liar"))),
        ("a taken name", wire::frame(&wire::hello("parent"))),
    ] {
        let mut peer = RawPeer::connect(&smol, &path);
        peer.send(&bytes).await;
        peer.closed().await;
        assert!(!parent.is_connected_to("liar"), "{what}");
        still_serves(&bus, &parent).await;
    }
    for bytes in [&hello[..2], &hello[..10], &[]] {
        let mut peer = RawPeer::connect(&smol, &path);
        peer.send(bytes).await;
        drop(peer);
        still_serves(&bus, &parent).await;
    }
}

async fn a_peer_that_says_nothing_is_disconnected_when_its_time_is_up(smol: Smol) {
    let bus = EventBus::new_on(smol.clone()).unwrap();
    let mut limits = Limits::default();
    limits.handshake_timeout = Duration::from_millis(100);
    let server = bus.endpoint("server").limits(limits).await.unwrap();
    let path = bus.path().join("server.ipc");
    let mut mute = RawPeer::connect(&smol, &path);
    let mut slow = RawPeer::connect(&smol, &path);
    slow.say(&wire::hello("slow")).await;
    mute.closed().await;
    slow.closed().await;
    assert!(server.connections().is_empty());
    still_serves(&bus, &server).await;
}

async fn lies_after_the_handshake_cost_their_connection_alone(smol: Smol) {
    let (bus, parent) = start(&smol).await;
    let path = bus.path().join("parent.ipc");
    let mut numbers = parent.stream::<Number>();
    let too_long = (Limits::default().frame + 1).to_le_bytes();
    for (what, bytes) in [
        ("a length of zero", vec![0; 4]),
        ("the greatest length", vec![0xff; 4]),
        ("one byte too many", too_long.into()),
        ("an unknown kind", wire::frame(&[0x7f; 100])),
        ("a topic that nobody announced", wire::frame(&wire::event(9, &[1]))),
        ("an epoch out of sequence", wire::frame(&wire::announce(2, 0, "x"))),
        ("an acknowledgement of nothing", wire::frame(&wire::acknowledge(99))),
        ("a second hello", wire::frame(&wire::hello("liar"))),
    ] {
        let mut peer = RawPeer::introduce(&smol, &path, "liar").await;
        parent.wait_until_connected_to("liar").await;
        // What came before it counts.
        let number = announced_number(&mut peer, Number::NAME).await;
        peer.say(&wire::event(number, &[7])).await;
        let event = numbers.next().await.unwrap().unwrap();
        assert_eq!((event.0, event.origin().as_str()), (7, "liar"));
        peer.send(&bytes).await;
        peer.closed().await;
        until_gone(&parent, "liar").await;
        assert!(!parent.is_connected_to("liar"), "{what}");
        still_serves(&bus, &parent).await;
    }
    // A payload that is none costs the event alone.
    let mut peer = RawPeer::introduce(&smol, &path, "liar").await;
    let number = announced_number(&mut peer, Number::NAME).await;
    for payload in [&[][..], &[1, 2], &[0xff; 20]] {
        peer.say(&wire::event(number, payload)).await;
    }
    peer.say(&wire::event(number, &[8])).await;
    assert_eq!(numbers.next().await.unwrap().unwrap().0, 8);
    assert_eq!(parent.stats().malformed_payloads, 3);
    assert!(parent.is_connected_to("liar"));
    still_serves(&bus, &parent).await;
}

/// Waits for the announcement of a topic and returns the number that its events carry.
async fn announced_number(peer: &mut RawPeer<<Smol as Platform>::Stream>, topic: &str) -> u64 {
    loop {
        let content = peer.hear(kind::ANNOUNCE).await.unwrap();
        if content.ends_with(topic.as_bytes()) {
            let (_epoch, rest) = wire::split_varint(&content[1..]);
            return wire::split_varint(rest).0;
        }
    }
}
