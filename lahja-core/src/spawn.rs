//! Child processes that are handed their endpoints: the parent's side and the child's.

use std::fmt;
use std::future::IntoFuture;
use std::io;
use std::pin::{Pin, pin};
use std::process::ExitStatus;
use std::time::Duration;

use futures_lite::future::or;
use rustix::process::{Pid, Signal, getpid, kill_process};

use crate::bus::EventBus;
use crate::endpoint::{Endpoint, WeakEndpoint};
use crate::error::{ClaimError, SpawnError};
use crate::limits::Limits;
use crate::link::{Invite, Link, Report};
use crate::name::EndpointName;
use crate::platform::{ChildProcess, Platform};

/// How long a process whose parent died has to end by itself once its endpoint is closed.
const ORPHAN_GRACE: Duration = Duration::from_secs(1);

/// How long a child that has closed its standard input may take to end before it is killed, and what
/// a child that has ended has said before may take to arrive.
const EXIT_GRACE: Duration = Duration::from_secs(1);

/// A child process that is about to be started; await it to get it. Made by
/// [`EventBus::spawn`].
#[must_use = "nothing is spawned unless this is awaited"]
pub struct Spawn<P: Platform> {
    bus: EventBus<P>,
    name: String,
    groups: Vec<String>,
    command: P::Command,
    timeout: Duration,
}

impl<P: Platform> Spawn<P> {
    pub(crate) fn new(bus: EventBus<P>, name: &str, command: P::Command) -> Self {
        Self {
            bus,
            name: name.to_owned(),
            groups: Vec::new(),
            command,
            timeout: Limits::default().handshake_timeout,
        }
    }

    /// Makes the child's endpoint a member of a group. May be given up to 32 times.
    pub fn group(mut self, group: impl AsRef<str>) -> Self {
        self.groups.push(group.as_ref().to_owned());
        self
    }

    /// Waits this long for the child to join the bus. The default is 10 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    async fn spawn(self) -> Result<Child<P>, SpawnError> {
        let name = EndpointName::new(&self.name)?;
        let groups = self.groups.iter().map(EndpointName::new).collect::<Result<_, _>>()?;
        let platform = self.bus.platform().clone();
        let (link, stdin) = Link::pair(&platform).map_err(SpawnError::Link)?;
        let process = platform.spawn_process(self.command, stdin).map_err(SpawnError::Run)?;
        let mut child = Child { name, platform, process: Some(process), link: Some(link) };
        let invite = Invite { name: child.name.clone(), dir: self.bus.path().to_owned(), groups };
        match child.hand_over(&invite, self.timeout).await {
            Ok(()) => Ok(child),
            Err(error) => {
                child.end().await;
                Err(error)
            }
        }
    }
}

impl<P: Platform> IntoFuture for Spawn<P> {
    type Output = Result<Child<P>, SpawnError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.spawn())
    }
}

impl<P: Platform> fmt::Debug for Spawn<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spawn").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A child process that was handed an endpoint.
///
/// Dropping it is to the child as if this process had died: its endpoint is closed, and a second
/// later it ends unless it was told to outlive its parent. Use [`shutdown`](Self::shutdown) to
/// wait for that.
pub struct Child<P: Platform> {
    name: EndpointName,
    platform: P,
    // Taken when the process is given up.
    process: Option<P::Child>,
    link: Option<Link<P>>,
}

fn judge(report: Report) -> Result<(), SpawnError> {
    match report {
        Report::Joined => Ok(()),
        Report::Failed(reason) => Err(SpawnError::Join { reason }),
    }
}

async fn none_after<T, P: Platform>(platform: &P, time: Duration) -> Option<T> {
    platform.sleep(time).await;
    None
}

/// What comes first of a child that was started.
enum First {
    Report(Option<Report>),
    End(io::Result<ExitStatus>),
    Nothing,
}

impl SpawnError {
    fn ended(status: io::Result<ExitStatus>) -> Self {
        status.map_or_else(Self::Link, Self::Exited)
    }
}

impl<P: Platform> Child<P> {
    /// Returns the name of the child's endpoint.
    pub fn name(&self) -> &EndpointName {
        &self.name
    }

    /// Returns the id of the child's process.
    pub fn id(&self) -> u32 {
        self.process().id()
    }

    /// Kills the child with SIGKILL, unless it has ended. Wait for its [`status`](Self::status).
    ///
    /// # Errors
    ///
    /// The signal cannot be sent.
    pub fn kill(&mut self) -> io::Result<()> {
        self.process_mut().kill()
    }

