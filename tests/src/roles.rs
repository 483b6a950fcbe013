//! What the other processes of a case do.

use std::fs;
use std::future::IntoFuture;
use std::io::{self, Write};
use std::mem;
use std::os::fd::OwnedFd;
use std::time::Duration;

use futures_lite::future::poll_once;
use lahja_core::{BoxFuture, Endpoint, EventBus, Limits, Platform, Runtime};

use crate::puppet::{self, describe};
use crate::stage::Stage;
use crate::subject::Subject;

/// Does nothing and ends.
pub const NOTHING: &str = "nothing";
/// Takes the endpoint it was spawned with, and [obeys](crate::puppet::obey).
pub const PUPPET: &str = "puppet";
/// A puppet that goes on when its parent dies.
pub const SURVIVOR: &str = "survivor";
/// A puppet that nobody spawned. Arguments: the bus's directory, its name.
pub const MEMBER: &str = "member";
/// Has puppets `c0`, `c1`... on a private bus, tells where that is and the children's ids, and
/// waits for its death. Arguments: their roles.
pub const PARENT: &str = "parent";
/// Joins its bus, and ends neither when its endpoint is closed nor by itself.
pub const DEAF: &str = "deaf";
/// Begins to take the endpoint it was spawned with, gives that up, and does not end by itself.
pub const FICKLE: &str = "fickle";
/// Tells what comes of taking over an endpoint where there is none: the error as it is, the error
/// as a text, its standard input after that. Argument: a timeout in milliseconds, if any.
pub const CLAIM: &str = "claim";

/// What stands before a line that a process tells, and not before what its test harness prints.
const TOLD: &str = "told: ";

/// Prints a line for the case to read.
///
/// # Panics
///
/// Panics if nobody reads the standard output.
pub fn tell(line: &str) {
    println!("\n{TOLD}{line}");
    io::stdout().flush().unwrap();
}

/// Returns the lines that a process has told, of all that it printed.
pub fn told(output: &str) -> Vec<String> {
    output.lines().filter_map(|line| line.strip_prefix(TOLD)).map(str::to_owned).collect()
}

pub(crate) async fn play<S: Subject>(stage: Stage<S>, lines: Vec<String>) {
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    match lines[..] {
        [NOTHING] => {}
        [PUPPET] => {
            let endpoint = connect(&stage).await;
            puppet::obey(stage.platform().clone(), endpoint).await;
        }
        [SURVIVOR] => {
            let connect = EventBus::connect_on(stage.platform().clone()).outlive_parent();
            puppet::obey(stage.platform().clone(), connect.await.unwrap()).await;
        }
        [MEMBER, dir, name] => {
            let bus = EventBus::at_on(stage.platform().clone(), dir).unwrap();
            let endpoint = bus.endpoint(name).await.unwrap();
            drop(bus);
            puppet::obey(stage.platform().clone(), endpoint).await;
        }
        [PARENT, ref children @ ..] => parent(stage, children).await,
        [DEAF] => {
            let _endpoint = connect(&stage).await;
            std::future::pending().await
        }
        [FICKLE] => {
            let mut connecting =
                EventBus::connect_on(Still(stage.platform().clone())).into_future();
            assert!(poll_once(&mut connecting).await.is_none());
            drop(connecting);
            std::future::pending().await
        }
        [CLAIM] => claim(stage, Limits::default().handshake_timeout).await,
        [CLAIM, millis] => claim(stage, Duration::from_millis(millis.parse().unwrap())).await,
        _ => panic!("unknown role: {lines:?}"),
    }
}

/// A platform on which no task gets anywhere, so that no handshake comes to its end.
#[derive(Clone)]
struct Still<P>(P);

impl<P: Platform> Runtime for Still<P> {
    fn spawn(&self, future: BoxFuture) {
        mem::forget(future);
    }

    fn sleep(&self, duration: Duration) -> BoxFuture {
        self.0.sleep(duration)
    }
}

impl<P: Platform> Platform for Still<P> {
    crate::macros::same_sockets!(P);

    type Command = P::Command;
    type Child = P::Child;

    fn spawn_process(&self, command: P::Command, stdin: OwnedFd) -> io::Result<P::Child> {
        self.0.spawn_process(command, stdin)
    }
}

async fn connect<S: Subject>(stage: &Stage<S>) -> Endpoint {
    match EventBus::connect_on(stage.platform().clone()).await {
        Ok(endpoint) => endpoint,
        Err(error) => {
            eprintln!("{}", describe(&error));
            std::process::exit(1);
        }
    }
}

async fn parent<S: Subject>(stage: Stage<S>, roles: &[&str]) {
    let mut children = Vec::new();
    for (n, role) in roles.iter().enumerate() {
        let command = stage.role(role, &[]);
        children.push(stage.spawn(&format!("c{n}"), command).await.unwrap());
    }
    let ids: Vec<_> = children.iter().map(|child| child.id().to_string()).collect();
    tell(&stage.bus().path().display().to_string());
    tell(&ids.join(" "));
    std::future::pending().await
}

async fn claim<S: Subject>(stage: Stage<S>, timeout: Duration) {
    let mut limits = Limits::default();
    limits.handshake_timeout = timeout;
    let claimed = EventBus::connect_on(stage.platform().clone()).limits(limits).await;
    let error = claimed.expect_err("nobody spawned this process");
    tell(&format!("{error:?}"));
    tell(&describe(&error));
    tell(&fs::read_link("/proc/self/fd/0").unwrap().display().to_string());
}
