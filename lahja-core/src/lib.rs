//! lahja core.
mod credit;
mod error;
mod event;
mod frame;
mod limits;
mod message;
mod name;
mod payload;
mod session;

pub use error::{FrameError, NameError, ProtocolError};
pub use event::{Event, Request};
pub use frame::{FrameBuffer, FrameDecoder};
pub use limits::Limits;
pub use name::EndpointName;
pub use session::Traffic;
#[cfg(feature = "derive")]
pub use lahja_derive::Event;
