//! What core asks of a runtime and of a platform, asked of them directly.

use std::cell::Cell;
use std::fs;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::ExitStatusExt;
use std::pin::pin;
use std::process::{self, Command};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use async_channel::bounded;
use futures_io::AsyncWrite;
use futures_lite::future::{poll_once, zip};
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use lahja_core::{ChildProcess, Platform, Runtime};

use crate::process::blocking;
use crate::scratch::Scratch;
use crate::stage::Stage;
use crate::subject::Subject;

pub async fn a_sleep_is_not_over_before_its_time<S: Subject>(stage: Stage<S>) {
    let start = Instant::now();
    for duration in [0, 1, 50, 100].map(Duration::from_millis) {
        let before = start.elapsed();
        stage.platform().sleep(duration).await;
        let slept = start.elapsed() - before;
        assert!(slept >= duration, "{slept:?} instead of {duration:?}");
    }
}

pub async fn a_sleep_may_be_longer_than_there_is_time<S: Subject>(stage: Stage<S>) {
    for duration in [Duration::MAX, Duration::from_secs(u64::MAX / 2), Duration::from_secs(86_400)]
    {
        let mut sleep = stage.platform().sleep(duration);
        assert!(poll_once(&mut sleep).await.is_none());
        stage.platform().sleep(Duration::from_millis(10)).await;
        assert!(poll_once(&mut sleep).await.is_none());
    }
}

thread_local! {
    static IS_WAKING: Cell<bool> = const { Cell::new(false) };
}

pub async fn waking_a_task_does_not_run_it_on_the_spot<S: Subject>(stage: Stage<S>) {
    let (wake, woken) = bounded(1);
    let (done, is_done) = bounded(1);
    stage.platform().spawn(Box::pin(async move {
        while woken.recv().await.is_ok() {
            done.send(IS_WAKING.get()).await.unwrap();
        }
    }));
    for _ in 0..100 {
        IS_WAKING.set(true);
        wake.try_send(()).unwrap();
        IS_WAKING.set(false);
        assert!(!is_done.recv().await.unwrap(), "it runs within the call that wakes it");
    }
}

pub async fn an_accept_that_is_given_up_loses_nobody<S: Subject>(stage: Stage<S>) {
    let scratch = Scratch::new();
    let path = scratch.join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    listener.set_nonblocking(true).unwrap();
    let mut listener = stage.platform().listener(listener).unwrap();
    for number in 0..20 {
        let mut given_up = Box::pin(S::Platform::accept(&mut listener));
        assert!(poll_once(&mut given_up).await.is_none());
        // Half of them come while it waits, half when it does not any more.
        let mut peer = None;
        if number % 2 == 0 {
            peer = Some(UnixStream::connect(&path).unwrap());
        }
        drop(given_up);
        let mut peer = peer.unwrap_or_else(|| UnixStream::connect(&path).unwrap());
        let mut stream = S::Platform::accept(&mut listener).await.unwrap();
        stream.write_all(&[number]).await.unwrap();
        stream.flush().await.unwrap();
        let mut heard = [0];
        peer.read_exact(&mut heard).unwrap();
        assert_eq!(heard, [number], "another one was accepted");
    }
}

pub async fn closing_a_stream_sends_what_it_took_and_ends_one_direction<S: Subject>(
    stage: Stage<S>,
) {
    let (near, mut far) = UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    let near = stage.platform().stream(near).unwrap();
    let (mut reader, mut writer) = (near.clone(), near);
    let mut sent = 0;
    loop {
        let mut context = Context::from_waker(Waker::noop());
        match pin!(&mut writer).poll_write(&mut context, &[7; 10_000]) {
            Poll::Ready(count) => sent += count.unwrap(),
            Poll::Pending => break,
        }
        assert!(sent < 1 << 30, "there is room for everything");
    }
    let (at_end, end) = bounded(1);
    let reading = blocking(move || {
        let mut heard = Vec::new();
        far.read_to_end(&mut heard).unwrap();
        // The other direction is open.
        far.write_all(b"answer").unwrap();
        at_end.try_send(heard.len()).unwrap();
        drop(far);
    });
    let closing = async {
        writer.close().await.unwrap();
        let mut heard = Vec::new();
        reader.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"answer");
    };
    zip(reading, closing).await;
    assert_eq!(end.try_recv().unwrap(), sent);
}

pub async fn the_status_of_a_process_may_be_given_up_and_asked_for_again<S: Subject>(
    stage: Stage<S>,
) {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "read -r code; exit $code"]);
    let (mut near, far) = UnixStream::pair().unwrap();
    let command = S::command(command);
    let mut child = stage.platform().spawn_process(command, OwnedFd::from(far)).unwrap();
    assert_ne!(child.id(), 0);
    for _ in 0..3 {
        assert!(poll_once(child.status()).await.is_none());
    }
    near.write_all(b"3\n").unwrap();
    for _ in 0..3 {
        assert_eq!(child.status().await.unwrap().code(), Some(3));
    }
}

pub async fn the_end_of_a_processs_input_is_that_of_the_other_end<S: Subject>(stage: Stage<S>) {
    let (near, far) = UnixStream::pair().unwrap();
    let command = S::command(Command::new("/bin/cat"));
    let mut child = stage.platform().spawn_process(command, OwnedFd::from(far)).unwrap();
    drop(near);
    assert!(child.status().await.unwrap().success());
}

pub async fn a_process_can_be_killed<S: Subject>(stage: Stage<S>) {
    let (_near, far) = UnixStream::pair().unwrap();
    let command = S::command(Command::new("/bin/cat"));
    let mut child = stage.platform().spawn_process(command, OwnedFd::from(far)).unwrap();
    assert!(poll_once(child.status()).await.is_none());
    // Again, as it has ended, is harmless.
    for _ in 0..2 {
        child.kill().unwrap();
        assert_eq!(child.status().await.unwrap().signal(), Some(9));
    }
}

pub async fn a_process_prints_where_this_one_does<S: Subject>(stage: Stage<S>) {
    let (near, far) = UnixStream::pair().unwrap();
    let command = S::command(Command::new("/bin/cat"));
    let mut child = stage.platform().spawn_process(command, OwnedFd::from(far)).unwrap();
    for stream in ["1", "2"] {
        let leads_to = |id| fs::read_link(format!("/proc/{id}/fd/{stream}")).unwrap();
        assert_eq!(leads_to(child.id()), leads_to(process::id()));
    }
    drop(near);
    assert!(child.status().await.unwrap().success());
}
