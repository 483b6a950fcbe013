//! What a case has at hand.

use std::cell::OnceCell;
use std::fmt;
use std::path::Path;
use std::process::Command;

use futures_lite::future::zip;
use lahja_core::{
    Child, Endpoint, EndpointBuilder, EventBus, Limits, Platform, Runtime, Spawn, memory_pair,
};

use crate::harness;
use crate::process::Program;
use crate::roles;
use crate::subject::{Bus, Subject};

/// What a case has at hand: a bus, endpoints in memory, and programs to run.
///
/// Where something cannot be had the methods panic, which fails the case.
pub struct Stage<S: Subject> {
    platform: S::Platform,
    troupe: Troupe,
    bus: OnceCell<Bus<S>>,
}

/// How to run the other processes of a case.
#[derive(Debug, Clone)]
pub(crate) struct Troupe {
    /// The test that plays a role.
    pub(crate) test: String,
    /// What the runtime of the children asks for.
    pub(crate) environment: Vec<(&'static str, String)>,
}

impl<S: Subject> Stage<S> {
    pub(crate) fn new(platform: S::Platform, troupe: Troupe) -> Self {
        Self { platform, troupe, bus: OnceCell::new() }
    }

    /// Returns the platform that the case runs on.
    pub fn platform(&self) -> &S::Platform {
        &self.platform
    }

    /// Returns the case's own bus, a private one, which is made when first asked for.
    pub fn bus(&self) -> &Bus<S> {
        self.bus.get_or_init(|| EventBus::new_on(self.platform.clone()).unwrap())
    }

    /// Joins the case's bus as `name`.
    pub async fn endpoint(&self, name: &str) -> Endpoint {
        self.bus().endpoint(name).await.unwrap()
    }

    /// Joins the case's bus as each of the names, over sockets. Each is connected to each.
    pub async fn meet<const N: usize>(&self, names: [&str; N]) -> [Endpoint; N] {
        self.meet_limited(names, &Limits::default()).await
    }

    /// As [`meet`](Self::meet), with limits.
    pub async fn meet_limited<const N: usize>(
        &self,
        names: [&str; N],
        limits: &Limits,
    ) -> [Endpoint; N] {
        let mut endpoints = Vec::new();
        for name in names {
            let join = self.bus().endpoint(name).limits(limits.clone());
            endpoints.push(join.await.unwrap());
        }
        met(&endpoints.iter().collect::<Vec<_>>()).await;
        endpoints.try_into().expect("there are as many as names")
    }

    /// Begins to start a child on the case's bus.
    pub fn spawn(&self, name: &str, command: Command) -> Spawn<S::Platform> {
        self.bus().spawn(name, S::command(command))
    }

    /// Starts a [puppet](crate::puppet) on the case's bus.
    pub async fn puppet(&self, name: &str) -> Child<S::Platform> {
        self.spawn(name, self.role(roles::PUPPET, &[])).await.unwrap()
    }

    /// Starts a [puppet](crate::puppet) that is a member of a group.
    pub async fn puppet_in(&self, group: &str, name: &str) -> Child<S::Platform> {
        self.spawn(name, self.role(roles::PUPPET, &[])).group(group).await.unwrap()
    }

    /// Starts a [puppet](crate::puppet) that nobody spawned, on the bus in this directory.
    pub fn member(&self, bus: &Path, name: &str) -> Program {
        let bus = bus.to_str().expect("a bus is made at a path of ASCII");
        Program::start(self.role(roles::MEMBER, &[bus, name]))
    }

    /// Returns a command that runs this program in one of the [roles].
    pub fn role(&self, role: &str, arguments: &[&str]) -> Command {
        harness::in_role(&self.troupe, role, arguments)
    }

    /// Returns a command that runs a script of the shell and then this program in a role, in the
    /// same process.
    pub fn role_after(&self, script: &str, role: &str, arguments: &[&str]) -> Command {
        let role = self.role(role, arguments);
        let mut command = self.shell(&format!(r#"{script}; exec "$0" "$@""#));
        command.arg(role.get_program()).args(role.get_args());
        command.envs(role.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command
    }

    /// Returns a command that runs a script of the shell.
    pub fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    /// Returns a command that runs a program.
    pub fn program(&self, path: impl AsRef<Path>) -> Command {
        Command::new(path.as_ref())
    }

    /// Describes a program in the way of the platform, for buses other than the case's own.
    pub fn command(&self, command: Command) -> <S::Platform as Platform>::Command {
        S::command(command)
    }

    /// Makes an endpoint that is on no bus.
    pub fn build(
        &self,
        name: &str,
        with: impl FnOnce(EndpointBuilder) -> EndpointBuilder,
    ) -> Endpoint {
        with(Endpoint::builder(name).unwrap()).build(self.platform.clone())
    }

    /// Makes an endpoint that is on no bus, with limits of its own.
    pub fn limited(&self, name: &str, limits: &Limits) -> Endpoint {
        self.build(name, |builder| builder.limits(limits.clone()))
    }

    /// Makes endpoints of these names that are on no bus, each connected to each in memory.
    pub async fn mesh<const N: usize>(&self, names: [&str; N]) -> [Endpoint; N] {
        let endpoints = names.map(|name| self.build(name, |builder| builder));
        for (at, near) in endpoints.iter().enumerate() {
            for far in &endpoints[at + 1..] {
                join(near, far).await;
            }
        }
        endpoints
    }

    /// Runs a future in a task of its own; what it returns is sent to the caller.
    pub fn apart<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> async_channel::Receiver<T> {
        let (done, end) = async_channel::bounded(1);
        self.platform.spawn(Box::pin(async move {
            let result = future.await;
            // Nobody may wait for it any more.
            _ = done.try_send(result);
        }));
        end
    }
}

impl<S: Subject> fmt::Debug for Stage<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stage").field("troupe", &self.troupe).finish_non_exhaustive()
    }
}

/// Connects two endpoints in memory.
///
/// # Panics
///
/// Panics if they cannot be connected.
pub async fn join(near: &Endpoint, far: &Endpoint) {
    let (one, other) = memory_pair();
    let (near, far) = zip(near.attach(one), far.attach(other)).await;
    near.unwrap();
    far.unwrap();
}

/// Waits until each of these endpoints sees each other one. Of two that connect, one may see that
/// a moment before the other does.
pub async fn met(endpoints: &[&Endpoint]) {
    for endpoint in endpoints {
        for other in endpoints.iter().filter(|other| other.name() != endpoint.name()) {
            endpoint.wait_until_connected_to(other.name()).await;
        }
    }
}
