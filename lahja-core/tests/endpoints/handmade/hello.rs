//! What a peer may say of itself.

use futures_lite::future::poll_once;
use lahja_core::{BroadcastError, ConnectError, ProtocolError, Scope};

use super::{Number, Peer, settle, wire};
use crate::common::{build, run};

#[test]
fn a_peer_whose_limits_let_nothing_be_sent_is_refused_and_told_apart() {
    run(|runtime| async move {
        let a = build(&runtime, "a", |a| a);
        for (frame, requests) in [(255, 4_096), (1 << 20, 0), (0, 0)] {
            let (mut peer, transport) = Peer::new();
            peer.say(&wire::hello_with("x", [frame, 4_096, requests]));
            peer.say(&[wire::kind::READY]);
            let error = a.attach(transport).await.unwrap_err();
            let ConnectError::Protocol(error) = error else {
                panic!("{error:?}");
            };
            let told = (frame as u32, requests as u32);
            let ProtocolError::LowLimits { frame, requests } = error else {
                panic!("{error:?}");
            };
            assert_eq!((frame, requests), told);
            let error = error.to_string();
            assert!(error.contains(&format!("{frame} bytes a frame")), "{error}");
            assert!(error.contains(&format!("{requests} requests")), "{error}");
            while peer.next().await.is_some() {}
            assert!(a.connections().is_empty());
        }
    });
}

#[test]
fn the_lowest_limits_are_enough_for_an_event() {
    run(|runtime| async move {
        let a = build(&runtime, "a", |a| a);
        let (mut peer, transport) = Peer::new();
        // A peer that takes no topics may still announce its own.
        peer.say(&wire::hello_with("x", [256, 0, 1]));
        peer.say(&wire::announce(1, 0, 1_000, wire::topic::<Number>()));
        peer.say(&[wire::kind::READY]);
        a.attach(transport).await.unwrap();
        a.broadcast(Number(7)).await.unwrap();
        assert_eq!(peer.hear(wire::kind::EVENT).await, wire::event(0, &[7]));
    });
}

/// Introduces an endpoint that speaks the versions from one to the other.
fn hello_of_versions(oldest: u8, newest: u8) -> Vec<u8> {
    let mut hello = wire::hello("x");
    // Behind the kind and the magic.
    assert_eq!(hello[6..8], [1, 1]);
    hello[6..8].copy_from_slice(&[oldest, newest]);
    hello
}

#[test]
fn a_peer_of_the_next_version_that_speaks_this_one_too_is_let_in() {
    run(|runtime| async move {
        for (oldest, newest, is_let_in) in [(1, 2, true), (1, 255, true), (2, 2, false)] {
            let a = build(&runtime, "a", |a| a);
            let (peer, transport) = Peer::new();
            peer.say(&hello_of_versions(oldest, newest));
            peer.say(&[wire::kind::READY]);
            match a.attach(transport).await {
                Ok(name) => assert_eq!((name.as_str(), is_let_in), ("x", true)),
                Err(ConnectError::Incompatible) => assert!(!is_let_in, "{oldest} to {newest}"),
                Err(other) => panic!("{other:?}"),
            }
        }
    });
}

#[test]
fn what_a_peer_says_that_may_be_skipped_is_skipped() {
    run(|runtime| async move {
        let a = build(&runtime, "a", |a| a);
        let mut numbers = a.stream::<Number>();
        let (mut peer, transport) = Peer::new();
        let optional = [wire::kind::OPTIONAL, 1, 2, 3];
        for content in [&optional[..], &wire::hello("x"), &optional, &[wire::kind::READY]] {
            peer.say(content);
        }
        a.attach(transport).await.unwrap();
        let number = peer.number_of::<Number>().await;
        peer.say(&optional);
        // An option that this version does not know, of three bytes, between header and payload.
        let options: u8 = 2;
        let event = [&[wire::kind::EVENT, options], &wire::varint(number)[..], b"\x03abc\x07"];
        peer.say(&event.concat());
        assert_eq!(numbers.next().await.unwrap().unwrap().0, 7);
        peer.say(&wire::event(number, &[8]));
        assert_eq!(numbers.next().await.unwrap().unwrap().0, 8);
        assert_eq!(a.connections(), ["x"]);
    });
}

#[test]
fn a_peer_that_is_not_ready_is_not_connected() {
    run(|runtime| async move {
        let a = build(&runtime, "a", |a| a);
        let (mut peer, transport) = Peer::new();
        let mut attaching = Box::pin(a.attach(transport));
        let says = [wire::hello("x"), wire::announce(1, 0, 1_000, wire::topic::<Number>())];
        for content in says {
            peer.say(&content);
            assert!(poll_once(&mut attaching).await.is_none());
            settle().await;
            assert_eq!(a.connections(), [""; 0]);
            assert!(!a.is_subscribed::<Number>(Scope::All));
            assert!(!a.is_subscribed::<Number>(Scope::Any));
            let unsent = a.broadcast(Number(1)).await;
            assert!(matches!(unsent, Err(BroadcastError::NoSubscribers(_))), "{unsent:?}");
            assert!(poll_once(peer.hear(wire::kind::ACKNOWLEDGE)).await.is_none());
        }
        assert_eq!(a.stats().traffic.sent.events, 0);
        peer.say(&[wire::kind::READY]);
        assert_eq!(attaching.await.unwrap(), "x");
        assert_eq!(a.connections(), ["x"]);
        // What it is told is acknowledged is so from then on.
        assert_eq!(peer.hear(wire::kind::ACKNOWLEDGE).await, [wire::kind::ACKNOWLEDGE, 1]);
        a.broadcast(Number(2)).await.unwrap();
        assert_eq!(peer.hear(wire::kind::EVENT).await, wire::event(0, &[2]));
    });
}
