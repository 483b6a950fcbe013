//! Endpoints that define their events otherwise, or as nobody can receive them.

use std::collections::BTreeMap;

use futures_lite::future::poll_once;
use lahja_core::{
    BroadcastError, Endpoint, Event, PayloadError, ReadyError, Received, Request, RequestError,
    Scope,
};
use serde::{Deserialize, Serialize};

use crate::common::{Number, mesh, run, settle};

/// The same events in two versions of a program.
mod old {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
    #[event(name = "skew.Moved")]
    pub(super) struct Moved {
        pub(super) who: u32,
    }

    #[derive(Debug, Serialize, Deserialize, Event)]
    #[event(name = "skew.Where", response = Place)]
    pub(super) struct Where(pub(super) u32);

    #[derive(Debug, Serialize, Deserialize, Event)]
    #[event(name = "skew.Place")]
    pub(super) struct Place(pub(super) i32, pub(super) i32);
}

mod new {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
    #[event(name = "skew.Moved")]
    pub(super) struct Moved {
        pub(super) who: u32,
        pub(super) fast: bool,
    }

    /// The request is the same, its answer is not.
    #[derive(Debug, Serialize, Deserialize, Event)]
    #[event(name = "skew.Where", response = Place)]
    pub(super) struct Where(pub(super) u32);

    #[derive(Debug, Serialize, Deserialize, Event)]
    #[event(name = "skew.Place")]
    pub(super) struct Place(pub(super) i64, pub(super) i64);
}

/// What postcard cannot carry.
#[derive(Debug, Serialize, Deserialize, Event)]
#[event(response = Number)]
struct Flat {
    #[serde(flatten)]
    rest: BTreeMap<String, u8>,
}

const FLAT: &str = "type cannot be decoded: 0 asks for a field's name, which is not in a payload";

/// The mismatches that an endpoint knows of: who, and about which event.
fn mismatches(endpoint: &Endpoint) -> Vec<(String, String)> {
    let found = endpoint.schema_mismatches().into_iter();
    found.map(|mismatch| (mismatch.peer.to_string(), mismatch.event)).collect()
}

fn pair(peer: &str, event: &str) -> Vec<(String, String)> {
    vec![(peer.to_owned(), event.to_owned())]
}

#[test]
fn a_mismatch_is_an_error_here_and_a_declared_loss_there() {
    run(|runtime| async move {
        let [a, b] = mesh(&runtime, ["a", "b"]).await;
        let mut stream = b.stream::<new::Moved>();
        stream.ready().await.unwrap();
        assert!(a.is_subscribed::<old::Moved>(Scope::Any));
        assert_eq!(mismatches(&a), []);
        let (here, there) = (a.subscriptions_changed(), b.subscriptions_changed());
        match a.broadcast(old::Moved { who: 1 }).await {
            Err(BroadcastError::SchemaMismatch { event, peer }) => {
                assert_eq!((event.who, peer.as_str()), (1, "b"));
            }
            other => panic!("{other:?}"),
        }
        here.await;
        there.await;
        assert_eq!(stream.next().await.unwrap().unwrap_err().0, 1);
        assert_eq!(mismatches(&a), pair("b", "skew.Moved"));
        assert_eq!(mismatches(&b), pair("a", "skew.Moved"));
        match stream.ready().await {
            Err(ReadyError::SchemaMismatch { peer }) => assert_eq!(peer, "a"),
            other => panic!("{other:?}"),
        }
        let refused = a.broadcast(old::Moved { who: 2 }).require_subscriber(false).await;
        assert!(matches!(refused, Err(BroadcastError::SchemaMismatch { .. })), "{refused:?}");
        let refused = a.broadcast(old::Moved { who: 3 }).now();
        assert!(matches!(refused, Err(BroadcastError::SchemaMismatch { .. })), "{refused:?}");
        settle().await;
        assert_eq!(stream.next().await.unwrap().unwrap_err().0, 2);
    });
}

