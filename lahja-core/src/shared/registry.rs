//! The tables of one endpoint: its peers, its topics, its connections.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::Arc;

use crate::connection::Connection;
use crate::limits::Limits;
use crate::name::EndpointName;
use crate::routing::{Peer, Routing, TypeMap};
use crate::sync::lock;
use crate::topic::AnyTopic;

/// Who is there and who wants what.
#[derive(Default)]
pub(crate) struct Registry {
    pub(crate) routing: Routing<Arc<Connection>>,
    pub(super) topics: TypeMap<Arc<dyn AnyTopic>>,
    // Every connection whose reader runs, admitted or not, by its id. The key of its peer in the
    // routing table once it is admitted.
    pub(super) connections: HashMap<u64, (Arc<Connection>, Option<usize>)>,
}

impl Registry {
    /// Returns every peer whose handshake is done.
    pub(crate) fn established(&self) -> impl Iterator<Item = (&Peer, &Arc<Connection>)> {
        self.routing.peers().filter(|(_, connection)| connection.is_established())
    }

    pub(super) fn key(&self, connection: &Connection) -> Option<usize> {
        self.connections.get(&connection.id)?.1
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
