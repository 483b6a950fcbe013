//! How frames arrive: read in big chunks, dispatched one by one, or together if they are events of one
//! topic in a row, and consumers woken once a batch.

mod events;

use std::future::poll_fn;
use std::io;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::thread::{available_parallelism, yield_now as yield_thread};
use std::time::Duration;

use futures_lite::future::{or, yield_now};

use super::ending::Ending;
use super::polling::{Polling, Wait};
use super::{Connection, End};
use crate::credit::charge;
use crate::error::{ConnectError, ProtocolError};
use crate::frame::PREFIX_LEN;
use crate::message::{FailureReason, Message};
use crate::pending::{Asked, Failure};
use crate::session::{Happening, Session, Traffic};
use crate::shared::Shared;
use crate::sync::lock;
use crate::topic::Wakes;
use crate::transport::FrameReader;

use events::{Entry, Run};

/// Reads until the connection ends, then takes it off the endpoint.
pub(super) async fn run<R: FrameReader>(
    connection: Arc<Connection>,
    shared: Arc<Shared>,
    mut reader: R,
) {
    let mut ending =
        Ending { connection: &connection, shared: &shared, end: End::Stopped, refused: false };
    let mut inbound = Inbound {
        connection: &connection,
        shared: &shared,
        entries: Vec::new(),
        open: Vec::new(),
        run: None,
        wakes: Wakes::new(),
        polling: Polling::new(match reader.wakes_slowly() && has_cores() {
            true => shared.limits.poll_for,
            false => Duration::ZERO,
        }),
        received: Traffic::default(),
        established: false,
        refused: false,
    };
    let reading = async {
        let limits = &shared.limits;
        reader.set_max_frame(limits.handshake_frame as usize);
        let handshake = async { Some(inbound.read(&mut reader).await) };
        let timeout = async {
            shared.runtime.sleep(limits.handshake_timeout).await;
            None
        };
        match or(handshake, timeout).await {
            None => return End::Error(ConnectError::TimedOut),
            Some(Some(end)) => return end,
            Some(None) => {}
        }
        reader.set_max_frame(limits.frame as usize);
        loop {
            if let Some(end) = inbound.read(&mut reader).await {
                return end;
            }
        }
    };
    let stopped = async {
        connection.until_stopped().await;
        End::Stopped
    };
    let end = or(reading, stopped).await;
    ending.refused = inbound.refused;
    ending.end = end;
}

/// Tells whether a peer can run while this process does: on one core, asking again would keep it
/// from doing so.
fn has_cores() -> bool {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| available_parallelism().map_or(1, usize::from)) > 1
}

/// The receiving side of a connection.
struct Inbound<'a> {
    connection: &'a Arc<Connection>,
    shared: &'a Arc<Shared>,
    // What the numbers in event frames stand for; a copy of the connection's table that needs no
    // lock. It is right because frames and acknowledgements come in order.
    entries: Vec<Option<Entry>>,
    // The numbers of the entries that may have something staged. What comes of one type does not
    // overtake that of another: packed events are queued together, and before anything else that comes.
    open: Vec<u32>,
    // The run at hand, if any. Invariant: its number is in `open`.
    run: Option<Run>,
    wakes: Wakes,
    polling: Polling,
    received: Traffic,
    established: bool,
    // Whether this endpoint has refused the peer.
    refused: bool,
}

