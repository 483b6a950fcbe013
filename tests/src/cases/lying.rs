//! Peers that say on the wire what they must not: it costs them their event or their connection,
//! and everything else goes on.

use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
use futures_lite::future::zip;
use lahja_core::{BroadcastError, Event, Limits, PayloadError, RequestError, Scope};

use super::common::{announced_number, still_serves};
use crate::puppet::{Load, Number, Question, until_gone};
use crate::stage::Stage;
use crate::subject::Subject;
use crate::wire::{self, RawPeer, kind};

pub async fn an_answer_of_the_wrong_type_is_refused_where_it_is_given<S: Subject>(stage: Stage<S>) {
    let parent = stage.endpoint("parent").await;
    let asker = stage.bus().endpoint("asker").await.unwrap();
    let mut questions = parent.stream::<Question>();
    asker.wait_until_subscribed::<Question>(Scope::All).await;
    let asking = async { asker.request(Question(1)).without_timeout().await };
    let answering = async {
        let question = questions.next().await.unwrap().unwrap();
        let wrong = parent.broadcast(Load(1, String::new()));
        let error = wrong.with(question.broadcast_config()).await.unwrap_err();
        let text = "the request wants a response of type lahja-contract.Number";
        assert_eq!(error.to_string(), text);
        match error {
            BroadcastError::WrongResponse { event, expected } => {
                assert_eq!(event, Load(1, String::new()));
                assert_eq!(expected, Number::NAME);
            }
            other => panic!("{other}"),
        }
        // The request is still to be answered.
        assert!(question.awaits_answer());
        let right = parent.broadcast(Number(3));
        right.with(question.broadcast_config()).await.unwrap();
    };
    let (answer, ()) = zip(asking, answering).await;
    assert_eq!(answer.unwrap(), Number(3));
    drop(questions);
    still_serves(stage.bus(), &parent).await;
}

