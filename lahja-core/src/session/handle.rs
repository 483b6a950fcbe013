//! What a session makes of the messages of its peer.

use super::{Announced, Phase, Session, Slot};
use crate::credit::Outlet;
use crate::error::ProtocolError;
use crate::limits::MIN_FRAME;
use crate::message::{FailureReason, Hello, Message, Refusal};

/// What a handled message means to the endpoint.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Happening<'a> {
    Nothing,
    /// Answer with [`Session::accept`] or [`Session::refuse`].
    Hello(Box<Hello>),
    Refused(Refusal),
    /// The handshake is done.
    Established,
    /// Route, then call [`Session::acknowledge`].
    Announced {
        slot: Slot,
        name: &'a str,
        fingerprint: u64,
    },
    /// Remove the route, then call [`Session::acknowledge`].
    Withdrawn {
        slot: Slot,
    },
    /// The peer has seen our announcements up to some epoch. The numbers of these are free again.
    Acknowledged {
        freed: Vec<Slot>,
    },
    /// There may be room again.
    Credit,
    Event {
        number: u32,
        request: Option<u64>,
        payload: &'a [u8],
    },
    /// An event has begun, whose payload will have so many bytes.
    Begun {
        number: u32,
        total: usize,
    },
    /// An event that came in parts.
    Whole {
        number: u32,
        request: Option<u64>,
        payload: Vec<u8>,
    },
    /// An event that had begun does not come.
    Abandoned {
        number: u32,
        total: usize,
    },
    Response {
        id: u64,
        response_type: u64,
        payload: &'a [u8],
    },
    Failed {
        id: u64,
        reason: FailureReason,
    },
    Cancelled {
        id: u64,
    },
    Lagged {
        number: u32,
        count: u64,
    },
    /// What the peer broadcasts as a topic of ours is of another structure.
    Mismatched {
        number: u32,
    },
    Goodbye,
}

