//! The events that are the bulk of the traffic: those that ask for nothing, have no options, and a
//! number of one byte.

use super::{Message, kind};

/// What such an event begins with.
pub(crate) type PlainHeader = [u8; 3];

impl Message<'_> {
    /// Returns the header of an event, if it is a plain one.
    pub(crate) fn plain_event(number: u32, request: Option<u64>) -> Option<PlainHeader> {
        match (number, request) {
            (0..0x80, None) => Some([kind::EVENT, 0, number as u8]),
            _ => None,
        }
    }

    /// Reads a plain event. Any other content is `None`, and for [`decode`](Self::decode) to read.
    #[inline]
    pub(crate) fn decode_plain_event(content: &[u8]) -> Option<(u32, &[u8])> {
        match *content {
            [kind::EVENT, 0, number @ 0..0x80, ref payload @ ..] => Some((number.into(), payload)),
            _ => None,
        }
    }
}
