//! Events in parts, of the peer and of the endpoint.

use super::{End, Input};
use crate::credit::charge;
use crate::error::ProtocolError;
use crate::message::{Message, Place};

impl End {
    /// An id for a request of ours. Even ids are ours, though a peer may ask with the same.
    pub(super) fn next_id(&self) -> u64 {
        let begun = self.routes.iter().filter_map(|route| route.parts.as_ref()?.request);
        let newest = self.asked.last().copied().into_iter().chain(begun).max();
        newest.map_or(0, |id| id + 2)
    }

    /// Begins an event, goes on with one or gives it up.
    pub(super) fn send_parts(&mut self, input: &mut Input<'_>) {
        let (at, byte) = (input.below(self.routes.len()), input.byte());
        let Some(route) = self.routes.get(at) else { return };
        let slot = route.slot;
        let under_way =
            route.parts.as_ref().map(|parts| (parts.request, parts.total - parts.queued.len()));
        match under_way {
            Some(_) if byte >= 0xf0 => {
                self.session.abandon(slot);
                self.routes[at].parts = None;
            }
            Some((request, rest)) if byte >= 0x20 => {
                let part = vec![6; 1 + input.below(rest)];
                let is = self.circumstances(part.len(), request.is_some());
                let push = self.session.push_part(slot, request, &part);
                if self.routes[at].judge_part(push, is, &part).is_some() {
                    self.asked.extend(request);
                }
            }
            _ => {
                let total = 1 + usize::from(input.byte());
                let request = (byte % 2 == 1).then(|| self.next_id());
                let is = self.circumstances(total, request.is_some());
                let push = self.session.push_begin(slot, request, total);
                self.routes[at].judge_begin(push, is, request);
            }
        }
    }

    pub(super) fn begin(&mut self, number: u32, total: usize) -> Result<(), ProtocolError> {
        assert!(self.gathering.insert(number, total).is_none(), "an event began within another");
        self.receive(number, total)
    }

    /// Gives back the credit of an event that does not come.
    pub(super) fn forget(&mut self, number: u32, total: usize) {
        assert_eq!(self.gathering.remove(&number), Some(total));
        let topic = self.topics.iter_mut().find(|topic| topic.slot.number == number);
        let topic = topic.expect("events come for topics that were announced");
        // Some of it may have been consumed, as far as this model goes.
        let bytes = topic.queued.min(charge(total));
        topic.queued -= bytes;
        if let Some(credit) = topic.intake.release(bytes) {
            self.session.push_credit(topic.slot, credit);
        }
    }

    /// What the peer says of an event in parts.
    pub(super) fn said_of_parts(&self, byte: u8, input: &mut Input<'_>) -> Message<'static> {
        let at = input.below(self.gathering.len());
        let begun = self.gathering.iter().nth(at).map(|(&number, &total)| (number, total));
        let number = self.announced(input);
        match (byte % 8, begun) {
            (0, Some((number, _))) => Message::Abandon { number },
            (1..6, Some((number, total))) => {
                let place = if byte & 0x08 == 0 { Place::Within } else { Place::Last };
                let len = match input.seldom() {
                    false => total / (1 + usize::from(input.byte() % 4)),
                    true => input.byte().into(),
                };
                Message::Part { number, place, payload: &[7; 255][..len.min(255)] }
            }
            (6, _) if input.seldom() => Message::Abandon { number },
            _ => {
                let request = (byte & 0x08 == 0).then(|| self.unused_id(input));
                let total = match input.seldom() {
                    false => u64::from(input.byte()).max(1),
                    true => input.one_of(&[0, 256, u64::MAX]),
                };
                Message::Begin { number, request, total }
            }
        }
    }
}
