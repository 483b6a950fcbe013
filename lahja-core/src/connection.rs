//! One connection: a session, the transport it speaks over, and the two loops that drive it.

mod batch;
mod ending;
mod inlet;
mod outbound;
mod pace;
mod polling;
mod progress;
mod reader;
mod stopping;
mod together;
mod writer;

use std::any::TypeId;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use event_listener::{Event, EventListener};

use crate::error::{ConnectError, ProtocolError};
use crate::limits::Limits;
use crate::name::EndpointName;
use crate::routing::Peer;
use crate::runtime::Runtime;
use crate::session::{PeerTraffic, Session, Slot, Traffic};
use crate::shared::Shared;
use crate::sync::{
    Brief, BriefGuard, Mutex,
    atomic::{AtomicBool, Ordering},
    lock,
};
use crate::topic::AnyTopic;
use crate::transport::Transport;

pub(crate) use inlet::Inlet;
pub(crate) use pace::{Burst, Pace};
pub(crate) use together::Common;
pub(crate) use writer::Turn;

use outbound::Outbound;
use progress::Progress;
use stopping::UntilStopped;

/// One connection to a peer, from before the handshake to after the end.
pub(crate) struct Connection {
    pub(crate) id: u64,
    // A thread that keeps a connection for a while does not keep the runtime.
    runtime: Weak<dyn Runtime>,
    peer: OnceLock<Arc<Peer>>,
    pace: Arc<Pace>,
    outbound: Brief<Outbound>,
    inlets: Mutex<Vec<Option<Arc<Inlet>>>>,
    /// The numbers under which our topics are announced, `None` for those that the peer has no
    /// place for. Used under the lock of the endpoint's registry only.
    pub(crate) announced: Mutex<BTreeMap<TypeId, Option<Slot>>>,
    received: Mutex<Traffic>,
    phase: Mutex<Phase>,
    stop: AtomicBool,
    stopped: Event,
    /// Notified of everything that somebody may wait for: credit, a backlog that has gone, an
    /// acknowledgement, the end of the handshake and of the connection.
    progress: Progress,
}

/// How far a connection has come.
#[derive(Debug, Clone)]
enum Phase {
    Handshaking,
    Established,
    Ended { error: ConnectError, was_established: bool },
}

impl Connection {
    /// Starts the loops of a new connection. It is done when [`established`](Self::established)
    /// says so.
    pub(crate) fn start<T: Transport>(shared: &Arc<Shared>, transport: T) -> Arc<Self> {
        let (reader, writer) = transport.split();
        let session = Session::new(shared.hello(), &shared.limits);
        let connection = Arc::new(Self {
            id: shared.next_id(),
            runtime: Arc::downgrade(&shared.runtime),
            peer: OnceLock::new(),
            pace: shared.pace.clone(),
            outbound: Brief::new(Outbound::new(session, Box::new(writer))),
            inlets: Mutex::new(Vec::new()),
            announced: Mutex::new(BTreeMap::new()),
            received: Mutex::new(Traffic::default()),
            phase: Mutex::new(Phase::Handshaking),
            stop: AtomicBool::new(false),
            stopped: Event::new(),
            progress: Progress::default(),
        });
        shared.add_connection(&connection);
        let writing = writer::run(connection.clone(), shared.clone());
        let reading = reader::run(connection.clone(), shared.clone(), reader);
        shared.runtime.spawn(Box::pin(writing));
        shared.runtime.spawn(Box::pin(reading));
        connection
    }

    /// Waits for the handshake's end.
    ///
    /// Dropping the future leaves the handshake to go on by itself.
    pub(crate) async fn established(&self) -> Result<EndpointName, ConnectError> {
        loop {
            let progress = self.listen();
            match &*lock(&self.phase) {
                Phase::Handshaking => {}
                Phase::Established => return Ok(self.peer().name.clone()),
                Phase::Ended { error, .. } => return Err(error.clone()),
            }
            progress.await;
        }
    }

    /// Tells whether the peer has said hello and was not refused.
    pub(crate) fn is_admitted(&self) -> bool {
        self.peer.get().is_some()
    }

    pub(crate) fn is_established(&self) -> bool {
        matches!(*lock(&self.phase), Phase::Established)
    }

