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
use std::task::Waker;

use super::outbound::WRITE_AT;
use super::{Burst, Connection};
use crate::credit::charge;
use crate::frame::FrameBuffer;
use crate::message::PlainHeader;
use crate::session::{Allowance, Slot};
use crate::sync::{Mutex, lock};

/// With so much in it a batch is written: each of many consumers that take turns has more to do in its
/// turn than with the half of it, and all writes are from the same memory.
const FULL: usize = 2 * WRITE_AT;

/// Events that several connections have in common at the end of their queues.
#[derive(Debug)]
pub(crate) struct Batch {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    frames: FrameBuffer,
    count: u64,
    charged: u64,
    // What of it is left by now.
    allowance: Allowance,
}

#[derive(Debug)]
enum Phase {
    /// Connections join.
    Beginning,
    Open {
        members: usize,
    },
    Over {
        /// Nobody: there is nothing in it, or everybody has it.
        frames: Option<Frames>,
        /// How many have not got it yet.
        members: usize,
    },
}

/// What was in a batch.
#[derive(Debug, Clone)]
pub(crate) struct Frames {
    pub(crate) bytes: Arc<Vec<u8>>,
    pub(super) count: u64,
    pub(super) charged: u64,
}

/// How a batch takes an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Append {
    Taken,
    /// It is taken, and there is so much now that a caller [sends](Connection::send_batch) it.
    Full,
    /// It is not taken, since the batch is over or has no room. It took so many others.
    Refused(u64),
}

impl Batch {
    /// Begins a batch whose frames gather in `spare`, which is empty.
    pub(crate) fn new(spare: Vec<u8>) -> Self {
        let state = State {
            phase: Phase::Beginning,
            frames: FrameBuffer::over(spare),
            count: 0,
            charged: 0,
            allowance: Allowance::MAX,
        };
        Self { state: Mutex::new(state) }
    }

    /// Opens a batch that so many connections have joined, of which none allows less, with an event.
    pub(crate) fn open(
        &self,
        members: usize,
        allowance: Allowance,
        header: PlainHeader,
        payload: &[u8],
    ) -> Append {
        let mut state = lock(&self.state);
        if matches!(state.phase, Phase::Beginning) {
            state.phase = Phase::Open { members };
            state.allowance = allowance;
        }
        state.append(header, payload)
    }

    /// Appends an event to the queues of all who have joined.
    #[inline]
    pub(crate) fn append(&self, header: PlainHeader, payload: &[u8]) -> Append {
        lock(&self.state).append(header, payload)
    }

    /// Ends the batch. Returns what is in it.
    pub(crate) fn end(&self) -> Option<Frames> {
        let mut state = lock(&self.state);
        match state.end() {
            Phase::Over { frames, .. } => frames.clone(),
            _ => None,
        }
    }

    /// Ends the batch for one of those who have joined, who has what is in it now.
    pub(super) fn leave(&self) -> Option<Frames> {
        let mut state = lock(&self.state);
        match state.end() {
            Phase::Over { frames, members } => {
                *members = members.saturating_sub(1);
                if *members == 0 { frames.take() } else { frames.clone() }
            }
            _ => None,
        }
    }
}

impl State {
    #[inline]
    fn append(&mut self, header: PlainHeader, payload: &[u8]) -> Append {
        let has_room =
            self.allowance.credit > self.charged && self.allowance.bytes > self.frames.len();
        if !matches!(self.phase, Phase::Open { .. }) || !has_room {
            return Append::Refused(self.count);
        }
        self.frames.push_parts(header, payload);
        self.count += 1;
        self.charged += charge(payload.len());
        match self.frames.len() < FULL {
            true => Append::Taken,
            false => Append::Full,
        }
    }

    fn end(&mut self) -> &mut Phase {
        let members = match self.phase {
            Phase::Over { .. } => return &mut self.phase,
            Phase::Beginning => 0,
            Phase::Open { members } => members,
        };
        let (count, charged) = (self.count, self.charged);
        let bytes = self.frames.take_bytes();
        let frames = (count > 0).then(|| Frames { bytes: Arc::new(bytes), count, charged });
        self.phase = Phase::Over { frames, members };
        &mut self.phase
    }
}

impl Connection {
    /// Has the events of a batch follow what is queued for a topic, and the writer loop look after
    /// them. Returns how much may follow, and whom to wake. `None` if they may have to wait.
    pub(crate) fn join(
        &self,
        slot: Slot,
        batch: &Arc<Batch>,
        burst: &mut Burst,
    ) -> Option<(Allowance, Option<Waker>)> {
        let mut outbound = self.outbound();
        // A caller is to write at once.
        if outbound.writer.is_some() && !outbound.is_gathering() && self.is_slow(burst) {
            return None;
        }
        let allowance = outbound.session.allowance(slot).filter(|_| !outbound.failed)?;
        outbound.batch = Some((slot, batch.clone()));
        // Whoever has the writer looks again.
        let is_looked_after = outbound.writer.is_none() || outbound.scheduled;
        Some((allowance, if is_looked_after { None } else { outbound.schedule() }))
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
        let batch = Batch::new(Vec::new());
        assert_eq!(batch.open(2, PLENTY, HEADER, &[7]), Append::Taken);
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
        let batch = Batch::new(Vec::new());
        batch.open(3, PLENTY, HEADER, &[7]);
        assert_eq!(taken(&batch), 1);
        assert_eq!(batch.append(HEADER, &[8]), Append::Refused(1));
        assert_eq!((taken(&batch), taken(&batch), taken(&batch)), (1, 1, 0));
    }

    #[test]
    fn a_batch_that_somebody_left_before_it_was_open_takes_nothing() {
        let batch = Batch::new(Vec::new());
        assert_eq!(batch.append(HEADER, &[7]), Append::Refused(0));
        assert_eq!(taken(&batch), 0);
        assert_eq!(batch.open(2, PLENTY, HEADER, &[7]), Append::Refused(0));
        assert_eq!(taken(&batch), 0);
    }

    #[test]
    fn a_batch_takes_what_is_allowed_and_the_event_that_exceeds_it() {
        let credit = Allowance { credit: 2 * charge(1) + 1, ..PLENTY };
        let bytes = Allowance { bytes: 2 * 8 + 1, ..PLENTY };
        for allowance in [credit, bytes, credit.and(bytes)] {
            let batch = Batch::new(Vec::new());
            assert_eq!(batch.open(1, allowance, HEADER, &[7]), Append::Taken);
            assert_eq!(batch.append(HEADER, &[7]), Append::Taken);
            assert_eq!(batch.append(HEADER, &[7]), Append::Taken);
            assert_eq!(batch.append(HEADER, &[7]), Append::Refused(3));
        }
    }

    #[test]
    fn a_batch_is_full_when_it_is_worth_to_be_written() {
        let batch = Batch::new(Vec::new());
        assert_eq!(batch.open(1, PLENTY, HEADER, &vec![7; FULL - 8]), Append::Taken);
        assert_eq!(batch.append(HEADER, &[]), Append::Full);
        assert_eq!(batch.end().unwrap().bytes.len(), FULL + 6);
        assert_eq!(batch.append(HEADER, &[]), Append::Refused(2));
    }
}
