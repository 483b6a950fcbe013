//! Handing an event to several peers at once, in a [batch](Batch) that they have in common.

use std::cell::Cell;
use std::sync::Arc;
use std::task::Waker;

use super::Peer;
use crate::connection::{Append, Batch, Burst, Turn};
use crate::message::{Message, PlainHeader};
use crate::session::Allowance;
use crate::sync::{Mutex, lock};

/// A batch that ends with fewer events has cost more than it has saved.
const FEW: u64 = 8;

/// How many events go to each peer by itself before a batch is tried again.
const PAUSE: u32 = 16;

/// What the peers of an audience have in common.
pub(crate) struct Common {
    // How all their events begin. `None` if they do not begin alike, or go to one peer alone.
    header: Option<PlainHeader>,
    queue: Mutex<Queue>,
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
        Self { header, queue: Mutex::default() }
    }

    /// Hands an event to all `peers`, which are those of this, or to none: then they get it one by one.
    #[inline]
    pub(super) fn push(&self, peers: &[Peer], payload: &[u8], burst: &mut Burst) -> Option<Turn> {
        let header = self.header?;
        let mut queue = lock(&self.queue);
        let batch = queue.batch.as_ref();
        match batch.map_or(Append::Refused(FEW), |batch| batch.append(header, payload)) {
            Append::Taken => return Some(Turn::GoesOn),
            Append::Full => {
                let batch = queue.batch.take();
                drop(queue);
                return batch.map(|batch| send(&batch, peers, burst));
            }
            Append::Refused(0..FEW) => queue.pause = PAUSE,
            Append::Refused(_) => {}
        }
        queue.batch = None;
        if queue.pause > 0 {
            queue.pause -= 1;
            return None;
        }
        let mut wakers = Vec::with_capacity(peers.len());
        let begun = begin(peers, header, payload, burst, &mut wakers);
        queue.pause = if begun.is_some() { 0 } else { PAUSE };
        let (batch, append) = begun.unzip();
        queue.batch = batch.clone();
        if append == Some(Append::Full) {
            queue.batch = None;
        }
        drop(queue);
        wakers.into_iter().for_each(Waker::wake);
        match append? {
            Append::Full => batch.map(|batch| send(&batch, peers, burst)),
            _ => Some(Turn::GoesOn),
        }
    }
}

/// Begins a batch with an event, if everybody has room for it. Others are to be woken in any case.
fn begin(
    peers: &[Peer],
    header: PlainHeader,
    payload: &[u8],
    burst: &mut Burst,
    wakers: &mut Vec<Waker>,
) -> Option<(Arc<Batch>, Append)> {
    let batch = Arc::new(Batch::new(SPARE.try_with(Cell::take).unwrap_or_default()));
    let mut common = Allowance::MAX;
    for peer in peers {
        let (allowance, waker) = peer.connection.join(peer.slot, &batch, burst)?;
        common = common.and(allowance);
        wakers.extend(waker);
    }
    match batch.open(peers.len(), common, header, payload) {
        // Somebody has looked at a connection that had joined.
        Append::Refused(_) => None,
        append => Some((batch, append)),
    }
}

/// Sends a batch that is full.
fn send(batch: &Batch, peers: &[Peer], burst: &mut Burst) -> Turn {
    let frames = batch.end();
    for peer in peers {
        peer.connection.send_batch(burst);
    }
    // Its memory, if everybody has taken it, is in the caches.
    let memory = frames.and_then(|frames| Arc::into_inner(frames.bytes));
    if let Some(memory) = memory.filter(|memory| memory.capacity() <= MAX_SPARE) {
        let _ = SPARE.try_with(|spare| spare.set(memory));
    }
    Turn::IsOver
}

/// The largest memory that a thread keeps for its next batch.
const MAX_SPARE: usize = 512 * 1024;

thread_local! {
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}
