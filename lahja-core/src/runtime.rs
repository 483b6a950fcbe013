//! What lahja asks of a runtime: to run futures, to wait, and to tell the time.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A future on the heap that may move between threads.
pub type BoxFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs futures and waits for time to pass.
///
/// # Notes for implementers
///
/// A spawned future runs to its end though nobody holds a handle to it. Dropping the runtime may
/// drop it unfinished: its connections then end as if the process had died. Futures of this crate
/// do not block, and yield after a bounded amount of work. Waking one must not run it on the spot:
/// wakers are called under locks of this crate.
///
/// # Examples
///
/// An executor of the smol family with a thread for its timers:
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use async_executor::Executor;
/// use lahja_core::{BoxFuture, Runtime};
///
/// struct MyRuntime(Arc<Executor<'static>>);
///
/// impl Runtime for MyRuntime {
///     fn spawn(&self, future: BoxFuture) {
///         self.0.spawn(future).detach();
///     }
///
///     fn sleep(&self, duration: Duration) -> BoxFuture {
///         let (done, wait) = async_channel::bounded::<()>(1);
///         std::thread::spawn(move || {
///             std::thread::sleep(duration);
///             drop(done);
///         });
///         Box::pin(async move {
///             let _ = wait.recv().await;
///         })
///     }
/// }
/// ```
pub trait Runtime: Send + Sync + 'static {
    /// Runs a future in the background.
    fn spawn(&self, future: BoxFuture);

    /// Returns a future that is ready once `duration` has passed since the call or since it was
    /// polled first, and not much later. It may be as long as [`Duration::MAX`].
    fn sleep(&self, duration: Duration) -> BoxFuture;

    /// Returns the time by which [`sleep`](Self::sleep) goes, which never goes back.
    ///
    /// A runtime whose time is simulated says here what time it is there; any other leaves it as it
    /// is. It is asked under locks of the endpoint: do not poll or drop a future, nor wait for who
    /// does.
    fn now(&self) -> Instant {
        Instant::now()
    }
}

impl<R: Runtime + ?Sized> Runtime for Arc<R> {
    fn spawn(&self, future: BoxFuture) {
        (**self).spawn(future);
    }

    fn sleep(&self, duration: Duration) -> BoxFuture {
        (**self).sleep(duration)
    }

    fn now(&self) -> Instant {
        (**self).now()
    }
}

impl fmt::Debug for dyn Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Runtime")
    }
}
