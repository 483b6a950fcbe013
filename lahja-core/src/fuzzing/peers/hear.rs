//! What an end makes of a message: it has to be the next that the other end has said.

use super::end::{End, Said, Topic};
use crate::credit::charge;
use crate::fuzzing::push::Route;
use crate::message::{Message, Place, Refusal};
use crate::session::Happening;

impl End {
    pub(super) fn hear(&mut self, content: &[u8], far: &mut Self) {
        let message = Message::decode(content).expect("a message was written");
        let had_ended = self.session.has_ended();
        let happening = self.session.handle(message.clone());
        let happening = happening.expect("a peer that keeps the rules is not blamed");
        if let Message::Lagged { number, count } = message {
            if !had_ended {
                assert_eq!(happening, Happening::Lagged { number, count });
                self.lose(number, count, far);
            }
            return;
        }
        let said = self.expected.pop_front().expect("something was said");
        assert_same(&said, &message);
        match had_ended {
            true => self.follow_after_end(said, happening),
            false => self.follow(said, happening, far),
        }
    }

    fn follow(&mut self, said: Said, happening: Happening<'_>, far: &mut Self) {
        match (said, happening) {
            (Said::Hello, Happening::Hello(hello)) => {
                if self.refuses {
                    self.session.refuse(Refusal::Closing);
                    far.expected.push_back(Said::Refuse);
                    return;
                }
                self.session.accept(&hello);
                self.is_accepted = true;
                for _ in 0..self.early {
                    self.announce(far);
                }
                self.session.ready();
                far.expected.push_back(Said::Ready);
            }
            (Said::Ready, Happening::Established) => self.is_established = true,
            (Said::Announce(said), Happening::Announced { slot, name, fingerprint }) => {
                assert_eq!((said, name, fingerprint), (slot, "topic", 7));
                self.peer_epoch = self.session.peer_epoch();
                self.routes.push(Route::new(slot, u64::from(far.limits.window).max(1)));
            }
            (Said::Withdraw(said), Happening::Withdrawn { slot }) => {
                assert_eq!(said, slot);
                self.peer_epoch = self.session.peer_epoch();
                self.routes.retain(|route| route.slot != slot);
            }
            (Said::Acknowledge(epoch), Happening::Acknowledged { freed }) => {
                let is_freed = |topic: &Topic| topic.withdrawn.is_some_and(|at| at <= epoch);
                let mut slots: Vec<_> =
                    self.topics.iter().filter(|topic| is_freed(topic)).map(|t| t.slot).collect();
                slots.sort_by_key(|slot| slot.number);
                assert_eq!(freed, slots);
                self.topics.retain(|topic| !is_freed(topic));
            }
            (Said::Credit(number, bytes), Happening::Credit) => {
                let route = self.routes.iter_mut().find(|route| route.slot.number == number);
                route.expect("credit comes before the withdrawal").outstanding -= bytes;
            }
            (Said::Event { number, request, payload: said }, Happening::Event { payload, .. }) => {
                let topic = self.topics.iter_mut().find(|topic| topic.slot.number == number);
                let topic = topic.expect("numbers live until no event can come");
                let received = topic.intake.receive(charge(payload.len()));
                received.expect("a peer that keeps the rules is not blamed");
                topic.queue.push_back(charge(payload.len()));
                assert_eq!(said[..8], topic.count.to_le_bytes(), "an event is missing");
                topic.count += 1;
                self.asking.extend(request);
            }
            (Said::Begin { number, total, .. }, Happening::Begun { number: n, total: t }) => {
                assert_eq!((number, total), (n, t as u64));
                self.begin(number, t);
            }
            (Said::Part { place: Place::Within, .. }, Happening::Nothing) => {}
            (Said::Part { number, .. }, Happening::Whole { request, payload, .. }) => {
                self.complete(number, request, &payload);
            }
            (Said::Abandon(number), Happening::Abandoned { total, .. }) => {
                self.forget(number, total, far);
            }
            (Said::Response { id, .. } | Said::Failure(id), happening) => {
                self.end_request(id, happening);
            }
            (Said::Cancel(id), Happening::Cancelled { id: cancelled }) => {
                assert_eq!(id, cancelled);
                self.asking.retain(|&asking| asking != id);
            }
            (Said::Mismatch(said), Happening::Mismatched { number }) => assert_eq!(said, number),
            // The answer crossed the cancellation.
            (Said::Cancel(id), Happening::Nothing) => assert!(!self.asking.contains(&id)),
            (Said::Goodbye, Happening::Goodbye) | (Said::Refuse, Happening::Refused(_)) => {
                assert_eq!(self.expected, [], "nothing comes after the end");
                assert!(far.routes.iter().all(|route| route.missed == 0), "a loss was not told");
            }
            (said, happening) => panic!("{happening:?} came of {said:?}"),
        }
    }

