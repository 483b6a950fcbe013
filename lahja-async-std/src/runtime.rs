//! Tasks and timers.

use std::sync::Once;
use std::time::Duration;

use async_std::task;
use lahja_core::{BoxFuture, Runtime};

/// async-std as a [`Runtime`]: its global executor.
///
/// # Examples
///
/// An endpoint that is on no bus:
///
/// ```
/// use lahja_async_std::{AsyncStd, Endpoint};
///
/// let endpoint = Endpoint::new("e1", AsyncStd)?;
/// assert_eq!(endpoint.name(), &"e1");
/// # Ok::<(), lahja_async_std::NameError>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct AsyncStd;

impl AsyncStd {
    /// Returns what is done once a task of the executor reaps children.
    pub(crate) fn reaping(&self) -> &Once {
        static GLOBAL: Once = Once::new();
        &GLOBAL
    }
}

impl Runtime for AsyncStd {
    fn spawn(&self, future: BoxFuture) {
        task::spawn(future);
    }

    fn sleep(&self, duration: Duration) -> BoxFuture {
        Box::pin(task::sleep(duration))
    }
}
