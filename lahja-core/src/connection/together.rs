//! Handing an event to several peers at once, in a [batch](Batch) that they have in common.

use std::cell::Cell;
use std::sync::Arc;
use std::task::Waker;

use super::batch::{Append, Batch};
use super::writer::When;
use super::{Burst, Connection, Turn};
use crate::message::{Message, PlainHeader};
use crate::routing::Target;
use crate::session::{Allowance, Slot};
use crate::sync::Brief;

type Peer = Target<Arc<Connection>>;

/// A batch that ends with fewer events has cost more than it has saved.
const FEW: u64 = if cfg!(shuttle) { 1 } else { 8 };

/// How many events go to each peer by itself before a batch is tried again.
const PAUSE: u32 = if cfg!(shuttle) { 0 } else { 16 };

/// What the peers of an audience have in common.
pub(crate) struct Common {
    // How all their events begin. `None` if they do not begin alike, or go to one peer alone.
    header: Option<PlainHeader>,
    queue: Brief<Queue>,
}

#[derive(Default)]
struct Queue {
    batch: Option<Arc<Batch>>,
    pause: u32,
}

impl Common {
    pub(crate) fn new(peers: &[Peer]) -> Self {
        let header = match peers {
            [first, rest @ ..] if !rest.is_empty() => {
                let number = first.slot.number;
                let mut connections: Vec<_> = peers.iter().map(|peer| peer.connection.id).collect();
                connections.sort_unstable();
                connections.dedup();
                let is_alike = rest.iter().all(|peer| peer.slot.number == number)
                    && connections.len() == peers.len();
                Message::plain_event(number, None).filter(|_| is_alike)
            }
            _ => None,
        };
        Self { header, queue: Brief::default() }
    }

    /// Hands an event to all `peers`, which are those of this, or to none: then they get it one by one.
    #[inline]
    pub(crate) fn push(&self, peers: &[Peer], payload: &[u8], burst: &mut Burst) -> Option<Turn> {
        let header = self.header?;
        let mut queue = self.queue.lock();
        match queue.batch.as_ref().map(|batch| batch.append(header, payload)) {
            Some(Append::Taken) => return Some(Turn::GoesOn),
            Some(Append::Full) => {
                let batch = queue.batch.take();
                drop(queue);
                return batch.map(|batch| send(&batch, peers, burst));
            }
            Some(Append::Refused(0..FEW)) => queue.pause = PAUSE,
            Some(Append::Refused(_)) | None => {}
        }
        queue.batch = None;
        if queue.pause > 0 {
            queue.pause -= 1;
            return None;
        }
        let Some((batch, is_full)) = begin(peers, header, payload, burst) else {
            queue.pause = PAUSE;
            return None;
        };
        if is_full {
            drop(queue);
            return Some(send(&batch, peers, burst));
        }
        queue.batch = Some(batch);
        // A waker is the user's code.
        drop(queue);
        peers.iter().for_each(|peer| peer.connection.look_after_batch());
        Some(Turn::GoesOn)
    }
}

/// Begins a batch with an event, if everybody has room for it. Tells whether it is full.
fn begin(
    peers: &[Peer],
    header: PlainHeader,
    payload: &[u8],
    burst: &mut Burst,
) -> Option<(Arc<Batch>, bool)> {
    let batch = Arc::new(Batch::default());
    let mut common = Allowance::MAX;
    for peer in peers {
        common = common.and(peer.connection.join(peer.slot, &batch, burst)?);
    }
    let memory = SPARE.try_with(Cell::take).unwrap_or_default();
    match batch.open(peers.len(), common, memory, header, payload) {
        Append::Taken => Some((batch, false)),
        Append::Full => Some((batch, true)),
        // Somebody has looked at a connection that had joined.
        Append::Refused(_) => None,
    }
}

/// Sends a batch that is full.
fn send(batch: &Batch, peers: &[Peer], burst: &mut Burst) -> Turn {
    let frames = batch.end();
    for peer in peers {
        peer.connection.send_batch(burst);
    }
    // If everybody has written it, its memory is in the caches.
    if let Some(mut memory) = frames.and_then(|frames| Arc::into_inner(frames.bytes)) {
        memory.clear();
        let _ = SPARE.try_with(|spare| spare.set(memory));
    }
    Turn::IsOver
}

impl Connection {
    /// Has the events of a batch follow what is queued for a topic. Returns how much may follow. `None`
    /// if a caller is to write at once, an event may have to wait, or it goes nowhere.
    fn join(&self, slot: Slot, batch: &Arc<Batch>, burst: &mut Burst) -> Option<Allowance> {
        let mut outbound = self.outbound();
        let may_write = outbound.writer.is_some() && !outbound.is_gathering();
        if outbound.failed || may_write && (outbound.is_full() || self.is_slow(burst)) {
            return None;
        }
        let allowance = outbound.session.allowance(slot)?;
        outbound.batch = Some((slot, batch.clone()));
        Some(allowance)
    }

    /// Has the writer loop send what a batch gathers, unless whoever writes looks again anyway.
    fn look_after_batch(&self) {
        // To look at the session would end the batch.
        let mut outbound = self.outbound.lock();
        if outbound.writer.is_some() && !outbound.scheduled {
            let waker = outbound.schedule();
            drop(outbound);
            waker.inspect(Waker::wake_by_ref);
        }
    }

    /// Sends a batch that is full.
    fn send_batch(&self, burst: &mut Burst) {
        self.flush_or_schedule(self.outbound(), burst, When::Now);
    }
}

thread_local! {
    // Memory for the next batch: no more than one that is full takes, with the longest event in it.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}
