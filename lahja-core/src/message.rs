//! Messages: what one frame says. This file is the reference of the wire format.
//!
//! A frame's content is one kind byte, a compact header, and for some kinds a payload to the
//! frame's end. `varint` is an unsigned LEB128 number of at most 64 bits, `text` a varint length
//! and that many bytes of UTF-8; fixed-width numbers are little endian.
//!
//! | kind | message | header | payload |
//! |------|---------|--------|---------|
//! | 0x01 | Hello | magic `lahja`, oldest and newest version (u8 each), features (varint), nonce (u128), largest frame, topics, requests (varint each), name (text), count of groups (varint) and each group (text) | |
//! | 0x02 | Refuse | reason (u8) | |
//! | 0x03 | Announce | epoch, number, window (varint each), fingerprint (u64), name (text) | |
//! | 0x04 | Withdraw | epoch, number (varint each) | |
//! | 0x05 | Ready | | |
//! | 0x06 | Acknowledge | epoch (varint) | |
//! | 0x07 | Credit | number, bytes (varint each) | |
//! | 0x08 | Event | flags (u8), number (varint), request id (varint, flag 1), options (varint length and bytes, flag 2) | the event |
//! | 0x09 | Response | flags (u8), request id (varint), type (u64), options (flag 2) | the answer |
//! | 0x0a | Failure | request id (varint), reason (u8) | |
//! | 0x0b | Cancel | request id (varint) | |
//! | 0x0c | Lagged | number, count (varint each) | |
//! | 0x0d | Goodbye | | |
//! | 0x0e | Begin | flags (u8), number (varint), request id (varint, flag 1), options (flag 2), total length of the payload (varint) | |
//! | 0x0f | Part | flags (u8, flag 1: the last), number (varint) | bytes of the payload |
//! | 0x10 | Abandon | number (varint) | |
//! | 0x80 | Mismatch | number (varint) | |
//!
//! Mismatch says that events of a topic cannot be sent, since the peer defines their type otherwise;
//! it is followed by Lagged for each of them.
//!
//! Begin, Part and Abandon are sent to a peer alone whose features have bit 0. An event that has begun
//! is charged as a whole then, and comes where its last part does: what is sent between its parts
//! comes before it. Of each number one event at a time is under way in parts. Abandon says that the
//! rest of it does not come; nothing of the event does, and its credit is returned.
//!
//! A kind of 0x80 and above is optional: a reader that does not know it skips the frame. Options
//! are likewise skipped by readers that have no use for them; no other flag may be set. Bytes
//! after the header of a message without payload are ignored, which is where later versions add
//! fields.

mod header;
mod hello;
mod plain;

use crate::error::ProtocolError;
use crate::hash;

pub(crate) use hello::{Hello, MAX_GROUPS};
pub(crate) use plain::PlainHeader;

use header::{Header, put_event, put_numbers, put_text, put_varint};

/// The version of the protocol that this build speaks, and the oldest that it understands.
pub(crate) const VERSION: u8 = 1;
pub(crate) const OLDEST_VERSION: u8 = 1;

/// The longest name of a topic, in bytes.
pub(crate) const MAX_TOPIC_NAME: usize = 255;

const FLAG_REQUEST: u8 = 1;
const FLAG_OPTIONS: u8 = 2;
const FLAG_LAST: u8 = 1;

/// The bit in [`Hello::features`] of an endpoint that takes events in parts.
pub(crate) const TAKES_PARTS: u64 = 1;

mod kind {
    pub(super) const HELLO: u8 = 0x01;
    pub(super) const REFUSE: u8 = 0x02;
    pub(super) const ANNOUNCE: u8 = 0x03;
    pub(super) const WITHDRAW: u8 = 0x04;
    pub(super) const READY: u8 = 0x05;
    pub(super) const ACKNOWLEDGE: u8 = 0x06;
    pub(super) const CREDIT: u8 = 0x07;
    pub(super) const EVENT: u8 = 0x08;
    pub(super) const RESPONSE: u8 = 0x09;
    pub(super) const FAILURE: u8 = 0x0a;
    pub(super) const CANCEL: u8 = 0x0b;
    pub(super) const LAGGED: u8 = 0x0c;
    pub(super) const GOODBYE: u8 = 0x0d;
    pub(super) const BEGIN: u8 = 0x0e;
    pub(super) const PART: u8 = 0x0f;
    pub(super) const ABANDON: u8 = 0x10;
    pub(super) const MISMATCH: u8 = 0x80;
    /// From [`MISMATCH`] on kinds that are not known are skipped.
    pub(super) const UNKNOWN: u8 = 0x81;
}

