//! A multi-process event bus without a broker, on async-std.
//!
//! **async-std is discontinued** ([RUSTSEC-2025-0052]): nobody mends it any more. This crate is for
//! applications that are on it; new code should take `lahja-smol`, whose processes meet those on
//! this crate on the same bus.
//!
//! It binds [`lahja_core`] to async-std's tasks and timers, and to sockets and processes of the
//! reactor under it, and re-exports all of core. Libraries that must not force a runtime on anyone
//! depend on `lahja-core` alone and take an [`Endpoint`] as an argument.
//!
//! [RUSTSEC-2025-0052]: https://rustsec.org/advisories/RUSTSEC-2025-0052
//!
//! # Examples
//!
//! ```
//! use lahja_async_std::{Event, EventBus};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Debug, Serialize, Deserialize, Event)]
//! struct FirstThingHappened {
//!     payload: String,
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! async_std::task::block_on(async {
//!     let bus = EventBus::new()?;
//!     let e1 = bus.endpoint("e1").await?;
//!     let e2 = bus.endpoint("e2").await?;
//!
//!     let mut events = e2.stream::<FirstThingHappened>();
//!     events.ready().await?;
//!     e1.broadcast(FirstThingHappened { payload: "hit".into() }).await?;
//!
//!     let event = events.next().await.expect("the endpoint is open")?;
//!     assert_eq!(event.payload, "hit");
//!     assert_eq!(event.origin(), "e1");
//!     Ok(())
//! })
//! # }
//! ```

mod platform;
mod process;
mod runtime;

pub use lahja_core::*;
pub use platform::{Stdio, stdio};
pub use process::AsyncStdChild;
pub use runtime::AsyncStd;

/// An event bus of several processes on async-std.
pub type EventBus = lahja_core::EventBus<AsyncStd>;

/// A child process that was handed an endpoint.
pub type Child = lahja_core::Child<AsyncStd>;

/// Accepts peers at a Unix socket.
pub type UnixListener = lahja_core::UnixListener<AsyncStd>;

/// Connects to a Unix socket.
pub type UnixConnector = lahja_core::UnixConnector<AsyncStd>;
