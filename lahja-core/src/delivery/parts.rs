//! Handing over a large event in parts, to each peer as fast as it takes them.

use event_listener::{EventListener, Listener};

use super::encoding::keep;
use super::{Delivery, Peer, push};
use crate::connection::Burst;
use crate::event::Event;
use crate::pending::Asked;
use crate::session::{PART, Push};
use crate::shared::Shared;

/// Others have their turn after this many parts, or one to each peer.
const PARTS_PER_TURN: usize = 4;

/// A peer that gets an event in parts.
///
/// Dropped in the middle, it tells the peer that the rest does not come.
pub(super) struct Recipient {
    target: Peer,
    // How much of the payload is queued, while the event is under way.
    sent: Option<usize>,
}

/// How far a recipient has come.
pub(super) enum Step {
    /// It has the event, or misses it.
    Done,
    Gone,
    /// It has no room for the next part.
    Waits(EventListener),
    /// There may be room for more.
    GoesOn,
}

impl Recipient {
    pub(super) fn target(&self) -> &Peer {
        &self.target
    }

    /// Queues up to so many parts, as far as there is room.
    pub(super) fn advance(
        &mut self,
        shared: &Shared,
        request: Option<u64>,
        payload: &[u8],
        parts: usize,
        burst: &mut Burst,
    ) -> Step {
        let Self { target: Peer { connection, slot, .. }, sent } = self;
        let now = shared.runtime.now();
        for _ in 0..parts {
            let listener = connection.wait_for_room(*slot, now);
            let start = sent.unwrap_or(0);
            let end = payload.len().min(start + PART);
            let is_last = end == payload.len();
            let push = connection.push_part(burst, |session| {
                if sent.is_none() {
                    match session.push_begin(*slot, request, payload.len()) {
                        Push::Queued => *sent = Some(0),
                        refused => return refused,
                    }
                }
                let push = session.push_part(*slot, request, &payload[start..end]);
                if let (Push::Queued, true, Some(id)) = (push, is_last, request) {
                    // Noted before the session is unlocked, so no response can come before it.
                    let asked = Asked::Peer { connection: connection.id, end: session.queued() };
                    shared.pending().add(id, asked);
                }
                push
            });
            if push == Push::Full {
                connection.wait_on(*slot, now);
                return Step::Waits(listener);
            }
            // Dropped, it would pass on what it heard, and those who wait keep each other awake.
            listener.discard();
            match push {
                Push::Queued if !is_last => {
                    *sent = Some(end);
                    continue;
                }
                _ => *sent = None,
            }
            // Another large event of the topic may have waited for this one.
            connection.notify();
            match push {
                // A request is not missed: it begins anew when there is room.
                Push::Missed if request.is_some() => {}
                Push::Gone => return Step::Gone,
                _ => return Step::Done,
            }
        }
        Step::GoesOn
    }
}

impl Drop for Recipient {
    fn drop(&mut self) {
        let Peer { connection, slot, .. } = &self.target;
        if self.sent.is_some() {
            connection.update(|session| session.abandon(*slot));
            connection.notify();
        }
    }
}

/// Returns how many parts each of several peers gets before others have their turn.
pub(super) fn parts_per_turn(recipients: &[Recipient]) -> usize {
    (PARTS_PER_TURN / recipients.len().max(1)).max(1)
}

impl<E: Event> Delivery<E> {
    /// Hands a large event to peers, in parts to those that take them. Tells whether anybody is
    /// there, and what is left to do.
    pub(super) fn begin_large<'a>(
        shared: &Shared,
        targets: impl IntoIterator<Item = &'a Peer>,
        request: Option<u64>,
        payload: Vec<u8>,
    ) -> (bool, Option<Box<Self>>) {
        let mut delivery = Self::boxed(request);
        let mut reached = false;
        let mut burst = Burst::default();
        for target in targets {
            if !target.peer.takes_parts {
                let (push, _) = push(shared, target, request, &payload, &mut burst);
                reached |= push != Push::Gone;
                if push == Push::Full {
                    delivery.peers.push(target.clone());
                }
                continue;
            }
            let mut recipient = Recipient { target: target.clone(), sent: None };
            let step = recipient.advance(shared, request, &payload, 1, &mut burst);
            reached |= !matches!(step, Step::Gone);
            if let Step::Waits(_) | Step::GoesOn = step {
                delivery.recipients.push(recipient);
            }
        }
        if delivery.peers.is_empty() && delivery.recipients.is_empty() {
            keep(payload);
            return (reached, None);
        }
        delivery.payload = payload;
        (reached, Some(delivery))
    }
}
