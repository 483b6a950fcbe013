//! Connections that end while something is on its way.

use futures_lite::future::poll_once;
use lahja_core::{Event, RequestError};

use super::common::{announced_number, expect, listen};
use crate::puppet::{Number, Question, until_gone};
use crate::stage::Stage;
use crate::subject::Subject;
use crate::wire::{self, RawPeer, kind};

pub async fn what_a_peer_sent_arrives_though_it_left_something_unread<S: Subject>(stage: Stage<S>) {
    const COUNT: u64 = 5_000;
    let parent = stage.endpoint("parent").await;
    let mut numbers = parent.stream::<Number>();
    let path = stage.bus().path().join("parent.ipc");
    for is_unread in [true, false] {
        let mut peer = RawPeer::introduce(stage.platform(), &path, "handmade").await;
        peer.say(&wire::announce::<Question>(1, 0)).await;
        let number = announced_number(&mut peer, Number::NAME).await;
        peer.hear(kind::ACKNOWLEDGE).await.unwrap();
        let mut request = parent.request(Question(1)).without_timeout().into_future();
        if is_unread {
            assert!(poll_once(&mut request).await.is_none());
        }
        let mut events = Vec::new();
        for n in 0..COUNT {
            let payload = wire::varint(n);
            events.extend(wire::frame(&wire::event(number, &payload)));
        }
        peer.send(&events).await;
        drop(peer);
        until_gone(&parent, "handmade").await;
        for n in 0..COUNT {
            let event = poll_once(numbers.next()).await.expect("it has arrived");
            assert_eq!(event.unwrap().unwrap().0, n);
        }
        if is_unread {
            let error = request.await.unwrap_err();
            assert!(matches!(error, RequestError::PeerGone { .. }), "{error:?}");
        }
    }
}

pub async fn what_comes_in_one_piece_with_a_goodbye_arrives_before_the_end<S: Subject>(
    stage: Stage<S>,
) {
    let parent = stage.endpoint("parent").await;
    let mut numbers = parent.stream::<Number>();
    let path = stage.bus().path().join("parent.ipc");
    let mut peer = RawPeer::introduce(stage.platform(), &path, "handmade").await;
    let number = announced_number(&mut peer, Number::NAME).await;
    parent.wait_until_connected_to("handmade").await;
    let events = (0..10).map(|n| wire::event(number, &[n]));
    let contents: Vec<_> = events.chain([vec![kind::GOODBYE]]).collect();
    peer.send(&contents.iter().flat_map(|content| wire::frame(content)).collect::<Vec<_>>()).await;
    until_gone(&parent, "handmade").await;
    for n in 0..10 {
        let event = poll_once(numbers.next()).await.expect("it has arrived");
        assert_eq!(event.unwrap().unwrap().0, n);
    }
}

pub async fn an_endpoint_is_connected_though_the_end_of_its_former_life_is_seen_late<S: Subject>(
    stage: Stage<S>,
) {
    let parent = stage.endpoint("parent").await;
    // It has no place on the bus any more, and its connection is still there.
    let path = stage.bus().path().join("parent.ipc");
    let former = RawPeer::introduce(stage.platform(), path, "m").await;
    parent.wait_until_connected_to("m").await;
    // Joining does not wait for ever for those that do not let it in.
    let second = stage.endpoint("m").await;
    // The parent takes it for connected, so it has not let this one in.
    assert_eq!(second.connections(), [""; 0]);
    drop(former);
    second.wait_until_connected_to("parent").await;
    let mut numbers = listen(&second).await;
    parent.broadcast(Number(1)).to("m").await.unwrap();
    expect(&mut numbers, [1]).await;
}
