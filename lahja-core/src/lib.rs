//! lahja core.
mod error;
mod event;
mod name;
mod payload;

pub use error::NameError;
pub use event::{Event, Request};
pub use name::EndpointName;
#[cfg(feature = "derive")]
pub use lahja_derive::Event;
