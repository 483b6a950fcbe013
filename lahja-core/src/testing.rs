//! For tests of what uses an endpoint: a bus in memory, and waiting for exactly what a test needs.
//!
//! An application whose parts take an [`Endpoint`] can be tested without processes and sockets, on
//! its own runtime: give each part an endpoint of one [`TestBus`], set things going, and
//! [`watch`](TestBus::watch) for what is to come of it. Nothing here sleeps to wait for something;
//! what does not come is a panic that says what came instead.
//!
//! # Examples
//!
//! ```
//! # use std::{sync::Arc, time::Duration};
//! # use async_executor::Executor;
//! # use lahja_core::{BoxFuture, Runtime};
//! # #[derive(Clone, Default)]
//! # struct MyRuntime(Arc<Executor<'static>>);
//! # impl Runtime for MyRuntime {
//! #     fn spawn(&self, future: BoxFuture) {
//! #         self.0.spawn(future).detach();
//! #     }
//! #     fn sleep(&self, duration: Duration) -> BoxFuture {
//! #         Box::pin(async move {
//! #             async_io::Timer::after(duration).await;
//! #         })
//! #     }
//! # }
//! use lahja_core::testing::TestBus;
//! use lahja_core::{Endpoint, Event, Received};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Debug, Serialize, Deserialize, Event)]
//! struct Ordered(u32);
//!
//! #[derive(Debug, Serialize, Deserialize, Event)]
//! struct Shipped(u32);
//!
//! /// What is to be tested: it ships what is ordered, unless it is nothing.
//! fn start_shipping(endpoint: &Endpoint) {
//!     let weak = endpoint.downgrade();
//!     let shipping = endpoint.subscribe(move |order: Received<Ordered>| {
//!         let endpoint = weak.upgrade();
//!         async move {
//!             if let (Some(endpoint), 1..) = (endpoint, order.0) {
//!                 let _ = endpoint.broadcast(Shipped(order.0)).await;
//!             }
//!         }
//!     });
//!     shipping.detach();
//! }
//!
//! # let runtime = MyRuntime::default();
//! # async_io::block_on(runtime.0.clone().run(async {
//! let bus = TestBus::new(runtime);
//! let shop = bus.endpoint("shop").await;
//! start_shipping(&shop);
//!
//! let customer = bus.endpoint("customer").await;
//! let mut shipped = bus.watch::<Shipped>(&customer).await;
//! for amount in [2, 0, 3] {
//!     customer.broadcast(Ordered(amount)).await.unwrap();
//! }
//! assert_eq!(shipped.next().await.0, 2);
//! assert_eq!(shipped.find(|shipped| shipped.0 > 2).await.origin(), "shop");
//! # }));
//! ```

mod mark;
mod watch;

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_lite::future::{or, zip};

use crate::endpoint::{Endpoint, WeakEndpoint};
use crate::error::ConnectError;
use crate::event::{Event, Received};
use crate::name::EndpointName;
use crate::runtime::Runtime;
use crate::sync::{Mutex, lock};
use crate::transport::memory_pair;

use mark::{Mark, Seen};

pub use watch::Watch;

/// How long a test waits for what is to come, unless it says otherwise.
const PATIENCE: Duration = Duration::from_secs(10);

/// An event bus in memory, for a test.
pub struct TestBus {
    runtime: Arc<dyn Runtime>,
    patience: Duration,
    members: Mutex<Vec<WeakEndpoint>>,
}

impl TestBus {
    /// Makes a bus without endpoints.
    pub fn new(runtime: impl Runtime) -> Self {
        Self { runtime: Arc::new(runtime), patience: PATIENCE, members: Mutex::default() }
    }

    /// Sets how long each call waits for what is to come before the test fails. Default: 10 s.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Creates an endpoint that is connected to every other one of the bus.
    ///
    /// Endpoints may be created at the same time: each pair is connected once both are done.
    ///
    /// # Panics
    ///
    /// Panics if `name` cannot name an endpoint, or is taken; or as [`join`](Self::join) does.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the endpoint, and its name is free.
    pub async fn endpoint(&self, name: impl AsRef<str>) -> Endpoint {
        let endpoint = match Endpoint::new(&name, self.runtime.clone()) {
            Ok(endpoint) => endpoint,
            Err(error) => panic!("`{}`: {error}", name.as_ref()),
        };
        self.join(&endpoint).await;
        endpoint
    }

    /// Connects an endpoint to every other one of the bus. For one with groups or limits of its
    /// own: [`Endpoint::builder`].
    ///
    /// Those that are closed are not on the bus any more, and their names are free. For each of the
    /// others the endpoint waits for the [patience](Self::patience) at the most until it has seen
    /// the end of one that bore the name before, and for
    /// [`Limits::handshake_timeout`](crate::Limits::handshake_timeout) until the two are connected.
    /// For [`settle`](Self::settle) it takes one of the endpoint's topics.
    ///
    /// # Panics
    ///
    /// Panics if its name is taken, which is so if it is on the bus already; if it is closed while
    /// there is somebody to connect it to; or if it cannot be connected to one of them, as when
    /// the two are connected by hand.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the endpoint off the bus, but connected to some of it. Close it:
    /// it cannot join while they are connected.
    pub async fn join(&self, endpoint: &Endpoint) {
        // Whoever is connected to it may send it marks at once.
        let answering = endpoint.answer(|_: Received<Mark>| Seen);
        let (joining, others) = self.begin_to_join(endpoint);
        answering.detach();
        for other in others {
            let joined = self.connect(endpoint, &other).await;
            if let Err(error) = joined {
                panic!("{} cannot join {}: {error}", endpoint.name(), other.name());
            }
        }
        joining.stay();
    }