/// What one frame says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Message<'a> {
    /// Boxed, since it is rare and twice as large as any other.
    Hello(Box<Hello>),
    Refuse(Refusal),
    Announce {
        epoch: u64,
        number: u32,
        window: u32,
        fingerprint: u64,
        name: &'a str,
    },
    Withdraw {
        epoch: u64,
        number: u32,
    },
    /// What precedes it is all that its sender had announced when it said hello.
    Ready,
    Acknowledge {
        epoch: u64,
    },
    Credit {
        number: u32,
        bytes: u64,
    },
    Event {
        number: u32,
        request: Option<u64>,
        payload: &'a [u8],
    },
    Response {
        id: u64,
        response_type: u64,
        payload: &'a [u8],
    },
    Failure {
        id: u64,
        reason: FailureReason,
    },
    Cancel {
        id: u64,
    },
    Lagged {
        number: u32,
        count: u64,
    },
    Goodbye,
    /// An event follows in parts.
    Begin {
        number: u32,
        request: Option<u64>,
        total: u64,
    },
    Part {
        number: u32,
        place: Place,
        payload: &'a [u8],
    },
    /// The rest of an event that has begun does not follow.
    Abandon {
        number: u32,
    },
    /// What is broadcast as this topic is of another structure.
    Mismatch {
        number: u32,
    },
    /// A kind that this build does not know and may skip.
    Unknown,
}

/// Where in an event's payload a part belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Within,
    Last,
}

/// Why an endpoint does not want a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Refusal {
    /// No version is understood by both.
    Version = 1,
    /// The peer bears our name.
    NameTaken = 2,
    /// The peer is ourselves.
    Myself = 3,
    /// There is a connection to an endpoint of that name.
    AlreadyConnected = 4,
    /// The endpoint is closing.
    Closing = 5,
    /// A reason that this build does not know.
    Other = 0,
}

/// Why a request gets no response from a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum FailureReason {
    /// Whoever received the request dropped it or panicked.
    Unanswered = 1,
    /// The request's payload could not be decoded.
    Malformed = 2,
    /// A reason that this build does not know.
    Other = 0,
}

