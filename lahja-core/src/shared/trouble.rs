//! What goes wrong without being the error of a call: it is counted, and with the feature `tracing`
//! reported as it happens.

use std::error::Error;
use std::{fmt, io};

use crate::error::{ConnectError, PayloadError};
use crate::inbox::Lagged;
use crate::name::EndpointName;
use crate::session::PeerTraffic;
use crate::sync::{Mutex, lock};

/// Writes an event of the crate `tracing`, or uses what it would have said for nothing.
macro_rules! report {
    ($level:ident, { $($name:ident = $value:expr),* $(,)? }, $text:literal) => {{
        $(let $name = &$value;)*
        #[cfg(feature = "tracing")]
        tracing::$level!(target: "lahja", $($name = %$name,)* $text);
        #[cfg(not(feature = "tracing"))]
        let _ = ($($name,)*);
    }};
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
    /// Subscriptions that get nothing from peers, because their type cannot be decoded, or not
    /// compared with that of other builds. `ready()` says so of each.
    pub unsupported_subscriptions: u64,
    /// Events that subscriptions with a handler have lost; a stream reads them as
    /// [`Lagged`].
    pub lost_events: u64,
    /// Connections that ended before their handshake was done: refused by either end, given up, too
    /// slow, or of somebody who speaks no lahja. Those that this endpoint cut short by closing do not
    /// count.
    pub failed_handshakes: u64,
    /// Connections that were ended because the peer broke the protocol: with a malformed frame, or by
    /// not reading, for instance. One that dies in the middle of a frame looks like that.
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

/// The trouble that an endpoint has had.
#[derive(Debug)]
pub(crate) struct Trouble {
    name: EndpointName,
    // Counters alone; the rest is looked up when somebody asks.
    stats: Mutex<Stats>,
}

impl Trouble {
    pub(super) fn new(name: EndpointName) -> Self {
        Self { name, stats: Mutex::default() }
    }

    /// Returns what was counted.
    pub(crate) fn stats(&self) -> Stats {
        *lock(&self.stats)
    }

    /// A handler has panicked.
    pub(crate) fn panicked(&self, event: &str) {
        lock(&self.stats).handler_panics += 1;
        report!(warn, { endpoint = self.name, event = event }, "a handler has panicked");
    }

    /// A subscription gets nothing from peers, because its type cannot be decoded or compared.
    pub(crate) fn unsupported(&self, event: &str, error: &PayloadError) {
        lock(&self.stats).unsupported_subscriptions += 1;
        report!(
            warn,
            { endpoint = self.name, event = event, error = Chain(error) },
            "a subscription gets nothing from peers"
        );
    }

    /// An event cannot be decoded as what it claims to be.
    pub(crate) fn malformed(&self, peer: &EndpointName, event: &str, error: &PayloadError) {
        lock(&self.stats).malformed_payloads += 1;
        report!(
            warn,
            { endpoint = self.name, peer = peer, event = event, error = Chain(error) },
            "an event cannot be decoded"
        );
    }

    /// A subscription with a handler has lost events.
    pub(crate) fn lost(&self, event: &str, lagged: Lagged) {
        let mut stats = lock(&self.stats);
        // A peer may tell of more than can be counted.
        stats.lost_events = stats.lost_events.saturating_add(lagged.0);
        drop(stats);
        report!(warn, { endpoint = self.name, event = event }, "a handler has lost events");
    }

    /// A connection has ended before its handshake was done.
    pub(crate) fn not_connected(&self, error: &ConnectError) {
        lock(&self.stats).failed_handshakes += 1;
        self.count_broken(error);
        report!(warn, { endpoint = self.name, error = Chain(error) }, "a handshake has failed");
    }

    /// The handshake with a peer is done.
    pub(crate) fn connected(&self, peer: &EndpointName) {
        report!(debug, { endpoint = self.name, peer = peer }, "a peer is connected");
    }

    /// The connection to a peer has ended.
    pub(crate) fn disconnected(&self, peer: &EndpointName, error: &ConnectError) {
        self.count_broken(error);
        let error = Chain(error);
        match error.0 {
            ConnectError::Gone | ConnectError::Closed => report!(
                debug,
                { endpoint = self.name, peer = peer, error = error },
                "the connection to a peer has ended"
            ),
            _ => report!(
                warn,
                { endpoint = self.name, peer = peer, error = error },
                "the connection to a peer has failed"
            ),
        }
    }

    fn count_broken(&self, error: &ConnectError) {
        if let ConnectError::Protocol(_) = error {
            lock(&self.stats).broken_connections += 1;
        }
    }

    /// A peer has given no credit for too long.
    pub(crate) fn stalled(&self, peer: &EndpointName) {
        lock(&self.stats).stalls += 1;
        report!(warn, { endpoint = self.name, peer = peer }, "a peer has stalled");
    }

    /// A peer defines an event otherwise.
    pub(crate) fn mismatched(&self, peer: &EndpointName, event: &str) {
        report!(
            warn,
            { endpoint = self.name, peer = peer, event = event },
            "a peer defines an event otherwise"
        );
    }

    /// A listener has failed to accept a peer.
    pub(crate) fn not_accepted(&self, error: &io::Error) {
        report!(warn, { endpoint = self.name, error = Chain(error) }, "no peer could be accepted");
    }
}

/// An error with what caused it.
struct Chain<'a, E>(&'a E);

impl<E: Error> fmt::Display for Chain<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