    /// Watches the events of a type that come to an endpoint of the bus: all that its peers begin
    /// to broadcast once this is done, and what comes before that.
    ///
    /// # Panics
    ///
    /// Panics if the endpoint is closed, a peer has no place for another topic
    /// ([`Limits::topics`](crate::Limits::topics)), or one has not acknowledged the subscription
    /// within the [patience](Self::patience).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the subscription; events that came in the meantime are dropped.
    pub async fn watch<E: Event>(&self, endpoint: &Endpoint) -> Watch<'_, E> {
        let events = endpoint.stream();
        let name = endpoint.name();
        match self.in_time(events.ready()).await {
            Some(Ok(())) => Watch { bus: self, events },
            Some(Err(error)) => panic!("{name} cannot be watched: {error}"),
            None => {
                panic!(
                    "{name} cannot be watched: its peers have not agreed within {:?}",
                    self.patience
                )
            }
        }
    }

    /// Waits until everything that endpoints of the bus have broadcast so far has come to every
    /// subscription. Handlers may still be at work on it. Endpoints that are closed before or
    /// meanwhile, or are not connected any more, are left out.
    ///
    /// # Panics
    ///
    /// Panics if that takes longer than the [patience](Self::patience), as when an endpoint's
    /// runtime does not run, and says between whom; or if an endpoint has no place for the topic
    /// of the marks that the bus sends for it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn settle(&self) {
        let members = self.members();
        let mut on_the_way = Vec::new();
        for one in &members {
            for other in &members {
                if one.name() != other.name() {
                    on_the_way.push((one.name(), other.name(), Box::pin(mark(one, other))));
                }
            }
        }
        let settling = poll_fn(|context| {
            on_the_way.retain_mut(|(_, _, mark)| mark.as_mut().poll(context).is_pending());
            if on_the_way.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        });
        if self.in_time(settling).await.is_none() {
            let ways = on_the_way.iter().map(|(one, other, _)| format!("from {one} to {other}"));
            let ways = ways.collect::<Vec<_>>().join(", ");
            panic!("the bus has not settled within {:?} on the way {ways}", self.patience);
        }
    }

    fn members(&self) -> Vec<Endpoint> {
        open(&lock(&self.members))
    }

    /// Adds an endpoint and returns those that were there: of any two, the later one connects.
    fn begin_to_join(&self, endpoint: &Endpoint) -> (Joining<'_>, Vec<Endpoint>) {
        let mut members = lock(&self.members);
        let others = open(&members);
        if others.iter().any(|other| other.name() == endpoint.name()) {
            drop(members);
            panic!("{} cannot join the bus: its name is taken", endpoint.name());
        }
        let entry = endpoint.downgrade();
        // Those that have left are forgotten.
        *members = others.iter().map(Endpoint::downgrade).collect();
        members.push(entry.clone());
        (Joining { members: &self.members, entry: Some(entry) }, others)
    }

    /// Connects two endpoints, unless the other one is closed.
    async fn connect(&self, endpoint: &Endpoint, other: &Endpoint) -> Result<(), ConnectError> {
        // The end of one that bore the name before may not have come there yet.
        self.in_time(until_left(other, endpoint.name())).await;
        let (near, far) = memory_pair();
        match zip(endpoint.attach(near), other.attach(far)).await {
            (Err(_), _) | (_, Err(_)) if other.is_closed() && !endpoint.is_closed() => Ok(()),
            (Err(error), _) | (_, Err(error)) => Err(error),
            (Ok(_), Ok(_)) => Ok(()),
        }
    }

    /// Waits for something for as long as the test may.
    async fn in_time<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let timeout = async {
            self.runtime.sleep(self.patience).await;
            None
        };
        or(async { Some(future.await) }, timeout).await
    }
}

/// Returns those that are not closed.
fn open(members: &[WeakEndpoint]) -> Vec<Endpoint> {
    let members = members.iter().filter_map(WeakEndpoint::upgrade);
    members.filter(|member| !member.is_closed()).collect()
}

/// Waits until what one endpoint has sent to another has come there, unless they are parted.
async fn mark(one: &Endpoint, other: &Endpoint) {
    let are_parted = || one.is_closed() || other.is_closed() || !one.is_connected_to(other.name());
    if are_parted() {
        return;
    }
    let seen = one.request(Mark).to(other.name()).without_timeout().await;
    match seen {
        Err(error) if !are_parted() => {
            panic!("{} cannot send a mark to {}: {error}", one.name(), other.name())
        }
        _ => {}
    }
}

/// Waits until an endpoint is not connected to one of this name.
async fn until_left(endpoint: &Endpoint, name: &EndpointName) {
    loop {
        let changed = endpoint.connections_changed();
        if !endpoint.is_connected_to(name) {
            return;
        }
        changed.await;
    }
}

/// The entry of an endpoint among the members of a bus; dropping it takes it away, unless it is to
/// stay.
struct Joining<'a> {
    members: &'a Mutex<Vec<WeakEndpoint>>,
    entry: Option<WeakEndpoint>,
}

impl Joining<'_> {
    fn stay(mut self) {
        self.entry = None;
    }
}

impl Drop for Joining<'_> {
    fn drop(&mut self) {
        if let Some(entry) = &self.entry {
            lock(self.members).retain(|member| !member.is(entry));
        }
    }
}

impl fmt::Debug for TestBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestBus").field("members", &self.members()).finish_non_exhaustive()
    }
}
