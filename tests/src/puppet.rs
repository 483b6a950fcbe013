//! A process that does what a test orders over the bus.

use std::fs;
use std::ops::Range;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use async_lock::Mutex;
use futures_lite::future::poll_once;
use lahja_core::{
    Endpoint, EndpointName, Event, EventBus, EventStream, Lagged, Platform, Received, Scope,
    Subscription, WeakEndpoint,
};
use serde::{Deserialize, Serialize};

use crate::process::{Process, blocking, until};

/// An event that tests broadcast.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Event)]
pub struct Number(pub u64);

/// An event with a large payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Event)]
pub struct Load(pub u64, pub String);

/// A request that tests make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Event)]
#[event(response = Number)]
pub struct Question(pub u64);

/// A request with a large payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Event)]
#[event(response = Number)]
pub struct Delivery(pub Load);

/// What is reported in place of an origin where events were lost. No endpoint has this name.
pub const LOST: &str = "";

/// What a puppet is to do.
#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(response = Report)]
pub enum Order {
    /// Begins to take numbers, of one origin if it is given.
    Listen(Option<String>),
    /// Takes no more numbers.
    Unlisten,
    /// Returns so many numbers and where they came from.
    Take(usize),
    /// Returns the numbers that came until an endpoint of this name was gone, and no later ones.
    TakeUntilGone(String),
    /// Begins a stream of loads that it does not read.
    Neglect,
    /// Reads so many of the neglected loads and returns their numbers. Those that are lost count,
    /// and are returned as how many they are, under the origin [`LOST`].
    TakeLoads(usize),
    /// Broadcasts a number.
    Broadcast(u64, Reach),
    /// Broadcasts the numbers below this one, then kills itself.
    BroadcastAndDie(u64),
    /// Answers questions from now on.
    Answer(Manner),
    /// Puts a question to an endpoint and returns the answer.
    Ask(u64, String),
    /// Returns how many events it has received from an endpoint, when they are so many or more.
    Received(String, u64),
    /// Waits until it is connected to an endpoint.
    Meet(String),
    /// Returns the endpoints that it is connected to.
    Connections,
    /// Returns the groups of its endpoint.
    Groups,
    /// Returns what its standard input leads to.
    Stdin,
    /// Returns what the descriptors lead to that a process inherits from it.
    Inherited,
    /// Writes a line to its standard output and one to its standard error.
    Say(String),
    /// Tries to connect to its parent once more.
    ConnectAgain,
    /// Tries to join the bus in this directory by this name.
    Join(PathBuf, String),
    /// Returns how often its handlers have panicked, when that is so often or more.
    Panics(u64),
    /// Ends with this code.
    Exit(i32),
}

/// How a puppet answers questions.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub enum Manner {
    /// With twice their number.
    Doubling,
    /// Never.
    Silent,
    /// By a panic, unless the number is even.
    Panicking,
}

/// Whom a puppet broadcasts to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Reach {
    /// Everybody.
    All,
    /// One endpoint.
    To(String),
    /// The members of a group.
    ToGroup(String),
    /// Everybody but one endpoint.
    Except(String),
}

/// What a puppet has to say of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Event)]
pub enum Report {
    /// It is done.
    Done,
    /// It failed: the error and its causes.
    Failed(String),
    /// Numbers and their origins.
    Numbers(Vec<(String, u64)>),
    /// A number.
    Number(u64),
    /// Names.
    Names(Vec<String>),
    /// A text.
    Text(String),
}

/// Has a puppet do something, once it is ready to.
///
/// # Panics
///
/// Panics if the puppet does not report.
pub async fn order(endpoint: &Endpoint, puppet: &str, order: Order) -> Report {
    endpoint.wait_until_connected_to(puppet).await;
    let scope = Scope::Endpoint(puppet);
    endpoint.wait_until_subscribed::<Order>(scope).await;
    let request = endpoint.request(order.clone()).to(puppet);
    match request.without_timeout().await {
        Ok(report) => report,
        Err(error) => panic!("{puppet} has not reported on {order:?}: {error}"),
    }
}