impl Message<'_> {
    /// Counts what losing the message loses of what users handed over: the event or response that
    /// it is, or the word of events that the peer has missed.
    pub(crate) fn count_users(content: &[u8]) -> u64 {
        match content.first() {
            Some(&(kind::EVENT | kind::RESPONSE)) => 1,
            Some(&kind::PART) => content.get(1).map_or(0, |flags| (flags & FLAG_LAST).into()),
            Some(&kind::LAGGED) => match Self::decode(content) {
                Ok(Message::Lagged { count, .. }) => count,
                _ => 0,
            },
            _ => 0,
        }
    }

    pub(crate) fn kind_name(&self) -> &'static str {
        match self {
            Message::Hello(_) => "Hello",
            Message::Refuse(_) => "Refuse",
            Message::Announce { .. } => "Announce",
            Message::Withdraw { .. } => "Withdraw",
            Message::Ready => "Ready",
            Message::Acknowledge { .. } => "Acknowledge",
            Message::Credit { .. } => "Credit",
            Message::Event { .. } => "Event",
            Message::Response { .. } => "Response",
            Message::Failure { .. } => "Failure",
            Message::Cancel { .. } => "Cancel",
            Message::Lagged { .. } => "Lagged",
            Message::Goodbye => "Goodbye",
            Message::Begin { .. } => "Begin",
            Message::Part { .. } => "Part",
            Message::Abandon { .. } => "Abandon",
            Message::Mismatch { .. } => "Mismatch",
            Message::Unknown => "unknown",
        }
    }

    /// Appends the message to `out`.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match *self {
            Message::Hello(ref hello) => hello.encode(out),
            Message::Refuse(refusal) => out.extend([kind::REFUSE, refusal as u8]),
            Message::Announce { epoch, number, window, fingerprint, name } => {
                out.push(kind::ANNOUNCE);
                put_varint(out, epoch);
                put_varint(out, number.into());
                put_varint(out, window.into());
                out.extend(fingerprint.to_le_bytes());
                put_text(out, name);
            }
            Message::Withdraw { epoch, number } => {
                put_numbers(out, kind::WITHDRAW, &[epoch, number.into()]);
            }
            Message::Ready => out.push(kind::READY),
            Message::Acknowledge { epoch } => put_numbers(out, kind::ACKNOWLEDGE, &[epoch]),
            Message::Credit { number, bytes } => {
                put_numbers(out, kind::CREDIT, &[number.into(), bytes]);
            }
            Message::Event { number, request, payload } => {
                put_event(out, kind::EVENT, number, request);
                out.extend_from_slice(payload);
            }
            Message::Response { id, response_type, payload } => {
                out.extend([kind::RESPONSE, 0]);
                put_varint(out, id);
                out.extend(response_type.to_le_bytes());
                out.extend_from_slice(payload);
            }
            Message::Failure { id, reason } => {
                put_numbers(out, kind::FAILURE, &[id]);
                out.push(reason as u8);
            }
            Message::Cancel { id } => put_numbers(out, kind::CANCEL, &[id]),
            Message::Lagged { number, count } => {
                put_numbers(out, kind::LAGGED, &[number.into(), count]);
            }
            Message::Goodbye => out.push(kind::GOODBYE),
            Message::Begin { number, request, total } => {
                put_event(out, kind::BEGIN, number, request);
                put_varint(out, total);
            }
            Message::Part { number, place, payload } => {
                let flags = if place == Place::Last { FLAG_LAST } else { 0 };
                out.extend_from_slice(&[kind::PART, flags]);
                put_varint(out, number.into());
                out.extend_from_slice(payload);
            }
            Message::Abandon { number } => put_numbers(out, kind::ABANDON, &[number.into()]),
            Message::Mismatch { number } => put_numbers(out, kind::MISMATCH, &[number.into()]),
            Message::Unknown => out.push(kind::UNKNOWN),
        }
    }

    /// Tells whether it is a request, or ends one: somebody waits for it.
    pub(crate) fn is_exchange(&self) -> bool {
        matches!(
            self,
            Message::Event { request: Some(_), .. }
                | Message::Response { .. }
                | Message::Failure { .. }
        )
    }

    /// Reads the content of a frame.
    pub(crate) fn decode(content: &[u8]) -> Result<Message<'_>, ProtocolError> {
        let mut header = Header::new(content);
        let message = match header.byte()? {
            kind::HELLO => Message::Hello(Box::new(Hello::decode(&mut header)?)),
            kind::REFUSE => Message::Refuse(Refusal::from_code(header.byte()?)),
            kind::ANNOUNCE => Message::Announce {
                epoch: header.varint()?,
                number: header.varint_u32()?,
                window: header.varint_u32()?,
                fingerprint: u64::from_le_bytes(header.array()?),
                name: header.text(MAX_TOPIC_NAME)?,
            },
            kind::WITHDRAW => {
                Message::Withdraw { epoch: header.varint()?, number: header.varint_u32()? }
            }
            kind::READY => Message::Ready,
            kind::ACKNOWLEDGE => Message::Acknowledge { epoch: header.varint()? },
            kind::CREDIT => {
                Message::Credit { number: header.varint_u32()?, bytes: header.varint()? }
            }
            kind::EVENT => {
                let (number, request) = header.event()?;
                Message::Event { number, request, payload: header.rest }
            }
            kind::RESPONSE => {
                let flags = header.flags(FLAG_OPTIONS)?;
                let id = header.varint()?;
                let response_type = u64::from_le_bytes(header.array()?);
                header.skip_options(flags)?;
                Message::Response { id, response_type, payload: header.rest }
            }
            kind::FAILURE => Message::Failure {
                id: header.varint()?,
                reason: FailureReason::from_code(header.byte()?),
            },
            kind::CANCEL => Message::Cancel { id: header.varint()? },
            kind::LAGGED => {
                Message::Lagged { number: header.varint_u32()?, count: header.varint()? }
            }
            kind::GOODBYE => Message::Goodbye,
            kind::BEGIN => {
                let (number, request) = header.event()?;
                Message::Begin { number, request, total: header.varint()? }
            }
            kind::PART => {
                let place = match header.flags(FLAG_LAST)? {
                    0 => Place::Within,
                    _ => Place::Last,
                };
                Message::Part { number: header.varint_u32()?, place, payload: header.rest }
            }
            kind::ABANDON => Message::Abandon { number: header.varint_u32()? },
            kind::MISMATCH => Message::Mismatch { number: header.varint_u32()? },
            kind::UNKNOWN.. => Message::Unknown,
            kind => return Err(ProtocolError::UnknownKind { kind }),
        };
        Ok(message)
    }
}

impl Refusal {
    fn from_code(code: u8) -> Self {
        use Refusal::{AlreadyConnected, Closing, Myself, NameTaken, Other, Version};
        [Version, NameTaken, Myself, AlreadyConnected, Closing]
            .into_iter()
            .find(|&refusal| refusal as u8 == code)
            .unwrap_or(Other)
    }
}

impl FailureReason {
    fn from_code(code: u8) -> Self {
        match code {
            1 => Self::Unanswered,
            2 => Self::Malformed,
            _ => Self::Other,
        }
    }
}

/// The type of a response on the wire: the hash of its topic's name.
pub(crate) const fn response_type(name: &str) -> u64 {
    hash::extend(hash::EMPTY, name.as_bytes())
}

#[cfg(test)]
mod tests;
