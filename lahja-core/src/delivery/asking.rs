//! Asking peers: a request is noted together with whom it is queued for.

use super::{Peer, Refused};
use crate::pending::{Asked, Question};
use crate::session::Push;
use crate::shared::Shared;

/// The endpoint takes no more requests.
pub(super) struct Closed;

impl<E> From<Closed> for Refused<E> {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}

/// Opens a request, if it is one. Returns its id.
pub(super) fn open(
    shared: &Shared,
    question: Option<&Question<'_>>,
) -> Result<Option<u64>, Closed> {
    match question {
        Some(question) if !shared.pending().open(question) => Err(Closed),
        question => Ok(question.map(|question| question.id)),
    }
}

/// Asks one of several, of a request that is open.
pub(super) fn ask(shared: &Shared, target: &Peer, id: u64, payload: &[u8]) -> Push {
    let Peer { connection, slot, .. } = target;
    connection.update(|session| {
        let push = session.push_event(*slot, Some(id), payload);
        if push == Push::Queued {
            // Noted before the session is unlocked, so no response can come before it.
            let asked = Asked::Peer { connection: connection.id, end: session.queued() };
            shared.pending().add(id, asked);
        }
        push
    })
}

/// Asks the only one to be asked, and opens the request if that is queued.
pub(super) fn ask_only(
    shared: &Shared,
    target: &Peer,
    question: &Question<'_>,
    payload: &[u8],
) -> Result<Push, Closed> {
    let Peer { connection, slot, .. } = target;
    connection.update(|session| {
        // Held until the request is noted, so no response can come before it.
        let mut pending = shared.pending();
        if pending.is_closed() {
            return Err(Closed);
        }
        let push = session.push_event(*slot, Some(question.id), payload);
        debug_assert_ne!(push, Push::Missed, "a request waits for room");
        if push != Push::Queued {
            return Ok(push);
        }
        let asked = Asked::Peer { connection: connection.id, end: session.queued() };
        let is_open = pending.open_for(question, asked);
        debug_assert!(is_open, "the table has just been open");
        Ok(push)
    })
}
