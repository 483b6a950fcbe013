//! What an endpoint tells of itself and of its peers.

use std::pin::Pin;
use std::task::{Context, Poll};

use event_listener::EventListener;

use super::Endpoint;
use crate::name::EndpointName;
use crate::shared::Stats;

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
        let mut stats = shared.trouble.stats();
        stats.requests_in_flight = shared.pending().len();
        let registry = shared.registry();
        stats.traffic = registry.traffic();
        stats.queued_events = registry.queued();
        for connection in registry.connections() {
            stats.stalled_peers += usize::from(connection.is_stalled());
            stats.unconsumed_bytes += connection.unconsumed();
            stats.unsent_bytes += connection.unsent();
        }
        stats
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
