//! The bus that users' tests are given.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_executor::Executor;
use futures_lite::FutureExt;
use futures_lite::future::{poll_once, zip};
use lahja_core::testing::TestBus;
use lahja_core::{BoxFuture, Endpoint, Event, Limits, Received, Runtime, Scope};
use serde::{Deserialize, Serialize};

use crate::common::{TestRuntime, run};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct Number(u64);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct Double(u64);

/// Returns what the future panics with.
async fn panic_of<T>(future: impl Future<Output = T>) -> String {
    let panic = AssertUnwindSafe(future).catch_unwind().await.err().expect("it panics");
    *panic.downcast::<String>().expect("it says why")
}

/// A runtime that runs only while it is told to.
#[derive(Clone, Default)]
struct Apart(Arc<Executor<'static>>);

impl Runtime for Apart {
    fn spawn(&self, future: BoxFuture) {
        self.0.spawn(future).detach();
    }

    fn sleep(&self, duration: Duration) -> BoxFuture {
        Box::pin(async move {
            async_io::Timer::after(duration).await;
        })
    }
}

fn impatient(runtime: TestRuntime) -> TestBus {
    TestBus::new(runtime).patience(Duration::from_millis(500))
}

#[test]
fn endpoints_of_a_test_bus_are_connected_each_to_each() {
    run(|runtime| async {
        let bus = TestBus::new(runtime);
        let [a, b, c] = [bus.endpoint("a").await, bus.endpoint("b").await, bus.endpoint("c").await];
        assert_eq!(a.connections(), ["b", "c"]);
        assert_eq!(b.connections(), ["a", "c"]);
        assert_eq!(c.connections(), ["a", "b"]);
        let taken = panic_of(bus.endpoint("a")).await;
        assert_eq!(taken, "a cannot join the bus: its name is taken");
    });
}

#[test]
fn a_watch_finds_what_a_test_needs_and_sees_that_nothing_more_comes() {
    run(|runtime| async {
        let bus = TestBus::new(runtime);
        let [a, b] = [bus.endpoint("a").await, bus.endpoint("b").await];
        let mut numbers = bus.watch::<Number>(&b).await;
        for number in 0..100 {
            a.broadcast(Number(number)).await.unwrap();
        }
        assert_eq!(*numbers.next().await, Number(0));
        let found = numbers.find(|number| number.0 == 99).await;
        assert_eq!(found.origin(), "a");
        numbers.is_over().await;
        a.broadcast(Number(7)).await.unwrap();
        assert!(panic_of(numbers.is_over()).await.contains("Number(7)"));
    });
}

#[test]
fn what_does_not_come_fails_the_test_and_says_what_came_instead() {
    run(|runtime| async {
        let bus = impatient(runtime);
        let [a, b] = [bus.endpoint("a").await, bus.endpoint("b").await];
        let mut numbers = bus.watch::<Number>(&b).await;
        assert!(panic_of(numbers.next()).await.starts_with("no "));
        a.broadcast(Number(1)).await.unwrap();
        let said = panic_of(numbers.find(|number| number.0 == 2)).await;
        assert!(said.contains("Number(1)"), "{said}");
        b.close(Duration::ZERO).await;
        assert!(panic_of(numbers.next()).await.contains("closed"));
    });
}

#[test]
fn everything_has_come_once_the_bus_has_settled() {
    run(|runtime| async {
        let bus = TestBus::new(runtime);
        let [a, b] = [bus.endpoint("a").await, bus.endpoint("b").await];
        let mut numbers = b.stream::<Number>();
        a.wait_until_subscribed::<Number>(Scope::Endpoint("b")).await;
        for number in 0..1_000 {
            a.broadcast(Number(number)).await.unwrap();
        }
        bus.settle().await;
        for number in 0..1_000 {
            let next = poll_once(numbers.next()).await;
            assert_eq!(next.expect("it is there").unwrap().unwrap().0, number);
        }
    });
}

#[test]
fn a_watch_sees_what_a_handler_broadcasts() {
    run(|runtime| async {
        let bus = TestBus::new(runtime);
        let [a, b] = [bus.endpoint("a").await, bus.endpoint("b").await];
        let weak = b.downgrade();
        let doubling = b.subscribe(move |number: Received<Number>| {
            let b = weak.upgrade().expect("it is there");
            async move { b.broadcast(Double(2 * number.0)).await.unwrap() }
        });
        doubling.ready().await.unwrap();
        let mut doubles = bus.watch::<Double>(&a).await;
        a.broadcast(Number(21)).await.unwrap();
        assert_eq!(*doubles.next().await, Double(42));
        doubles.is_over().await;
    });
}

#[test]
fn endpoints_that_come_at_the_same_time_are_connected() {
    run(|runtime| async {
        let bus = TestBus::new(runtime);
        let first = bus.endpoint("first").await;
        let (a, (b, c)) = zip(bus.endpoint("a"), zip(bus.endpoint("b"), bus.endpoint("c"))).await;
        assert_eq!(first.connections(), ["a", "b", "c"]);
        assert_eq!(a.connections(), ["b", "c", "first"]);
        assert_eq!(b.connections(), ["a", "c", "first"]);
        assert_eq!(c.connections(), ["a", "b", "first"]);
        bus.settle().await;
    });
}

#[test]
fn of_two_that_come_at_the_same_time_one_gets_the_name() {
    run(|runtime| async {
        let bus = TestBus::new(runtime);
        let _first = bus.endpoint("first").await;
        let (a, taken) = zip(bus.endpoint("a"), panic_of(bus.endpoint("a"))).await;
        assert_eq!(taken, "a cannot join the bus: its name is taken");
        assert_eq!(a.connections(), ["first"]);
        bus.settle().await;
    });
}

#[test]
fn one_that_gives_up_joining_leaves_its_name_free() {
    run(|runtime| async move {
        let bus = TestBus::new(runtime.clone());
        let first = bus.endpoint("first").await;
        let kept = Endpoint::new("a", runtime.clone()).unwrap();
        assert!(poll_once(pin!(bus.join(&kept))).await.is_none());
        kept.close(Duration::ZERO).await;
        assert!(poll_once(pin!(bus.endpoint("a"))).await.is_none());
        let a = bus.endpoint("a").await;
        let b = bus.endpoint("b").await;
        assert_eq!(first.connections(), ["a", "b"]);
        assert_eq!(a.connections(), ["b", "first"]);
        assert_eq!(b.connections(), ["a", "first"]);
        bus.settle().await;
    });
}

#[test]
fn one_that_cannot_join_is_not_on_the_bus() {
    run(|runtime| async move {
        let bus = TestBus::new(runtime.clone());
        let first = bus.endpoint("first").await;
        let closed = Endpoint::new("a", runtime).unwrap();
        closed.close(Duration::ZERO).await;
        let said = panic_of(bus.join(&closed)).await;
        assert_eq!(said, "a cannot join first: the endpoint is closed");
        bus.endpoint("a").await;
        bus.settle().await;
        assert!(panic_of(bus.join(&first)).await.contains("taken"));
    });
}

#[test]
fn endpoints_come_after_others_have_been_closed() {
    run(|runtime| async {
        let bus = TestBus::new(runtime);
        let a = bus.endpoint("a").await;
        let b = bus.endpoint("b").await;
        b.close(Duration::ZERO).await;
        let c = bus.endpoint("c").await;
        assert_eq!(c.connections(), ["a"]);
        drop(c);
        let again = (bus.endpoint("b").await, bus.endpoint("c").await);
        assert_eq!(a.connections(), ["b", "c"]);
        bus.settle().await;
        drop(again);
    });
}

#[test]
fn one_that_is_closed_while_another_comes_is_left_out() {
    run(|runtime| async {
        let bus = TestBus::new(runtime);
        let [a, b] = [bus.endpoint("a").await, bus.endpoint("b").await];
        let mut joining = pin!(bus.endpoint("c"));
        assert!(poll_once(&mut joining).await.is_none());
        a.close(Duration::ZERO).await;
        let c = joining.await;
        assert_eq!(c.connections(), ["b"]);
        assert_eq!(b.connections(), ["c"]);
    });
}

#[test]
fn nothing_more_comes_to_an_endpoint_that_is_closed() {
    run(|runtime| async {
        let bus = TestBus::new(runtime);
        let [a, b] = [bus.endpoint("a").await, bus.endpoint("b").await];
        let mut numbers = bus.watch::<Number>(&b).await;
        a.broadcast(Number(1)).await.unwrap();
        bus.settle().await;
        b.close(Duration::ZERO).await;
        assert!(panic_of(numbers.is_over()).await.contains("Number(1)"));
        numbers.is_over().await;
    });
}

#[test]
fn a_loss_is_told_from_an_event() {
    run(|runtime| async move {
        let bus = TestBus::new(runtime.clone());
        let mut limits = Limits::default();
        limits.capacity = 1;
        limits.stalled_after = Duration::from_millis(20);
        let a = Endpoint::builder("a").unwrap().limits(limits).build(runtime);
        bus.join(&a).await;
        let mut numbers = bus.watch::<Number>(&a).await;
        for number in 0..3 {
            a.broadcast(Number(number)).await.unwrap();
        }
        assert_eq!(*numbers.next().await, Number(0));
        a.broadcast(Number(3)).await.unwrap();
        let said = panic_of(numbers.is_over()).await;
        assert_eq!(said, format!("{}: 2 events were lost", Number::NAME));
    });
}

#[test]
fn a_bus_does_not_settle_while_an_endpoint_does_not_run() {
    run(|runtime| async {
        let bus = impatient(runtime);
        let apart = Apart::default();
        let stuck = Endpoint::new("stuck", apart.clone()).unwrap();
        bus.join(&stuck).await;
        let running = apart.0.run(bus.endpoint("running")).await;
        let said = panic_of(bus.settle()).await;
        assert_eq!(
            said,
            "the bus has not settled within 500ms on the way from stuck to running, \
             from running to stuck",
        );
        drop(running);
    });
}

#[test]
fn a_bus_settles_without_those_that_are_closed_meanwhile() {
    run(|runtime| async {
        let bus = TestBus::new(runtime);
        let [a, b, c] = [bus.endpoint("a").await, bus.endpoint("b").await, bus.endpoint("c").await];
        let mut settling = pin!(bus.settle());
        assert!(poll_once(&mut settling).await.is_none());
        b.close(Duration::ZERO).await;
        settling.await;
        let mut settling = pin!(bus.settle());
        assert!(poll_once(&mut settling).await.is_none());
        a.close(Duration::ZERO).await;
        settling.await;
        assert!(c.connections().is_empty());
    });
}

#[test]
fn a_find_ends_though_others_keep_coming() {
    run(|runtime| async move {
        let bus = impatient(runtime.clone());
        let [a, b] = [bus.endpoint("a").await, bus.endpoint("b").await];
        let mut numbers = bus.watch::<Number>(&b).await;
        runtime.spawn(Box::pin(async move {
            while a.broadcast(Number(1)).await.is_ok() {
                async_io::Timer::after(Duration::from_millis(1)).await;
            }
        }));
        let said = panic_of(numbers.find(|number| number.0 == 2)).await;
        assert!(said.starts_with("no such ") && said.contains("Number(1)"), "{said}");
    });
}

#[test]
fn an_endpoint_whose_peers_do_not_run_cannot_be_watched() {
    run(|runtime| async {
        let bus = impatient(runtime);
        let apart = Apart::default();
        let stuck = Endpoint::new("stuck", apart.clone()).unwrap();
        bus.join(&stuck).await;
        let running = apart.0.run(bus.endpoint("running")).await;
        let said = panic_of(bus.watch::<Number>(&running)).await;
        assert_eq!(said, "running cannot be watched: its peers have not agreed within 500ms");
    });
}

#[test]
fn an_endpoint_cannot_be_watched_whose_peers_take_no_more_topics() {
    run(|runtime| async move {
        let bus = TestBus::new(runtime.clone());
        let mut limits = Limits::default();
        limits.topics = 2;
        let narrow = Endpoint::builder("narrow").unwrap().limits(limits).build(runtime);
        bus.join(&narrow).await;
        let a = bus.endpoint("a").await;
        let _numbers = bus.watch::<Number>(&a).await;
        let said = panic_of(bus.watch::<Double>(&a)).await;
        assert_eq!(said, "a cannot be watched: endpoint \"narrow\" takes no more topics");
    });
}

#[test]
fn a_bus_does_not_settle_where_marks_cannot_be_sent() {
    run(|runtime| async move {
        let bus = TestBus::new(runtime.clone());
        let mut limits = Limits::default();
        limits.topics = 0;
        let narrow = Endpoint::builder("narrow").unwrap().limits(limits).build(runtime.clone());
        let a = Endpoint::new("a", runtime).unwrap();
        bus.join(&narrow).await;
        bus.join(&a).await;
        let said = panic_of(bus.settle()).await;
        assert!(said.contains("cannot send a mark to"), "{said}");
    });
}