/// Has a puppet do something that succeeds.
///
/// # Panics
///
/// Panics unless it is done.
pub async fn have_done(endpoint: &Endpoint, puppet: &str, what: Order) {
    assert_eq!(order(endpoint, puppet, what.clone()).await, Report::Done, "{what:?}");
}

/// Has a puppet take the next loads, which the endpoint broadcast with these numbers. Returns how many
/// of them were lost.
///
/// # Panics
///
/// Panics if one is missing and was not told as lost, or if they are out of order.
pub async fn count_lost(endpoint: &Endpoint, puppet: &str, numbers: Range<u64>) -> u64 {
    let count = (numbers.end - numbers.start) as usize;
    let Report::Numbers(read) = order(endpoint, puppet, Order::TakeLoads(count)).await else {
        panic!("{puppet} has read nothing");
    };
    let (mut next, mut lost) = (numbers.start, 0);
    for (origin, number) in read {
        if origin == LOST {
            next += number;
            lost += number;
        } else {
            assert_eq!((origin.as_str(), number), (endpoint.name().as_str(), next));
            next += 1;
        }
    }
    assert_eq!(next, numbers.end);
    lost
}

/// Waits until no endpoint of this name is connected.
pub async fn until_gone(endpoint: &Endpoint, name: &str) {
    loop {
        let changed = endpoint.connections_changed();
        if !endpoint.is_connected_to(name) {
            return;
        }
        changed.await;
    }
}

/// Writes an error and its causes in one line.
pub fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Obeys orders until the endpoint is closed.
pub async fn obey<P: Platform>(platform: P, endpoint: Endpoint) {
    let puppet = Arc::new(Puppet {
        platform,
        endpoint: endpoint.downgrade(),
        numbers: Mutex::default(),
        loads: Mutex::default(),
        answering: Mutex::default(),
        joined: Mutex::default(),
    });
    let obeying = endpoint.answer(move |order: Received<Order>| {
        let puppet = puppet.clone();
        async move {
            let endpoint = puppet.endpoint.upgrade().expect("the puppet holds it");
            let done = puppet.follow(&endpoint, order.into_inner()).await;
            done.unwrap_or_else(|error| Report::Failed(describe(&*error)))
        }
    });
    endpoint.closed().await;
    drop(obeying);
}

struct Puppet<P> {
    platform: P,
    endpoint: WeakEndpoint,
    numbers: Mutex<Option<EventStream<Number>>>,
    loads: Mutex<Option<EventStream<Load>>>,
    answering: Mutex<Option<Subscription>>,
    joined: Mutex<Vec<Endpoint>>,
}

type Followed = Result<Report, Box<dyn std::error::Error + Send + Sync>>;

