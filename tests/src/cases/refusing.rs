//! Names and directories that cannot be: a typed error that says what is wrong and where.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, chown, symlink};
use std::path::Path;

use lahja_core::{BusError, Endpoint, EventBus, JoinError, NameError, SocketError, UnixListener};

use super::common::still_serves;
use crate::puppet::describe;
use crate::scratch::{Scratch, entries};
use crate::stage::Stage;
use crate::subject::Subject;

pub async fn a_bad_name_is_an_error_that_says_which_rule_it_breaks<S: Subject>(stage: Stage<S>) {
    let parent = stage.endpoint("parent").await;
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
        let error = stage.bus().endpoint(name).await.unwrap_err();
        assert_eq!(error.to_string(), text);
        assert!(matches!(error, JoinError::Name(_)), "{name}");
        let error: NameError = Endpoint::new(name, stage.platform().clone()).unwrap_err();
        assert_eq!(error.to_string(), text);
    }
    still_serves(stage.bus(), &parent).await;
}

pub async fn a_bad_bus_name_is_an_error_that_says_so<S: Subject>(stage: Stage<S>) {
    let open = |name: &str| {
        let opened = EventBus::open_on(stage.platform().clone(), name);
        opened.map(drop).unwrap_err()
    };
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

pub async fn a_directory_that_is_not_safe_is_refused<S: Subject>(stage: Stage<S>) {
    let parent = stage.endpoint("parent").await;
    let scratch = Scratch::new();
    let refusal = |path: &Path| {
        let opened = EventBus::at_on(stage.platform().clone(), path);
        opened.map(drop).unwrap_err()
    };

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
        if source.kind() == io::ErrorKind::NotFound));
    let text = format!("cannot open {:?}: ", scratch.join("missing"));
    assert!(describe(&error).starts_with(&text), "{}", describe(&error));
    still_serves(stage.bus(), &parent).await;
}

pub async fn a_socket_in_a_directory_that_is_not_safe_is_refused<S: Subject>(stage: Stage<S>) {
    let scratch = Scratch::new();
    let refusal = |path: &Path| UnixListener::bind_on(stage.platform(), path).unwrap_err();

    let (real, link) = (scratch.make_dir("real", 0o700), scratch.join("link"));
    symlink(&real, &link).unwrap();
    let error = refusal(&link.join("socket"));
    assert!(matches!(&error, SocketError::Symlink { path } if *path == link));
    let text = format!("{link:?} is a symbolic link, not the directory of a socket");
    assert_eq!(error.to_string(), text);

    let open = scratch.make_dir("open", 0o770);
    let me = fs::metadata(scratch.path()).unwrap().uid();
    let error = refusal(&open.join("socket"));
    assert!(matches!(&error, SocketError::UnsafeParent { path, mode: 0o770, .. } if *path == open));
    let text =
        format!("directory {open:?} of user {me} with mode 0770 is no safe place for a socket");
    assert_eq!(error.to_string(), text);
    for dir in [real, open] {
        assert_eq!(entries(dir), [""; 0]);
    }
}

pub async fn a_socket_path_that_is_too_long_is_an_error_before_anything_is_touched<S: Subject>(
    stage: Stage<S>,
) {
    let scratch = Scratch::new();
    // There is room for short names, wherever the scratch directory is, and not for long ones.
    let room = 75 - scratch.path().as_os_str().len();
    let dir = scratch.make_dir(&"d".repeat(room), 0o700);
    let bus = EventBus::at_on(stage.platform().clone(), &dir).unwrap();
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
