//! Who gets a broadcast, and what becomes of one that nobody gets.

use lahja_core::{BroadcastConfig, BroadcastError, EndpointName, Event, Limits};

use super::common::{expect, listen, load, take};
use crate::puppet::{Load, Number, Question};
use crate::stage::{Stage, join, met};
use crate::subject::Subject;

pub async fn an_event_reaches_every_subscriber_and_oneself<S: Subject>(stage: Stage<S>) {
    let [a, b, c] = stage.meet(["a", "b", "c"]).await;
    let mut streams = [listen::<Number>(&a).await, listen(&b).await, listen(&c).await];
    a.broadcast(Number(7)).await.unwrap();
    for stream in &mut streams {
        let event = take(stream).await;
        assert_eq!(*event, Number(7));
        assert_eq!(event.origin(), "a");
    }
}

pub async fn an_event_to_one_endpoint_reaches_it_alone<S: Subject>(stage: Stage<S>) {
    let [a, b, c] = stage.meet(["a", "b", "c"]).await;
    let [mut at_a, mut at_b, mut at_c] = [listen(&a).await, listen(&b).await, listen(&c).await];
    a.broadcast(Number(1)).to("b").await.unwrap();
    let to_c = BroadcastConfig::to(EndpointName::new("c").unwrap());
    a.broadcast(Number(2)).with(to_c).await.unwrap();
    a.broadcast(Number(3)).await.unwrap();
    expect(&mut at_a, [3]).await;
    expect(&mut at_b, [1, 3]).await;
    expect(&mut at_c, [2, 3]).await;
}

pub async fn an_event_to_a_group_reaches_its_members_alone<S: Subject>(stage: Stage<S>) {
    let a = stage.endpoint("a").await;
    let b = stage.bus().endpoint("b").group("blue").group("all").await.unwrap();
    let c = stage.bus().endpoint("c").group("all").await.unwrap();
    met(&[&a, &b, &c]).await;
    let [mut at_b, mut at_c] = [listen(&b).await, listen(&c).await];
    a.broadcast(Number(1)).to_group("blue").await.unwrap();
    a.broadcast(Number(2)).to_group("all").await.unwrap();
    a.broadcast(Number(3)).to_group("all").except("b").await.unwrap();
    let nobody = a.broadcast(Number(4)).to_group("green").await;
    assert!(matches!(nobody, Err(BroadcastError::NoSubscribers(Number(4)))));
    a.broadcast(Number(5)).await.unwrap();
    expect(&mut at_b, [1, 2, 5]).await;
    expect(&mut at_c, [2, 3, 5]).await;
}

pub async fn an_event_to_oneself_reaches_nobody_else<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let [mut at_a, mut at_b] = [listen(&a).await, listen(&b).await];
    a.broadcast(Number(1)).to("a").await.unwrap();
    a.broadcast(Number(2)).await.unwrap();
    expect(&mut at_a, [1, 2]).await;
    expect(&mut at_b, [2]).await;
}

pub async fn an_internal_event_stays_inside<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let [mut at_a, mut at_b] = [listen(&a).await, listen(&b).await];
    a.broadcast(Number(1)).internal().await.unwrap();
    a.broadcast(Number(2)).await.unwrap();
    expect(&mut at_a, [1, 2]).await;
    expect(&mut at_b, [2]).await;
    // Nobody else's subscription makes up for one's own.
    drop(at_a);
    let nobody = a.broadcast(Number(3)).internal().await;
    assert!(matches!(nobody, Err(BroadcastError::NoSubscribers(Number(3)))));
    assert_eq!(a.traffic("b").unwrap().sent.events, 1);
}

