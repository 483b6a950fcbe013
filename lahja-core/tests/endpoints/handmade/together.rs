//! Events that several peers get alike, amid others that only one of them gets.

use std::cell::Cell;
use std::future::IntoFuture;
use std::pin::pin;
use std::time::Duration;

use futures_lite::future::{poll_once, zip};
use lahja_core::Endpoint;

use super::{Number, Peer, Text, settle, wire};
use crate::clock::Clock;
use crate::common::{TestRuntime, run};

const WIDE: u32 = 1 << 26;

/// What a small number is charged, and what it takes on the wire, its prefix included.
const CHARGE: u32 = 17;
const LEN: usize = 8;

fn topics(window: u32) -> [(wire::Topic, u32); 2] {
    [(wire::topic::<Number>(), window), (wire::topic::<Text>(), window)]
}

/// Creates an endpoint and two peers that want numbers and texts. No time passes, so what follows the
/// first event gathers.
async fn two_peers(runtime: &TestRuntime, windows: [u32; 2]) -> (Endpoint, [Peer; 2]) {
    let a = Endpoint::builder("a").unwrap().build(Clock::new(runtime));
    let x = Peer::join(&a, "x", &topics(windows[0])).await;
    let y = Peer::join(&a, "y", &topics(windows[1])).await;
    settle().await;
    (a, [x, y])
}

async fn broadcast_all(endpoint: &Endpoint, numbers: std::ops::Range<u64>) {
    for number in numbers {
        endpoint.broadcast(Number(number)).await.unwrap();
    }
}

/// Broadcasts numbers to both peers, and after some of them something else. Returns what each peer is
/// to hear.
async fn broadcast_amid_others(a: &Endpoint) -> [Vec<Vec<u8>>; 2] {
    let mut expected = [Vec::new(), Vec::new()];
    let mut dice = fastrand::Rng::with_seed(7);
    for number in 0..3_000 {
        let both = wire::event(0, &wire::varint(number));
        a.broadcast(Number(number)).await.unwrap();
        expected.iter_mut().for_each(|heard| heard.push(both.clone()));
        if dice.u32(..20) > 0 {
            continue;
        }
        match dice.u32(..5) {
            0 => {
                let at = dice.usize(..2);
                a.broadcast(Number(number)).to(["x", "y"][at]).await.unwrap();
                expected[at].push(both);
            }
            1 => {
                // A peer may have a backlog.
                if a.broadcast(Number(number)).now().is_ok() {
                    expected.iter_mut().for_each(|heard| heard.push(both.clone()));
                }
            }
            2 => {
                let text = "x".repeat(dice.usize(..10_000));
                a.broadcast(Text(text.clone())).except("x").await.unwrap();
                expected[1].push(wire::event(1, &wire::text(&text)));
            }
            3 => {
                for text in ["one", "two", "three"] {
                    a.broadcast(Text(text.into())).await.unwrap();
                    let text = wire::event(1, &wire::text(text));
                    expected.iter_mut().for_each(|heard| heard.push(text.clone()));
                }
            }
            // The writer loops have their turn.
            _ => settle().await,
        }
    }
    expected
}

#[test]
fn each_of_several_hears_everything_in_its_order() {
    run(|runtime| async move {
        for pieces in [[usize::MAX, usize::MAX], [usize::MAX, 70_001], [999, 70_001]] {
            let (a, mut peers) = two_peers(&runtime, [WIDE; 2]).await;
            let [x, y] = &peers;
            x.take(0);
            y.take(0);
            let is_done = Cell::new(false);
            let broadcasting = async {
                let expected = broadcast_amid_others(&a).await;
                is_done.set(true);
                expected
            };
            let taking = async {
                while !is_done.get() {
                    x.take(pieces[0]);
                    y.take(pieces[1]);
                    settle().await;
                }
                x.take(usize::MAX);
                y.take(usize::MAX);
                settle().await;
            };
            let (expected, ()) = zip(broadcasting, taking).await;
            for (peer, expected) in peers.iter_mut().zip(expected) {
                for content in expected {
                    assert!(peer.hear(wire::kind::EVENT).await == content, "in {pieces:?}");
                }
                while let Some(content) = poll_once(peer.next()).await {
                    assert_ne!(content.expect("the endpoint goes on")[0], wire::kind::EVENT);
                }
            }
        }
    });
}

#[test]
fn however_much_several_hear_each_hears_it_once() {
    run(|runtime| async move {
        let (a, mut peers) = two_peers(&runtime, [WIDE; 2]).await;
        let texts: Vec<_> = (0..1_000).map(|number| format!("{number:01500}")).collect();
        for text in &texts {
            // Some seventy are so much that their caller writes them, before anybody has a turn.
            let sent = poll_once(a.broadcast(Text(text.clone())).into_future()).await;
            assert!(sent.is_none_or(|sent| sent.is_ok()));
        }
        for peer in &mut peers {
            assert!(peer.pipe().written.len() > 900 * 1_500, "nobody has written");
            for text in &texts {
                let heard = peer.hear(wire::kind::EVENT).await;
                assert!(heard == wire::event(1, &wire::text(text)));
            }
            let rest = poll_once(peer.next()).await;
            assert!(rest.is_none(), "there is more");
        }
    });
}

#[test]
fn the_window_of_each_of_several_holds() {
    run(|runtime| async move {
        for (places, narrow) in [1, 2, 5, 30].into_iter().flat_map(|p| [(p, 0), (p, 1)]) {
            let name = ["x", "y"][narrow];
            let mut windows = [WIDE; 2];
            windows[narrow] = places * CHARGE;
            let (a, mut peers) = two_peers(&runtime, windows).await;
            broadcast_all(&a, 0..places.into()).await;
            let mut waiting = pin!(a.broadcast(Number(0)).into_future());
            assert!(poll_once(&mut waiting).await.is_none(), "there is room for {places}");
            // One more has come where there is room.
            for _ in 0..=places {
                peers[1 - narrow].hear(wire::kind::EVENT).await;
            }
            for _ in 0..places {
                peers[narrow].hear(wire::kind::EVENT).await;
            }
            peers[narrow].say(&wire::credit(0, (places * CHARGE).into()));
            waiting.await.unwrap();
            peers[narrow].hear(wire::kind::EVENT).await;
            assert!(a.is_connected_to(name), "it gave no more credit than it was sent");
            assert_eq!(a.traffic(name).unwrap().sent.events, u64::from(places) + 1);
        }
    });
}

#[test]
fn what_is_not_written_to_each_of_several_counts_as_such() {
    run(|runtime| async move {
        for taken in (0..=12 * LEN).step_by(5) {
            let (a, [x, y]) = two_peers(&runtime, [WIDE; 2]).await;
            y.take(0);
            broadcast_all(&a, 0..12).await;
            assert_eq!(a.traffic("x").unwrap().sent.events, 12);
            assert_eq!(a.traffic("y").unwrap().sent.events, 12);
            settle().await;
            assert_eq!(a.stats().unsent_bytes, (12 * LEN) as u64);
            x.fail_writes();
            y.take(taken);
            settle().await;
            broadcast_all(&a, 0..12).await;
            settle().await;
            let undelivered = a.close(Duration::ZERO).await.undelivered;
            assert_eq!(undelivered, 12 + 24 - (taken / LEN) as u64, "{taken} bytes were taken");
        }
    });
}