impl Inbound<'_> {
    /// Reads until the handshake is done (`None`) or the connection has come to its end.
    async fn read<R: FrameReader>(&mut self, reader: &mut R) -> Option<End> {
        loop {
            let established = self.established;
            match poll_fn(|context| self.poll_fill(reader, context)).await {
                Ok(true) => {}
                Ok(false) => {
                    let finished = reader.finish().map_err(ProtocolError::Frame);
                    return Some(finished.map_or_else(End::from, |()| End::Peer));
                }
                Err(error) => return Some(End::Error(ConnectError::io(error))),
            }
            let before = self.received.frames;
            let end = self.dispatch_all(reader);
            self.polling.took(self.received.frames - before);
            self.finish_batch();
            match end {
                Ok(None) => {}
                Ok(end) => return end,
                Err(error) => return Some(error.into()),
            }
            if self.established != established {
                return None;
            }
            // Whoever was woken acts before the transport is asked for more: it answers sooner, and
            // returns credit while the producer still has some.
            yield_now().await;
        }
    }

    /// Waits until bytes have arrived: asks again and again if that pays, then sleeps.
    fn poll_fill<R: FrameReader>(
        &mut self,
        reader: &mut R,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<bool>> {
        let shared = self.shared;
        let now = || shared.runtime.now();
        if self.polling.may_ask() {
            let asked = reader.poll_ask(context);
            if asked.is_ready() {
                self.polling.arrived(now);
                return asked;
            }
            let wait = self.polling.wait(now());
            if wait != Wait::Sleep {
                if wait == Wait::Yield {
                    yield_thread();
                }
                context.waker().wake_by_ref();
                return asked;
            }
        }
        // To sleep takes being woken, which asking does not see to.
        let filled = reader.poll_fill(context);
        match filled {
            Poll::Ready(_) => self.polling.arrived(now),
            Poll::Pending => {
                let wait = self.polling.wait(now());
                debug_assert_eq!(wait, Wait::Sleep);
            }
        }
        filled
    }

    fn dispatch_all<R: FrameReader>(
        &mut self,
        reader: &mut R,
    ) -> Result<Option<End>, ProtocolError> {
        let established = self.established;
        loop {
            self.go_on(reader);
            let Some(content) = reader.next_frame()? else { break };
            if let Some(end) = self.dispatch(content)? {
                return Ok(Some(end));
            }
            if self.established != established {
                // The limit for what follows in the same chunk.
                reader.set_max_frame(self.shared.limits.frame as usize);
            }
        }
        Ok(None)
    }

    /// Acknowledges what was announced and wakes who has something to consume.
    fn finish_batch(&mut self) {
        *lock(&self.connection.received) = self.received;
        self.connection.update(Session::acknowledge);
        self.flush();
        for waker in self.wakes.drain(..) {
            waker.wake();
        }
    }

    #[inline]
    fn dispatch(&mut self, content: &[u8]) -> Result<Option<End>, ProtocolError> {
        // Plain events, the bulk of the traffic, need no lock of the session.
        if let Some((number, payload)) = Message::decode_plain_event(content) {
            if self.receive_plain(number, content, payload)? {
                self.received.frames += 1;
                self.received.events += 1;
                self.received.bytes += (PREFIX_LEN + content.len()) as u64;
                return Ok(None);
            }
        }
        self.dispatch_any(content)
    }

    fn dispatch_any(&mut self, content: &[u8]) -> Result<Option<End>, ProtocolError> {
        let message = Message::decode(content)?;
        self.received.count(&message);
        self.received.bytes += (PREFIX_LEN + content.len()) as u64;
        let happening = self.connection.outbound().session.handle(message)?;
        self.follow(happening)
    }

    /// Does what a message means to the endpoint.
    fn follow(&mut self, happening: Happening<'_>) -> Result<Option<End>, ProtocolError> {
        let (connection, shared) = (self.connection, self.shared);
        match happening {
            Happening::Nothing => {}
            Happening::Hello(hello) => {
                if let Err(refusal) = shared.admit(connection, &hello) {
                    connection.update(|session| session.refuse(refusal));
                    self.refused = true;
                    let error = ConnectError::refusing(refusal);
                    return Ok(Some(End::Error(error)));
                }
            }
            Happening::Refused(refusal) => {
                return Ok(Some(End::Error(ConnectError::refused(refusal))));
            }
            Happening::Established => {
                self.established = true;
                shared.establish(connection);
                shared.trouble.connected(&connection.peer().name);
            }
            Happening::Announced { slot, name, fingerprint } => {
                shared.add_target(connection, name, fingerprint, slot);
            }
            Happening::Withdrawn { slot } => {
                shared.remove_target(connection, slot);
                // Who waits for room there waits for nobody any more.
                connection.progress.notify();
            }
            Happening::Acknowledged { freed } => {
                self.flush();
                for slot in &freed {
                    if let Some(entry) = self.entries.get_mut(slot.number as usize) {
                        *entry = None;
                    }
                }
                connection.free_inlets(&freed);
                if !freed.is_empty() {
                    shared.announce_refused(connection);
                }
                connection.progress.notify();
            }
            Happening::Credit => {
                connection.progress.notify();
            }
            Happening::Event { number, request, payload } => {
                self.open(number);
                self.receive(number, request, payload)?;
            }
            Happening::Begun { number, total } => {
                if let Some(inlet) = connection.inlet(number) {
                    inlet.receive(total)?;
                }
            }
            Happening::Whole { number, request, payload } => {
                self.open(number);
                self.hand_over(number, request, |stage, reply, wakes| {
                    stage.receive_whole(payload, reply, wakes)
                });
            }
            Happening::Abandoned { number, total } => {
                if let Some(inlet) = connection.inlet(number) {
                    inlet.release(charge(total));
                }
            }
            Happening::Response { id, response_type, payload } => {
                // Behind the events that came before it.
                self.flush();
                self.respond(id, response_type, payload);
                connection.progress.notify();
            }
            Happening::Failed { id, reason } => {
                self.flush();
                let failure = match reason {
                    FailureReason::Malformed => Failure::RefusedPayload,
                    FailureReason::Unanswered | FailureReason::Other => Failure::Unanswered,
                };
                let asked = connection.id;
                shared.pending().fail(id, |a| a.is_peer(asked), failure);
                connection.progress.notify();
            }
            // The answerer sees it when it looks; its answer is not sent.
            Happening::Cancelled { .. } => {}
            Happening::Lagged { number, count } => {
                self.received.missed = self.received.missed.saturating_add(count);
                // Behind what came before it.
                self.flush();
                if let Some(inlet) = connection.inlet(number) {
                    inlet.topic.lagged(inlet.origin(), count);
                }
            }
            Happening::Mismatched { number } => {
                if let Some(inlet) = connection.inlet(number).filter(|inlet| inlet.mismatch()) {
                    shared.subscriptions_changed();
                    shared.trouble.mismatched(inlet.origin(), inlet.topic.name());
                }
            }
            Happening::Goodbye => return Ok(Some(End::Peer)),
        }
        Ok(None)
    }

    /// Hands a response to the request that waits for it.
    fn respond(&self, id: u64, response_type: u64, payload: &[u8]) {
        let decode = self.shared.pending().decoder(id);
        let Some(decode) = decode else { return };
        let depth = self.shared.limits.depth;
        let connection = self.connection.id;
        let is_it = |asked: &Asked| asked.is_peer(connection);
        match decode(response_type, payload, depth) {
            Ok(response) => {
                let unused = self.shared.pending().complete(id, is_it, Ok(response));
                drop(unused);
            }
            // Others who were asked may do better.
            Err(failure) => self.shared.pending().fail(id, is_it, failure),
        }
    }
}