impl Session {
    /// Takes a message of the peer.
    ///
    /// # Errors
    ///
    /// The peer broke the protocol: the connection cannot go on.
    pub(crate) fn handle<'a>(
        &mut self,
        message: Message<'a>,
    ) -> Result<Happening<'a>, ProtocolError> {
        match (self.phase, message) {
            // What crosses our own goodbye or refusal still counts where somebody waits for it.
            (Phase::Ended, message) => Ok(self.handle_after_end(message)),
            (_, Message::Unknown) => Ok(Happening::Nothing),
            (Phase::Greeting, Message::Hello(hello)) => {
                let (frame, requests) = (hello.max_frame, hello.max_requests);
                match frame < MIN_FRAME || requests == 0 {
                    true => Err(ProtocolError::LowLimits { frame, requests }),
                    false => Ok(Happening::Hello(hello)),
                }
            }
            (_, Message::Refuse(reason)) => {
                self.phase = Phase::Ended;
                Ok(Happening::Refused(reason))
            }
            (_, Message::Goodbye) => {
                self.phase = Phase::Ended;
                Ok(Happening::Goodbye)
            }
            (Phase::Announcing, Message::Ready) => {
                self.phase = Phase::Established;
                Ok(Happening::Established)
            }
            (
                Phase::Announcing | Phase::Established,
                Message::Announce { epoch, number, window, fingerprint, name },
            ) => {
                let slot = self.open_outlet(epoch, number, window)?;
                Ok(Happening::Announced { slot, name, fingerprint })
            }
            (Phase::Announcing | Phase::Established, Message::Withdraw { epoch, number }) => {
                let slot = self.close_outlet(epoch, number)?;
                Ok(Happening::Withdrawn { slot })
            }
            (Phase::Announcing | Phase::Established, Message::Acknowledge { epoch }) => {
                self.handle_acknowledge(epoch)
            }
            (Phase::Established, message) => self.handle_established(message),
            (_, message) => Err(ProtocolError::OutOfPlace { message: message.kind_name() }),
        }
    }

    fn handle_established<'a>(
        &mut self,
        message: Message<'a>,
    ) -> Result<Happening<'a>, ProtocolError> {
        match message {
            Message::Credit { number, bytes } => self.handle_credit(number, bytes),
            Message::Event { number, request, payload } => {
                self.check_number(number)?;
                if let Some(id) = request {
                    self.open_request(id)?;
                }
                Ok(Happening::Event { number, request, payload })
            }
            Message::Begin { number, request, total } => self.handle_begin(number, request, total),
            Message::Part { number, place, payload } => self.handle_part(number, place, payload),
            Message::Abandon { number } => self.handle_abandon(number),
            Message::Response { id, response_type, payload } if self.asked.remove(&id) => {
                Ok(Happening::Response { id, response_type, payload })
            }
            Message::Failure { id, reason } if self.asked.remove(&id) => {
                Ok(Happening::Failed { id, reason })
            }
            // The response crossed our cancellation, or the id was guessed.
            Message::Response { .. } | Message::Failure { .. } => Ok(Happening::Nothing),
            Message::Cancel { id } if self.asking.remove(&id) => Ok(Happening::Cancelled { id }),
            Message::Cancel { .. } => Ok(Happening::Nothing),
            Message::Lagged { number, count } => {
                self.check_number(number)?;
                Ok(Happening::Lagged { number, count })
            }
            Message::Mismatch { number } => {
                self.check_number(number)?;
                Ok(Happening::Mismatched { number })
            }
            message => Err(ProtocolError::OutOfPlace { message: message.kind_name() }),
        }
    }

    fn handle_after_end<'a>(&mut self, message: Message<'a>) -> Happening<'a> {
        match message {
            Message::Response { id, response_type, payload } if self.asked.remove(&id) => {
                Happening::Response { id, response_type, payload }
            }
            Message::Failure { id, reason } if self.asked.remove(&id) => {
                Happening::Failed { id, reason }
            }
            Message::Refuse(reason) => Happening::Refused(reason),
            Message::Goodbye => Happening::Goodbye,
            _ => Happening::Nothing,
        }
    }

    fn open_outlet(&mut self, epoch: u64, number: u32, window: u32) -> Result<Slot, ProtocolError> {
        self.enter_epoch(epoch)?;
        let max = self.limits.peer_topics;
        if self.live_outlets >= max || number >= max {
            return Err(ProtocolError::TooManyTopics { max });
        }
        let index = number as usize;
        if self.outlets.len() <= index {
            self.outlets.resize_with(index + 1, || None);
        }
        if self.outlets[index].is_some() {
            return Err(ProtocolError::NumberInUse { number });
        }
        self.outlets[index] = Some((epoch, Outlet::new(window)));
        self.live_outlets += 1;
        Ok(Slot { number, epoch })
    }

    fn close_outlet(&mut self, epoch: u64, number: u32) -> Result<Slot, ProtocolError> {
        self.enter_epoch(epoch)?;
        let outlet = self.outlets.get_mut(number as usize).and_then(Option::take);
        let (epoch, _) = outlet.ok_or(ProtocolError::UnknownNumber { number })?;
        self.live_outlets -= 1;
        Ok(Slot { number, epoch })
    }

    fn enter_epoch(&mut self, epoch: u64) -> Result<(), ProtocolError> {
        if epoch != self.peer_epoch + 1 {
            return Err(ProtocolError::WrongEpoch { epoch });
        }
        self.peer_epoch = epoch;
        Ok(())
    }

    fn handle_acknowledge(&mut self, epoch: u64) -> Result<Happening<'static>, ProtocolError> {
        if epoch <= self.acknowledged_by_peer || epoch > self.epoch {
            return Err(ProtocolError::WrongEpoch { epoch });
        }
        self.acknowledged_by_peer = epoch;
        let mut freed = Vec::new();
        let gathering = &mut self.gathering;
        self.announced.retain(|number, announced| match announced {
            Announced::Withdrawn(announced, withdrawn) if *withdrawn <= epoch => {
                gathering.forget(number as u32);
                freed.push(Slot { number: number as u32, epoch: *announced });
                false
            }
            _ => true,
        });
        Ok(Happening::Acknowledged { freed })
    }

    fn handle_credit(
        &mut self,
        number: u32,
        bytes: u64,
    ) -> Result<Happening<'static>, ProtocolError> {
        let outlet = self.outlets.get_mut(number as usize);
        // Credit may cross nothing: its sender withdraws the topic itself.
        let (_, outlet) =
            outlet.and_then(Option::as_mut).ok_or(ProtocolError::UnknownNumber { number })?;
        let count = outlet.give(bytes)?;
        self.push_lagged(number, count);
        Ok(Happening::Credit)
    }

    pub(super) fn push_lagged(&mut self, number: u32, count: u64) {
        if count > 0 {
            self.push(&Message::Lagged { number, count });
        }
    }

    pub(super) fn open_request(&mut self, id: u64) -> Result<(), ProtocolError> {
        let max = self.limits.peer_requests;
        if self.asking.len() >= max as usize {
            return Err(ProtocolError::TooManyRequests { max });
        }
        if !self.asking.insert(id) {
            return Err(ProtocolError::RequestInUse { id });
        }
        Ok(())
    }

    pub(super) fn check_number(&self, number: u32) -> Result<(), ProtocolError> {
        match self.announced.contains(number as usize) {
            true => Ok(()),
            false => Err(ProtocolError::UnknownNumber { number }),
        }
    }
}
