//! What a reader makes of events: staged topic by topic, small ones packed as they came.

use std::sync::Arc;

use super::Inbound;
use crate::connection::Inlet;
use crate::credit::charge;
use crate::error::{PayloadError, ProtocolError};
use crate::inbox::{MAX_PACKED, Packed};
use crate::message::{Message, PlainHeader};
use crate::reply::Reply;
use crate::topic::{AnyStage, Wakes};
use crate::transport::FrameReader;

/// What one number stands for.
pub(super) struct Entry {
    inlet: Arc<Inlet>,
    stage: Box<dyn AnyStage>,
    // How many bytes the last run had.
    packed: usize,
}

/// Events of one topic in a row that ask for nothing, for a subscription that takes them as they
/// came.
pub(super) struct Run {
    number: u32,
    header: PlainHeader,
    inlet: Arc<Inlet>,
    packed: Packed,
}

impl Inbound<'_> {
    /// Queues what is staged at its subscriptions.
    pub(super) fn flush(&mut self) {
        self.end_run();
        let Some(number) = self.staged.take() else { return };
        if let Some(Some(entry)) = self.entries.get_mut(number as usize) {
            entry.stage.flush(&mut self.wakes);
        }
    }

    /// Stages the events of the run that is under way, if there is one.
    fn end_run(&mut self) {
        let Some(Run { number, packed, .. }) = self.run.take() else { return };
        if let Some(Some(entry)) = self.entries.get_mut(number as usize) {
            entry.packed = packed.len();
            entry.stage.stage_packed(packed);
        }
    }

    /// Takes the events that go on with the run, if one is under way. In a row they need no look at
    /// who is subscribed: what changes meanwhile counts from the next batch on.
    pub(super) fn go_on<R: FrameReader>(&mut self, reader: &mut R) {
        let Some(run) = &mut self.run else { return };
        let room = run.inlet.room();
        let (mut count, mut charged) = (0, 0);
        let frames = reader.next_alike(run.header, |len| {
            let len = len - run.header.len();
            let takes = len <= MAX_PACKED && charged < room;
            if takes {
                count += 1;
                charged += charge(len);
            }
            takes
        });
        run.inlet.receive_within(charged);
        run.packed.extend(frames);
        self.received.frames += count;
        self.received.events += count;
        self.received.bytes += frames.len() as u64;
    }

    /// Takes an event that asks for nothing. Tells whether its number is known.
    pub(super) fn receive_plain(
        &mut self,
        number: u32,
        content: &[u8],
        payload: &[u8],
    ) -> Result<bool, ProtocolError> {
        let Some(Some(_)) = self.entries.get(number as usize) else {
            return Ok(false);
        };
        self.stage_for(number);
        if let (Some(run), 0..=MAX_PACKED) = (&mut self.run, payload.len()) {
            run.inlet.receive(payload.len())?;
            run.packed.push(content);
            return Ok(true);
        }
        let Some(Some(entry)) = self.entries.get_mut(number as usize) else {
            unreachable!("it has just been there");
        };
        if payload.len() <= MAX_PACKED && entry.stage.begin(&mut self.wakes) {
            let inlet = entry.inlet.clone();
            inlet.receive(payload.len())?;
            let mut packed = Packed::new(inlet.clone(), self.shared.limits.depth, entry.packed);
            packed.push(content);
            let header = Message::plain_event(number, None).expect("it is a plain event's");
            self.run = Some(Run { number, header, inlet, packed });
        } else {
            self.receive(number, None, payload)?;
        }
        Ok(true)
    }

    /// Finds what a number stands for and keeps it at hand.
    pub(super) fn open(&mut self, number: u32) {
        let index = number as usize;
        if self.entries.len() <= index {
            self.entries.resize_with(index + 1, || None);
        }
        if self.entries[index].is_none() {
            self.entries[index] = self.connection.inlet(number).map(|inlet| Entry {
                stage: inlet.topic.clone().stage(inlet.clone()),
                inlet,
                packed: 0,
            });
        }
    }

    /// Queues what is staged of another topic.
    fn stage_for(&mut self, number: u32) {
        if self.staged != Some(number) {
            self.flush();
            self.staged = Some(number);
        }
    }

    /// Hands an event to the subscriptions of its topic.
    pub(super) fn receive(
        &mut self,
        number: u32,
        request: Option<u64>,
        payload: &[u8],
    ) -> Result<(), ProtocolError> {
        if let Some(Some(entry)) = self.entries.get(number as usize) {
            entry.inlet.receive(payload.len())?;
        }
        self.hand_over(number, request, |stage, reply, wakes| stage.receive(payload, reply, wakes));
        Ok(())
    }

    /// Hands an event that is counted to the subscriptions of its topic.
    pub(super) fn hand_over(
        &mut self,
        number: u32,
        request: Option<u64>,
        stage: impl FnOnce(
            &mut dyn AnyStage,
            Option<Arc<Reply>>,
            &mut Wakes,
        ) -> Result<(), PayloadError>,
    ) {
        self.stage_for(number);
        self.end_run();
        let Some(Some(entry)) = self.entries.get_mut(number as usize) else { return };
        let inlet = &entry.inlet;
        let reply = request.map(|id| {
            let connection = self.connection.clone();
            Reply::to_peer(connection, id, inlet.topic.response())
        });
        if let Err(error) = stage(&mut *entry.stage, reply.clone(), &mut self.wakes) {
            let event = inlet.topic.name();
            self.shared.trouble.malformed(inlet.origin(), event, &error);
            reply.inspect(|reply| reply.refuse());
        }
    }
}
