//! What travels on the bus: [`Event`], [`Request`], and how it arrives: [`Received`].

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::broadcast::BroadcastConfig;
use crate::error::PayloadError;
use crate::name::EndpointName;
use crate::reply::Reply;
use crate::schema::fingerprint_of;

/// A type whose values can be broadcast.
///
/// Derive it with `#[derive(Event)]` next to serde's two derives. The derive takes the wire name
/// from the crate and the type (`my-crate.FirstThingHappened`) unless `#[event(name = "…")]` says
/// otherwise.
///
/// A field of type `Vec<u8>` is encoded number by number; for payloads of more than a few hundred
/// bytes mark it `#[serde(with = "serde_bytes")]`, which is some thirty times faster.
///
/// A type is sent only to those who define it alike; see [`schema`](crate::schema). What only a
/// self-describing format can carry is refused when the type is first used: serde's `flatten`,
/// `untagged` and `tag`.
///
/// What a type writes and what it reads have to be the same. Where serde skips something in one
/// direction only, or by its value, payloads are refused or misread where they arrive:
/// `skip_serializing_if`, `skip_serializing` and `skip_deserializing`, and anything that skips a
/// variant. The derive refuses these on the event itself; do not use them in its parts.
///
/// A type that is so particular about its values that its structure is not found (a pair of an
/// address that has to be of one's own company, and something else) is refused, too, unless it has a
/// [version](Self::VERSION). So is one whose own `Deserialize` reads one thing or the other,
/// depending on a part before it that is no variant; where that part is a number this is not found
/// out, and the version has to tell builds apart.
///
/// To find the structure, the type's `Deserialize` is called with made-up values when the type is
/// first used. It should not have side effects; where panics abort, it should not panic either.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event",
    label = "not an event",
    note = "derive it with `#[derive(Serialize, Deserialize, Event)]`"
)]
pub trait Event: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The topic's name on the wire: the same in every process of the bus.
    const NAME: &'static str;

    /// A number that only those share who mean the same by the type.
    ///
    /// Change it when what the type means changes and its structure does not, and where the structure
    /// is not compared because it [cannot be found](PayloadError::Undetermined). A later lahja may
    /// find what this one does not; the two then do not exchange such events.
    const VERSION: Option<u32> = None;

    /// What is on the wire of the answer, if the type is also a [`Request`]:
    /// [`ResponseType::of`] its [`Response`](Request::Response). A request without it does not
    /// compile where it is made.
    const RESPONSE: Option<ResponseType> = None;
}

/// An event that asks for an answer of one type.
///
/// Derive it with `#[event(response = TheAnswer)]` on a type that derives [`Event`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a request",
    label = "not a request",
    note = "name its answer with `#[event(response = TheAnswer)]` next to `#[derive(Event)]`"
)]
pub trait Request: Event {
    /// The type of the answer.
    type Response: Event;
}

/// The type of a request's answer, as far as the wire is concerned.
#[derive(Clone, Copy)]
pub struct ResponseType {
    name: &'static str,
    fingerprint: fn() -> Result<u64, PayloadError>,
}

impl ResponseType {
    /// Describes the type of an answer.
    pub const fn of<R: Event>() -> Self {
        Self { name: R::NAME, fingerprint: fingerprint_of::<R> }
    }

    /// Returns the wire name of the answer.
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// Returns the fingerprint of the answer's structure.
    pub(crate) fn fingerprint(self) -> Result<u64, PayloadError> {
        (self.fingerprint)()
    }
}

impl fmt::Debug for ResponseType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ResponseType").field(&self.name).finish()
    }
}

/// An event as it arrived: the event itself, and where it came from.
///
/// It derefs to the event. Several subscriptions of one endpoint share one decoded event.
///
/// A received *request* is also the right to answer it: when the last copy of it and of its
/// [`broadcast_config`](Self::broadcast_config) is dropped without an answer, the requester is
/// told so at once.
pub struct Received<E> {
    body: Body<E>,
    origin: EndpointName,
    reply: Option<Arc<Reply>>,
}

enum Body<E> {
    Owned(E),
    Shared(Arc<E>),
}

impl<E> Received<E> {
    pub(crate) fn new(event: E, origin: EndpointName, reply: Option<Arc<Reply>>) -> Self {
        Self { body: Body::Owned(event), origin, reply }
    }

    pub(crate) fn shared(event: Arc<E>, origin: EndpointName, reply: Option<Arc<Reply>>) -> Self {
        Self { body: Body::Shared(event), origin, reply }
    }

    /// Returns the name of the endpoint that broadcast the event. It is that of the connection
    /// the event came on, never taken from what the peer sent with it.
    pub fn origin(&self) -> &EndpointName {
        &self.origin
    }

    /// Tells whether somebody waits for an answer to this event.
    ///
    /// For a request that was answered, timed out or cancelled that is no longer so.
    pub fn awaits_answer(&self) -> bool {
        self.reply.as_ref().is_some_and(|reply| reply.is_open())
    }

    /// Returns how to broadcast to whoever sent this event, and to nobody else.
    ///
    /// For a request, an event broadcast with it is the answer.
    pub fn broadcast_config(&self) -> BroadcastConfig {
        BroadcastConfig::reply(self.origin().clone(), self.reply.clone())
    }

    /// Takes the event out. It is cloned only if other subscriptions of this endpoint share it.
    ///
    /// For a request this gives up the right to answer it; take
    /// [`broadcast_config`](Self::broadcast_config) first to keep that.
    pub fn into_inner(self) -> E
    where
        E: Clone,
    {
        match self.body {
            Body::Owned(event) => event,
            Body::Shared(event) => Arc::unwrap_or_clone(event),
        }
    }

    /// Makes the event shareable.
    pub(crate) fn into_shared(self) -> Self {
        let event = match self.body {
            Body::Owned(event) => Arc::new(event),
            Body::Shared(event) => event,
        };
        Self::shared(event, self.origin, self.reply)
    }

    /// Returns another handle to a shared event.
    ///
    /// # Panics
    ///
    /// Panics if the event is not shared.
    pub(crate) fn share(&self) -> Self {
        match &self.body {
            Body::Shared(event) => {
                Self::shared(event.clone(), self.origin.clone(), self.reply.clone())
            }
            Body::Owned(_) => unreachable!("the event was made shareable"),
        }
    }
}

impl<E> Deref for Received<E> {
    type Target = E;

    fn deref(&self) -> &E {
        match &self.body {
            Body::Owned(event) => event,
            Body::Shared(event) => event,
        }
    }
}

impl<E: fmt::Debug> fmt::Debug for Received<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received")
            .field("event", &**self)
            .field("origin", self.origin())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, feature = "derive"))]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::ResponseType;
    use crate::{Event, Request};

    #[derive(Serialize, Deserialize, Event)]
    #[event(response = Answer)]
    struct Question;

    #[derive(Serialize, Deserialize, Event)]
    struct Answer;

    #[test]
    fn the_derive_finds_its_way_within_this_crate() {
        assert_eq!(Question::RESPONSE.map(ResponseType::name), Some("lahja-core.Answer"));
        assert_eq!(<Question as Request>::Response::NAME, Answer::NAME);
    }
}
