//! What an endpoint tells of itself and of its peers.

use std::pin::Pin;
use std::task::{Context, Poll};

use event_listener::EventListener;

use super::Endpoint;
use crate::name::EndpointName;
use crate::session::PeerTraffic;

/// Which endpoints are to have subscribed, as seen by [`Endpoint::is_subscribed`](crate::Endpoint::is_subscribed).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scope<'a> {
    /// This endpoint or at least one that is connected.
    Any,
    /// Every connected endpoint, of which there is at least one. This endpoint does not count.
    All,
    /// The endpoint of this name, which may be this endpoint.
    Endpoint(&'a str),
}

/// What an endpoint has counted so far, and what it holds now.
///
/// Numbers that belong together may be of different moments: traffic goes on while it is counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// What went over all connections, those that have ended included. `sent.missed` are the events
    /// that producers here left out; `received.missed` those that peers say they left out.
    pub traffic: PeerTraffic,
    /// Panics of handlers, each of which cost the event it was called with.
    pub handler_panics: u64,
    /// Events that could not be decoded as what they claimed to be. Where they are decoded by who
    /// consumes them, they count when their turn comes.
    pub malformed_payloads: u64,
    /// Events that subscriptions with a handler have lost; a stream reads them as
    /// [`Lagged`](crate::Lagged).
    pub lost_events: u64,
    /// Connections that ended before their handshake was done: refused by either end, too slow, or
    /// of somebody who speaks no lahja.
    pub failed_handshakes: u64,
    /// Connections that were ended because the peer broke the protocol, with a malformed frame for
    /// instance.
    pub broken_connections: u64,
    /// How often a peer was declared stalled, having given no credit for
    /// [`Limits::stalled_after`](crate::Limits::stalled_after).
    pub stalls: u64,
    /// Peers that are stalled now.
    pub stalled_peers: usize,
    /// Requests of this endpoint that are in flight.
    pub requests_in_flight: usize,
    /// Events that wait in the queues of subscriptions.
    pub queued_events: usize,
    /// What peers are charged for events that have come and are not consumed: their bytes, and 16
    /// for each.
    pub unconsumed_bytes: u64,
    /// Bytes that wait to be written.
    pub unsent_bytes: u64,
}

/// A peer that defines an event's type otherwise than this endpoint, so that such events do not
/// pass between the two. Those who would have got them read [`Lagged`](crate::Lagged).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct SchemaMismatch {
    /// The peer.
    pub peer: EndpointName,
    /// The wire name of the event.
    pub event: String,
}

impl Endpoint {
    /// Returns what the endpoint has counted so far, and what it holds now.
    pub fn stats(&self) -> Stats {
        let shared = self.shared();
        let counts = shared.trouble.counts();
        let requests_in_flight = shared.pending().len();
        let registry = shared.registry();
        let connections = || registry.connections();
        Stats {
            traffic: registry.traffic(),
            handler_panics: counts.handler_panics,
            malformed_payloads: counts.malformed_payloads,
            lost_events: counts.lost_events,
            failed_handshakes: counts.failed_handshakes,
            broken_connections: counts.broken_connections,
            stalls: counts.stalls,
            stalled_peers: connections().filter(|connection| connection.is_stalled()).count(),
            requests_in_flight,
            queued_events: registry.queued(),
            unconsumed_bytes: connections().map(|connection| connection.unconsumed()).sum(),
            unsent_bytes: connections().map(|connection| connection.unsent()).sum(),
        }
    }

    /// Returns the peers that define an event otherwise, as far as that has come to light: when one
    /// of the two has broadcast such an event and the other had subscribed.
    ///
    /// [`subscriptions_changed`](Self::subscriptions_changed) tells of new ones.
    pub fn schema_mismatches(&self) -> Vec<SchemaMismatch> {
        let registry = self.shared().registry();
        let mut found = Vec::new();
        for (event, targets) in registry.routing().routes() {
            let mismatched = targets.iter().filter(|t| t.connection.has_mismatched(t.slot));
            found.extend(mismatched.map(|target| (target.peer.name.clone(), event.to_owned())));
        }
        for (peer, connection) in registry.established() {
            let mismatched = connection.mismatched().into_iter();
            found.extend(mismatched.map(|event| (peer.name.clone(), event.to_owned())));
        }
        drop(registry);
        let found = found.into_iter().map(|(peer, event)| SchemaMismatch { peer, event });
        let mut found: Vec<_> = found.collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// What became of the rest when an endpoint was closed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloseReport {
    /// Events and responses that were accepted and did not leave before the deadline. What a peer
    /// has missed while it was stalled counts as well, unless it was told.
    pub undelivered: u64,
}

/// Ready when something has changed since the call that returned it.
///
/// # Cancel safety
///
/// Dropping it changes nothing.
#[must_use = "futures do nothing unless polled"]
#[derive(Debug)]
pub struct Changed(pub(super) EventListener);

impl Future for Changed {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(context)
    }
}
