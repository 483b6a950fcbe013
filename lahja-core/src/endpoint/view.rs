//! What an endpoint tells of itself and of its peers.

use std::pin::Pin;
use std::task::{Context, Poll};

use event_listener::EventListener;

use crate::session::Traffic;

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

/// What an endpoint counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Panics of handlers, each of which cost the event it was called with.
    pub handler_panics: u64,
    /// Events that could not be decoded as what they claimed to be. Where they are decoded by who
    /// consumes them, they count when their turn comes.
    pub malformed_payloads: u64,
    /// Events that subscriptions with a handler have lost; a stream reads them as
    /// [`Lagged`](crate::Lagged).
    pub lost_events: u64,
    /// Requests of this endpoint that are in flight.
    pub requests_in_flight: usize,
}

/// What went over the connection to one peer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerTraffic {
    /// What was queued to be sent to the peer.
    pub sent: Traffic,
    /// What was received from it.
    pub received: Traffic,
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
