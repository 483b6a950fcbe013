//! What a peer says that knows the protocol well enough to come far.

use super::{End, Input};
use crate::error::ProtocolError;
use crate::fuzzing::hello::hello;
use crate::limits::Limits;
use crate::message::{FailureReason, Message, Refusal};

impl End {
    /// Has the peer begin as one that keeps the rules.
    pub(super) fn shake_hands(&mut self, input: &mut Input<'_>) -> Result<(), ProtocolError> {
        for message in [Message::Hello(Box::new(hello("b", &limits(input)))), Message::Ready] {
            let mut content = Vec::new();
            message.encode(&mut content);
            self.hear(&content, input)?;
        }
        Ok(())
    }

    /// Makes the content of a frame: any bytes, or a message with numbers that may be right.
    pub(super) fn said(&mut self, byte: u8, input: &mut Input<'_>) -> Vec<u8> {
        let mut content = Vec::new();
        // What breaks the rules ends the conversation, so most does not.
        let is_rude = input.seldom();
        if byte >= 0x70 && (is_rude || !self.topics.is_empty()) {
            let message = self.said_of_parts(byte, input);
            message.encode(&mut content);
            assert_eq!(Message::decode(&content).as_ref(), Ok(&message));
            return content;
        }
        let kind = match byte % 20 {
            kind if is_rude || self.may_be_said(kind) => kind,
            _ => 13,
        };
        if let Some(message) = self.message(kind, input) {
            message.encode(&mut content);
            assert_eq!(Message::decode(&content).as_ref(), Ok(&message));
            if is_rude && input.byte() < 0x40 {
                content.pop();
            }
        } else if kind == 0 {
            let len = input.below(40);
            content.extend(input.bytes(len));
        } else {
            // An event with options, whose length may be that of no bytes.
            content.extend([0x08, 0x02, self.announced(input) as u8, input.byte() % 20]);
            content.extend(few(input));
        }
        content
    }

    /// Tells whether there is a message of this kind that keeps the rules.
    fn may_be_said(&self, kind: u8) -> bool {
        match kind {
            0 => false,
            2 => !self.is_accepted,
            3 => false,
            4 | 5 => self.routes.len() < self.limits.topics as usize,
            6 => !self.routes.is_empty(),
            7 => !self.session.is_acknowledged(self.session.epoch()),
            8 | 9 => self.routes.iter().any(|route| route.outstanding > 0),
            1 | 10..=12 | 16 | 18 | 19 => !self.topics.is_empty(),
            _ => true,
        }
    }

    fn message(&mut self, kind: u8, input: &mut Input<'_>) -> Option<Message<'static>> {
        let id = |input: &mut Input<'_>| u64::from(input.byte() % 4);
        Some(match kind {
            0 | 1 => return None,
            2 => Message::Hello(Box::new(hello("b", &limits(input)))),
            3 => Message::Ready,
            4 | 5 => Message::Announce {
                epoch: self.epoch(input),
                number: self.unused_number(input),
                window: input.one_of(&[100, 1, 0, 1_000, u32::MAX]),
                fingerprint: 0,
                name: "topic",
            },
            6 => Message::Withdraw { epoch: self.epoch(input), number: self.wanted(input) },
            7 => Message::Acknowledge {
                epoch: match input.byte() {
                    byte @ 0..0x10 => byte.into(),
                    _ => self.session.epoch(),
                },
            },
            8 | 9 => {
                let owing = self.routes.iter().find(|route| route.outstanding > 0);
                let number = match owing {
                    Some(route) if input.byte() < 0x80 => route.slot.number,
                    _ => self.wanted(input),
                };
                let route = self.routes.iter().find(|route| route.slot.number == number);
                let outstanding = route.map_or(0, |route| route.outstanding);
                let bytes = match input.byte() {
                    0..0x40 => outstanding,
                    0x40..0x44 => outstanding + 1,
                    byte => u64::from(byte - 0x43).min(outstanding),
                };
                Message::Credit { number, bytes }
            }
            10 | 11 => {
                Message::Event { number: self.announced(input), request: None, payload: few(input) }
            }
            12 | 18 | 19 => {
                let is_full = self.asking.len() >= self.limits.requests as usize;
                let request = (!is_full || input.byte() < 0x20).then(|| self.unused_id(input));
                Message::Event { number: self.announced(input), request, payload: few(input) }
            }
            13 => Message::Response { id: id(input), response_type: 0, payload: few(input) },
            14 => Message::Failure { id: id(input), reason: FailureReason::Malformed },
            15 => Message::Cancel { id: id(input) },
            16 => Message::Lagged { number: self.announced(input), count: u64::from(input.byte()) },
            _ => match input.byte() {
                0..0x80 => Message::Unknown,
                0x80..0xf0 => Message::Mismatch { number: self.announced(input) },
                0xf0..0xf8 => Message::Goodbye,
                0xf8.. => Message::Refuse(Refusal::NameTaken),
            },
        })
    }

    /// Checks that no more is given back than was sent.
    pub(super) fn take_credit(&mut self, number: u32, bytes: u64) {
        let route = self.routes.iter_mut().find(|route| route.slot.number == number);
        let route = route.expect("credit is taken for topics of the peer");
        assert!((1..=route.outstanding).contains(&bytes), "credit of {bytes} for {route:?}");
        route.outstanding -= bytes;
    }

    /// The number of a topic of ours, most often.
    pub(super) fn announced(&self, input: &mut Input<'_>) -> u32 {
        let at = input.below(self.topics.len());
        self.topics.get(at).filter(|_| !input.seldom()).map_or(number(input), |t| t.slot.number)
    }

    /// The number of a topic of the peer's, most often.
    fn wanted(&self, input: &mut Input<'_>) -> u32 {
        let at = input.below(self.routes.len());
        self.routes.get(at).filter(|_| !input.seldom()).map_or(number(input), |r| r.slot.number)
    }

    /// A number that the peer may give to a topic, most often.
    fn unused_number(&self, input: &mut Input<'_>) -> u32 {
        let is_used = |number| self.routes.iter().any(|route| route.slot.number == number);
        let unused = (0..self.limits.topics).find(|&number| !is_used(number));
        unused.filter(|_| !input.seldom()).unwrap_or(number(input))
    }

    /// An id that the peer may give to a request, most often.
    pub(super) fn unused_id(&self, input: &mut Input<'_>) -> u64 {
        let id = u64::from(input.byte() % 4);
        match self.asking.contains(&id) && !input.seldom() {
            true => (0..).find(|id| !self.asking.contains(id)).expect("there are enough"),
            false => id,
        }
    }

    /// The epoch that is due, most often.
    fn epoch(&self, input: &mut Input<'_>) -> u64 {
        match input.byte() {
            byte @ 0..8 => byte.into(),
            _ => self.peer_epoch + 1,
        }
    }
}

fn number(input: &mut Input<'_>) -> u32 {
    match input.byte() {
        0xff => u32::MAX,
        byte => u32::from(byte) % 5,
    }
}

fn few(input: &mut Input<'_>) -> &'static [u8] {
    &[5; 255][..usize::from(input.byte()) / 4]
}

/// The limits that a peer tells, some of which are too low.
fn limits(input: &mut Input<'_>) -> Limits {
    Limits {
        frame: input.one_of(&[256, 300, 400, 255]),
        topics: input.one_of(&[3, 1, 0]),
        requests: input.one_of(&[2, 4, 1, 0]),
        ..Limits::default()
    }
}
