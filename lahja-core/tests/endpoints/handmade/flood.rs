//! A peer that speaks without a pause.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures_io::AsyncRead;
use futures_lite::future::yield_now;
use lahja_core::{Runtime, StreamTransport};

use super::wire;
use crate::common::{build, run};

/// How often there is something to read at once.
const READS: usize = 1_000;

/// Has something to say whenever it is asked, which costs no credit.
struct Talker {
    greeting: Vec<u8>,
    reads: Arc<AtomicUsize>,
}

impl AsyncRead for Talker {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut bytes = std::mem::take(&mut self.greeting);
        if bytes.is_empty() {
            if self.reads.fetch_add(1, Ordering::Relaxed) >= READS {
                return Poll::Pending;
            }
            bytes = wire::frame(&[wire::kind::OPTIONAL]).repeat(100);
        }
        buffer[..bytes.len()].copy_from_slice(&bytes);
        Poll::Ready(Ok(bytes.len()))
    }
}

#[test]
fn other_tasks_have_their_turn_while_a_peer_speaks_without_a_pause() {
    run(|runtime| async move {
        let a = build(&runtime, "a", |a| a);
        let reads = Arc::new(AtomicUsize::new(0));
        let turns = Arc::new(AtomicUsize::new(0));
        let is_over = Arc::new(AtomicBool::new(false));
        let (counted, told) = (turns.clone(), is_over.clone());
        runtime.spawn(Box::pin(async move {
            while !told.load(Ordering::Relaxed) {
                counted.fetch_add(1, Ordering::Relaxed);
                yield_now().await;
            }
        }));
        let greeting = [wire::hello("x"), vec![wire::kind::READY]];
        let greeting = greeting.iter().flat_map(|content| wire::frame(content)).collect();
        let talker = Talker { greeting, reads: reads.clone() };
        a.attach(StreamTransport::new(talker, futures_lite::io::sink())).await.unwrap();
        let before = turns.load(Ordering::Relaxed);
        while reads.load(Ordering::Relaxed) <= READS {
            yield_now().await;
        }
        let turns = turns.load(Ordering::Relaxed) - before;
        is_over.store(true, Ordering::Relaxed);
        assert!(turns > READS / 2, "{turns} turns while there was something to read {READS} times");
        assert!(a.is_connected_to("x"));
    });
}
