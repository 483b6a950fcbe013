//! The types of events.

use std::sync::Arc;

use lahja_core::Event;
use serde::{Deserialize, Serialize};

use crate::payload::Parcel;

/// What is answered, by an event or as a request.
#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(response = Pong)]
pub(super) struct Ping(pub(super) Parcel);

/// The answer to it.
#[derive(Debug, Clone, Serialize, Deserialize, Event)]
pub(super) struct Pong(pub(super) Parcel);

/// What is not answered.
#[derive(Debug, Clone, Serialize, Deserialize, Event)]
pub(super) struct Drop(pub(super) Parcel);

/// What goes beside small events. Its bytes are made once, since filling that many takes a while.
#[derive(Debug, Clone, Serialize, Deserialize, Event)]
pub(super) struct Chunk(#[serde(with = "shared_bytes")] pub(super) Arc<Vec<u8>>);

mod shared_bytes {
    use std::sync::Arc;

    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        bytes: &Arc<Vec<u8>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serde_bytes::serialize(&**bytes, serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Arc<Vec<u8>>, D::Error> {
        serde_bytes::deserialize(deserializer).map(Arc::new)
    }
}
