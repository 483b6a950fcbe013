//! Handing an event to several peers at once, in a [batch](Batch) that they have in common.

use std::cell::Cell;
use std::sync::Arc;

use super::batch::{Append, Batch};
use super::{Burst, Connection, Turn};
use crate::message::{Message, PlainHeader};
use crate::routing::Target;
use crate::session::Allowance;
use crate::sync::{Mutex, lock};

type Peer = Target<Arc<Connection>>;

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
    pub(crate) fn push(&self, peers: &[Peer], payload: &[u8], burst: &mut Burst) -> Option<Turn> {
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

thread_local! {
    // Memory for the next batch: no more than one that is full takes, with the longest event in it.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}
