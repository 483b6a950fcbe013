//! Small events that several peers get alike, queued once for all of them.
//!
//! To queue an event at each connection takes a lock and a copy for each. A [`Batch`] is the end of
//! the queue that several connections have in common: whoever broadcasts appends to it alone, which
//! counts as appended to the queue of each. It is over as soon as anybody looks at one of these
//! connections, whose queue has its frames before anything else happens there; the others keep theirs
//! until somebody looks at them. So nobody sees events missing, or anything before its turn.
//!
//! How much fits is known from the beginning: nothing that changes it happens before the batch is over.

use std::sync::Arc;

use super::outbound::WRITE_AT;
use crate::credit::charge;
use crate::frame::FrameBuffer;
use crate::message::PlainHeader;
use crate::session::{Allowance, PART};
use crate::sync::Brief;

/// With so much in it, or an event as long as a part of a large one, a batch is written, from the same
/// memory to all, as what one connection has queued by itself would be.
pub(super) const FULL: usize = if cfg!(shuttle) { 20 } else { WRITE_AT };

/// Events that several connections have in common at the end of their queues.
#[derive(Debug, Default)]
pub(super) struct Batch {
    state: Brief<State>,
}

#[derive(Debug, Default)]
struct State {
    // None: connections join still, or the batch is over.
    open: Option<Open>,
    is_over: bool,
    // How many events were taken.
    count: u64,
    // What was in it, for those who have not got it yet, and how many these are.
    frames: Option<Frames>,
    waiting: usize,
}

#[derive(Debug)]
struct Open {
    frames: FrameBuffer,
    charged: u64,
    allowance: Allowance,
    members: usize,
}

/// What was in a batch.
#[derive(Debug, Clone)]
pub(super) struct Frames {
    pub(super) bytes: Arc<Vec<u8>>,
    pub(super) count: u64,
    pub(super) charged: u64,
}

/// How a batch takes an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Append {
    Taken,
    /// It is taken, and there is so much now that a caller writes it.
    Full,
    /// It is not taken, since the batch is over or has no room. It took so many others.
    Refused(u64),
}

impl Batch {
    /// Opens a batch that so many connections have joined, of which none allows less, with an event.
    /// Frames gather in `memory`, which is empty.
    pub(super) fn open(
        &self,
        members: usize,
        allowance: Allowance,
        memory: Vec<u8>,
        header: PlainHeader,
        payload: &[u8],
    ) -> Append {
        let mut state = self.state.lock();
        if !state.is_over {
            let frames = FrameBuffer::over(memory);
            state.open = Some(Open { frames, charged: 0, allowance, members });
        }
        state.append(header, payload)
    }

    /// Appends an event to the queues of all who have joined.
    #[inline]
    pub(super) fn append(&self, header: PlainHeader, payload: &[u8]) -> Append {
        self.state.lock().append(header, payload)
    }

    /// Ends the batch. Returns what is in it, if somebody has not got it yet.
    pub(super) fn end(&self) -> Option<Frames> {
        let mut state = self.state.lock();
        state.end();
        state.frames.clone()
    }

    /// Ends the batch for one of those who have joined, who has what is in it now.
    pub(super) fn leave(&self) -> Option<Frames> {
        let mut state = self.state.lock();
        state.end();
        state.waiting = state.waiting.saturating_sub(1);
        match state.waiting {
            0 => state.frames.take(),
            _ => state.frames.clone(),
        }
    }
}

impl State {
    #[inline]
    fn append(&mut self, header: PlainHeader, payload: &[u8]) -> Append {
        let Some(open) = &mut self.open else { return Append::Refused(self.count) };
        let Allowance { credit, bytes } = open.allowance;
        if open.charged >= credit || open.frames.len() >= bytes {
            return Append::Refused(self.count);
        }
        open.frames.push_parts(header, payload);
        open.charged += charge(payload.len());
        self.count += 1;
        match open.frames.len() < FULL && payload.len() < PART {
            true => Append::Taken,
            false => Append::Full,
        }
    }