    fn follow_after_end(&mut self, said: Said, happening: Happening<'_>) {
        match said {
            Said::Response { id, .. } | Said::Failure(id) => self.end_request(id, happening),
            Said::Goodbye => assert_eq!(happening, Happening::Goodbye),
            Said::Refuse => assert_eq!(happening, Happening::Refused(Refusal::Closing)),
            _ => assert_eq!(happening, Happening::Nothing),
        }
    }

    /// A request ends once, and not after it was cancelled.
    fn end_request(&mut self, id: u64, happening: Happening<'_>) {
        let was_asked = self.asked.contains(&id);
        self.asked.retain(|&asked| asked != id);
        match happening {
            Happening::Response { id: ended, .. } | Happening::Failed { id: ended, .. } => {
                assert!(was_asked && id == ended, "request {id} ended twice");
            }
            Happening::Nothing => assert!(!was_asked, "the end of request {id} is lost"),
            happening => panic!("{happening:?} came of an answer"),
        }
    }

    fn lose(&mut self, number: u32, count: u64, far: &mut Self) {
        assert!(count > 0);
        let topic = self.topics.iter_mut().find(|topic| topic.slot.number == number);
        let topic = topic.expect("numbers live until nothing can come");
        topic.count += count;
        if let Some(route) = far.routes.iter_mut().find(|route| route.slot == topic.slot) {
            route.missed = route.missed.checked_sub(count).expect("so many were missed");
        }
    }
}

/// Checks that a message is what was said.
fn assert_same(said: &Said, message: &Message<'_>) {
    let agrees = match (said, message) {
        (Said::Hello, Message::Hello(_))
        | (Said::Refuse, Message::Refuse(Refusal::Closing))
        | (Said::Ready, Message::Ready)
        | (Said::Goodbye, Message::Goodbye) => true,
        (Said::Announce(slot), Message::Announce { epoch, number, .. }) => {
            (slot.epoch, slot.number) == (*epoch, *number)
        }
        (Said::Withdraw(slot), Message::Withdraw { number, .. }) => slot.number == *number,
        (Said::Acknowledge(said), Message::Acknowledge { epoch }) => said == epoch,
        (Said::Credit(said, credit), Message::Credit { number, bytes }) => {
            (said, credit) == (number, bytes)
        }
        (
            Said::Event { number: n, request: r, payload: p },
            Message::Event { number, request, payload },
        ) => n == number && r == request && p == payload,
        (
            Said::Response { id: i, payload: p },
            Message::Response { id, response_type, payload },
        ) => i == id && *response_type == 9 && p == payload,
        (
            Said::Begin { number: n, request: r, total: t },
            Message::Begin { number, request, total },
        ) => (n, r, t) == (number, request, total),
        (
            Said::Part { number: n, place: l, payload: p },
            Message::Part { number, place, payload },
        ) => n == number && l == place && p == payload,
        (Said::Mismatch(said), Message::Mismatch { number })
        | (Said::Abandon(said), Message::Abandon { number }) => said == number,
        (Said::Failure(said), Message::Failure { id, .. })
        | (Said::Cancel(said), Message::Cancel { id }) => said == id,
        _ => false,
    };
    assert!(agrees, "{message:?} came of {said:?}");
}
