//! A multi-process event bus without a broker, on smol.
//!
//! This crate binds [`lahja_core`] to smol's sockets, timers and processes, and re-exports all of
//! it. Libraries that must not force a runtime on anyone depend on `lahja-core` alone and take an
//! [`Endpoint`] as an argument.
//!
//! # Examples
//!
//! ```
//! use lahja_smol::{Event, EventBus};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Debug, Serialize, Deserialize, Event)]
//! struct FirstThingHappened {
//!     payload: String,
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! smol::block_on(async {
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
pub use process::SmolChild;
pub use runtime::Smol;

/// An event bus of several processes on smol.
pub type EventBus = lahja_core::EventBus<Smol>;

/// A child process that was handed an endpoint.
pub type Child = lahja_core::Child<Smol>;

/// Accepts peers at a Unix socket.
pub type UnixListener = lahja_core::UnixListener<Smol>;

/// Connects to a Unix socket.
pub type UnixConnector = lahja_core::UnixConnector<Smol>;

/// Compiles and runs what README.md shows.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
