//! lahja itself: a bus, child processes, events and requests. The same code on each runtime.

mod consume;
mod crowd;
mod events;
mod host;
mod inside;
mod produce;
mod topics;

use std::marker::PhantomData;
use std::time::Duration;

use lahja_core::{EventBus, Limits};

use crate::Result;
use crate::case::{Case, Waits, Work};
use crate::control::Children;
use crate::outcome::Answer;
use crate::subject::Subject;

pub use host::{Host, OnAsyncStd, OnSmol};

/// How long a child may take to join a bus of many.
const JOINS_WITHIN: Duration = Duration::from_secs(60);

/// How long a child may take to end.
const GRACE: Duration = Duration::from_secs(5);

/// lahja on a runtime.
#[derive(Debug)]
pub struct Lahja<H>(PhantomData<H>);

impl<H: Host> Lahja<H> {
    /// Returns the subject.
    #[expect(clippy::new_without_default)]
    pub const fn new() -> Self {
        Self(PhantomData)
    }

    fn run<T, F>(case: &Case, work: impl FnOnce(H::Platform) -> F) -> Option<Result<T>>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        H::run(case.threads, work)
    }
}

impl<H: Host> Subject for Lahja<H> {
    fn name(&self) -> &'static str {
        H::NAME
    }

    fn measure(&self, case: &Case) -> Result<Answer> {
        let owned = case.clone();
        let outcome = match case.work {
            Work::Local { .. } => Self::run(case, |on| inside::events(on, owned)),
            Work::Endpoints { count } => Self::run(case, move |on| inside::endpoints(on, count)),
            Work::Connections { count } => {
                Self::run(case, move |on| inside::connections(on, count))
            }
            _ => {
                let children = Children::new(self, case)?;
                Self::run(case, |on| across::<H>(on, owned, children))
            }
        };
        match outcome {
            Some(outcome) => outcome.map(Answer::Done),
            None => Ok(Answer::cannot("its executor has threads of its own")),
        }
    }

    fn child(&self, case: &Case, index: usize) -> Result<()> {
        let owned = case.clone();
        let done = Self::run(case, |on| async move {
            let endpoint = EventBus::connect_on(on.clone()).limits(limits(&owned)).await?;
            consume::everything(&on, &endpoint, &owned, index).await?;
            endpoint.closed().await;
            Ok(())
        });
        done.unwrap_or(Ok(()))
    }
}

/// Measures from a parent to its children.
async fn across<H: Host>(
    on: H::Platform,
    case: Case,
    children: Children,
) -> Result<crate::Outcome> {
    let bus = EventBus::new_on(on.clone())?;
    let parent = bus.endpoint("parent").limits(limits(&case)).await?;
    let mut processes = Vec::new();
    for index in 0..children.count() {
        let command = children.command(index)?.into();
        let name = format!("child-{index}");
        processes.push(bus.spawn(&name, command).timeout(JOINS_WITHIN).await?);
        parent.wait_until_connected_to(&name).await;
    }
    if let Work::Topics { topics, .. } = case.work {
        topics::subscribe_others(&bus, &parent, topics).await?;
    }
    let outcome = produce::everything(&on, &parent, &case, children).await?;
    for process in processes {
        process.shutdown(GRACE).await?;
    }
    Ok(outcome)
}

fn limits(case: &Case) -> Limits {
    let mut limits = Limits::default();
    if case.waits == Waits::Parked {
        limits.poll_for = Duration::ZERO;
    }
    if matches!(case.work, Work::Topics { .. }) {
        limits.topics = topics::LIMIT;
    }
    limits
}
