//! Encoding an event once for all who get it, into a buffer that its thread keeps.

use std::cell::Cell;

use super::{IS_THERE, Refused, take};
use crate::event::Event;
use crate::payload;
use crate::session::{MAX_HEADER, WHOLE};

/// What is encoded of an event.
pub(crate) enum Encoding<'a> {
    Short(&'a [u8]),
    /// It is worth to be kept, and to be sent in parts.
    Long(Vec<u8>),
}

impl Encoding<'_> {
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Short(payload) => payload,
            Self::Long(payload) => payload,
        }
    }
}

/// Encodes an event and has it sent, unless its frame would be longer than `max`.
#[inline]
pub(crate) fn encode<E: Event, R>(
    event: &mut Option<E>,
    max: usize,
    send: impl FnOnce(Encoding<'_>) -> R,
) -> Result<R, Refused<E>> {
    // None is kept by a thread that ends, or is encoding something else, or whose last event was too large
    // for that, or was refused.
    let mut kept = SCRATCH.try_with(Cell::take).ok().flatten().unwrap_or_default();
    let scratch = &mut kept.bytes;
    let encoded = payload::encode_over(event.as_ref().expect(IS_THERE), scratch);
    let payload_len = match encoded {
        Ok(len) => len,
        Err(error) => return Err(Refused::Unencodable(take(event), error)),
    };
    let len = payload_len + MAX_HEADER;
    if len > max {
        return Err(Refused::TooLarge(take(event), len, max));
    }
    let is_long = payload_len > WHOLE;
    let encoding = match is_long {
        false => Encoding::Short(&scratch[..payload_len]),
        true => {
            scratch.truncate(payload_len);
            Encoding::Long(std::mem::take(scratch))
        }
    };
    let sent = send(encoding);
    // What was long may be kept again by now.
    if !is_long && kept.bytes.capacity() <= MAX_KEPT {
        kept.keep();
    }
    Ok(sent)
}

/// A larger buffer than this is kept from one large event to the next alone.
const MAX_KEPT: usize = WHOLE;

/// A larger buffer than this is not kept at all. Fresh memory costs more than to encode into it.
const MAX_KEPT_LARGE: usize = 2 << 20;

/// Keeps a buffer for what this thread encodes next. A thread that ends keeps none.
pub(super) fn keep(bytes: Vec<u8>) {
    if bytes.capacity() <= MAX_KEPT_LARGE {
        Box::new(Scratch { bytes }).keep();
    }
}

/// What an event is encoded into.
///
/// It is kept in a box, which is one word to move. A `Vec` is three; they are stored one by one, and
/// the processor waits until they have left its store buffer where two of them are loaded at once.
#[derive(Default)]
struct Scratch {
    bytes: Vec<u8>,
}

impl Scratch {
    fn keep(self: Box<Self>) {
        let _ = SCRATCH.try_with(|kept| kept.set(Some(self)));
    }
}

thread_local! {
    // What is being encoded, before any lock is taken: encoding runs the user's code.
    static SCRATCH: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::Event;

    #[derive(Serialize, Deserialize, Event)]
    struct Nothing;

    #[derive(Serialize, Deserialize, Event)]
    struct Bytes(Vec<u8>);

    /// Encodes an event. Returns what `send` makes of it.
    fn sent<E: Event, R>(event: E, send: impl FnOnce(Encoding<'_>) -> R) -> R {
        encode(&mut Some(event), usize::MAX, send).unwrap_or_else(|_| panic!("it is refused"))
    }

    /// Takes out what this thread keeps. Returns its capacity.
    fn kept() -> Option<usize> {
        SCRATCH.take().map(|kept| kept.bytes.capacity())
    }

    #[test]
    fn a_buffer_is_kept_also_for_what_needs_none() {
        sent(Nothing, |payload| assert!(payload.bytes().is_empty()));
        assert_eq!(kept(), Some(0));
    }

    #[test]
    fn what_is_encoded_meanwhile_has_a_buffer_of_its_own() {
        sent(Bytes(vec![7; 100]), |outer| {
            sent(Bytes(vec![8; 100]), |inner| assert!(inner.bytes().ends_with(&[8; 100])));
            assert!(outer.bytes().ends_with(&[7; 100]));
        });
        sent(Bytes(vec![9]), |shorter| assert_eq!(shorter.bytes(), [1, 9]));
        assert!(kept().is_some_and(|kept| kept >= 100));
    }

    #[test]
    fn a_large_buffer_is_kept_if_it_comes_back_and_for_one_event() {
        sent(Bytes(vec![7; WHOLE + 1]), |encoding| drop(encoding));
        assert_eq!(kept(), None);
        sent(Bytes(vec![7; WHOLE + 1]), |encoding| match encoding {
            Encoding::Long(payload) => keep(payload),
            Encoding::Short(_) => panic!("it is long"),
        });
        let at_first = SCRATCH.take().expect("it is kept");
        assert!(at_first.bytes.capacity() > WHOLE);
        at_first.keep();
        sent(Nothing, |encoding| drop(encoding));
        assert_eq!(kept(), None);
    }
}
