//! What can travel on the bus: [`Event`] and [`Request`].

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A type whose values can be broadcast.
///
/// Derive it with `#[derive(Event)]` next to serde's two derives. The derive takes the wire name
/// from the crate and the type (`my-crate.FirstThingHappened`) unless `#[event(name = "…")]` says
/// otherwise.
///
/// A field of type `Vec<u8>` is encoded number by number; for payloads of more than a few hundred
/// bytes mark it `#[serde(with = "serde_bytes")]`, which is some thirty times faster.
pub trait Event: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The topic's name on the wire: the same in every process of the bus.
    const NAME: &'static str;

    /// The wire name of the answer, if the type is also a [`Request`].
    const RESPONSE: Option<&'static str> = None;
}

/// An event that asks for an answer of one type.
///
/// Derive it with `#[event(response = TheAnswer)]` on a type that derives [`Event`].
pub trait Request: Event {
    /// The type of the answer.
    type Response: Event;
}
