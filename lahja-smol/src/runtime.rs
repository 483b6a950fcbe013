//! Tasks and timers.

use std::fmt;
use std::sync::{Arc, Once};
use std::time::Duration;

use lahja_core::{BoxFuture, Runtime};
use smol::{Executor, Timer};

/// smol as a [`Runtime`]: its global executor, or one of the user's own.
///
/// # Examples
///
/// Everything on the one thread that drives an executor. The work is a task, too: the executor looks
/// after its tasks first, and after the future it is run with only once in a while
/// ([`Limits::poll_for`](lahja_core::Limits::poll_for)).
///
/// ```
/// use std::sync::Arc;
///
/// use lahja_smol::{EventBus, Smol};
///
/// let executor = Arc::new(smol::Executor::new());
/// let bus = EventBus::new_on(Smol::from(executor.clone()))?;
/// let work = executor.spawn(async move {
///     let endpoint = bus.endpoint("e1").await?;
///     assert_eq!(endpoint.name(), &"e1");
///     Ok::<(), lahja_smol::JoinError>(())
/// });
/// smol::block_on(executor.run(work))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Smol {
    own: Option<Own>,
}

/// An executor of the user's, and whether a task of it reaps children.
#[derive(Clone)]
struct Own {
    executor: Arc<Executor<'static>>,
    reaping: Arc<Once>,
}

impl Smol {
    /// Returns what is done once a task of the executor reaps children.
    pub(crate) fn reaping(&self) -> &Once {
        static GLOBAL: Once = Once::new();
        self.own.as_ref().map_or(&GLOBAL, |own| &own.reaping)
    }
}

impl From<Arc<Executor<'static>>> for Smol {
    fn from(executor: Arc<Executor<'static>>) -> Self {
        Self { own: Some(Own { executor, reaping: Arc::new(Once::new()) }) }
    }
}

impl Runtime for Smol {
    fn spawn(&self, future: BoxFuture) {
        match &self.own {
            Some(own) => own.executor.spawn(future).detach(),
            None => smol::spawn(future).detach(),
        }
    }

    fn sleep(&self, duration: Duration) -> BoxFuture {
        Box::pin(async move {
            Timer::after(duration).await;
        })
    }
}

impl fmt::Debug for Smol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let executor = match self.own {
            Some(_) => "own",
            None => "global",
        };
        f.debug_struct("Smol").field("executor", &executor).finish()
    }
}
