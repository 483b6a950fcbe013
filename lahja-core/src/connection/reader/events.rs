//! What a reader makes of events: staged topic by topic, small ones packed as they came.

use std::sync::Arc;

use super::Inbound;
use crate::connection::Inlet;
use crate::error::{PayloadError, ProtocolError};
use crate::inbox::{MAX_PACKED, Packed};
use crate::reply::Reply;
use crate::sync::lock;
use crate::topic::{AnyStage, Wakes};

/// How many topics gather events of a batch at once.
const MAX_OPEN: usize = 256;

/// What one number stands for.
pub(super) struct Entry {
    inlet: Arc<Inlet>,
    stage: Box<dyn AnyStage>,
    // Behind what is staged, unless it is the one at hand.
    run: Option<Packed>,
    // How many bytes the last run had.
    packed: usize,
    // Whether something may be staged or in the run.
    is_open: bool,
}

/// Events of one topic that ask for nothing, for a subscription that takes them as they came.
pub(super) struct Run {
    pub(super) number: u32,
    pub(super) packed: Packed,
}

impl Entry {
    /// Stages the events of the run, if there is one.
    fn end_run(&mut self) {
        if let Some(run) = self.run.take() {
            self.packed = run.len();
            self.stage.stage_packed(run);
        }
    }
}

impl Inbound<'_> {
    /// Queues what is staged at its subscriptions.
    pub(super) fn flush(&mut self) {
        if self.open.is_empty() {
            return;
        }
        self.lay_down_run();
        // Whoever sees an event of one topic is to see those of others that came before it.
        let gate = (self.open.len() > 1).then_some(&self.shared.gate);
        let held = gate.map(|gate| lock(gate));
        for &number in &self.open {
            let Some(Some(entry)) = self.entries.get_mut(number as usize) else { continue };
            entry.end_run();
            entry.stage.flush(&mut self.wakes, gate);
            entry.is_open = false;
        }
        drop(held);
        for number in self.open.drain(..) {
            let Some(Some(entry)) = self.entries.get_mut(number as usize) else { continue };
            entry.stage.discard();
        }
    }

    /// Puts the run at hand where the others are.
    fn lay_down_run(&mut self) {
        let Some(Run { number, packed }) = self.run.take() else { return };
        if let Some(Some(entry)) = self.entries.get_mut(number as usize) {
            entry.run = Some(packed);
        }
    }

    /// Takes an event that asks for nothing and does not belong to the run at hand. Tells whether its
    /// number is known.
    pub(super) fn receive_plain(
        &mut self,
        number: u32,
        payload: &[u8],
    ) -> Result<bool, ProtocolError> {
        self.lay_down_run();
        let Some(Some(entry)) = self.entries.get_mut(number as usize) else {
            return Ok(false);
        };
        match entry.run.take() {
            Some(packed) if payload.len() <= MAX_PACKED => {
                let Run { packed, .. } = self.run.insert(Run { number, packed });
                packed.inlet().receive(payload.len())?;
                packed.push(payload);
            }
            run => {
                entry.run = run;
                self.begin_run(number, payload)?;
            }
        }
        Ok(true)
    }

    /// Takes an event that may be the first of a run.
    fn begin_run(&mut self, number: u32, payload: &[u8]) -> Result<(), ProtocolError> {
        let Some(Some(entry)) = self.entries.get(number as usize) else { return Ok(()) };
        let joins = entry.stage.is_current() && entry.stage.packs() && self.open.len() < MAX_OPEN;
        if payload.len() > MAX_PACKED || !joins {
            self.stage_alone(number);
        }
        let Some(Some(entry)) = self.entries.get_mut(number as usize) else { return Ok(()) };
        if payload.len() > MAX_PACKED || !entry.stage.packs() {
            return self.receive(number, None, payload);
        }
        entry.inlet.receive(payload.len())?;
        let expected = match self.open.is_empty() {
            true => entry.packed,
            false => entry.packed.min(MAX_PACKED),
        };
        let mut packed = Packed::new(entry.inlet.clone(), self.shared.limits.depth, expected);
        packed.push(payload);
        self.run = Some(Run { number, packed });
        if !entry.is_open {
            entry.is_open = true;
            self.open.push(number);
        }
        Ok(())
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
                run: None,
                packed: 0,
                is_open: false,
            });
        }
    }

    /// Queues what is staged of other topics, since decoding an event and a predicate are the user's
    /// code, which may look at them. Looks again at who is subscribed to this one.
    fn stage_alone(&mut self, number: u32) {
        let Some(Some(entry)) = self.entries.get(number as usize) else { return };
        let is_current = entry.stage.is_current();
        if is_current && self.open == [number] {
            return;
        }
        self.flush();
        let Some(Some(entry)) = self.entries.get_mut(number as usize) else { return };
        if !is_current {
            entry.stage.refresh();
        }
        entry.is_open = true;
        self.open.push(number);
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
        self.lay_down_run();
        self.stage_alone(number);
        let Some(Some(entry)) = self.entries.get_mut(number as usize) else { return };
        entry.end_run();
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