#[test]
fn those_who_define_an_event_alike_get_it_all_the_same() {
    run(|runtime| async move {
        let [a, b, c] = mesh(&runtime, ["a", "b", "c"]).await;
        let mut alike = b.stream::<old::Moved>();
        let mut other = c.stream::<new::Moved>();
        let mut both = c.stream::<old::Moved>();
        for subscribed in [alike.ready().await, other.ready().await, both.ready().await] {
            subscribed.unwrap();
        }
        a.broadcast(old::Moved { who: 1 }).await.unwrap();
        a.broadcast(old::Moved { who: 2 }).now().unwrap();
        let refused = a.broadcast(new::Moved { who: 3, fast: true }).to("b").await;
        assert!(matches!(refused, Err(BroadcastError::SchemaMismatch { .. })), "{refused:?}");
        a.broadcast(new::Moved { who: 4, fast: true }).to("c").await.unwrap();
        a.broadcast(old::Moved { who: 5 }).except("c").await.unwrap();
        settle().await;
        for who in [1, 2] {
            assert_eq!(alike.next().await.unwrap().unwrap().who, who);
            assert_eq!(both.next().await.unwrap().unwrap().who, who);
        }
        assert_eq!(alike.next().await.unwrap().unwrap_err().0, 1);
        assert_eq!(alike.next().await.unwrap().unwrap().who, 5);
        assert_eq!(both.next().await.unwrap().unwrap_err().0, 1);
        assert_eq!(other.next().await.unwrap().unwrap_err().0, 2);
        assert_eq!(other.next().await.unwrap().unwrap().who, 4);
        assert!(poll_once(other.next()).await.is_none());
    });
}

#[test]
fn a_mismatch_ends_with_the_subscription_that_met_it() {
    run(|runtime| async move {
        let [a, b] = mesh(&runtime, ["a", "b"]).await;
        let stream = b.stream::<new::Moved>();
        stream.ready().await.unwrap();
        a.broadcast(old::Moved { who: 1 }).await.unwrap_err();
        drop(stream);
        let mut stream = b.stream::<old::Moved>();
        stream.ready().await.unwrap();
        settle().await;
        assert_eq!((mismatches(&a), mismatches(&b)), (vec![], vec![]));
        a.broadcast(old::Moved { who: 1 }).await.unwrap();
        assert_eq!(stream.next().await.unwrap().unwrap().who, 1);
    });
}

#[test]
fn a_request_whose_answer_would_be_misread_is_not_sent() {
    run(|runtime| async move {
        let [a, b, c] = mesh(&runtime, ["a", "b", "c"]).await;
        let answering = b.answer(|_: Received<new::Where>| new::Place(1, 2));
        answering.ready().await.unwrap();
        match a.request(old::Where(7)).await {
            Err(RequestError::SchemaMismatch { request, peer }) => {
                assert_eq!((request.0, peer.as_str()), (7, "b"));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(a.stats().requests_in_flight, 0);
        settle().await;
        assert_eq!(mismatches(&b), pair("a", "skew.Where"));
        let answering = c.answer(|_: Received<old::Where>| old::Place(3, 4));
        answering.ready().await.unwrap();
        let place = a.request(old::Where(7)).await.unwrap();
        assert_eq!((place.0, place.1), (3, 4));
    });
}

#[test]
fn a_type_that_cannot_be_carried_is_refused_when_it_is_first_used() {
    run(|runtime| async move {
        let [a, b] = mesh(&runtime, ["a", "b"]).await;
        let stream = b.stream::<Flat>();
        match stream.ready().await {
            Err(ReadyError::Unsupported { source }) => assert_eq!(source.to_string(), FLAT),
            other => panic!("{other:?}"),
        }
        assert_eq!(b.stats().unsupported_subscriptions, 1);
        let flat = || Flat { rest: BTreeMap::new() };
        let refusals = [
            a.broadcast(flat()).await.unwrap_err(),
            a.broadcast(flat()).now().unwrap_err(),
            b.broadcast(flat()).internal().await.unwrap_err(),
        ];
        for refusal in refusals {
            assert!(matches!(&refusal, BroadcastError::Unencodable { source, .. }
                if source.to_string() == FLAT && matches!(source, PayloadError::Unsupported { .. })));
        }
        match a.request(flat()).await {
            Err(RequestError::Unencodable { source, .. }) => assert_eq!(source.to_string(), FLAT),
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_request_whose_answer_cannot_be_carried_is_refused() {
    #[derive(Debug, Serialize, Deserialize)]
    struct Asks;

    impl Event for Asks {
        const NAME: &'static str = "skew.Asks";
        const RESPONSE: Option<lahja_core::ResponseType> =
            Some(lahja_core::ResponseType::of::<Flat>());
    }

    impl Request for Asks {
        type Response = Flat;
    }

    run(|runtime| async move {
        let [a] = mesh(&runtime, ["a"]).await;
        match a.request(Asks).await {
            Err(RequestError::Unencodable { source, .. }) => assert_eq!(source.to_string(), FLAT),
            other => panic!("{other:?}"),
        }
    });
}
