//! How often a connection that hears nothing asks its transport again before it sleeps.

use std::io;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::thread::available_parallelism;
use std::time::Duration;

use futures_lite::future::yield_now;
use lahja_core::{FrameError, FrameReader, Limits, Transport, memory_pair};

use super::{Peer, settle, wire};
use crate::common::{TestRuntime, build, run, with_limits};

/// How often a reader was asked in vain, in each wait for something to arrive.
#[derive(Clone, Default)]
struct Asked(Arc<Mutex<Vec<u32>>>);

impl Asked {
    /// Returns how often in all.
    fn sum(&self) -> u32 {
        self.0.lock().unwrap().iter().sum()
    }

    /// Waits until the reader sleeps.
    async fn until_asleep(&self) {
        let mut asked = None;
        while asked != Some(self.sum()) {
            asked = Some(self.sum());
            settle().await;
        }
    }
}

/// A transport that counts how often its reader is asked in vain.
struct Counted<T> {
    transport: T,
    asked: Asked,
}

impl<T: Transport> Transport for Counted<T> {
    type Reader = CountedReader<T::Reader>;
    type Writer = T::Writer;

    fn split(self) -> (Self::Reader, Self::Writer) {
        let (reader, writer) = self.transport.split();
        self.asked.0.lock().unwrap().push(0);
        (CountedReader { reader, asked: self.asked }, writer)
    }
}

struct CountedReader<R> {
    reader: R,
    asked: Asked,
}

impl<R: FrameReader> FrameReader for CountedReader<R> {
    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let filled = self.reader.poll_fill(context);
        let mut asked = self.asked.0.lock().unwrap();
        match filled {
            Poll::Ready(_) => asked.push(0),
            Poll::Pending => *asked.last_mut().unwrap() += 1,
        }
        filled
    }

    fn next_frame(&mut self) -> Result<Option<&[u8]>, FrameError> {
        self.reader.next_frame()
    }

    fn finish(&self) -> Result<(), FrameError> {
        self.reader.finish()
    }

    fn set_max_frame(&mut self, max_frame: usize) {
        self.reader.set_max_frame(max_frame);
    }

    fn wakes_slowly(&self) -> bool {
        self.reader.wakes_slowly()
    }
}

/// Lets a peer say something in so many waits of an endpoint, each when its reader sleeps: first hello,
/// then as many frames at once as `frames` says. Returns how often the reader was asked in vain in each
/// wait.
async fn converse(
    runtime: &TestRuntime,
    poll_for: Duration,
    waits: usize,
    frames: impl Fn(usize) -> usize,
) -> Vec<u32> {
    let mut limits = Limits::default();
    limits.poll_for = poll_for;
    let a = with_limits(runtime, "a", limits);
    let (peer, transport) = Peer::new();
    let asked = Asked::default();
    let attaching = a.attach(Counted { transport, asked: asked.clone() });
    let speaking = async {
        asked.until_asleep().await;
        peer.introduce("x", &[]);
        for wait in 1..waits - 1 {
            asked.until_asleep().await;
            let frame = &[wire::kind::OPTIONAL][..];
            peer.say_all(&vec![frame; frames(wait)]);
        }
        asked.until_asleep().await;
    };
    let (attached, ()) = futures_lite::future::zip(attaching, speaking).await;
    attached.unwrap();
    let asked = asked.0.lock().unwrap().clone();
    assert_eq!(asked.len(), waits);
    asked
}

fn has_cores() -> bool {
    available_parallelism().map_or(1, usize::from) > 1
}

#[test]
fn a_reader_that_may_not_poll_asks_once_and_sleeps() {
    run(|runtime| async move {
        assert_eq!(converse(&runtime, Duration::ZERO, 40, |_| 1).await, [1; 40]);
    });
}

#[test]
fn a_try_that_is_over_at_once_asks_once_more_and_the_tries_become_rare() {
    run(|runtime| async move {
        let asked = converse(&runtime, Duration::from_nanos(1), 80, |_| 1).await;
        let tries = match has_cores() {
            true => &[0, 2, 5, 10, 19, 36, 69][..],
            // On one core it would keep the peer from running.
            false => &[],
        };
        for (wait, asked) in asked.into_iter().enumerate() {
            let expected = if tries.contains(&wait) { 2 } else { 1 };
            assert_eq!(asked, expected, "in wait {wait}");
        }
    });
}

#[test]
fn a_stream_is_not_polled_for() {
    run(|runtime| async move {
        for (frames, asked_then) in [(127, [2, 1]), (128, [1, 2])] {
            // There would be a try in the third wait.
            let frames = |wait| if wait == 1 { frames } else { 1 };
            let asked = converse(&runtime, Duration::from_nanos(1), 5, frames).await;
            let expected = if has_cores() { asked_then } else { [1; 2] };
            assert_eq!(asked[2..4], expected);
        }
    });
}

#[test]
fn a_connection_that_polls_by_default_sleeps_when_nothing_comes() {
    run(|runtime| async move {
        let a = build(&runtime, "a", |a| a);
        let (peer, transport) = Peer::new();
        let asked = Asked::default();
        peer.introduce("x", &[]);
        a.attach(Counted { transport, asked: asked.clone() }).await.unwrap();
        asked.until_asleep().await;
        // It has tried, where that makes sense: a stream is taken for slow by default.
        let last = *asked.0.lock().unwrap().last().unwrap();
        assert_eq!(last > 1, has_cores(), "{last}");
        let sum = asked.sum();
        for _ in 0..10_000 {
            yield_now().await;
        }
        assert_eq!(asked.sum(), sum, "it has not slept");
        assert!(a.is_connected_to("x"));
    });
}

#[test]
fn a_transport_in_memory_is_never_polled() {
    run(|runtime| async move {
        let a = build(&runtime, "a", |a| a);
        let b = build(&runtime, "b", |b| b);
        let (near, far) = memory_pair();
        let asked = Asked::default();
        let near = Counted { transport: near, asked: asked.clone() };
        let (near, far) = futures_lite::future::zip(a.attach(near), b.attach(far)).await;
        near.unwrap();
        far.unwrap();
        asked.until_asleep().await;
        let asked = asked.0.lock().unwrap().clone();
        assert!(asked.iter().all(|&asked| asked <= 1), "{asked:?}");
    });
}