    pub(crate) fn has_ended(&self) -> bool {
        matches!(*lock(&self.phase), Phase::Ended { .. })
    }

    /// Tells whether nothing can be sent any more, because either end has left.
    pub(crate) fn has_left(&self) -> bool {
        self.outbound().session.has_ended()
    }

    /// Tells everybody who waits to look again.
    pub(crate) fn notify(&self) {
        self.progress.notify();
    }

    /// Listens for progress of any kind. Look again at what you wait for after the call.
    pub(crate) fn listen(&self) -> EventListener {
        self.progress.listen()
    }

    /// Returns the peer of a connection that has been admitted.
    pub(crate) fn peer(&self) -> &Arc<Peer> {
        self.peer.get().expect("the peer of an admitted connection is known")
    }

    /// Sets the peer, once it has said hello.
    pub(crate) fn set_peer(&self, peer: Arc<Peer>) {
        let set = self.peer.set(peer);
        debug_assert!(set.is_ok(), "a peer says hello once");
    }

    /// Returns the epoch of the last announcement.
    pub(crate) fn epoch(&self) -> u64 {
        self.outbound().session.epoch()
    }

    /// Tells whether the peer has acknowledged every announcement up to `epoch`.
    pub(crate) fn is_acknowledged(&self, epoch: u64) -> bool {
        self.outbound().session.is_acknowledged(epoch)
    }

    /// Declares topics stalled whose producers have waited too long. Returns when to look again,
    /// and whether there was one, which whoever waits is to be told.
    pub(crate) fn sweep(&self, now: Instant, limit: Duration) -> (Option<Instant>, bool) {
        self.outbound().session.sweep(now, limit)
    }

    /// Waits until the connection has ended and nothing more is read from it.
    pub(crate) async fn until_ended(&self) {
        loop {
            let progress = self.listen();
            if self.has_ended() {
                return;
            }
            progress.await;
        }
    }

    /// Waits until a connection that is stopped has counted what it did not send.
    pub(crate) async fn until_settled(&self) -> u64 {
        loop {
            let progress = self.listen();
            if let Some(undelivered) = self.undelivered() {
                return undelivered;
            }
            progress.await;
        }
    }

    /// Tells whether the peer waits for an answer to its request `id`.
    pub(crate) fn is_asking(&self, id: u64) -> bool {
        self.outbound().session.is_asking(id)
    }

    /// Returns what was queued to be sent and what was received.
    pub(crate) fn traffic(&self) -> PeerTraffic {
        let sent = self.outbound().session.sent();
        PeerTraffic { sent, received: *lock(&self.received) }
    }

    /// Returns the bytes that wait to be written.
    pub(crate) fn unsent(&self) -> u64 {
        let outbound = self.outbound();
        outbound.session.queued() - outbound.session.written()
    }

    /// Returns what is charged for events that have come and are not consumed.
    pub(crate) fn unconsumed(&self) -> u64 {
        lock(&self.inlets).iter().flatten().map(|inlet| inlet.intake.unconsumed()).sum()
    }

    /// Tells whether a topic of the peer is stalled.
    pub(crate) fn is_stalled(&self) -> bool {
        self.outbound().session.is_stalled()
    }

    /// Says that somebody still waits for room for a topic, which another may have taken meanwhile.
    pub(crate) fn wait_on(&self, slot: Slot, now: Instant) {
        self.outbound().session.wait_for_room(slot, now);
    }

    /// Says that somebody waits for room for a topic.
    pub(crate) fn wait_for_room(&self, slot: Slot, now: Instant) -> EventListener {
        let listener = self.listen();
        self.outbound().session.wait_for_room(slot, now);
        listener
    }

    /// Announces a topic of ours. Call it under the lock of the endpoint's registry.
    pub(crate) fn announce(
        self: &Arc<Self>,
        session: &mut Session,
        id: TypeId,
        topic: &Arc<dyn AnyTopic>,
        limits: &Limits,
    ) {
        // What cannot be encoded is not sent either.
        let Ok(fingerprint) = topic.fingerprint() else { return };
        let slot = session.announce(topic.name(), fingerprint);
        lock(&self.announced).insert(id, slot);
        let Some(slot) = slot else { return };
        let mut inlets = lock(&self.inlets);
        let index = slot.number as usize;
        if inlets.len() <= index {
            inlets.resize(index + 1, None);
        }
        inlets[index] = Some(Arc::new(Inlet::new(slot, topic.clone(), self, limits)));
    }