pub async fn an_event_that_nobody_wants_is_handed_back<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let nobody = a.broadcast(Number(1)).await.unwrap_err();
    assert_eq!(nobody.to_string(), "nobody within reach has subscribed to the event");
    assert_eq!(nobody.into_event(), Some(Number(1)));
    let nobody = a.broadcast(Number(2)).now();
    assert!(matches!(nobody, Err(BroadcastError::NoSubscribers(Number(2)))));
    let _elsewhere = listen::<Number>(&b).await;
    for (name, number) in [("a", 3), ("unknown", 4)] {
        let nobody = a.broadcast(Number(number)).to(name).await;
        assert_eq!(nobody.unwrap_err().into_event(), Some(Number(number)));
    }
    a.broadcast(Number(5)).await.unwrap();
}

pub async fn an_event_that_nobody_wants_is_no_error_where_that_is_allowed<S: Subject>(
    stage: Stage<S>,
) {
    let [a, b] = stage.meet(["a", "b"]).await;
    a.broadcast(Number(1)).require_subscriber(false).await.unwrap();
    a.broadcast(Number(2)).to("unknown").require_subscriber(false).await.unwrap();
    a.broadcast(Number(3)).require_subscriber(false).now().unwrap();
    // Whoever subscribes later gets nothing of it.
    let mut late = listen(&b).await;
    a.broadcast(Number(4)).require_subscriber(false).await.unwrap();
    expect(&mut late, [4]).await;
}

pub async fn a_subscription_does_not_match_other_types<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let mut numbers = listen::<Number>(&b).await;
    let nobody = a.broadcast(load(1)).await;
    assert!(matches!(nobody, Err(BroadcastError::NoSubscribers(Load(1, _)))));
    let mut loads = listen::<Load>(&b).await;
    a.broadcast(load(2)).await.unwrap();
    a.broadcast(Number(3)).await.unwrap();
    assert_eq!(take(&mut loads).await.0, 2);
    expect(&mut numbers, [3]).await;
    let nobody = a.broadcast(Question(4)).await;
    assert!(matches!(nobody, Err(BroadcastError::NoSubscribers(Question(4)))));
}

pub async fn an_event_can_go_back_to_whoever_sent_another<S: Subject>(stage: Stage<S>) {
    let [a, b, c] = stage.meet(["a", "b", "c"]).await;
    let mut at_b = listen::<Load>(&b).await;
    let [mut at_a, mut at_c] = [listen(&a).await, listen(&c).await];
    a.broadcast(load(1)).await.unwrap();
    let config = take(&mut at_b).await.broadcast_config();
    assert_eq!(config.endpoint(), &"a");
    b.broadcast(Number(1)).with(config).await.unwrap();
    b.broadcast(Number(2)).await.unwrap();
    expect(&mut at_a, [1, 2]).await;
    expect(&mut at_c, [2]).await;
}

pub async fn an_event_that_is_too_large_is_handed_back_and_nobody_has_it<S: Subject>(
    stage: Stage<S>,
) {
    let mut limits = Limits::default();
    limits.frame = 1_000;
    let a = stage.build("a", |a| a);
    let b = stage.limited("b", &limits);
    join(&a, &b).await;
    let mut loads = listen::<Load>(&b).await;
    match a.broadcast(load(2_000)).await {
        Err(BroadcastError::TooLarge { event, len, max }) => {
            assert_eq!(event, load(2_000));
            assert!(len > max && max <= 1_000, "{len} of {max}");
        }
        other => panic!("{other:?}"),
    }
    a.broadcast(load(500)).await.unwrap();
    assert_eq!(take(&mut loads).await.0, 500);
}

pub async fn an_event_of_megabytes_arrives_as_it_was_sent<S: Subject>(stage: Stage<S>) {
    let [a, b] = stage.meet(["a", "b"]).await;
    let mut loads = listen::<Load>(&b).await;
    for bytes in [0, 1, 4 << 20, 1 << 16] {
        a.broadcast(load(bytes)).await.unwrap();
        assert_eq!(*take(&mut loads).await, load(bytes), "{bytes} bytes of {}", Load::NAME);
    }
}
