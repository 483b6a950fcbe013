//! What tells that everything before it has come.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::event::{Event, Request, ResponseType};

/// Comes behind everything that was sent before it.
pub(super) struct Mark;

/// Says that a mark has come.
pub(super) struct Seen;

impl Event for Mark {
    const NAME: &'static str = "lahja-core.testing.Mark";
    const RESPONSE: Option<ResponseType> = Some(ResponseType::of::<Seen>());
}

impl Request for Mark {
    type Response = Seen;
}

impl Event for Seen {
    const NAME: &'static str = "lahja-core.testing.Seen";
}

macro_rules! serialize_as_unit {
    ($($name:ident),+) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_unit()
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                <()>::deserialize(deserializer).map(|()| Self)
            }
        }
    )+};
}

serialize_as_unit!(Mark, Seen);
