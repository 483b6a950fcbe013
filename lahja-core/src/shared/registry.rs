//! The tables of one endpoint: its peers, its topics, its connections.

use std::any::TypeId;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use super::audience::Audience;
use crate::connection::{Common, Connection};
use crate::error::PayloadError;
use crate::event::Event;
use crate::limits::Limits;
use crate::name::EndpointName;
use crate::routing::{Peer, Routing, Targets};
use crate::session::PeerTraffic;
use crate::sync::{
    atomic::{AtomicU64, Ordering},
    lock,
};
use crate::topic::{AnyTopic, Topic};

/// Who is there and who wants what.
#[derive(Default)]
pub(crate) struct Registry {
    routing: Routing<Arc<Connection>>,
    topics: TypeMap<Arc<dyn AnyTopic>>,
    // What broadcasts have looked up since one of the tables above has changed.
    audiences: TypeMap<Arc<Audience>>,
    // Counts these changes.
    version: Arc<AtomicU64>,
    // Every connection whose reader runs, admitted or not, by its id. The key of its peer in the
    // routing table once it is admitted.
    pub(super) connections: BTreeMap<u64, (Arc<Connection>, Option<usize>)>,
    // What went over connections that have ended.
    pub(super) past: PeerTraffic,
}

/// A map from types, hashed by nothing but what a `TypeId` already is.
type TypeMap<T> = HashMap<TypeId, T, BuildHasherDefault<TypeIdHasher>>;

impl Registry {
    pub(crate) fn routing(&self) -> &Routing<Arc<Connection>> {
        &self.routing
    }

    pub(super) fn version(&self) -> Arc<AtomicU64> {
        self.version.clone()
    }

    /// Returns the peers whose handshake is done that want a topic, however they define it.
    pub(crate) fn subscribers(&self, name: &str) -> impl Iterator<Item = &Peer> {
        let targets = self.routing.subscribers(name).iter();
        targets.filter(|target| target.connection.is_established()).map(|target| &*target.peer)
    }

    pub(super) fn changes(&mut self) {
        self.audiences.clear();
        self.version.fetch_add(1, Ordering::Release);
    }

    pub(super) fn routing_mut(&mut self) -> &mut Routing<Arc<Connection>> {
        self.changes();
        &mut self.routing
    }

    /// Returns everybody who wants events of a type, for the endpoint with this nonce.
    pub(super) fn audience<E: Event>(
        &mut self,
        endpoint: u128,
        fingerprint: Result<u64, PayloadError>,
    ) -> Arc<Audience> {
        let event = TypeId::of::<E>();
        let Self { routing, topics, audiences, version, .. } = self;
        let audience = audiences.entry(event).or_insert_with(|| {
            let (targets, refusal) = match fingerprint {
                Ok(fingerprint) => {
                    let mut targets = routing.targets(E::NAME, fingerprint);
                    targets.retain(|connection| connection.is_established());
                    (targets, None)
                }
                Err(error) => (Targets::default(), Some(error)),
            };
            let max_frame = targets.alike.iter().map(|target| target.peer.max_frame).min();
            let common = Common::new(&targets.alike);
            let topic = topics.get(&event).cloned();
            // It changes under the lock of the registry alone.
            let newest = version.clone();
            let version = newest.load(Ordering::Relaxed);
            Arc::new(Audience {
                targets,
                common,
                max_frame,
                refusal,
                topic,
                event,
                endpoint,
                version,
                newest,
            })
        });
        audience.clone()
    }

    pub(crate) fn topics(&self) -> &TypeMap<Arc<dyn AnyTopic>> {
        &self.topics
    }

    /// Returns the subscriptions for a type, of which there may be none so far.
    pub(super) fn topic<E: Event>(
        &mut self,
        limits: &Limits,
        fingerprint: Result<u64, PayloadError>,
    ) -> &Topic<E> {
        let id = TypeId::of::<E>();
        if !self.topics.contains_key(&id) {
            self.changes();
        }
        let topic = self.topics.entry(id);
        Topic::of(&**topic.or_insert_with(|| Arc::new(Topic::<E>::new(limits.depth, fingerprint))))
    }

    pub(super) fn take_topics(&mut self) -> TypeMap<Arc<dyn AnyTopic>> {
        self.changes();
        std::mem::take(&mut self.topics)
    }

    /// Returns every peer whose handshake is done.
    pub(crate) fn established(&self) -> impl Iterator<Item = (&Peer, &Arc<Connection>)> {
        self.routing.peers().filter(|(_, connection)| connection.is_established())
    }

    pub(super) fn key(&self, connection: &Connection) -> Option<usize> {
        self.connections.get(&connection.id)?.1
    }

    /// Returns what went over all connections so far.
    pub(crate) fn traffic(&self) -> PeerTraffic {
        let mut sum = self.past;
        self.connections.values().for_each(|(connection, _)| sum.add(connection.traffic()));
        sum
    }

    /// Returns every connection, be its handshake done or not.
    pub(crate) fn connections(&self) -> impl Iterator<Item = &Arc<Connection>> {
        self.connections.values().map(|(connection, _)| connection)
    }

    /// Returns how many events wait in subscriptions.
    pub(crate) fn queued(&self) -> usize {
        self.topics.values().map(|topic| topic.queued()).sum()
    }

    /// Tells whether a subscription of this endpoint wants events of a type from an endpoint.
    pub(crate) fn wants(&self, id: TypeId, origin: &EndpointName) -> bool {
        self.topics.get(&id).is_some_and(|topic| topic.wants(origin))
    }

    /// Announces or withdraws a topic wherever that has changed. Returns the connections that
    /// have something to send.
    pub(super) fn refresh(&self, id: TypeId, limits: &Limits) -> Vec<Arc<Connection>> {
        let mut told = Vec::new();
        let Some(topic) = self.topics.get(&id) else {
            return told;
        };
        for (peer, connection) in self.routing.peers() {
            let wanted = topic.wants(&peer.name);
            let announced = lock(&connection.announced).get(&id).copied();
            match announced {
                None if wanted => {
                    connection.queue(|session| connection.announce(session, id, topic, limits));
                }
                Some(slot) if !wanted => {
                    lock(&connection.announced).remove(&id);
                    let Some(slot) = slot else { continue };
                    connection.queue(|session| session.withdraw(slot));
                }
                _ => continue,
            }
            told.push(connection.clone());
        }
        told
    }
}

/// Passes on the hash that a `TypeId` already is.
#[derive(Debug, Default)]
pub(crate) struct TypeIdHasher(u64);

impl Hasher for TypeIdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
