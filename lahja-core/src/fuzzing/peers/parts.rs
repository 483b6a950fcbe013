//! Events in parts: what an end sends of them, and what the other makes of that.
//!
//! The number of such an event is known when its last part leaves, so it is at the end of its
//! payload.

use super::end::{End, Said};
use crate::credit::charge;
use crate::fuzzing::input::Input;
use crate::fuzzing::push::Circumstances;
use crate::message::Place;
use crate::session::Push;

/// The bytes of an event's number.
const NUMBER: usize = size_of::<u64>();

impl End {
    /// Begins an event, goes on with one or gives it up.
    pub(super) fn send_parts(&mut self, input: &mut Input<'_>, far: &mut Self) {
        let (at, byte) = (input.below(self.routes.len()), input.byte());
        let Some(route) = self.routes.get(at) else { return };
        match &route.parts {
            Some(_) if byte >= 0xf0 => self.abandon(at, far),
            Some(_) if byte >= 0x20 => self.send_part(at, input, far),
            _ => {
                let request = (byte % 2 == 1).then(|| self.next_id());
                self.send_begin(at, request, input, far);
            }
        }
    }

    pub(super) fn circumstances(
        &mut self,
        len: usize,
        request: Option<u64>,
        far: &Self,
    ) -> Circumstances {
        let requests = self.limits.requests.min(far.limits.requests) as usize;
        Circumstances {
            len,
            max_frame: self.limits.frame.min(far.limits.frame) as usize,
            is_request: request.is_some(),
            has_ended: self.session.has_ended(),
            is_backlogged: self.session.is_backlogged(),
            is_asking_all: self.asked.len() >= requests,
        }
    }

    fn send_begin(
        &mut self,
        at: usize,
        request: Option<u64>,
        input: &mut Input<'_>,
        far: &mut Self,
    ) {
        let total = NUMBER + usize::from(input.byte());
        let is = self.circumstances(total, request, far);
        let route = &mut self.routes[at];
        let push = self.session.push_begin(route.slot, request, total);
        route.judge_begin(push, is, request);
        if push == Push::Queued {
            let (number, total) = (route.slot.number, total as u64);
            far.expected.push_back(Said::Begin { number, request, total });
        }
    }

    fn send_part(&mut self, at: usize, input: &mut Input<'_>, far: &mut Self) {
        let route = &self.routes[at];
        let number = route.slot.number;
        let parts = route.parts.as_ref().expect("one is under way");
        let (request, rest) = (parts.request, parts.total - parts.queued.len());
        let is_last = rest == NUMBER || input.byte() < 0x60;
        let payload = match is_last {
            true => {
                let mut last = vec![8; rest - NUMBER];
                last.extend(route.count.to_le_bytes());
                last
            }
            false => vec![8; 1 + input.below(rest - NUMBER)],
        };
        let is = self.circumstances(payload.len(), request, far);
        let route = &mut self.routes[at];
        let push = self.session.push_part(route.slot, request, &payload);
        if route.judge_part(push, is, &payload).is_some() {
            self.asked.extend(request);
        }
        match push {
            Push::Queued => {
                let place = if is_last { Place::Last } else { Place::Within };
                far.expected.push_back(Said::Part { number, place, payload });
            }
            Push::Missed => far.expected.push_back(Said::Abandon(number)),
            _ => {}
        }
    }

    fn abandon(&mut self, at: usize, far: &mut Self) {
        let route = &mut self.routes[at];
        route.parts = None;
        self.session.abandon(route.slot);
        let number = route.slot.number;
        if self.may_speak() {
            far.expected.push_back(Said::Abandon(number));
        }
    }

    pub(super) fn begin(&mut self, number: u32, total: usize) {
        let topic = self.topics.iter_mut().find(|topic| topic.slot.number == number);
        let topic = topic.expect("numbers live until no event can come");
        let received = topic.intake.receive(charge(total));
        received.expect("a peer that keeps the rules is not blamed");
    }

    pub(super) fn complete(&mut self, number: u32, request: Option<u64>, payload: &[u8]) {
        let topic = self.topics.iter_mut().find(|topic| topic.slot.number == number);
        let topic = topic.expect("numbers live until no event can come");
        let (rest, count) = payload.split_last_chunk().expect("it ends with its number");
        assert_eq!(u64::from_le_bytes(*count), topic.count, "an event is missing");
        assert!(rest.iter().all(|&byte| byte == 8));
        topic.queue.push_back(charge(payload.len()));
        topic.count += 1;
        self.asking.extend(request);
    }

    pub(super) fn forget(&mut self, number: u32, total: usize, far: &mut Self) {
        let at = self.topics.iter().position(|topic| topic.slot.number == number);
        let at = at.expect("numbers live until no event can come");
        let credit = self.topics[at].intake.release(charge(total));
        self.give(at, credit, far);
    }
}