pub async fn a_response_of_the_wrong_type_is_refused_where_it_arrives<S: Subject>(stage: Stage<S>) {
    let parent = stage.endpoint("parent").await;
    let path = stage.bus().path().join("parent.ipc");
    let mut peer = RawPeer::introduce(stage.platform(), path, "handmade").await;
    peer.say(&wire::announce::<Question>(1, 0)).await;
    let scope = Scope::Endpoint("handmade");
    parent.wait_until_subscribed::<Question>(scope).await;

    let number = wire::topic_hash(Number::NAME);
    for (response_type, payload, is_wrong) in [
        (wire::topic_hash(Load::NAME), &[1, 0][..], true),
        (number, &[0x80; 11][..], false),
        (number, &[1, 2][..], false),
        (number, &[][..], false),
    ] {
        let asking = async { parent.request(Question(1)).without_timeout().await };
        let answering = async {
            let id = asked_id(&mut peer).await;
            let response = wire::response(id, response_type, payload);
            peer.say(&response).await;
            // Again: it is not asked any more.
            peer.say(&response).await;
        };
        let (answer, ()) = zip(asking, answering).await;
        let error = answer.unwrap_err();
        match &error {
            RequestError::WrongResponse { expected } if is_wrong => {
                assert_eq!(*expected, Number::NAME);
                let text = "the response is not of type lahja-contract.Number";
                assert_eq!(error.to_string(), text);
            }
            RequestError::MalformedResponse { source } if !is_wrong => {
                assert_eq!(error.to_string(), "the response cannot be decoded");
                assert!(matches!(
                    source,
                    PayloadError::Malformed { .. }
                        | PayloadError::Trailing { len: 2, extra: 1 }
                        | PayloadError::Truncated { len: 0 }
                ));
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(parent.is_connected_to("handmade"));
    assert_eq!(parent.stats().requests_in_flight, 0);
    still_serves(stage.bus(), &parent).await;
}

pub async fn a_response_of_somebody_who_was_not_asked_counts_for_nothing<S: Subject>(
    stage: Stage<S>,
) {
    let parent = stage.endpoint("parent").await;
    let mut numbers = parent.stream::<Number>();
    let path = stage.bus().path().join("parent.ipc");
    let mut asked = RawPeer::introduce(stage.platform(), &path, "asked").await;
    asked.say(&wire::announce::<Question>(1, 0)).await;
    parent.wait_until_subscribed::<Question>(Scope::Endpoint("asked")).await;
    let mut guesser = RawPeer::introduce(stage.platform(), &path, "guesser").await;
    let topic = announced_number(&mut guesser, Number::NAME).await;

    let number = wire::topic_hash(Number::NAME);
    let asking = async { parent.request(Question(1)).without_timeout().await };
    let answering = async {
        let id = asked_id(&mut asked).await;
        for guess in [id, id + 1, id ^ (1 << 32), 0, u64::MAX] {
            guesser.say(&wire::response(guess, number, &[66])).await;
        }
        // When this has come, the guesses have, too.
        guesser.say(&wire::event(topic, &[7])).await;
        assert_eq!(numbers.next().await.unwrap().unwrap().0, 7);
        asked.say(&wire::response(id, number, &[3])).await;
    };
    let (answer, ()) = zip(asking, answering).await;
    assert_eq!(answer.unwrap(), Number(3));
    assert!(parent.is_connected_to("guesser"));
    still_serves(stage.bus(), &parent).await;
}

pub async fn frames_that_lie_cost_their_connection_alone<S: Subject>(stage: Stage<S>) {
    let parent = stage.endpoint("parent").await;
    let path = stage.bus().path().join("parent.ipc");
    let hello = wire::frame(&wire::hello("liar"));
    let ready = wire::frame(&[kind::READY]);
    let garbage = wire::frame(&[0x7f; 100]);
    for (what, bytes) in [
        ("a length of zero", vec![0; 4]),
        ("the greatest length", vec![0xff; 4]),
        ("a length over that of a handshake", 4_097_u32.to_le_bytes().into()),
        ("garbage of the promised length", garbage.clone()),
        ("another protocol", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("a message out of place", ready.clone()),
        ("a hello cut short", wire::frame(&wire::hello("liar")[..20])),
        ("a second hello", [&hello[..], &hello].concat()),
        ("a bad name", wire::frame(&wire::hello("../liar"))),
        ("a taken name", wire::frame(&wire::hello("parent"))),
    ] {
        let mut peer = RawPeer::connect(stage.platform(), &path);
        peer.send(&bytes).await;
        peer.closed().await;
        assert!(!parent.is_connected_to("liar"), "{what}");
        still_serves(stage.bus(), &parent).await;
    }
    for bytes in [&hello[..2], &hello[..10], &[]] {
        let mut peer = RawPeer::connect(stage.platform(), &path);
        peer.send(bytes).await;
        drop(peer);
        still_serves(stage.bus(), &parent).await;
    }
}

pub async fn a_peer_that_says_nothing_is_disconnected_when_its_time_is_up<S: Subject>(
    stage: Stage<S>,
) {
    let mut limits = Limits::default();
    limits.handshake_timeout = Duration::from_millis(100);
    let server = stage.bus().endpoint("server").limits(limits).await.unwrap();
    let path = stage.bus().path().join("server.ipc");
    let mut mute = RawPeer::connect(stage.platform(), &path);
    let mut slow = RawPeer::connect(stage.platform(), &path);
    slow.say(&wire::hello("slow")).await;
    mute.closed().await;
    slow.closed().await;
    assert!(server.connections().is_empty());
    still_serves(stage.bus(), &server).await;
}

pub async fn lies_after_the_handshake_cost_their_connection_alone<S: Subject>(stage: Stage<S>) {
    let parent = stage.endpoint("parent").await;
    let path = stage.bus().path().join("parent.ipc");
    let mut numbers = parent.stream::<Number>();
    let too_long = (Limits::default().frame + 1).to_le_bytes();
    for (what, bytes) in [
        ("a length of zero", vec![0; 4]),
        ("the greatest length", vec![0xff; 4]),
        ("one byte too many", too_long.into()),
        ("an unknown kind", wire::frame(&[0x7f; 100])),
        ("a topic that nobody announced", wire::frame(&wire::event(9, &[1]))),
        ("an epoch out of sequence", wire::frame(&wire::announce::<Question>(2, 0))),
        ("an acknowledgement of nothing", wire::frame(&wire::acknowledge(99))),
        ("a second hello", wire::frame(&wire::hello("liar"))),
    ] {
        let mut peer = RawPeer::introduce(stage.platform(), &path, "liar").await;
        parent.wait_until_connected_to("liar").await;
        // What came before it counts.
        let number = announced_number(&mut peer, Number::NAME).await;
        peer.say(&wire::event(number, &[7])).await;
        let event = numbers.next().await.unwrap().unwrap();
        assert_eq!((event.0, event.origin().as_str()), (7, "liar"));
        peer.send(&bytes).await;
        peer.closed().await;
        until_gone(&parent, "liar").await;
        assert!(!parent.is_connected_to("liar"), "{what}");
        still_serves(stage.bus(), &parent).await;
    }
    // A payload that is none costs the event alone.
    let mut peer = RawPeer::introduce(stage.platform(), &path, "liar").await;
    let number = announced_number(&mut peer, Number::NAME).await;
    for payload in [&[][..], &[1, 2], &[0xff; 20]] {
        peer.say(&wire::event(number, payload)).await;
    }
    peer.say(&wire::event(number, &[8])).await;
    assert_eq!(numbers.next().await.unwrap().unwrap().0, 8);
    assert_eq!(parent.stats().malformed_payloads, 3);
    assert!(parent.is_connected_to("liar"));
    still_serves(stage.bus(), &parent).await;
}

/// Waits for a request of the topic 0 and returns its id.
async fn asked_id<T: AsyncRead + AsyncWrite + Unpin>(peer: &mut RawPeer<T>) -> u64 {
    let event = peer.hear(kind::EVENT).await.unwrap();
    assert_eq!(event[..3], [kind::EVENT, 1, 0]);
    wire::split_varint(&event[3..]).0
}
