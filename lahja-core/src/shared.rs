//! What all handles of one endpoint and its tasks share.

mod audience;
mod clock;
mod registry;
mod trouble;

use std::any::TypeId;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Instant;

use event_listener::Event as Notify;

use crate::connection::{Connection, Pace};
use crate::event::Event;
use crate::inbox::{Gate, Inbox};
use crate::limits::Limits;
use crate::message::{Hello, OLDEST_VERSION, Refusal, TAKES_PARTS, VERSION};
use crate::name::EndpointName;
use crate::pending::Pending;
use crate::rendezvous::Seat;
use crate::routing::Peer;
use crate::runtime::Runtime;
use crate::schema;
use crate::session::{Session, Slot, common_version};
use crate::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    lock,
};
use crate::topic::Topic;

pub(crate) use audience::Audience;
use clock::Clock;
use registry::Registry;
pub use trouble::Stats;
use trouble::Trouble;

/// The state of one endpoint.
pub(crate) struct Shared {
    pub(crate) name: EndpointName,
    pub(crate) groups: Vec<EndpointName>,
    pub(crate) limits: Limits,
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) trouble: Trouble,
    pub(crate) pace: Arc<Pace>,
    pub(crate) gate: Gate,
    nonce: u128,
    ids: AtomicU64,
    closed: AtomicBool,
    // Locks are taken in this order: registry, a connection's, pending.
    registry: Mutex<Registry>,
    // Counts the changes of who wants what. It changes under the lock of the registry.
    version: Arc<AtomicU64>,
    pending: Mutex<Pending>,
    clock: Clock,
    connections_changed: Notify,
    subscriptions_changed: Notify,
    // Notified when the endpoint is closed and when a server has ended.
    closing: Notify,
    servers: AtomicUsize,
    // What the endpoint occupies until it is closed: its place on a bus.
    seat: Mutex<Option<Seat>>,
}

impl Shared {
    pub(crate) fn start(
        name: EndpointName,
        groups: Vec<EndpointName>,
        limits: Limits,
        runtime: Arc<dyn Runtime>,
    ) -> Arc<Self> {
        let registry = Registry::default();
        let shared = Arc::new(Self {
            trouble: Trouble::new(name.clone()),
            pace: Arc::new(Pace::new(runtime.now())),
            gate: Gate::default(),
            clock: Clock::new(runtime.now()),
            name,
            groups,
            limits: limits.raised(),
            runtime,
            nonce: nonce(),
            ids: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            version: registry.version(),
            registry: Mutex::new(registry),
            pending: Mutex::default(),
            connections_changed: Notify::new(),
            subscriptions_changed: Notify::new(),
            closing: Notify::new(),
            servers: AtomicUsize::new(0),
            seat: Mutex::new(None),
        });
        shared.runtime.spawn(Box::pin(clock::sweep(shared.clone())));
        shared
    }

