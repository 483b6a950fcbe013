//! Every public error, one small enum per operation.

mod bus;
mod protocol;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::message::Refusal;
use crate::name::EndpointName;

pub use bus::{BusError, ClaimError, JoinError, PeerError, SocketError, SpawnError};
pub use protocol::{FrameError, ProtocolError};

/// A text that cannot name an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NameError {
    /// The name has no character.
    #[error("endpoint name is empty")]
    Empty,
    /// The name has more than [`EndpointName::MAX_LEN`] bytes.
    #[error("endpoint name of {len} bytes is longer than {}", EndpointName::MAX_LEN)]
    TooLong {
        /// The name's length in bytes.
        len: usize,
    },
    /// The name holds `/` or a control character.
    #[error("endpoint name {name:?} holds {character:?} at byte {at}")]
    Forbidden {
        /// The name as it was given.
        name: String,
        /// The character that no name may hold.
        character: char,
        /// Where that character begins, in bytes.
        at: usize,
    },
    /// The name begins with a dot or holds two in a row.
    #[error("endpoint name {name:?} begins with '.' or holds \"..\"")]
    Dots {
        /// The name as it was given.
        name: String,
    },
    /// The endpoint is a member of as many groups as it may be.
    #[error("an endpoint is a member of {max} groups at most")]
    TooManyGroups {
        /// How many groups are allowed.
        max: usize,
    },
}

/// An event was not broadcast.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BroadcastError<E> {
    /// Nobody within reach has subscribed to the event; or, for an answer, nobody waits for it.
    #[error("nobody within reach has subscribed to the event")]
    NoSubscribers(E),
    /// Whoever has subscribed defines the event's type otherwise. Nobody has the event. If others
    /// have it, [`Endpoint::schema_mismatches`](crate::Endpoint::schema_mismatches) alone tells.
    #[error("endpoint {peer:?} defines the event otherwise")]
    SchemaMismatch {
        /// The event.
        event: E,
        /// One of those who have subscribed.
        peer: EndpointName,
    },
    /// A subscriber has no room, and the caller does not wait. Nobody has the event.
    #[error("a subscriber has no room for the event")]
    Full(E),
    /// The endpoint is closed. While the broadcast waited for room, others may have got the event.
    #[error("the endpoint is closed")]
    Closed,
    /// The event does not fit into a frame that every receiver takes. Nobody has it.
    #[error("an event of {len} bytes is longer than {max}")]
    TooLarge {
        /// The event.
        event: E,
        /// Its length in bytes, with its header.
        len: usize,
        /// The longest frame that every receiver takes.
        max: usize,
    },
    /// The event cannot be encoded. Nobody has it.
    #[error("the event cannot be encoded")]
    Unencodable {
        /// The event.
        event: E,
        /// What its encoding met.
        source: PayloadError,
    },
    /// The request that this answers wants an answer of another type.
    #[error("the request wants a response of type {expected}")]
    WrongResponse {
        /// The event.
        event: E,
        /// The wire name of the type that the request wants.
        expected: &'static str,
    },
}

impl<E> BroadcastError<E> {
    /// Takes the event back, if it was not lost.
    pub fn into_event(self) -> Option<E> {
        match self {
            Self::NoSubscribers(event)
            | Self::Full(event)
            | Self::SchemaMismatch { event, .. }
            | Self::TooLarge { event, .. }
            | Self::Unencodable { event, .. }
            | Self::WrongResponse { event, .. } => Some(event),
            Self::Closed => None,
        }
    }
}

/// A request got no response.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RequestError<Q> {
    /// Nobody within reach answers such requests.
    #[error("nobody within reach answers the request")]
    NoSubscribers(Q),
    /// Whoever answers such requests defines their type, or that of the response, otherwise.
    #[error("endpoint {peer:?} defines the request or its response otherwise")]
    SchemaMismatch {
        /// The request.
        request: Q,
        /// One of those who answer such requests.
        peer: EndpointName,
    },
    /// Nobody has answered in time.
    #[error("no response within {0:?}")]
    Timeout(Duration),
    /// The last peer that was asked has gone.
    #[error("endpoint {peer:?} went away before it answered")]
    PeerGone {
        /// The peer.
        peer: EndpointName,
        /// Whether the request had left for the peer, which may then have acted on it.
        sent: bool,
    },
    /// Everybody who was asked dropped the request or panicked.
    #[error("nobody who was asked has answered")]
    Unanswered,
    /// The peer could not decode the request.
    #[error("the peer could not decode the request")]
    Misunderstood,
    /// The response is of another type than the request wants.
    #[error("the response is not of type {expected}")]
    WrongResponse {
        /// The wire name of the type that the request wants.
        expected: &'static str,
    },
    /// The response cannot be decoded.
    #[error("the response cannot be decoded")]
    MalformedResponse {
        /// What its decoding met.
        source: PayloadError,
    },
    /// The endpoint is closed.
    #[error("the endpoint is closed")]
    Closed,
    /// The request does not fit into a frame that everybody who is asked takes.
    #[error("a request of {len} bytes is longer than {max}")]
    TooLarge {
        /// The request.
        request: Q,
        /// Its length in bytes, with its header.
        len: usize,
        /// The longest frame that everybody takes.
        max: usize,
    },
    /// The request cannot be encoded.
    #[error("the request cannot be encoded")]
    Unencodable {
        /// The request.
        request: Q,
        /// What its encoding met.
        source: PayloadError,
    },
}

