//! How often a connection that hears nothing asks its transport again before it sleeps.

use std::io;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread::available_parallelism;
use std::time::Duration;

use futures_lite::future::yield_now;
use lahja_core::{FrameError, FrameReader, Limits, Transport, memory_pair};

use super::{Peer, settle, wire};
use crate::common::{TestRuntime, build, run, with_limits};

/// How often a reader has looked in vain, in each wait for something to arrive.
#[derive(Clone, Default)]
struct Looked(Arc<Mutex<Vec<InVain>>>);

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct InVain {
    /// To look again.
    asked: u32,
    /// To be woken.
    slept: u32,
}

/// Returns that a reader asked so often before it slept.
const fn asked(asked: u32) -> InVain {
    InVain { asked, slept: 1 }
}

impl Looked {
    /// Returns how often in all.
    fn sum(&self) -> u32 {
        self.0.lock().unwrap().iter().map(|in_vain| in_vain.asked + in_vain.slept).sum()
    }

    /// Returns how many waits there were, and what became of the last.
    fn last(&self) -> (usize, InVain) {
        let looked = self.0.lock().unwrap();
        (looked.len(), *looked.last().unwrap())
    }

    /// Notes that there was something, or else counts that there was nothing.
    fn note<T>(&self, look: &Poll<T>, count: impl FnOnce(&mut InVain)) {
        let mut looked = self.0.lock().unwrap();
        match look {
            Poll::Ready(_) => looked.push(InVain::default()),
            Poll::Pending => count(looked.last_mut().unwrap()),
        }
    }

    /// Waits until the reader sleeps.
    async fn until_asleep(&self) {
        let mut sum = None;
        while sum != Some(self.sum()) {
            sum = Some(self.sum());
            settle().await;
        }
    }
}

/// What happens before a transport is asked, as often as it has been in vain in so many waits.
type BeforeAsking = Box<dyn FnMut(usize, u32) + Send>;

/// A transport that counts how often its reader looks in vain, and wakes nobody who asks.
struct Counted<T> {
    transport: T,
    looked: Looked,
    before_asking: BeforeAsking,
}

impl<T> Counted<T> {
    fn new(transport: T, looked: &Looked) -> Self {
        Self { transport, looked: looked.clone(), before_asking: Box::new(|_, _| ()) }
    }
}

impl<T: Transport> Transport for Counted<T> {
    type Reader = CountedReader<T::Reader>;
    type Writer = T::Writer;

    fn split(self) -> (Self::Reader, Self::Writer) {
        let (reader, writer) = self.transport.split();
        self.looked.0.lock().unwrap().push(InVain::default());
        let Self { looked, before_asking, .. } = self;
        (CountedReader { reader, looked, before_asking }, writer)
    }
}

struct CountedReader<R> {
    reader: R,
    looked: Looked,
    before_asking: BeforeAsking,
}

