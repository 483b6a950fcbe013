//! What a reader makes of events: staged for each topic, small ones packed as they came.

use std::sync::Arc;

use super::Inbound;
use crate::connection::Inlet;
use crate::credit::charge;
use crate::error::{PayloadError, ProtocolError};
use crate::inbox::{MAX_PACKED, Row};
use crate::message::{Message, PlainHeader};
use crate::reply::Reply;
use crate::sync::lock;
use crate::topic::{AnyStage, Wakes};
use crate::transport::FrameReader;

/// What one number stands for.
pub(super) struct Entry {
    inlet: Arc<Inlet>,
    stage: Box<dyn AnyStage>,
    // Behind what is staged; `None` while the run at hand has it.
    row: Option<Row>,
    // How long the last one was, in bytes: the next gets room for as much.
    expected: usize,
    // Whether something may be staged or in a row.
    is_open: bool,
}

/// The row at hand, of events that ask for nothing, for a subscription that takes them as they came.
pub(super) struct Run {
    number: u32,
    header: PlainHeader,
    row: Row,
}

impl Entry {
    /// Stages the events of the row, if there is one.
    fn end_row(&mut self) {
        if let Some(row) = self.row.take() {
            self.expected = row.len();
            self.stage.stage_packed(row.pack());
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
            entry.end_row();
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
        let Some(Run { number, row, .. }) = self.run.take() else { return };
        if let Some(Some(entry)) = self.entries.get_mut(number as usize) {
            entry.row = Some(row);
        }
    }

    /// Takes the events that go on with the run, if one is under way. In a row they need no look at
    /// who is subscribed: what changes meanwhile counts from the next run on.
    pub(super) fn go_on<R: FrameReader>(&mut self, reader: &mut R) {
        let Some(run) = &mut self.run else { return };
        let room = run.row.inlet().room();
        let (mut count, mut charged) = (0, 0);
        let frames = reader.next_alike(run.header, |len| {
            let len = len.saturating_sub(run.header.len());
            let takes = len <= MAX_PACKED && charged < room;
            if takes {
                count += 1;
                charged += charge(len);
            }
            takes
        });
        let Some(frames) = frames else {
            debug_assert_eq!(count, 0, "frames that it agreed to are missing");
            return;
        };
        run.row.inlet().receive_within(charged);
        self.received.frames += count as u64;
        self.received.events += count as u64;
        self.received.bytes += frames.len() as u64;
        if !frames.are_worth_keeping() {
            return run.row.extend(&frames, count);
        }
        // They end the run: what comes behind them begins another.
        let (number, arrived) = (run.number, run.row.pack_arrived(frames, count));
        self.lay_down_run();
        if let Some(Some(entry)) = self.entries.get_mut(number as usize) {
            entry.end_row();
            entry.stage.stage_packed(arrived);
        }
    }

    /// Takes an event that asks for nothing. Tells whether its number is known.
    pub(super) fn receive_plain(
        &mut self,
        number: u32,
        content: &[u8],
        payload: &[u8],
    ) -> Result<bool, ProtocolError> {
        match &mut self.run {
            Some(run) if run.number == number && payload.len() <= MAX_PACKED => {
                run.row.inlet().receive(payload.len())?;
                run.row.push(content);
                return Ok(true);
            }
            _ => self.lay_down_run(),
        }
        let Some(Some(entry)) = self.entries.get_mut(number as usize) else {
            return Ok(false);
        };
        match &entry.row {
            Some(_) if payload.len() <= MAX_PACKED => {
                entry.inlet.receive(payload.len())?;
                if let Some(row) = entry.row.take() {
                    self.take_up_run(number, row, content);
                }
            }
            _ => self.begin_run(number, content, payload)?,
        }
        Ok(true)
    }

    /// Takes an event that may be the first of a run.
    fn begin_run(
        &mut self,
        number: u32,
        content: &[u8],
        payload: &[u8],
    ) -> Result<(), ProtocolError> {
        let Some(Some(entry)) = self.entries.get(number as usize) else { return Ok(()) };
        let joins = entry.stage.is_current() && entry.stage.packs();
        if payload.len() > MAX_PACKED || !joins {
            self.stage_alone(number);
        }
        let Some(Some(entry)) = self.entries.get_mut(number as usize) else { return Ok(()) };
        if payload.len() > MAX_PACKED || !entry.stage.packs() {
            return self.receive(number, None, payload);
        }
        entry.inlet.receive(payload.len())?;
        let expected = match self.open.is_empty() {
            true => entry.expected,
            false => entry.expected.min(MAX_PACKED),
        };
        if !entry.is_open {
            entry.is_open = true;
            self.open.push(number);
        }
        let row = Row::new(entry.inlet.clone(), self.shared.limits.depth, expected);
        self.take_up_run(number, row, content);
        Ok(())
    }

    /// Goes on with a run, and the event that comes next.
    fn take_up_run(&mut self, number: u32, mut row: Row, content: &[u8]) {
        row.push(content);
        let header = Message::plain_event(number, None).expect("it is a plain event's");
        self.run = Some(Run { number, header, row });
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
                row: None,
                expected: 0,
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
            &mut Option<Arc<Reply>>,
            &mut Wakes,
        ) -> Result<(), PayloadError>,
    ) {
        self.lay_down_run();
        self.stage_alone(number);
        let Some(Some(entry)) = self.entries.get_mut(number as usize) else { return };
        entry.end_row();
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
