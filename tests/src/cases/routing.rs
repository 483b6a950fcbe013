//! Three processes on one bus: what is sent to whom, counted where it is sent and received.

use lahja_core::{BroadcastError, Endpoint, Scope};

use crate::puppet::{Number, Order, Reach, Report, have_done, order};
use crate::stage::Stage;
use crate::subject::Subject;

/// Returns how many events were sent to `b` and to `c`, which have received as many.
async fn count(parent: &Endpoint) -> [u64; 2] {
    let mut counts = [0; 2];
    for (child, count) in ["b", "c"].into_iter().zip(&mut counts) {
        // An order is an event too.
        *count = parent.traffic(child).unwrap().sent.events + 1;
        let asking = Order::Received("parent".into(), *count);
        let received = order(parent, child, asking).await;
        assert_eq!(received, Report::Number(*count), "{child}");
        assert_eq!(parent.traffic(child).unwrap().sent.events, *count);
    }
    counts
}

/// Checks that so many events were sent to `b` and to `c`.
async fn assert_sent(parent: &Endpoint, before: [u64; 2], expected: [u64; 2]) {
    let after = count(parent).await;
    let sent = [after[0] - before[0] - 1, after[1] - before[1] - 1];
    assert_eq!(sent, expected);
}

async fn take(parent: &Endpoint, child: &str, expected: &[u64]) {
    let expected = expected.iter().map(|&number| ("parent".into(), number));
    let taken = order(parent, child, Order::Take(expected.len())).await;
    assert_eq!(taken, Report::Numbers(expected.collect()), "{child}");
}

async fn listen(parent: &Endpoint) {
    for child in ["b", "c"] {
        have_done(parent, child, Order::Listen(None)).await;
    }
}

pub async fn an_event_to_one_endpoint_is_sent_to_it_alone<S: Subject>(stage: Stage<S>) {
    let parent = stage.endpoint("parent").await;
    let _b = stage.puppet("b").await;
    let _c = stage.puppet("c").await;
    listen(&parent).await;
    let before = count(&parent).await;
    for number in 0..5 {
        parent.broadcast(Number(number)).to("b").await.unwrap();
    }
    assert_sent(&parent, before, [5, 0]).await;
    parent.broadcast(Number(5)).await.unwrap();
    take(&parent, "b", &[0, 1, 2, 3, 4, 5]).await;
    take(&parent, "c", &[5]).await;
    let nobody = parent.broadcast(Number(6)).to("d").await;
    assert!(matches!(nobody, Err(BroadcastError::NoSubscribers(Number(6)))));
}

pub async fn an_event_to_a_group_is_sent_to_its_members_alone<S: Subject>(stage: Stage<S>) {
    let parent = stage.endpoint("parent").await;
    let _b = stage.puppet_in("workers", "b").await;
    let _c = stage.puppet("c").await;
    listen(&parent).await;
    let mut own = parent.stream::<Number>();
    let before = count(&parent).await;
    parent.broadcast(Number(1)).to_group("workers").await.unwrap();
    assert_sent(&parent, before, [1, 0]).await;
    parent.broadcast(Number(2)).await.unwrap();
    take(&parent, "b", &[1, 2]).await;
    take(&parent, "c", &[2]).await;
    assert_eq!(own.next().await.unwrap().unwrap().0, 2);
}

pub async fn an_event_except_for_one_is_sent_to_all_others<S: Subject>(stage: Stage<S>) {
    let parent = stage.endpoint("parent").await;
    let _b = stage.puppet("b").await;
    let _c = stage.puppet("c").await;
    listen(&parent).await;
    let mut own = parent.stream::<Number>();
    let before = count(&parent).await;
    parent.broadcast(Number(1)).except("b").await.unwrap();
    let refused = parent.broadcast(Number(2)).except("b").except("c");
    refused.except("parent").await.unwrap_err();
    assert_sent(&parent, before, [0, 1]).await;
    parent.broadcast(Number(3)).except("parent").await.unwrap();
    take(&parent, "b", &[3]).await;
    take(&parent, "c", &[1, 3]).await;
    parent.broadcast(Number(4)).internal().await.unwrap();
    for number in [1, 4] {
        assert_eq!(own.next().await.unwrap().unwrap().0, number);
    }
}

pub async fn an_internal_event_is_sent_to_nobody<S: Subject>(stage: Stage<S>) {
    let parent = stage.endpoint("parent").await;
    let _b = stage.puppet("b").await;
    let _c = stage.puppet("c").await;
    listen(&parent).await;
    let before = count(&parent).await;
    let nobody = parent.broadcast(Number(1)).internal().await;
    assert!(matches!(nobody, Err(BroadcastError::NoSubscribers(_))));
    let mut own = parent.stream::<Number>();
    parent.broadcast(Number(2)).internal().await.unwrap();
    assert_eq!(own.next().await.unwrap().unwrap().0, 2);
    assert_sent(&parent, before, [0, 0]).await;
}

