//! Peers that come faster than anybody can serve them.

use std::future::pending;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_lite::future::yield_now;
use lahja_core::{Listener, MemoryTransport, memory_pair};

use crate::common::{build, run};

/// How many come without a pause.
const CROWD: usize = 1_000;

/// Has a peer at hand whenever it is asked for one, until the crowd has come.
struct Crowd(Arc<AtomicUsize>);

impl Listener for Crowd {
    type Transport = MemoryTransport;

    async fn accept(&mut self) -> io::Result<MemoryTransport> {
        if self.0.fetch_add(1, Ordering::Relaxed) >= CROWD {
            pending().await
        }
        // Nobody is at the other end any more.
        let (near, _) = memory_pair();
        Ok(near)
    }
}

#[test]
fn other_tasks_have_their_turn_while_peers_come_without_a_pause() {
    run(async |runtime| {
        let server = build(&runtime, "server", |server| server);
        let come = Arc::new(AtomicUsize::new(0));
        let serving = server.serve(Crowd(come.clone()));
        let mut turns = 0;
        while come.load(Ordering::Relaxed) < CROWD {
            yield_now().await;
            turns += 1;
        }
        serving.stop().await;
        assert!(turns > 10, "{turns} turns while {CROWD} came");
    });
}