impl<R: FrameReader> FrameReader for CountedReader<R> {
    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let filled = self.reader.poll_fill(context);
        self.looked.note(&filled, |in_vain| in_vain.slept += 1);
        filled
    }

    fn poll_ask(&mut self, _context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let (waits, in_vain) = self.looked.last();
        (self.before_asking)(waits, in_vain.asked);
        let filled = self.reader.poll_fill(&mut Context::from_waker(Waker::noop()));
        self.looked.note(&filled, |in_vain| in_vain.asked += 1);
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
/// then as many frames at once as `frames` says. Returns how often the reader looked in vain in each
/// wait.
async fn converse(
    runtime: &TestRuntime,
    poll_for: Duration,
    waits: usize,
    frames: impl Fn(usize) -> usize,
) -> Vec<InVain> {
    let mut limits = Limits::default();
    limits.poll_for = poll_for;
    let a = with_limits(runtime, "a", limits);
    let (peer, transport) = Peer::new();
    let looked = Looked::default();
    let attaching = a.attach(Counted::new(transport, &looked));
    let speaking = async {
        looked.until_asleep().await;
        peer.introduce("x", &[]);
        for wait in 1..waits - 1 {
            looked.until_asleep().await;
            let frame = &[wire::kind::OPTIONAL][..];
            peer.say_all(&vec![frame; frames(wait)]);
        }
        looked.until_asleep().await;
    };
    let (attached, ()) = futures_lite::future::zip(attaching, speaking).await;
    attached.unwrap();
    let looked = looked.0.lock().unwrap().clone();
    assert_eq!(looked.len(), waits);
    looked
}

fn has_cores() -> bool {
    available_parallelism().map_or(1, usize::from) > 1
}

#[test]
fn a_reader_that_may_not_poll_sleeps() {
    run(|runtime| async move {
        assert_eq!(converse(&runtime, Duration::ZERO, 40, |_| 1).await, [asked(0); 40]);
    });
}

#[test]
fn a_try_that_is_over_at_once_asks_once_more_and_the_tries_become_rare() {
    run(|runtime| async move {
        let looked = converse(&runtime, Duration::from_nanos(1), 80, |_| 1).await;
        let tries = match has_cores() {
            true => &[0, 2, 5, 10, 19, 36, 69][..],
            // On one core it would keep the peer from running.
            false => &[],
        };
        for (wait, looked) in looked.into_iter().enumerate() {
            let expected = if tries.contains(&wait) { 2 } else { 0 };
            assert_eq!(looked, asked(expected), "in wait {wait}");
        }
    });
}

#[test]
fn what_comes_during_a_try_ends_it() {
    run(|runtime| async move {
        let mut limits = Limits::default();
        limits.poll_for = Duration::from_nanos(1);
        let a = with_limits(&runtime, "a", limits);
        let (peer, transport) = Peer::new();
        let peer = Arc::new(peer);
        let looked = Looked::default();
        let mut counted = Counted::new(transport, &looked);
        let expected = match has_cores() {
            true => {
                let speaking = peer.clone();
                counted.before_asking = Box::new(move |waits, asked| {
                    if (waits, asked) == (1, 1) {
                        speaking.introduce("x", &[]);
                    }
                });
                [InVain { asked: 1, slept: 0 }, asked(2)]
            }
            false => {
                peer.introduce("x", &[]);
                [InVain::default(), asked(0)]
            }
        };
        a.attach(counted).await.unwrap();
        looked.until_asleep().await;
        assert_eq!(*looked.0.lock().unwrap(), expected);
    });
}

#[test]
fn a_stream_is_not_polled_for() {
    run(|runtime| async move {
        for (frames, asked_then) in [(127, [2, 0]), (128, [0, 2])] {
            // There would be a try in the third wait.
            let frames = |wait| if wait == 1 { frames } else { 1 };
            let looked = converse(&runtime, Duration::from_nanos(1), 5, frames).await;
            let expected = if has_cores() { asked_then } else { [0; 2] };
            assert_eq!(looked[2..4], expected.map(asked));
        }
    });
}

#[test]
fn a_connection_that_polls_by_default_sleeps_when_nothing_comes() {
    run(|runtime| async move {
        let a = build(&runtime, "a", |a| a);
        let (peer, transport) = Peer::new();
        let looked = Looked::default();
        peer.introduce("x", &[]);
        a.attach(Counted::new(transport, &looked)).await.unwrap();
        looked.until_asleep().await;
        // It has tried, where that makes sense: a stream is taken for slow by default.
        let (_, last) = looked.last();
        assert_eq!(last.asked > 1, has_cores(), "{last:?}");
        assert_eq!(last.slept, 1);
        let sum = looked.sum();
        for _ in 0..10_000 {
            yield_now().await;
        }
        assert_eq!(looked.sum(), sum, "it has not slept");
        assert!(a.is_connected_to("x"));
    });
}

#[test]
fn a_transport_in_memory_is_never_polled() {
    run(|runtime| async move {
        let a = build(&runtime, "a", |a| a);
        let b = build(&runtime, "b", |b| b);
        let (near, far) = memory_pair();
        let looked = Looked::default();
        let near = Counted::new(near, &looked);
        let (near, far) = futures_lite::future::zip(a.attach(near), b.attach(far)).await;
        near.unwrap();
        far.unwrap();
        looked.until_asleep().await;
        let looked = looked.0.lock().unwrap().clone();
        assert!(looked.iter().all(|in_vain| in_vain.asked == 0), "{looked:?}");
    });
}