    pub(crate) fn next_id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn registry(&self) -> MutexGuard<'_, Registry> {
        lock(&self.registry)
    }

    pub(crate) fn pending(&self) -> MutexGuard<'_, Pending> {
        lock(&self.pending)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Returns how this endpoint introduces itself.
    pub(crate) fn hello(&self) -> Hello {
        Hello {
            oldest_version: OLDEST_VERSION,
            newest_version: VERSION,
            features: TAKES_PARTS,
            nonce: self.nonce,
            max_frame: self.limits.frame,
            max_topics: self.limits.topics,
            max_requests: self.limits.requests,
            name: self.name.clone(),
            groups: self.groups.clone(),
        }
    }

    /// Notes a new connection, unless the endpoint is closed.
    pub(crate) fn add_connection(&self, connection: &Arc<Connection>) {
        let mut registry = self.registry();
        if self.is_closed() {
            drop(registry);
            connection.stop();
            return;
        }
        let entry = (connection.clone(), None);
        registry.connections.insert(connection.id, entry);
    }

    /// Admits a peer that said hello, announces what it may send, or says why not.
    pub(crate) fn admit(&self, connection: &Arc<Connection>, hello: &Hello) -> Result<(), Refusal> {
        if common_version(hello).is_none() {
            return Err(Refusal::Version);
        }
        if hello.nonce == self.nonce {
            return Err(Refusal::Myself);
        }
        if hello.name == self.name {
            return Err(Refusal::NameTaken);
        }
        let mut registry = self.registry();
        if self.is_closed() {
            return Err(Refusal::Closing);
        }
        let peer = Arc::new(Peer {
            name: hello.name.clone(),
            groups: hello.groups.clone(),
            max_frame: self.limits.frame.min(hello.max_frame) as usize,
            takes_parts: hello.features & TAKES_PARTS != 0,
        });
        let key = registry
            .routing_mut()
            .add_peer(peer.clone(), connection.clone())
            .map_err(|_| Refusal::AlreadyConnected)?;
        connection.set_peer(peer);
        let entry = (connection.clone(), Some(key));
        registry.connections.insert(connection.id, entry);
        connection.queue(|session| {
            session.accept(hello);
            for (&id, topic) in registry.topics() {
                if topic.wants(&hello.name) {
                    connection.announce(session, id, topic, &self.limits);
                }
            }
            session.ready();
        });
        drop(registry);
        connection.send();
        Ok(())
    }

    /// Notes that a handshake is done: from now on the peer counts, and gets what it has announced.
    pub(crate) fn establish(&self, connection: &Connection) {
        let mut registry = self.registry();
        // First, so that whoever sees it established looks up anew who gets an event.
        registry.changes();
        connection.establish();
        drop(registry);
        connection.notify();
        self.connections_changed();
    }

    /// Finds a connection by its id.
    pub(crate) fn connection(&self, id: u64) -> Option<Arc<Connection>> {
        self.registry().connections.get(&id).map(|(connection, _)| connection.clone())
    }

    /// Tells whether an endpoint of this name is connected.
    pub(crate) fn is_connected_to(&self, name: &EndpointName) -> bool {
        let registry = self.registry();
        let mut peers = registry.established();
        peers.any(|(peer, _)| peer.name == *name)
    }

    /// Takes a connection that has ended off every table.
    pub(crate) fn remove_connection(&self, connection: &Connection, written: u64) {
        let mut registry = self.registry();
        let removed = registry.connections.remove(&connection.id);
        registry.past.add(connection.traffic());
        let Some((_, Some(key))) = removed else {
            return;
        };
        registry.routing_mut().remove_peer(key);
        drop(registry);
        let peer = &connection.peer().name;
        self.pending().peer_gone(connection.id, peer, written);
        self.subscriptions_changed();
    }

    /// Notes that a peer wants a topic.
    pub(crate) fn add_target(
        &self,
        connection: &Connection,
        name: &str,
        fingerprint: u64,
        slot: Slot,
    ) {
        let mut registry = self.registry();
        if let Some(key) = registry.key(connection) {
            registry.routing_mut().add_target(key, name, fingerprint, slot);
        }
        drop(registry);
        self.subscriptions_changed();
    }

    /// Notes that a peer does not want a topic any more.
    pub(crate) fn remove_target(&self, connection: &Connection, slot: Slot) {
        let mut registry = self.registry();
        if let Some(key) = registry.key(connection) {
            registry.routing_mut().remove_target(key, slot);
        }
        drop(registry);
        self.subscriptions_changed();
    }

    /// Adds a subscription and tells the peers. Its queue is closed at once if the endpoint is.
    pub(crate) fn subscribe<E: Event>(&self, inbox: &Arc<Inbox<E>>) {
        let fingerprint = schema::fingerprint::<E>();
        if let Err(error) = &fingerprint {
            self.trouble.unsupported(E::NAME, error);
        }
        let mut registry = self.registry();
        if self.is_closed() {
            drop(registry);
            inbox.close(crate::inbox::Rest::Keep);
            return;
        }
        registry.topic::<E>(&self.limits, fingerprint).add(inbox.clone());
        let told = registry.refresh(TypeId::of::<E>(), &self.limits);
        drop(registry);
        told.iter().for_each(|connection| connection.send());
        self.subscriptions_changed();
    }

    /// Removes a subscription and tells the peers.
    pub(crate) fn unsubscribe<E: Event>(&self, inbox: &Arc<Inbox<E>>) {
        let registry = self.registry();
        let id = TypeId::of::<E>();
        if let Some(topic) = registry.topics().get(&id) {
            Topic::of(&**topic).remove(inbox);
        }
        let told = registry.refresh(id, &self.limits);
        drop(registry);
        told.iter().for_each(|connection| connection.send());
        self.subscriptions_changed();
    }

    /// Announces the topics for which a peer had no place, now that it may have.
    pub(crate) fn announce_refused(&self, connection: &Arc<Connection>) {
        let registry = self.registry();
        let announced = lock(&connection.announced);
        let refused = announced.iter().filter(|(_, slot)| slot.is_none());
        let refused: Vec<_> = refused.map(|(id, _)| *id).collect();
        drop(announced);
        for id in refused {
            if let Some(topic) = registry.topics().get(&id) {
                connection.queue(|session| {
                    connection.announce(session, id, topic, &self.limits);
                });
            }
        }
        drop(registry);
        connection.send();
    }

    pub(crate) fn connections_changed(&self) {
        self.connections_changed.notify(usize::MAX);
        self.subscriptions_changed();
    }

    pub(crate) fn subscriptions_changed(&self) {
        self.subscriptions_changed.notify(usize::MAX);
    }

    pub(crate) fn listen_connections(&self) -> event_listener::EventListener {
        self.connections_changed.listen()
    }

    pub(crate) fn listen_subscriptions(&self) -> event_listener::EventListener {
        self.subscriptions_changed.listen()
    }

    /// Waits until the endpoint is closed.
    pub(crate) async fn until_closed(&self) {
        while !self.is_closed() {
            let closing = self.closing.listen();
            if !self.is_closed() {
                closing.await;
            }
        }
    }

    /// Notes that a server accepts peers for the endpoint, until the guard is dropped.
    pub(crate) fn serving(self: &Arc<Self>) -> Serving {
        self.servers.fetch_add(1, Ordering::AcqRel);
        Serving(self.clone())
    }

    /// Waits until no server is left, which the end of the endpoint stops.
    pub(crate) async fn until_unserved(&self) {
        while self.servers.load(Ordering::Acquire) > 0 {
            let closing = self.closing.listen();
            if self.servers.load(Ordering::Acquire) > 0 {
                closing.await;
            }
        }
    }

    /// Begins to close: streams end after what they hold, requests end, peers get a goodbye
    /// behind what was queued for them. Returns the connections that were there.
    pub(crate) fn begin_close(&self) -> Vec<Arc<Connection>> {
        // Before anybody can see that the endpoint is closed, and under the lock, so that whoever
        // closes it at the same time does not come back before its place on the bus is free.
        drop(lock(&self.seat).take());
        // Before a goodbye, upon which a peer may end the connection: requests of this endpoint would
        // end with that.
        self.pending().close();
        let mut registry = self.registry();
        let connections: Vec<_> = registry.connections.values().map(|(c, _)| c.clone()).collect();
        let established = |connection: &&Arc<Connection>| connection.is_established();
        let (peers, strangers): (Vec<_>, Vec<_>) = connections.iter().partition(established);
        if !self.is_closed() {
            // Before subscriptions end: a request that is given up by that would otherwise count as
            // unanswered, not as one whose answerer has left.
            for peer in &peers {
                peer.queue(Session::say_goodbye);
            }
        }
        let was_closed = self.closed.swap(true, Ordering::AcqRel);
        let topics = registry.take_topics();
        drop(registry);
        if !was_closed {
            self.closing.notify(usize::MAX);
            self.clock.stop();
            for topic in topics.values() {
                topic.close();
            }
            peers.iter().for_each(|peer| peer.send());
            strangers.iter().for_each(|stranger| stranger.stop());
            self.connections_changed();
        }
        connections
    }

    /// Keeps the endpoint's place on a bus until it is closed.
    pub(crate) fn keep(&self, seat: Seat) {
        *lock(&self.seat) = Some(seat);
    }
}

/// A server that accepts peers for an endpoint.
pub(crate) struct Serving(Arc<Shared>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.servers.fetch_sub(1, Ordering::AcqRel);
        self.0.closing.notify(usize::MAX);
    }
}

/// Returns a number that no other life of an endpoint has.
fn nonce() -> u128 {
    // The keys of a `RandomState` are random in each process and differ from one to the next.
    let high = RandomState::new().hash_one(std::process::id());
    let low = RandomState::new().hash_one(Instant::now());
    u128::from(high) << 64 | u128::from(low)
}
