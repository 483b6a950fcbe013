//! Accepting peers, and connecting with retries.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use event_listener::Event as Notify;
use futures_lite::future::{or, yield_now};

use crate::backoff::Backoff;
use crate::connection::Connection;
use crate::error::ConnectError;
use crate::name::EndpointName;
use crate::shared::{Serving, Shared};
use crate::sync::atomic::{AtomicU8, Ordering};
use crate::transport::{Connector, Listener, Transport};

/// Accepts peers for an endpoint. Dropping it stops that; peers that were accepted stay
/// connected.
#[must_use = "dropping a server stops it; detach it to keep it"]
pub struct Server {
    stop: Arc<Stop>,
    detached: bool,
}

#[derive(Default)]
struct Stop {
    stage: AtomicU8,
    changed: Notify,
}

/// How far a server has come.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
enum Stage {
    Stopping = 1,
    Ended = 2,
}

/// Tells the end of an accept loop, in whatever way it comes.
struct Ending {
    stop: Arc<Stop>,
    _serving: Serving,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.stop.advance(Stage::Ended);
    }
}

impl Server {
    /// Starts to accept peers in the background.
    pub(crate) fn start<L: Listener>(shared: &Arc<Shared>, listener: L) -> Self {
        let stop = Arc::new(Stop::default());
        let ending = Ending { stop: stop.clone(), _serving: shared.serving() };
        let closing = shared.clone();
        let accepting = shared.clone();
        shared.runtime.spawn(Box::pin(async move {
            let stopped = or(closing.until_closed(), ending.stop.wait(Stage::Stopping));
            // The listener goes with the future, before the end is told.
            or(stopped, accept_all(accepting, listener)).await;
            drop(ending);
        }));
        let detached = false;
        Self { stop, detached }
    }

    /// Stops accepting and waits until the listener is gone: its address is free then.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the listener to go soon.
    pub async fn stop(self) {
        self.stop.advance(Stage::Stopping);
        self.stop.wait(Stage::Ended).await;
    }

    /// Accepts peers for the life of the endpoint.
    pub fn detach(mut self) {
        self.detached = true;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !self.detached {
            self.stop.advance(Stage::Stopping);
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

impl Stop {
    fn advance(&self, stage: Stage) {
        self.stage.fetch_max(stage as u8, Ordering::AcqRel);
        self.changed.notify(usize::MAX);
    }

    async fn wait(&self, stage: Stage) {
        while self.stage.load(Ordering::Acquire) < stage as u8 {
            let changed = self.changed.listen();
            if self.stage.load(Ordering::Acquire) < stage as u8 {
                changed.await;
            }
        }
    }
}

/// Accepts peers for ever. An error of one connection is skipped; want of resources makes it
/// pause.
async fn accept_all<L: Listener>(shared: Arc<Shared>, mut listener: L) {
    let mut backoff = Backoff::new();
    let mut handshakes: VecDeque<Arc<Connection>> = VecDeque::new();
    loop {
        match listener.accept().await {
            Ok(transport) => {
                backoff.reset();
                // A peer that was admitted may take the connection for established already.
                handshakes.retain(|peer| !peer.is_admitted() && !peer.has_ended());
                if handshakes.len() >= shared.limits.handshakes.max(1) {
                    handshakes.pop_front().inspect(|oldest| oldest.stop());
                }
                handshakes.push_back(Connection::start(&shared, transport));
            }
            Err(error) => {
                shared.trouble.not_accepted(&error);
                if !is_of_one_connection(&error) {
                    shared.runtime.sleep(backoff.pause()).await;
                }
            }
        }
        // Peers may come without a pause; others have their turn between them, those handshakes
        // among them that are to make room.
        yield_now().await;
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::Interrupted
            | ErrorKind::NotConnected
            | ErrorKind::PermissionDenied
    )
}

/// Conducts the handshake over a transport.
pub(crate) async fn attach<T: Transport>(
    shared: &Arc<Shared>,
    transport: T,
) -> Result<EndpointName, ConnectError> {
    let connection = Connection::start(shared, transport);
    let attempt = Attempt(&connection);
    attempt.0.established().await
}

/// A handshake that is given up when dropped.
struct Attempt<'a>(&'a Connection);

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.0.is_established() && !self.0.has_ended() {
            self.0.stop();
        }
    }
}

/// Connects and conducts the handshake, once.
pub(crate) async fn attempt<C: Connector>(
    shared: &Arc<Shared>,
    connector: &C,
) -> Result<EndpointName, ConnectError> {
    let transport = connector.connect().await.map_err(ConnectError::io)?;
    attach(shared, transport).await
}

/// Connects and conducts the handshake, again and again while nobody listens.
pub(crate) async fn connect<C: Connector>(
    shared: &Arc<Shared>,
    connector: &C,
) -> Result<EndpointName, ConnectError> {
    let mut last = ConnectError::TimedOut;
    let connecting = async {
        let mut backoff = Backoff::new();
        loop {
            match attempt(shared, connector).await {
                Err(error) if is_worth_retrying(&error) => last = error,
                attempt => return Some(attempt),
            }
            shared.runtime.sleep(backoff.pause()).await;
        }
    };
    let timeout = async {
        shared.runtime.sleep(shared.limits.handshake_timeout).await;
        None
    };
    match or(connecting, timeout).await {
        Some(attempt) => attempt,
        None => Err(last),
    }
}

/// Tells whether the peer may be there a moment later: it is not listening yet, its backlog is
/// full, or it went away before it accepted.
fn is_worth_retrying(error: &ConnectError) -> bool {
    match error {
        ConnectError::Gone => true,
        ConnectError::Io(error) => matches!(
            error.kind(),
            ErrorKind::NotConnected
                | ErrorKind::WouldBlock
                | ErrorKind::ConnectionRefused
                | ErrorKind::ConnectionReset
                | ErrorKind::BrokenPipe
                | ErrorKind::NotFound
                | ErrorKind::Interrupted
        ),
        _ => false,
    }
}
