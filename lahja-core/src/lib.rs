//! A multi-process event bus without a broker: the core, which knows no runtime.
//!
//! Typed events are broadcast, routed and requested between *endpoints*, which live in one process
//! or in many and talk directly to each other.
//!
//! Who uses this crate:
//!
//! - **Libraries** that must not force a runtime on anyone. They take an [`Endpoint`] as an
//!   argument: it is cheap to clone, not generic, `Send` and `Sync`.
//! - **Adapters** for a runtime, which implement [`Runtime`] and [`Platform`]. Applications use one,
//!   for instance `lahja-smol`, which re-exports everything here.
//!
//! # Examples
//!
//! Two endpoints that are joined in memory, on a runtime of a dozen lines:
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use async_executor::Executor;
//! use futures_lite::future::try_zip;
//! use lahja_core::{BoxFuture, Endpoint, Event, Received, Runtime, memory_pair};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Clone, Default)]
//! struct MyRuntime(Arc<Executor<'static>>);
//!
//! impl Runtime for MyRuntime {
//!     fn spawn(&self, future: BoxFuture) {
//!         self.0.spawn(future).detach();
//!     }
//!
//!     fn sleep(&self, duration: Duration) -> BoxFuture {
//!         Box::pin(async move {
//!             async_io::Timer::after(duration).await;
//!         })
//!     }
//! }
//!
//! #[derive(Debug, Serialize, Deserialize, Event)]
//! struct FirstThingHappened {
//!     payload: String,
//! }
//!
//! #[derive(Debug, Serialize, Deserialize, Event)]
//! #[event(response = DeliverSomething)]
//! struct GetSomething;
//!
//! #[derive(Debug, Serialize, Deserialize, Event)]
//! struct DeliverSomething(String);
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let runtime = MyRuntime::default();
//! let e1 = Endpoint::new("e1", runtime.clone())?;
//! let e2 = Endpoint::new("e2", runtime.clone())?;
//!
//! async_io::block_on(runtime.0.run(async {
//!     let (near, far) = memory_pair();
//!     try_zip(e1.attach(near), e2.attach(far)).await?;
//!
//!     let mut events = e2.stream::<FirstThingHappened>();
//!     let answering = e2.answer(|_: Received<GetSomething>| DeliverSomething("Yay".into()));
//!     answering.ready().await?;
//!
//!     e1.broadcast(FirstThingHappened { payload: "hit".into() }).await?;
//!     let event = events.next().await.expect("the endpoint is open")?;
//!     assert_eq!(event.payload, "hit");
//!     assert_eq!(event.origin(), "e1");
//!
//!     let answer = e1.request(GetSomething).to("e2").await?;
//!     assert_eq!(answer.0, "Yay");
//!     Ok(())
//! }))
//! # }
//! ```
//!
//! # Contents
//!
//! | to | see |
//! |---|---|
//! | define what travels | [`Event`](trait@Event), [`Request`], `#[derive(Event)]` with the feature `derive`, which is on by default |
//! | meet on a bus of several processes | [`EventBus`], [`Join`]; for child processes [`Spawn`], [`Child`], [`Connect`] |
//! | take part | [`Endpoint`], [`EndpointBuilder`], [`EndpointName`], [`Limits`] |
//! | broadcast | [`Broadcast`], [`BroadcastConfig`] |
//! | consume | [`Subscription`], [`EventStream`], [`NextEvent`], [`WaitFor`], [`Received`], [`SubscribeConfig`], [`Overflow`], [`Lagged`] |
//! | ask and answer | [`RequestBuilder`], [`Endpoint::answer`], [`Received::broadcast_config`] |
//! | look around | [`Endpoint::connections`], [`Endpoint::is_subscribed`], [`Scope`], [`Stats`], [`PeerTraffic`] |
//! | know the structure of events | [`schema`], [`Endpoint::schema_mismatches`] |
//! | hear of trouble | [`Stats`], the feature `tracing` |
//! | wire by hand | [`Endpoint::serve`], [`Endpoint::connect`], [`Endpoint::attach`], [`UnixListener`], [`UnixConnector`], [`memory_pair`], [`StreamTransport`] |
//! | test what uses an endpoint | [`testing`] |
//! | write a transport | [`Transport`], [`FrameReader`], [`FrameWriter`], [`Listener`], [`Connector`], [`FrameDecoder`], [`ArrivedFrames`], [`FrameBuffer`] |
//! | write an adapter | [`Runtime`], [`Platform`], [`ChildProcess`], [`SharedSocket`] |

// `#[derive(Event)]` writes `::lahja_core`, in this crate's own modules too.
extern crate self as lahja_core;

mod backoff;
mod broadcast;
mod bus;
mod connection;
mod credit;
mod delivery;
mod endpoint;
mod error;
mod event;
mod frame;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod handler;
mod hash;
mod inbox;
mod limits;
mod link;
mod message;
#[cfg(all(test, shuttle, feature = "derive"))]
mod models;
mod name;
mod payload;
mod pending;
mod pipe;
mod platform;
mod rendezvous;
mod reply;
mod request;
mod routing;
mod runtime;
pub mod schema;
mod server;
mod session;
mod shared;
mod socket;
mod spawn;
mod subscription;
mod sync;
pub mod testing;
mod topic;
mod transport;
mod unix;

pub use broadcast::{Broadcast, BroadcastConfig, BroadcastFuture};
pub use bus::{EventBus, Join};
pub use endpoint::{
    Changed, CloseReport, Endpoint, EndpointBuilder, SchemaMismatch, Scope, WeakEndpoint,
};
pub use error::{
    BroadcastError, BusError, ClaimError, ConnectError, FrameError, JoinError, NameError,
    PayloadError, PeerError, ProtocolError, ReadyError, RequestError, SocketError, SpawnError,
    StreamEnded,
};
pub use event::{Event, Received, Request, ResponseType};
pub use frame::{ArrivedFrames, FrameBuffer, FrameDecoder};
pub use handler::{AnswerOutput, HandlerOutput};
pub use inbox::{Lagged, Overflow};
#[cfg(feature = "derive")]
pub use lahja_derive::Event;
pub use limits::Limits;
pub use link::take_stdio;
pub use name::EndpointName;
pub use pipe::Pipe;
pub use platform::{ChildProcess, Platform};
pub use request::{RequestBuilder, RequestFuture};
pub use runtime::{BoxFuture, Runtime};
pub use server::Server;
pub use session::{PeerTraffic, Traffic};
pub use shared::Stats;
pub use socket::SharedSocket;
pub use spawn::{Child, Connect, Spawn};
pub use subscription::{EventStream, NextEvent, SubscribeConfig, Subscription, WaitFor};
pub use transport::{
    Connector, FrameReader, FrameWriter, Listener, MemoryTransport, StreamTransport, Transport,
    memory_pair,
};
pub use unix::{UnixConnector, UnixListener, UnixTransport};