    fn end(&mut self) {
        self.is_over = true;
        if let Some(Open { mut frames, charged, members, .. }) = self.open.take() {
            let bytes = Arc::new(frames.take_bytes());
            self.frames = Some(Frames { bytes, count: self.count, charged });
            self.waiting = members;
        }
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    const HEADER: PlainHeader = [1, 0, 0];
    const PLENTY: Allowance = Allowance { credit: 1 << 30, bytes: 1 << 30 };

    fn taken(batch: &Batch) -> u64 {
        batch.leave().map_or(0, |frames| frames.count)
    }

    #[test]
    fn everybody_who_has_joined_takes_the_same_memory_once() {
        let batch = Batch::default();
        assert_eq!(batch.open(2, PLENTY, Vec::new(), HEADER, &[7]), Append::Taken);
        assert_eq!(batch.append(HEADER, &[8, 8]), Append::Taken);
        let (first, second) = (batch.leave().unwrap(), batch.leave().unwrap());
        assert_eq!(*first.bytes, [4, 0, 0, 0, 1, 0, 0, 7, 5, 0, 0, 0, 1, 0, 0, 8, 8]);
        assert_eq!((first.count, first.charged), (2, charge(1) + charge(2)));
        assert!(Arc::ptr_eq(&first.bytes, &second.bytes));
        // The batch keeps nothing itself.
        assert_eq!(Arc::strong_count(&first.bytes), 2);
        assert_eq!(taken(&batch), 0);
    }

    #[test]
    fn a_batch_is_over_when_the_first_has_left_it() {
        let batch = Batch::default();
        batch.open(3, PLENTY, Vec::new(), HEADER, &[7]);
        assert_eq!(taken(&batch), 1);
        assert_eq!(batch.append(HEADER, &[8]), Append::Refused(1));
        assert_eq!((taken(&batch), taken(&batch), taken(&batch)), (1, 1, 0));
    }

    #[test]
    fn a_batch_that_somebody_left_before_it_was_open_takes_nothing() {
        let batch = Batch::default();
        assert_eq!(batch.append(HEADER, &[7]), Append::Refused(0));
        assert_eq!(taken(&batch), 0);
        assert_eq!(batch.open(2, PLENTY, Vec::new(), HEADER, &[7]), Append::Refused(0));
        assert_eq!(taken(&batch), 0);
    }

    #[test]
    fn a_batch_takes_what_is_allowed_and_the_event_that_exceeds_it() {
        let credit = Allowance { credit: 2 * charge(1) + 1, ..PLENTY };
        let bytes = Allowance { bytes: 2 * 8 + 1, ..PLENTY };
        for allowance in [credit, bytes, credit.and(bytes)] {
            let batch = Batch::default();
            assert_eq!(batch.open(1, allowance, Vec::new(), HEADER, &[7]), Append::Taken);
            assert_eq!(batch.append(HEADER, &[7]), Append::Taken);
            assert_eq!(batch.append(HEADER, &[7]), Append::Taken);
            assert_eq!(batch.append(HEADER, &[7]), Append::Refused(3));
        }
    }

    #[test]
    fn a_batch_is_full_when_it_is_worth_to_be_written() {
        let batch = Batch::default();
        let half = vec![7; FULL / 2 - 7];
        assert_eq!(batch.open(1, PLENTY, Vec::new(), HEADER, &half), Append::Taken);
        assert_eq!(batch.append(HEADER, &half[1..]), Append::Taken);
        assert_eq!(batch.append(HEADER, &[]), Append::Full);
        assert_eq!(batch.end().unwrap().bytes.len(), FULL + 6);
        assert_eq!(batch.append(HEADER, &[]), Append::Refused(3));
    }

    #[test]
    fn an_event_as_long_as_a_part_fills_a_batch() {
        let batch = Batch::default();
        assert_eq!(batch.open(1, PLENTY, Vec::new(), HEADER, &vec![7; PART - 1]), Append::Taken);
        let batch = Batch::default();
        assert_eq!(batch.open(1, PLENTY, Vec::new(), HEADER, &vec![7; PART]), Append::Full);
    }
}
