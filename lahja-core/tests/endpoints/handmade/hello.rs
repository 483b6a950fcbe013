//! What a peer may say of itself.

use lahja_core::{ConnectError, ProtocolError};

use super::{Number, Peer, wire};
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