    /// Returns the names of the topics that the peer defines otherwise, as it has said.
    pub(crate) fn mismatched(&self) -> Vec<&'static str> {
        let inlets = lock(&self.inlets);
        let mismatched = inlets.iter().flatten().filter(|inlet| inlet.is_mismatched());
        mismatched.map(|inlet| inlet.topic.name()).collect()
    }

    /// Tells whether the peer has said that it defines a topic of ours otherwise.
    pub(crate) fn is_mismatched(&self, slot: Slot) -> bool {
        let inlet = self.inlet(slot.number).filter(|inlet| inlet.slot == slot);
        inlet.is_some_and(|inlet| inlet.is_mismatched())
    }

    /// Leaves out an event that the peer cannot read. Tells whether it is the first one.
    pub(crate) fn push_mismatched(&self, slot: Slot) -> bool {
        self.update(|session| session.push_mismatched(slot))
    }

    /// Tells whether the peer was left out for defining a topic otherwise.
    pub(crate) fn has_mismatched(&self, slot: Slot) -> bool {
        self.outbound().session.is_mismatched(slot)
    }

    /// Gives access to the outbound side, whose session is as if nothing were queued elsewhere.
    #[inline]
    fn outbound(&self) -> BriefGuard<'_, Outbound> {
        let mut outbound = self.outbound.lock();
        outbound.settle();
        outbound
    }

    fn inlet(&self, number: u32) -> Option<Arc<Inlet>> {
        lock(&self.inlets).get(number as usize).cloned().flatten()
    }

    /// Lets go of topics whose numbers are free, and may be in use again.
    fn free_inlets(&self, slots: &[Slot]) {
        let mut inlets = lock(&self.inlets);
        let freed = slots.iter().filter_map(|slot| {
            let inlet = inlets.get_mut(slot.number as usize)?;
            inlet.take_if(|inlet| inlet.slot == *slot)
        });
        let freed: Vec<_> = freed.collect();
        drop(inlets);
        drop(freed);
    }

    /// Marks the handshake as done, unless the connection has ended meanwhile. Whoever waits is to be
    /// told.
    pub(crate) fn establish(&self) {
        let mut phase = lock(&self.phase);
        if matches!(*phase, Phase::Handshaking) {
            *phase = Phase::Established;
        }
    }

    /// Returns the time by which the endpoint's runtime goes.
    fn now(&self) -> Instant {
        self.runtime.upgrade().map_or_else(Instant::now, |runtime| runtime.now())
    }

    /// Ends the connection for an error on this side.
    fn fail(&self, error: ConnectError) {
        self.mark_ended(error);
        self.stop();
    }

    /// Marks the connection as ended and lets go of what it holds. Returns why it has ended, and
    /// whether its handshake was done.
    fn end(&self, error: ConnectError) -> (ConnectError, bool) {
        let ended = self.mark_ended(error);
        let inlets = std::mem::take(&mut *lock(&self.inlets));
        drop(inlets);
        self.progress.notify();
        ended
    }

    /// Marks the connection as ended, unless something else has ended it.
    fn mark_ended(&self, error: ConnectError) -> (ConnectError, bool) {
        let mut phase = lock(&self.phase);
        if let Phase::Ended { error, was_established } = &*phase {
            return (error.clone(), *was_established);
        }
        let was_established = matches!(*phase, Phase::Established);
        *phase = Phase::Ended { error: error.clone(), was_established };
        (error, was_established)
    }

    /// Stops both loops at once. What is queued is not sent.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.stopped.notify(usize::MAX);
        self.wake_writer();
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Waits until the connection is stopped from this side.
    fn until_stopped(&self) -> UntilStopped<'_> {
        UntilStopped::new(self)
    }
}

/// Why the reader of a connection came to its end.
#[derive(Debug)]
enum End {
    /// The peer said goodbye, or its bytes ended in order.
    Peer,
    /// This endpoint stopped it.
    Stopped,
    Error(ConnectError),
}

impl From<ProtocolError> for End {
    fn from(error: ProtocolError) -> Self {
        Self::Error(ConnectError::Protocol(error))
    }
}
