//! What a caller writes at once, though others have left theirs to the writer loop.

use std::future::IntoFuture;
use std::time::Duration;

use futures_lite::future::poll_once;
use lahja_core::{Broadcast, Endpoint};

use super::{Number, Peer, Text, parts, settle, wire};
use crate::clock::Clock;
use crate::common::{TestRuntime, run};

const TOPICS: &[(wire::Topic, u32)] =
    &[(wire::topic::<Text>(), 1 << 20), (wire::topic::<Number>(), 1 << 20)];

/// Creates an endpoint for which no time passes, so events gather.
fn gathering(runtime: &TestRuntime) -> Endpoint {
    Endpoint::builder("a").unwrap().build(Clock::new(runtime))
}

/// Creates one for which an event has gathered, and its peer, which takes events in parts.
async fn gathered(runtime: &TestRuntime) -> (Endpoint, Peer) {
    let a = gathering(runtime);
    let peer = parts::join(&a, TOPICS).await;
    a.broadcast(Number(1)).await.unwrap();
    (a, peer)
}

#[test]
fn much_leaves_before_anybody_has_a_turn() {
    run(|runtime| async move {
        let a = gathering(&runtime);
        let peer = Peer::join(&a, "x", TOPICS).await;
        settle().await;
        let before = peer.pipe().written.len();
        for _ in 0..200 {
            // Some seventy are so much that their caller writes them.
            let sent = poll_once(a.broadcast(Text("x".repeat(1_500))).into_future()).await;
            assert!(sent.is_none_or(|sent| sent.is_ok()));
        }
        assert!(peer.pipe().written.len() > before + 130 * 1_500, "nobody has written");
    });
}

#[test]
fn each_part_leaves_before_anybody_has_a_turn() {
    run(|runtime| async move {
        let (a, peer) = gathered(&runtime).await;
        let before = peer.pipe().written.len();
        // Three parts, of which the last alone is not much.
        let text = Text("x".repeat(150_000));
        let sent = poll_once(a.broadcast(text).into_future()).await;
        sent.expect("it has room for all of them").unwrap();
        assert!(peer.pipe().written.len() > before + 150_000, "the writer loop is waited for");
    });
}

#[test]
fn what_is_as_long_as_a_part_leaves_like_one() {
    run(|runtime| async move {
        let (a, peer) = gathered(&runtime).await;
        let before = peer.pipe().written.len();
        let broadcast = poll_once(a.broadcast(Text("x".repeat(1 << 16))).into_future()).await;
        assert!(broadcast.is_none(), "others have no turn after it");
        assert!(peer.pipe().written.len() > before + (1 << 16), "the writer loop is waited for");
    });
}

#[test]
fn what_is_as_long_as_a_part_leaves_to_several_before_others_have_a_turn() {
    run(|runtime| async move {
        let a = gathering(&runtime);
        let peers = [Peer::join(&a, "x", TOPICS).await, Peer::join(&a, "y", TOPICS).await];
        settle().await;
        a.broadcast(Number(1)).await.unwrap();
        let written = || peers.each_ref().map(|peer| peer.pipe().written.len());
        let before = written();
        let broadcast = poll_once(a.broadcast(Text("x".repeat(1 << 16))).into_future()).await;
        assert!(broadcast.is_none(), "others have no turn after it");
        for (before, after) in before.into_iter().zip(written()) {
            assert!(after > before + (1 << 16), "the writer loops are waited for");
        }
    });
}

#[test]
fn a_call_to_several_leaves_after_as_long_a_pause_for_each() {
    run(|runtime| async move {
        let clock = Clock::new(&runtime);
        let a = Endpoint::builder("a").unwrap().build(clock.clone());
        let x = Peer::join(&a, "x", TOPICS).await;
        let y = Peer::join(&a, "y", TOPICS).await;
        let after = async |micros, broadcast: Broadcast<'_, Number>| {
            settle().await;
            clock.advance(Duration::from_micros(micros));
            let lens = || [&x, &y].map(|peer| peer.pipe().written.len());
            let before = lens();
            poll_once(broadcast.into_future()).await.expect("there is room").unwrap();
            let after = lens();
            [after[0] > before[0], after[1] > before[1]]
        };
        // What the peers have announced may have gathered behind each other.
        after(1_000, a.broadcast(Number(0))).await;
        assert_eq!(after(1_000, a.broadcast(Number(1))).await, [true; 2]);
        assert_eq!(after(3, a.broadcast(Number(2))).await, [false; 2]);
        assert_eq!(after(2, a.broadcast(Number(3))).await, [true; 2]);
        assert_eq!(after(3, a.broadcast(Number(4)).to("x")).await, [true, false]);
        assert_eq!(after(3, a.broadcast(Number(5)).except("x")).await, [false, true]);
        assert_eq!(after(3, a.broadcast(Number(6))).await, [false; 2]);
    });
}
