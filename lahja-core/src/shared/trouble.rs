//! What goes wrong without being the error of a call: it is counted, and with the feature `tracing`
//! reported as it happens.

use std::io;

use crate::error::{ConnectError, PayloadError};
use crate::inbox::Lagged;
use crate::name::EndpointName;
use crate::sync::atomic::{AtomicU64, Ordering};

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

/// The trouble that an endpoint has had.
#[derive(Debug)]
pub(crate) struct Trouble {
    name: EndpointName,
    handler_panics: AtomicU64,
    malformed_payloads: AtomicU64,
    lost_events: AtomicU64,
    failed_handshakes: AtomicU64,
    broken_connections: AtomicU64,
    stalls: AtomicU64,
}

/// How often each kind of trouble has happened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) handler_panics: u64,
    pub(crate) malformed_payloads: u64,
    pub(crate) lost_events: u64,
    pub(crate) failed_handshakes: u64,
    pub(crate) broken_connections: u64,
    pub(crate) stalls: u64,
}

impl Trouble {
    pub(super) fn new(name: EndpointName) -> Self {
        Self {
            name,
            handler_panics: AtomicU64::new(0),
            malformed_payloads: AtomicU64::new(0),
            lost_events: AtomicU64::new(0),
            failed_handshakes: AtomicU64::new(0),
            broken_connections: AtomicU64::new(0),
            stalls: AtomicU64::new(0),
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            handler_panics: count(&self.handler_panics),
            malformed_payloads: count(&self.malformed_payloads),
            lost_events: count(&self.lost_events),
            failed_handshakes: count(&self.failed_handshakes),
            broken_connections: count(&self.broken_connections),
            stalls: count(&self.stalls),
        }
    }

    /// A handler has panicked.
    pub(crate) fn panicked(&self, event: &str) {
        add(&self.handler_panics, 1);
        report!(warn, { endpoint = self.name, event = event }, "a handler has panicked");
    }

    /// An event cannot be decoded as what it claims to be.
    pub(crate) fn malformed(&self, peer: &EndpointName, event: &str, error: &PayloadError) {
        add(&self.malformed_payloads, 1);
        report!(
            warn,
            { endpoint = self.name, peer = peer, event = event, error = error },
            "an event cannot be decoded"
        );
    }

    /// A subscription with a handler has lost events.
    pub(crate) fn lost(&self, event: &str, lagged: Lagged) {
        // A peer may tell of more than can be counted.
        add(&self.lost_events, lagged.0);
        report!(warn, { endpoint = self.name, event = event }, "a handler has lost events");
    }

    /// A connection has ended before its handshake was done.
    pub(crate) fn not_connected(&self, error: &ConnectError) {
        add(&self.failed_handshakes, 1);
        self.count_broken(error);
        report!(warn, { endpoint = self.name, error = error }, "a handshake has failed");
    }

    /// The handshake with a peer is done.
    pub(crate) fn connected(&self, peer: &EndpointName) {
        report!(debug, { endpoint = self.name, peer = peer }, "a peer is connected");
    }

    /// The connection to a peer has ended.
    pub(crate) fn disconnected(&self, peer: &EndpointName, error: &ConnectError) {
        self.count_broken(error);
        report!(
            debug,
            { endpoint = self.name, peer = peer, error = error },
            "the connection to a peer has ended"
        );
    }

    fn count_broken(&self, error: &ConnectError) {
        if let ConnectError::Protocol(error) = error {
            add(&self.broken_connections, 1);
            report!(warn, { endpoint = self.name, error = error }, "a peer broke the protocol");
        }
    }

    /// A peer has given no credit for too long.
    pub(crate) fn stalled(&self, peer: &EndpointName) {
        add(&self.stalls, 1);
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
        report!(warn, { endpoint = self.name, error = error }, "no peer could be accepted");
    }
}

fn add(counter: &AtomicU64, more: u64) {
    let sum = |count: u64| Some(count.saturating_add(more));
    let _ = counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, sum);
}
