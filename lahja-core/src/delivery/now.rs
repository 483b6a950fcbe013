//! Handing an event over without waiting: to everybody, or to nobody.

use std::sync::Arc;
use std::task::Waker;

use super::{Peer, Refused, leave_out, nobody, wanting};
use crate::credit::Room;
use crate::event::{Event, Received};
use crate::payload;
use crate::routing::Reach;
use crate::session::{MAX_HEADER, Push};
use crate::shared::Shared;
use crate::topic::passes;

/// Checks that everybody within `reach` has room, then hands the event over.
pub(crate) fn begin_now<E: Event>(
    shared: &Arc<Shared>,
    event: E,
    reach: &Reach<'_>,
) -> Result<Option<E>, Refused<E>> {
    let audience = shared.audience::<E>();
    if let Some(error) = &audience.refusal {
        return Err(Refused::Unencodable(event, error.clone()));
    }
    let targets = || audience.targets.alike.iter().filter(|t| reach.admits_peer(&t.peer));
    let mut payload = Vec::new();
    if let Some(max) = audience.max_frame(reach) {
        if let Err(error) = payload::encode(&event, &mut payload) {
            return Err(Refused::Unencodable(event, error));
        }
        let len = payload.len() + MAX_HEADER;
        if len > max {
            return Err(Refused::TooLarge(event, len, max));
        }
    }
    let mut reserved = Reserved { targets: Vec::new(), missing: Vec::new(), payload };
    let mut reached = false;
    for target in targets() {
        match reserved.reserve(target) {
            Push::Full => return Ok(Some(event)),
            push => reached |= push != Push::Gone,
        }
    }
    let local = match audience.topic() {
        Some(topic) if reach.admits(&shared.name, &shared.groups) => wanting(shared, topic),
        _ => Vec::new(),
    };
    if !reached && local.is_empty() {
        let mismatched = leave_out::<E>(shared, &audience, reach);
        return Err(nobody(shared, event, mismatched));
    }
    let (mut places, mut missing) = (Vec::new(), Vec::new());
    for inbox in &local {
        if passes(inbox, &event) {
            match inbox.reserve() {
                Ok(charge) => places.push((inbox, charge)),
                Err(Room::Full) if !inbox.is_closed() => return Ok(Some(event)),
                Err(Room::Stalled) => missing.push(inbox),
                Err(_) => {}
            }
        }
    }
    reserved.send();
    missing.iter().for_each(|inbox| inbox.miss());
    leave_out::<E>(shared, &audience, reach);
    let event = Arc::new(event);
    for (inbox, charge) in places {
        let origin = shared.name.clone();
        let event = Received::shared(event.clone(), origin, None);
        inbox.push(event, charge).inspect(Waker::wake_by_ref);
    }
    Ok(None)
}

/// Room at peers that is given back unless the event is sent.
struct Reserved<'a> {
    targets: Vec<&'a Peer>,
    /// Those who are stalled, and miss the event if it is sent.
    missing: Vec<&'a Peer>,
    payload: Vec<u8>,
}

impl<'a> Reserved<'a> {
    fn reserve(&mut self, target: &'a Peer) -> Push {
        let len = self.payload.len();
        let push = target.connection.update(|session| session.reserve(target.slot, len));
        match push {
            Push::Queued => self.targets.push(target),
            Push::Missed => self.missing.push(target),
            _ => {}
        }
        push
    }

    fn send(mut self) {
        for target in std::mem::take(&mut self.targets) {
            target.connection.push_reserved(target.slot, &self.payload);
        }
        for target in &self.missing {
            target.connection.update(|session| session.miss(target.slot));
        }
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        let len = self.payload.len();
        for target in &self.targets {
            target.connection.unreserve(target.slot, len);
        }
    }
}
