//! Errors that are a peer's fault.

use thiserror::Error;

use super::NameError;

/// Bytes that cannot be taken apart into frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A frame announced no content.
    #[error("a frame has no content")]
    Empty,
    /// A frame announced more content than is allowed.
    #[error("a frame of {len} bytes is longer than {max}")]
    TooLong {
        /// The announced length in bytes.
        len: usize,
        /// The longest frame allowed.
        max: usize,
    },
    /// The bytes ended within a frame.
    #[error("the bytes end {arrived} bytes into a frame")]
    Truncated {
        /// How much of the frame had arrived, with its prefix.
        arrived: usize,
    },
}

/// A way in which a peer broke the protocol. It costs the peer its connection.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// The bytes are not frames.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The first message is not that of an endpoint.
    #[error("the peer does not speak lahja")]
    NotLahja,
    /// The name or a group of the peer is none.
    #[error("the peer has a bad name")]
    BadName(#[source] NameError),
    /// The peer is in more groups than allowed.
    #[error("the peer is in {count} groups")]
    TooManyGroups {
        /// How many it announced.
        count: u64,
    },
    /// A message of a kind that is neither known nor optional.
    #[error("message of unknown kind {kind:#04x}")]
    UnknownKind {
        /// The kind byte.
        kind: u8,
    },
    /// A message with flags that are not known.
    #[error("message with unknown flags {flags:#04x}")]
    UnknownFlags {
        /// The flags byte.
        flags: u8,
    },
    /// A frame ends within its header.
    #[error("frame of {len} bytes ends within its header")]
    TruncatedHeader {
        /// The length of the frame's content.
        len: usize,
    },
    /// A number has more bits than its field.
    #[error("a number in a header is too large")]
    NumberTooLarge,
    /// A text is longer than its field.
    #[error("a text of {len} bytes in a header is longer than {max}")]
    TextTooLong {
        /// The announced length in bytes.
        len: u64,
        /// The longest text allowed.
        max: usize,
    },
    /// A text is not UTF-8.
    #[error("a text in a header is not UTF-8")]
    NotUtf8,
    /// A message that may not come at this point.
    #[error("message {message} is out of place")]
    OutOfPlace {
        /// The kind of the message.
        message: &'static str,
    },
    /// An announcement out of sequence.
    #[error("announcement epoch {epoch} is out of sequence")]
    WrongEpoch {
        /// The epoch that came.
        epoch: u64,
    },
    /// More topics than allowed.
    #[error("more than {max} topics")]
    TooManyTopics {
        /// How many are allowed.
        max: u32,
    },
    /// A topic number is announced twice.
    #[error("topic number {number} is in use")]
    NumberInUse {
        /// The number.
        number: u32,
    },
    /// A topic number was never announced.
    #[error("topic number {number} is not announced")]
    UnknownNumber {
        /// The number.
        number: u32,
    },
    /// Credit for more than was sent.
    #[error("credit of {bytes} bytes is more than was outstanding")]
    ExcessCredit {
        /// The credit given.
        bytes: u64,
    },
    /// Credit of nothing.
    #[error("credit of no bytes")]
    NoCredit,
    /// Limits under which nothing could be sent.
    #[error("limits of {frame} bytes a frame and {requests} requests are too low")]
    LowLimits {
        /// The longest frame that the peer takes, in bytes.
        frame: u32,
        /// The requests in flight that it allows.
        requests: u32,
    },
    /// An event for which there was no credit.
    #[error("an event exceeds the window of {window} bytes")]
    WindowExceeded {
        /// The window granted.
        window: u64,
    },
    /// A part of an event that has not begun, or word that its rest does not come.
    #[error("no event of topic number {number} has begun")]
    NotBegun {
        /// The number.
        number: u32,
    },
    /// An event begins while another of its topic is under way in parts.
    #[error("an event of topic number {number} has begun already")]
    BegunTwice {
        /// The number.
        number: u32,
    },
    /// A part of an event without a byte.
    #[error("a part of an event is empty")]
    EmptyPart,
    /// Parts that are not what the event began with.
    #[error("the parts of an event are not the {total} bytes that it began with")]
    WrongTotal {
        /// The announced length in bytes.
        total: u64,
    },
    /// More requests in flight than allowed.
    #[error("more than {max} requests in flight")]
    TooManyRequests {
        /// How many are allowed.
        max: u32,
    },
    /// A request id is used twice.
    #[error("request id {id} is in use")]
    RequestInUse {
        /// The id.
        id: u64,
    },
    /// The peer leaves what it is sent unread.
    #[error("the peer leaves {backlog} bytes unread")]
    NotReading {
        /// What waits for it, in bytes.
        backlog: usize,
    },
}
