//! What a reader makes of events: staged topic by topic, small ones packed as they came.

use std::sync::Arc;

use super::Inbound;
use crate::connection::Inlet;
use crate::error::{PayloadError, ProtocolError};
use crate::inbox::{MAX_PACKED, Packed};
use crate::reply::Reply;
use crate::topic::{AnyStage, Wakes};

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
    pub(super) number: u32,
    pub(super) packed: Packed,
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
        let Some(Run { number, packed }) = self.run.take() else { return };
        if let Some(Some(entry)) = self.entries.get_mut(number as usize) {
            entry.packed = packed.len();
            entry.stage.stage_packed(packed);
        }
    }

    /// Takes an event that asks for nothing. Tells whether its number is known.
    pub(super) fn receive_plain(
        &mut self,
        number: u32,
        payload: &[u8],
    ) -> Result<bool, ProtocolError> {
        let Some(Some(_)) = self.entries.get(number as usize) else {
            return Ok(false);
        };
        self.stage_for(number);
        let Some(Some(entry)) = self.entries.get_mut(number as usize) else {
            unreachable!("it has just been there");
        };
        if payload.len() <= MAX_PACKED && entry.stage.begin(&mut self.wakes) {
            let inlet = entry.inlet.clone();
            inlet.receive(payload.len())?;
            let mut packed = Packed::new(inlet, self.shared.limits.depth, entry.packed);
            packed.push(payload);
            self.run = Some(Run { number, packed });
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
            &mut Option<Arc<Reply>>,
            &mut Wakes,
        ) -> Result<(), PayloadError>,
    ) {
        self.stage_for(number);
        self.end_run();
        let Some(Some(entry)) = self.entries.get_mut(number as usize) else { return };
        let inlet = &entry.inlet;
        let mut reply = request.map(|id| {
            let connection = self.connection.clone();
            Reply::to_peer(connection, id, inlet.topic.response())
        });
        if let Err(error) = stage(&mut *entry.stage, &mut reply, &mut self.wakes) {
            let event = inlet.topic.name();
            self.shared.trouble.malformed(inlet.origin(), event, &error);
            reply.inspect(|reply| reply.refuse());
        }
    }
}