impl<P: Platform> Puppet<P> {
    async fn follow(&self, endpoint: &Endpoint, order: Order) -> Followed {
        match order {
            Order::Listen(from) => {
                let mut config = endpoint.subscription::<Number>();
                if let Some(from) = from {
                    config = config.from(EndpointName::new(from)?);
                }
                let numbers = config.stream();
                numbers.ready().await?;
                *self.numbers.lock().await = Some(numbers);
            }
            Order::Unlisten => *self.numbers.lock().await = None,
            Order::Take(count) => {
                let mut taken = Vec::new();
                let mut numbers = self.numbers.lock().await;
                let numbers = numbers.as_mut().ok_or("it does not listen")?;
                while taken.len() < count {
                    let number = numbers.next().await.ok_or("the endpoint is closed")?;
                    taken.push(entry(number)?);
                }
                return Ok(Report::Numbers(taken));
            }
            Order::TakeUntilGone(peer) => {
                until_gone(endpoint, &peer).await;
                let mut taken = Vec::new();
                let mut numbers = self.numbers.lock().await;
                let numbers = numbers.as_mut().ok_or("it does not listen")?;
                while let Some(number) = poll_once(numbers.next()).await {
                    taken.push(entry(number.ok_or("the endpoint is closed")?)?);
                }
                return Ok(Report::Numbers(taken));
            }
            Order::Neglect => {
                let loads = endpoint.stream();
                loads.ready().await?;
                *self.loads.lock().await = Some(loads);
            }
            Order::TakeLoads(count) => {
                let mut taken = Vec::new();
                let mut loads = self.loads.lock().await;
                let loads = loads.as_mut().ok_or("it does not neglect loads")?;
                let mut missing = count as u64;
                while missing > 0 {
                    match loads.next().await.ok_or("the endpoint is closed")? {
                        Ok(load) => {
                            missing -= 1;
                            taken.push((load.origin().to_string(), load.0));
                        }
                        Err(Lagged(count)) => {
                            missing = missing.saturating_sub(count);
                            taken.push((LOST.into(), count));
                        }
                    }
                }
                return Ok(Report::Numbers(taken));
            }
            Order::Broadcast(number, reach) => {
                let number = endpoint.broadcast(Number(number));
                match &reach {
                    Reach::All => number.await?,
                    Reach::To(name) => number.to(name).await?,
                    Reach::ToGroup(group) => number.to_group(group).await?,
                    Reach::Except(name) => number.except(name).await?,
                }
            }
            Order::BroadcastAndDie(count) => {
                for number in 0..count {
                    endpoint.broadcast(Number(number)).await?;
                }
                Process::open(std::process::id()).kill();
            }
            Order::Answer(manner) => {
                let answering = answer(endpoint, manner);
                answering.ready().await?;
                *self.answering.lock().await = Some(answering);
            }
            Order::Ask(number, of) => {
                let answer = endpoint.request(Question(number)).to(&of);
                return Ok(Report::Number(answer.without_timeout().await?.0));
            }
            Order::Received(peer, count) => {
                let received = || endpoint.traffic(&peer).map(|t| t.received.events);
                // What was received is counted a moment later.
                until(|| received().is_none_or(|received| received >= count)).await;
                return Ok(Report::Number(received().ok_or("it is not connected")?));
            }
            Order::Meet(name) => endpoint.wait_until_connected_to(&name).await,
            Order::Connections => return Ok(names(&endpoint.connections())),
            Order::Groups => return Ok(names(endpoint.groups())),
            Order::Stdin => {
                let stdin = fs::read_link("/proc/self/fd/0")?;
                return Ok(Report::Text(stdin.display().to_string()));
            }
            Order::Inherited => {
                let mut shell = Command::new("sh");
                shell.args(["-c", "readlink /proc/$$/fd/*"]).stdin(Stdio::null());
                let output = blocking(move || shell.output()).await?;
                let links = String::from_utf8(output.stdout)?;
                return Ok(Report::Names(links.lines().map(str::to_owned).collect()));
            }
            Order::Say(line) => {
                println!("{line}");
                eprintln!("{line}");
            }
            Order::ConnectAgain => {
                let endpoint = EventBus::connect_on(self.platform.clone()).await?;
                self.joined.lock().await.push(endpoint);
            }
            Order::Join(dir, name) => {
                let bus = EventBus::at_on(self.platform.clone(), dir)?;
                let endpoint = bus.endpoint(name).await?;
                self.joined.lock().await.push(endpoint);
            }
            Order::Panics(count) => {
                // A panic is counted a moment after it has cost its request.
                until(|| endpoint.stats().handler_panics >= count).await;
                return Ok(Report::Number(endpoint.stats().handler_panics));
            }
            Order::Exit(code) => std::process::exit(code),
        }
        Ok(Report::Done)
    }
}

fn answer(endpoint: &Endpoint, manner: Manner) -> Subscription {
    match manner {
        Manner::Doubling => endpoint.answer(|question: Received<Question>| Number(question.0 * 2)),
        Manner::Silent => endpoint.answer(|_: Received<Question>| std::future::pending::<Number>()),
        Manner::Panicking => endpoint.answer(|question: Received<Question>| {
            assert!(question.0 % 2 == 0, "an odd question");
            Number(question.0 * 2)
        }),
    }
}

fn entry(
    number: Result<Received<Number>, Lagged>,
) -> Result<(String, u64), Box<dyn std::error::Error + Send + Sync>> {
    let number = number.map_err(lost)?;
    Ok((number.origin().to_string(), number.0))
}

fn lost(Lagged(count): Lagged) -> String {
    format!("{count} events are lost")
}

fn names(names: &[EndpointName]) -> Report {
    Report::Names(names.iter().map(EndpointName::to_string).collect())
}
