//! The bus that users' tests are given.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_lite::FutureExt;
use lahja_core::testing::TestBus;
use lahja_core::{Event, Received, Scope};
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

fn impatient(runtime: TestRuntime) -> TestBus {
    TestBus::new(runtime).patience(Duration::from_millis(50))
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
        assert!(taken.starts_with("a cannot join a: "), "{taken}");
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
            let next = futures_lite::future::poll_once(numbers.next()).await;
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
