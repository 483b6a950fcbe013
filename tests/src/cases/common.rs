//! What many cases do.

use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
use futures_lite::future::zip;
use lahja_core::{Endpoint, Event, EventBus, EventStream, Limits, Platform, Received, Scope};

use crate::process::children;
use crate::puppet::{Load, Manner, Number, Order, Question, have_done, until_gone};
use crate::stage::Stage;
use crate::subject::Subject;
use crate::wire::{self, RawPeer, kind};

/// How long a process or an endpoint may take to end when it is asked to.
pub(super) const GRACE: Duration = Duration::from_secs(30);

/// Makes a stream that every connected peer knows of.
pub(super) async fn listen<E: Event>(endpoint: &Endpoint) -> EventStream<E> {
    let stream = endpoint.stream();
    stream.ready().await.unwrap();
    stream
}

/// Takes the next event.
pub(super) async fn take<E: Event>(stream: &mut EventStream<E>) -> Received<E> {
    stream.next().await.expect("the endpoint is open").expect("nothing is lost")
}

/// Takes as many numbers and checks that they are these.
pub(super) async fn expect(
    stream: &mut EventStream<Number>,
    numbers: impl IntoIterator<Item = u64>,
) {
    for number in numbers {
        assert_eq!(take(stream).await.0, number);
    }
}

/// Waits until those in `scope` have not, or no longer, subscribed.
pub(super) async fn until_unsubscribed<E: Event>(endpoint: &Endpoint, scope: Scope<'_>) {
    loop {
        let changed = endpoint.subscriptions_changed();
        if !endpoint.is_subscribed::<E>(scope) {
            return;
        }
        changed.await;
    }
}

/// Checks that an endpoint still serves another one on its bus.
pub(super) async fn still_serves<P: Platform>(bus: &EventBus<P>, server: &Endpoint) {
    // Not by a handler: that may hold the server for a moment longer than the case does.
    let mut questions = server.stream::<Question>();
    let client = bus.endpoint("good-client").await.unwrap();
    let scope = Scope::Endpoint(server.name().as_str());
    client.wait_until_subscribed::<Question>(scope).await;
    let asking = async { client.request(Question(21)).to(server.name()).await };
    let answering = async {
        let question = questions.next().await.unwrap().unwrap();
        let answer = server.broadcast(Number(2 * question.0));
        answer.with(question.broadcast_config()).await.unwrap();
    };
    let (answer, ()) = zip(asking, answering).await;
    assert_eq!(answer.unwrap(), Number(42));
    client.close(GRACE).await;
    until_gone(server, "good-client").await;
}

/// Checks that no child is left, and that one which is started now is served.
pub(super) async fn still_spawns<S: Subject>(stage: &Stage<S>, parent: &Endpoint) {
    assert_eq!(children(), [0_u32; 0]);
    let child = stage.puppet("good-child").await;
    have_done(parent, "good-child", Order::Answer(Manner::Doubling)).await;
    let answer = parent.request(Question(21)).to("good-child").await.unwrap();
    assert_eq!(answer, Number(42));
    assert!(child.shutdown(GRACE).await.unwrap().success());
    assert_eq!(children(), [0_u32; 0]);
}

/// Broadcasts the numbers below this one.
pub(super) async fn count_to(endpoint: &Endpoint, end: u64) {
    for number in 0..end {
        endpoint.broadcast(Number(number)).await.unwrap();
    }
}

/// Broadcasts numbers until somebody has no room, and returns how many there were.
pub(super) fn fill(endpoint: &Endpoint) -> u64 {
    let mut number = 0;
    while endpoint.broadcast(Number(number)).now().is_ok() {
        number += 1;
    }
    number
}

/// Makes an event with so many bytes of payload, and a few more.
pub(super) fn load(bytes: usize) -> Load {
    Load(bytes as u64, "x".repeat(bytes))
}

/// Returns limits under which a consumer may take as long as it likes.
pub(super) fn patient() -> Limits {
    let mut limits = Limits::default();
    limits.stalled_after = Duration::MAX;
    limits
}

/// Waits for the announcement of a topic and returns the number that its events carry.
pub(super) async fn announced_number<T: AsyncRead + AsyncWrite + Unpin>(
    peer: &mut RawPeer<T>,
    topic: &str,
) -> u64 {
    loop {
        let (name, number) = announced(peer).await;
        if name == topic {
            return number;
        }
    }
}

/// Waits for the next announcement. Returns the topic and the number that its events carry.
pub(super) async fn announced<T: AsyncRead + AsyncWrite + Unpin>(
    peer: &mut RawPeer<T>,
) -> (String, u64) {
    let content = peer.hear(kind::ANNOUNCE).await.unwrap();
    let (_epoch, rest) = wire::split_varint(&content[1..]);
    let (number, rest) = wire::split_varint(rest);
    let (_window, rest) = wire::split_varint(rest);
    let (_len, name) = wire::split_varint(&rest[8..]);
    (String::from_utf8(name.to_vec()).unwrap(), number)
}