pub async fn nothing_is_sent_to_a_process_that_has_not_subscribed<S: Subject>(stage: Stage<S>) {
    let parent = stage.endpoint("parent").await;
    let _b = stage.puppet("b").await;
    let _c = stage.puppet("c").await;
    have_done(&parent, "b", Order::Listen(None)).await;
    // `c` has joined before the parent has seen the end of its handshake.
    parent.wait_until_connected_to("c").await;
    assert!(!parent.is_subscribed::<Number>(Scope::Endpoint("c")));
    assert!(!parent.is_subscribed::<Number>(Scope::All));
    let before = count(&parent).await;
    for number in 0..100 {
        parent.broadcast(Number(number)).await.unwrap();
    }
    let nobody = parent.broadcast(Number(100)).to("c").await;
    assert!(matches!(nobody, Err(BroadcastError::NoSubscribers(_))));
    assert_sent(&parent, before, [100, 0]).await;
    take(&parent, "b", &Vec::from_iter(0..100)).await;
}

pub async fn nothing_is_sent_to_a_process_that_has_unsubscribed<S: Subject>(stage: Stage<S>) {
    let parent = stage.endpoint("parent").await;
    let _b = stage.puppet("b").await;
    let _c = stage.puppet("c").await;
    listen(&parent).await;
    have_done(&parent, "c", Order::Unlisten).await;
    while parent.is_subscribed::<Number>(Scope::Endpoint("c")) {
        let changed = parent.subscriptions_changed();
        if parent.is_subscribed::<Number>(Scope::Endpoint("c")) {
            changed.await;
        }
    }
    let before = count(&parent).await;
    parent.broadcast(Number(1)).await.unwrap();
    assert_sent(&parent, before, [1, 0]).await;
    // It may come back, and is sent what follows.
    have_done(&parent, "c", Order::Listen(None)).await;
    parent.broadcast(Number(2)).await.unwrap();
    take(&parent, "b", &[1, 2]).await;
    take(&parent, "c", &[2]).await;
}

pub async fn a_subscription_to_one_origin_is_sent_nothing_by_others<S: Subject>(stage: Stage<S>) {
    let parent = stage.endpoint("parent").await;
    let _b = stage.puppet("b").await;
    let _c = stage.puppet("c").await;
    have_done(&parent, "c", Order::Listen(Some("b".into()))).await;
    assert!(!parent.is_subscribed::<Number>(Scope::Any));
    let before = count(&parent).await;
    parent.broadcast(Number(1)).await.unwrap_err();
    assert_sent(&parent, before, [0, 0]).await;
    have_done(&parent, "b", Order::Broadcast(2, Reach::All)).await;
    let taken = order(&parent, "c", Order::Take(1)).await;
    assert_eq!(taken, Report::Numbers(vec![("b".into(), 2)]));
}

pub async fn children_send_past_their_parent<S: Subject>(stage: Stage<S>) {
    let parent = stage.endpoint("parent").await;
    let _b = stage.puppet("b").await;
    let _c = stage.puppet_in("workers", "c").await;
    listen(&parent).await;
    let mut own = parent.stream::<Number>();
    own.ready().await.unwrap();
    let before = parent.traffic("b").unwrap().received.events;
    for (number, reach) in [
        (1, Reach::To("c".into())),
        (2, Reach::ToGroup("workers".into())),
        (3, Reach::Except("parent".into())),
    ] {
        have_done(&parent, "b", Order::Broadcast(number, reach)).await;
    }
    let nobody = order(&parent, "b", Order::Broadcast(4, Reach::To("d".into()))).await;
    let error = "nobody within reach has subscribed to the event";
    assert_eq!(nobody, Report::Failed(error.into()));
    assert_eq!(parent.traffic("b").unwrap().received.events, before);
    have_done(&parent, "b", Order::Broadcast(5, Reach::All)).await;
    assert_eq!(own.next().await.unwrap().unwrap().0, 5);
    for (child, numbers) in [("b", vec![3, 5]), ("c", vec![1, 2, 3, 5])] {
        let numbers = numbers.into_iter().map(|number| ("b".into(), number));
        let taken = order(&parent, child, Order::Take(numbers.len())).await;
        assert_eq!(taken, Report::Numbers(numbers.collect()));
    }
}
