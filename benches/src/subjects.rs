//! What this crate measures itself.

mod bare;
mod channel;
mod lahja;
mod raw;

pub use bare::BareSmol;
pub use channel::AsyncChannel;
pub use lahja::{Host, Lahja, OnAsyncStd, OnSmol};
pub use raw::Raw;
