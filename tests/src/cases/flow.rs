//! A process that stops reading: who waits for it, and who does not.

use std::time::Duration;

use futures_lite::future::{poll_once, zip};
use lahja_core::{BroadcastError, Endpoint, Limits};
use rustix::process::Signal;

use super::common::patient;
use crate::process::Process;
use crate::puppet::{
    Load, Manner, Number, Order, Question, Reach, Report, count_lost, have_done, order,
};
use crate::stage::Stage;
use crate::subject::Subject;

/// The payload of a load, on top of its number.
const SIZE: usize = 1_000;

fn load(number: u64) -> Load {
    Load(number, "x".repeat(SIZE))
}

/// Broadcasts loads until there is no room. Returns how many were taken.
fn fill(parent: &Endpoint) -> u64 {
    for number in 0.. {
        match parent.broadcast(load(number)).now() {
            Ok(()) => {}
            Err(BroadcastError::Full(_)) => return number,
            Err(error) => panic!("{error}"),
        }
    }
    unreachable!("there is no room for so many");
}

fn loads(count: u64) -> Report {
    Report::Numbers((0..count).map(|n| ("parent".into(), n)).collect())
}

pub async fn a_producer_waits_with_a_window_in_memory_and_nothing_else_does<S: Subject>(
    stage: Stage<S>,
) {
    let [parent] = stage.meet_limited(["parent"], &patient()).await;
    let _child = stage.puppet("c").await;
    have_done(&parent, "c", Order::Neglect).await;
    have_done(&parent, "c", Order::Listen(None)).await;
    have_done(&parent, "c", Order::Answer(Manner::Doubling)).await;

    let taken = fill(&parent);
    let window = Limits::default().window as usize;
    let bytes = taken as usize * SIZE;
    assert!(bytes < window, "{taken} events were taken");
    assert!(bytes > window * 9 / 10, "{taken} events were taken");
    let mut waiting = parent.broadcast(load(taken)).into_future();
    assert!(poll_once(&mut waiting).await.is_none());

    for number in 0..1_000 {
        let answer = parent.request(Question(number)).to("c").await.unwrap();
        assert_eq!(answer, Number(2 * number));
        parent.broadcast(Number(number)).await.unwrap();
        let passed = order(&parent, "c", Order::Take(1)).await;
        assert_eq!(passed, Report::Numbers(vec![("parent".into(), number)]));
    }
    assert!(poll_once(&mut waiting).await.is_none());
    assert!(matches!(parent.broadcast(load(0)).now(), Err(BroadcastError::Full(Load(0, _)))));

    // The one that waits goes on when the others are read, and nothing is lost.
    let reading = order(&parent, "c", Order::TakeLoads(taken as usize + 1));
    let (sent, read) = zip(waiting, reading).await;
    sent.unwrap();
    assert_eq!(read, loads(taken + 1));
}

pub async fn other_consumers_get_what_one_of_them_holds_up<S: Subject>(stage: Stage<S>) {
    let [parent] = stage.meet_limited(["parent"], &patient()).await;
    let _b = stage.puppet("b").await;
    let _c = stage.puppet("c").await;
    have_done(&parent, "b", Order::Neglect).await;
    let taken = fill(&parent);
    have_done(&parent, "c", Order::Neglect).await;
    let mut waiting = parent.broadcast(load(taken)).into_future();
    assert!(poll_once(&mut waiting).await.is_none());
    // `b` holds it up, `c` has it.
    let read = order(&parent, "c", Order::TakeLoads(1)).await;
    assert_eq!(read, Report::Numbers(vec![("parent".into(), taken)]));
    assert!(poll_once(&mut waiting).await.is_none());
    // What the two tell each other is not held up either.
    have_done(&parent, "b", Order::Listen(None)).await;
    have_done(&parent, "c", Order::Broadcast(7, Reach::To("b".into()))).await;
    let passed = order(&parent, "b", Order::Take(1)).await;
    assert_eq!(passed, Report::Numbers(vec![("c".into(), 7)]));
    let reading = order(&parent, "b", Order::TakeLoads(taken as usize + 1));
    let (sent, read) = zip(waiting, reading).await;
    sent.unwrap();
    assert_eq!(read, loads(taken + 1));
}

pub async fn a_broadcast_that_was_given_up_leaves_the_rest_in_order<S: Subject>(stage: Stage<S>) {
    let [parent] = stage.meet_limited(["parent"], &patient()).await;
    let _child = stage.puppet("c").await;
    have_done(&parent, "c", Order::Neglect).await;
    let taken = fill(&parent);
    for _ in 0..100 {
        let mut given_up = parent.broadcast(load(u64::MAX)).into_future();
        assert!(poll_once(&mut given_up).await.is_none());
    }
    let waiting = parent.broadcast(load(taken));
    let reading = order(&parent, "c", Order::TakeLoads(taken as usize + 1));
    let (sent, read) = zip(async { waiting.await }, reading).await;
    sent.unwrap();
    assert_eq!(read, loads(taken + 1));
}

pub async fn a_stopped_process_is_left_behind_and_told_what_it_missed<S: Subject>(stage: Stage<S>) {
    // More than a window and a socket take.
    const COUNT: u64 = 1_000;
    let mut limits = Limits::default();
    limits.stalled_after = Duration::from_millis(100);
    let [parent] = stage.meet_limited(["parent"], &limits).await;
    let b = stage.puppet("b").await;
    let _c = stage.puppet("c").await;
    for child in ["b", "c"] {
        have_done(&parent, child, Order::Neglect).await;
    }
    let process = Process::open(b.id());
    process.signal(Signal::STOP);
    for number in 0..COUNT {
        parent.broadcast(load(number)).await.unwrap();
        // The other one never notices.
        let read = order(&parent, "c", Order::TakeLoads(1)).await;
        assert_eq!(read, Report::Numbers(vec![("parent".into(), number)]));
    }
    process.signal(Signal::CONT);
    let lost = count_lost(&parent, "b", 0..COUNT).await;
    assert!(lost > 0 && lost < COUNT, "{lost} are lost");
    // It is back.
    parent.broadcast(load(COUNT)).to("b").await.unwrap();
    let read = order(&parent, "b", Order::TakeLoads(1)).await;
    assert_eq!(read, Report::Numbers(vec![("parent".into(), COUNT)]));
}
