//! What a handshake may cost: time, bytes, and a place among those that go on at once.

use std::time::{Duration, Instant};

use futures_io::{AsyncRead, AsyncWrite};
use lahja_contract::Stage;
use lahja_contract::process::until;
use lahja_contract::scratch::Scratch;
use lahja_contract::wire::{self, RawPeer, kind};
use lahja_smol::{Limits, UnixConnector};
use smol::Timer;
use smol::future::poll_once;

use crate::door::Door;
use crate::subjects::Own;

mod one_thread {
    lahja_contract::own_cases!(super::Own, {
        a_peer_that_dribbles_is_disconnected_when_its_time_is_up,
        a_frame_of_four_kibibytes_is_the_longest_before_a_handshake_is_done,
        as_many_handshakes_as_there_is_place_for_go_on_at_once,
    });
}

fn limits(handshake_timeout: Duration) -> Limits {
    let mut limits = Limits::default();
    limits.handshake_timeout = handshake_timeout;
    limits
}

/// Tells whether the other end has left the connection open, and says no more for now.
async fn is_open<T: AsyncRead + AsyncWrite + Unpin>(peer: &mut RawPeer<T>) -> bool {
    poll_once(peer.closed()).await.is_none()
}

async fn a_peer_that_dribbles_is_disconnected_when_its_time_is_up(stage: Stage<Own>) {
    let scratch = Scratch::new();
    let path = scratch.join("socket");
    let limits = limits(Duration::from_millis(200));
    let door = Door::new(stage.platform());
    let _server = door.serve_limited(&path, &limits);
    let began = Instant::now();
    let mut peer = RawPeer::connect(stage.platform(), &path);
    // A byte every 5 ms would take far longer than it has.
    let frame = wire::frame(&[kind::HELLO; 1_000]);
    let mut said = 0;
    while is_open(&mut peer).await {
        peer.send(frame.get(said..=said).expect("it was not heard to the end")).await;
        said += 1;
        Timer::after(Duration::from_millis(5)).await;
    }
    assert!(said < frame.len(), "it was heard to the end");
    assert!(began.elapsed() >= limits.handshake_timeout);
    let good = stage.build("good", |good| good);
    let connected = good.connect(UnixConnector::on(stage.platform().clone(), path));
    assert_eq!(connected.await.unwrap(), "server");
}

async fn a_frame_of_four_kibibytes_is_the_longest_before_a_handshake_is_done(stage: Stage<Own>) {
    let scratch = Scratch::new();
    let door = Door::new(stage.platform());
    let _server = door.serve_limited(&scratch.join("socket"), &limits(Duration::MAX));
    let connect = || RawPeer::connect(stage.platform(), scratch.join("socket"));
    let max = Limits::default().handshake_frame;
    let [mut longest, mut longer] = [connect(), connect()];
    longest.send(&max.to_le_bytes()).await;
    longer.send(&(max + 1).to_le_bytes()).await;
    longer.closed().await;
    assert!(is_open(&mut longest).await);
    // What was promised comes, and is no hello.
    longest.send(&vec![0x7f; max as usize]).await;
    longest.closed().await;
}

async fn as_many_handshakes_as_there_is_place_for_go_on_at_once(stage: Stage<Own>) {
    let scratch = Scratch::new();
    let door = Door::new(stage.platform());
    let _server = door.serve_limited(&scratch.join("socket"), &limits(Duration::MAX));
    let connect = || RawPeer::connect(stage.platform(), scratch.join("socket"));
    let places = Limits::default().handshakes;
    let mut mute: Vec<_> = (0..places).map(|_| connect()).collect();
    until(|| door.count().accepted() == places as u64).await;
    for peer in &mut mute {
        peer.hear(kind::HELLO).await.expect("it is greeted");
        assert!(is_open(peer).await);
    }
    // One more, and the one that has been there for longest has to go.
    mute.push(connect());
    mute[0].closed().await;
    for peer in &mut mute[1..] {
        assert!(is_open(peer).await);
    }
}