    /// Waits until the child has ended. May be called again.
    ///
    /// # Errors
    ///
    /// The process cannot be waited for.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn status(&mut self) -> io::Result<ExitStatus> {
        self.process_mut().status().await
    }

    /// Makes the child end and waits for it: asks it to leave, then sends SIGTERM, then SIGKILL,
    /// with `grace` between each two.
    ///
    /// A child that is asked to leave closes its endpoint; its program should end when it sees
    /// that.
    ///
    /// # Errors
    ///
    /// The process cannot be waited for.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the child.
    pub async fn shutdown(mut self, grace: Duration) -> io::Result<ExitStatus> {
        if let Some(link) = &mut self.link {
            // A child that does not read any more is told by a signal.
            let platform = &self.platform;
            let asking = async { drop(link.ask_to_leave().await) };
            or(asking, platform.sleep(grace)).await;
        }
        if let Some(status) = self.status_within(grace).await {
            return status;
        }
        self.terminate();
        if let Some(status) = self.status_within(grace).await {
            return status;
        }
        // It may have ended just now.
        let _ = self.kill();
        self.status().await
    }

    async fn hand_over(&mut self, invite: &Invite, timeout: Duration) -> Result<(), SpawnError> {
        let Self { platform, process: Some(process), link: Some(link), .. } = self else {
            unreachable!("a child has its process and link until it is dropped");
        };
        let mut report = pin!(async {
            // A child that has ended is told by its status.
            let _ = link.invite(invite).await;
            link.reported().await
        });
        let mut status = pin!(process.status());
        let first = or(
            async { First::Report(report.as_mut().await) },
            or(async { First::End(status.as_mut().await) }, async {
                platform.sleep(timeout).await;
                First::Nothing
            }),
        );
        match first.await {
            First::Report(Some(report)) => judge(report),
            First::Report(None) => {
                match or(async { Some(status.await) }, none_after(platform, EXIT_GRACE)).await {
                    Some(status) => Err(SpawnError::ended(status)),
                    None => Err(SpawnError::NotTaken),
                }
            }
            // What it has said before may be on its way still.
            First::End(status) => match or(report, none_after(platform, EXIT_GRACE)).await {
                Some(report) => judge(report),
                None => Err(SpawnError::ended(status)),
            },
            First::Nothing => Err(SpawnError::TimedOut(timeout)),
        }
    }

    /// Kills the child and waits for its end.
    async fn end(mut self) {
        // It may have ended by itself.
        let _ = self.kill();
        let _ = self.status().await;
    }

    async fn status_within(&mut self, time: Duration) -> Option<io::Result<ExitStatus>> {
        let platform = self.platform.clone();
        or(async { Some(self.process_mut().status().await) }, none_after(&platform, time)).await
    }

    fn terminate(&self) {
        let id = i32::try_from(self.id()).ok().and_then(Pid::from_raw);
        if let Some(id) = id {
            // The process is not reaped, so the id is still its own.
            let _ = kill_process(id, Signal::TERM);
        }
    }

    fn process(&self) -> &P::Child {
        self.process.as_ref().expect("a child has its process until it is dropped")
    }

    fn process_mut(&mut self) -> &mut P::Child {
        self.process.as_mut().expect("a child has its process until it is dropped")
    }
}

impl<P: Platform> Drop for Child<P> {
    fn drop(&mut self) {
        self.link = None;
        if let Some(mut process) = self.process.take() {
            // Reaps it when it ends.
            self.platform.spawn(Box::pin(async move {
                let _ = process.status().await;
            }));
        }
    }
}

impl<P: Platform> fmt::Debug for Child<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child").field("name", &self.name).field("id", &self.id()).finish()
    }
}

/// An endpoint that is about to be taken over from the process that spawned this one; await it
/// to get it. Made by [`EventBus::connect`].
#[derive(Debug)]
#[must_use = "nothing is joined unless this is awaited"]
pub struct Connect<P> {
    platform: P,
    limits: Limits,
    outlives_parent: bool,
}

impl<P: Platform> Connect<P> {
    pub(crate) fn new(platform: P) -> Self {
        Self { platform, limits: Limits::default(), outlives_parent: false }
    }

    /// Sets the bounds that the endpoint keeps.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Keeps the endpoint open and the process running when the parent dies.
    pub fn outlive_parent(mut self) -> Self {
        self.outlives_parent = true;
        self
    }

    async fn connect(self) -> Result<Endpoint, ClaimError> {
        let mut link = Link::claim(&self.platform)?;
        let late = async {
            self.platform.sleep(self.limits.handshake_timeout).await;
            Err(ClaimError::TimedOut)
        };
        let invite = or(link.invited(), late).await?;
        match join(&self.platform, invite, self.limits).await {
            Ok(endpoint) => {
                // A parent that is gone is noticed below.
                let _ = link.report(&Report::Joined).await;
                let policy = match self.outlives_parent {
                    true => Orphaned::Stays,
                    false => Orphaned::Leaves,
                };
                let watch = watch(self.platform.clone(), link, endpoint.downgrade(), policy);
                self.platform.spawn(Box::pin(watch));
                Ok(endpoint)
            }
            Err(error) => {
                let reason = describe(&error);
                let _ = link.report(&Report::Failed(reason)).await;
                Err(error)
            }
        }
    }
}

impl<P: Platform> IntoFuture for Connect<P> {
    type Output = Result<Endpoint, ClaimError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.connect())
    }
}

async fn join<P: Platform>(
    platform: &P,
    invite: Invite,
    limits: Limits,
) -> Result<Endpoint, ClaimError> {
    let bus = EventBus::existing(platform.clone(), &invite.dir)?;
    let mut join = bus.endpoint(&invite.name).limits(limits);
    for group in invite.groups {
        join = join.group(group);
    }
    Ok(join.await?)
}

/// What a child does when its parent dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Orphaned {
    Leaves,
    Stays,
}

/// Watches the link of a child until the parent asks it to leave or dies.
async fn watch<P: Platform>(
    platform: P,
    mut link: Link<P>,
    endpoint: WeakEndpoint,
    policy: Orphaned,
) {
    let is_asked = link.asked_to_leave().await;
    if !is_asked && policy == Orphaned::Stays {
        return;
    }
    if let Some(endpoint) = endpoint.upgrade() {
        endpoint.close(ORPHAN_GRACE).await;
    }
    // Who asked sees to it that this process ends, unless it dies in the meantime.
    if is_asked && link.asked_to_leave().await {
        return;
    }
    platform.sleep(ORPHAN_GRACE).await;
    // Nobody else would end this process.
    let _ = kill_process(getpid(), Signal::TERM);
}

/// Writes an error and its causes in one line.
fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_orphan_is_gone_within_two_seconds() {
        // One to close its endpoint, one to end by itself.
        assert!(2 * ORPHAN_GRACE <= Duration::from_secs(2));
    }
}