/// There is no connection to a peer, or none any more.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The peer bears this endpoint's name.
    #[error("the peer bears the same name")]
    NameTaken,
    /// The peer is this endpoint.
    #[error("the endpoint would be connected to itself")]
    Myself,
    /// There is a connection between the two already.
    #[error("the endpoints are connected already")]
    AlreadyConnected,
    /// The two speak no common version of the protocol.
    #[error("the peer speaks no version of the protocol in common")]
    Incompatible,
    /// The peer is closing, or refuses for a reason that this build does not know.
    #[error("the peer refuses the connection")]
    Refused,
    /// The handshake took too long.
    #[error("the handshake was not done in time")]
    TimedOut,
    /// The peer went away.
    #[error("the peer went away")]
    Gone,
    /// This endpoint is closed.
    #[error("the endpoint is closed")]
    Closed,
    /// The peer broke the protocol.
    #[error("the peer broke the protocol")]
    Protocol(#[source] ProtocolError),
    /// The transport failed.
    #[error("the transport failed")]
    Io(#[source] Arc<io::Error>),
}

impl ConnectError {
    pub(crate) fn io(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }

    /// Returns the error for a peer that this endpoint refuses.
    pub(crate) fn refusing(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Closing => Self::Closed,
            refusal => Self::refused(refusal),
        }
    }

    /// Returns the error for a peer that refuses this endpoint.
    pub(crate) fn refused(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Version => Self::Incompatible,
            Refusal::NameTaken => Self::NameTaken,
            Refusal::Myself => Self::Myself,
            Refusal::AlreadyConnected => Self::AlreadyConnected,
            Refusal::Closing | Refusal::Other => Self::Refused,
        }
    }
}

/// A subscription cannot be announced to every peer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReadyError {
    /// The endpoint is closed.
    #[error("the endpoint is closed")]
    Closed,
    /// A peer has no place for another topic: it will not send such events.
    #[error("endpoint {peer:?} takes no more topics")]
    TooManyTopics {
        /// The peer.
        peer: EndpointName,
    },
    /// A peer has broadcast such events, but defines their type otherwise: they cannot be read.
    #[error("endpoint {peer:?} defines the event otherwise")]
    SchemaMismatch {
        /// The peer.
        peer: EndpointName,
    },
    /// The type cannot be decoded, or not compared with that of other builds, so it is announced to
    /// nobody.
    #[error("events of the type cannot be received")]
    Unsupported {
        /// What stands in the way.
        source: PayloadError,
    },
}

/// The endpoint was closed before an event came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the endpoint was closed before an event came")]
pub struct StreamEnded;

/// A value that cannot be encoded, or a payload that cannot be decoded as the type it is meant for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// The value has no encoding.
    #[error("value cannot be encoded: {reason}")]
    Unencodable {
        /// What stands in the way.
        reason: &'static str,
    },
    /// The type asks for what only a self-describing format can tell. Serde's `flatten`,
    /// `untagged` and `tag` do so.
    #[error("type cannot be decoded: {} asks for {asked}, which is not in a payload", part(place))]
    Unsupported {
        /// Which part of the type asks for it: the names of fields and variants, or their numbers
        /// in a tuple, with dots between them. Empty for the type itself.
        place: String,
        /// What the type asks for.
        asked: &'static str,
    },
    /// The structure of the type cannot be found, so that it cannot be compared with that of other
    /// builds. An event takes a [version](crate::Event::VERSION) then.
    #[error(
        "type cannot be compared with that of other builds: what {} is was not found, or is not \
         always the same; give the event a version",
        part(place)
    )]
    Undetermined {
        /// Which part of the type is not known, as in [`Unsupported`](Self::Unsupported).
        place: String,
    },
    /// The payload ends in the middle of the value.
    #[error("payload of {len} bytes ends before its value does")]
    Truncated {
        /// The payload's length in bytes.
        len: usize,
    },
    /// The payload goes on after the value.
    #[error("payload of {len} bytes goes on for {extra} after its value")]
    Trailing {
        /// The payload's length in bytes.
        len: usize,
        /// The number of bytes after the value.
        extra: usize,
    },
    /// The payload is nested too deeply.
    #[error("payload is nested deeper than {max} levels")]
    TooDeep {
        /// The greatest depth that is accepted.
        max: usize,
    },
    /// The payload claims to hold more elements, or larger ones, than its length warrants.
    #[error("payload of {len} bytes claims more than {budget} bytes of memory")]
    OverBudget {
        /// The payload's length in bytes.
        len: usize,
        /// The memory that a payload of that length may claim, in bytes.
        budget: usize,
    },
    /// The payload holds what no value is encoded as.
    #[error("payload is malformed before byte {at}: {reason}")]
    Malformed {
        /// What is wrong.
        reason: &'static str,
        /// Where decoding stopped, in bytes.
        at: usize,
    },
    /// The type's `Deserialize` implementation accepts no such value.
    #[error("payload is refused by its type before byte {at}: {reason}")]
    Refused {
        /// What the implementation says.
        reason: String,
        /// Where decoding stopped, in bytes.
        at: usize,
    },
    /// The type's own decoding panicked.
    #[error("the type's own decoding panicked")]
    Panicked,
}

/// Names the part of a type that lies at a place, or the type itself.
fn part(place: &str) -> &str {
    match place {
        "" => "it",
        place => place,
    }
}
