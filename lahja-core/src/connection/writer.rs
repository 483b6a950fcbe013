//! How frames leave: from the connection's own outgoing buffer, pushed by whoever has just added
//! to it or by the writer loop.
//!
//! Exactly one party writes at a time: the one that has taken the [`Writer`] out of the
//! [`Outbound`]. Everybody else only queues; the writer looks again before it puts the `Writer`
//! back. A caller writes once, without waiting, if the last such write was a while ago and no others
//! are likely to follow (then latency counts, see [`Pace`](super::Pace)), if enough has gathered to be
//! worth a system call, or if what it queues is a part of a large event or request, or an awaited
//! broadcast as long as a part. In between, the writer loop gathers what the callers queue.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_lite::future::or;

use super::outbound::{Outbound, Writer};
use super::{Burst, Connection};
use crate::error::{ConnectError, ProtocolError};
use crate::session::{PART, Push, Session, Slot};
use crate::shared::Shared;
use crate::sync::BriefGuard;

/// The writer loop lets others run after this many writes.
const WRITES_PER_TURN: usize = 4;

/// How long the reader goes on after the transport has refused to send, to read what the peer
/// sent before it went away.
const LINGER: Duration = Duration::from_secs(1);

/// Whether a caller may go on, or has sent so much that others should have their turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    GoesOn,
    IsOver,
}

/// When a caller writes what it has queued.
#[derive(Debug, Clone, Copy)]
pub(super) enum When {
    /// It is much: a full batch, a part of a large event, an event as long as a part, or what has
    /// gathered.
    Now,
    /// If the last call was a while ago, and no others are likely to follow.
    Slow,
}

impl Connection {
    /// Changes the session and sends what that queued.
    pub(crate) fn update<R>(&self, change: impl FnOnce(&mut Session) -> R) -> R {
        let mut outbound = self.outbound();
        let result = change(&mut outbound.session);
        self.flush(outbound, &mut Burst::default());
        result
    }

    /// Changes the session under a lock of the caller's. Call [`send`](Self::send) when that is
    /// released, since a transport is the user's code.
    pub(crate) fn queue<R>(&self, change: impl FnOnce(&mut Session) -> R) -> R {
        change(&mut self.outbound().session)
    }

    /// Forgets a request of ours, whose place another may wait for.
    pub(crate) fn cancel(&self, id: u64) {
        self.update(|session| session.cancel(id));
        self.notify();
    }

    /// Gives back room that was reserved, for which another may wait.
    pub(crate) fn unreserve(&self, slot: Slot, payload_len: usize) {
        self.update(|session| session.unreserve(slot, payload_len));
        self.notify();
    }

    /// Queues an event for which room was reserved. One that would have exceeded the window before
    /// it may wait for that.
    pub(crate) fn push_reserved(&self, slot: Slot, payload: &[u8]) {
        self.update(|session| session.push_reserved(slot, None, payload));
        self.notify();
    }

    /// Sends what was queued.
    pub(crate) fn send(&self) {
        self.update(|_| ());
    }

    /// Sends what the transport takes without waiting, then stops both loops.
    pub(crate) fn send_and_stop(&self) {
        let mut outbound = self.outbound();
        match outbound.writer.take() {
            Some(writer) if writer.frames.is_empty() && !writer.is_pending => {
                self.write_now(outbound, writer);
            }
            writer => {
                outbound.writer = writer;
                drop(outbound);
            }
        }
        self.stop();
    }

    /// Queues an event and sends it when it is time.
    pub(crate) fn push_event(&self, slot: Slot, payload: &[u8], burst: &mut Burst) -> (Push, Turn) {
        let mut outbound = self.outbound();
        let push = outbound.session.push_event(slot, None, payload);
        let turn = match push {
            Push::Queued if payload.len() >= PART => {
                self.flush_or_schedule(outbound, burst, When::Now)
            }
            _ => self.flush(outbound, burst),
        };
        (push, turn)
    }

    /// Tells whether the last call was so long ago that latency counts for more than system calls.
    pub(super) fn is_slow(&self, burst: &mut Burst) -> bool {
        burst.is_slow(&self.pace, || self.now())
    }

    /// Changes the session for a large event, and writes the part that was queued, at once if it can be:
    /// the next one waits until it has left.
    pub(crate) fn push_part(
        &self,
        burst: &mut Burst,
        push: impl FnOnce(&mut Session) -> Push,
    ) -> Push {
        let mut outbound = self.outbound();
        let push = push(&mut outbound.session);
        match push {
            Push::Queued => self.flush_or_schedule(outbound, burst, When::Now),
            _ => self.flush(outbound, burst),
        };
        push
    }

    /// Tells how many events and responses went nowhere, once the writer loop has ended.
    pub(crate) fn undelivered(&self) -> Option<u64> {
        let outbound = self.outbound();
        outbound.undelivered.map(|unsent| unsent + outbound.lost)
    }

    /// Returns how many bytes the transport has taken, or may have by now.
    pub(super) fn written(&self) -> u64 {
        let outbound = self.outbound();
        match outbound.is_writing {
            false => outbound.session.written(),
            // What was handed to the transport may have left.
            true => outbound.loaded,
        }
    }

    fn has_failed(&self) -> bool {
        self.outbound().failed
    }

    pub(super) fn wake_writer(&self) {
        let waker = self.outbound().schedule();
        waker.inspect(Waker::wake_by_ref);
    }

    /// Writes what is queued if it is this caller's turn, else leaves it to the writer loop.
    #[inline]
    fn flush(&self, mut outbound: BriefGuard<'_, Outbound>, burst: &mut Burst) -> Turn {
        if outbound.is_gathering() {
            outbound.is_followed = true;
            return Turn::GoesOn;
        }
        let when = match outbound.is_full() {
            true => When::Now,
            false => When::Slow,
        };
        self.flush_or_schedule(outbound, burst, when)
    }

    /// Writes what is queued if it is time and nobody else writes, else leaves it to the writer loop.
    pub(super) fn flush_or_schedule(
        &self,
        mut outbound: BriefGuard<'_, Outbound>,
        burst: &mut Burst,
        when: When,
    ) -> Turn {
        let queued = outbound.session.out().len();
        if queued == 0 {
            if outbound.session.has_ended() {
                let waker = outbound.schedule();
                drop(outbound);
                waker.inspect(Waker::wake_by_ref);
            }
            return Turn::GoesOn;
        }
        if outbound.failed {
            outbound.lost += outbound.discard();
            return Turn::GoesOn;
        }
        if outbound.session.is_overrun() {
            drop(outbound);
            let backlog = queued;
            self.fail(ConnectError::Protocol(ProtocolError::NotReading { backlog }));
            return Turn::GoesOn;
        }
        if outbound.writer.is_none() || (outbound.scheduled && outbound.blocked) {
            return Turn::GoesOn;
        }
        let has_to_wait = outbound.blocked || outbound.session.has_ended();
        let is_time = match when {
            When::Now => true,
            When::Slow => self.is_slow(burst) && !std::mem::take(&mut outbound.is_followed),
        };
        if has_to_wait || !is_time {
            let waker = outbound.schedule();
            drop(outbound);
            waker.inspect(Waker::wake_by_ref);
            return Turn::GoesOn;
        }
        if let Some(writer) = outbound.writer.take() {
            self.write_now(outbound, writer);
        }
        match when {
            When::Now => Turn::IsOver,
            When::Slow => Turn::GoesOn,
        }
    }

    /// Writes once without waiting. What the transport does not take is left to the writer loop.
    fn write_now(&self, mut outbound: BriefGuard<'_, Outbound>, mut writer: Writer) {
        let loaded = outbound.load(&mut writer);
        outbound.is_writing = true;
        drop(outbound);
        let mut context = Context::from_waker(Waker::noop());
        let (written, result) = writer.write(&mut context);
        self.pace.wrote(self.now());
        let mut outbound = self.outbound();
        let is_part_due = outbound.session.wrote(written);
        outbound.is_writing = false;
        if let Some(undelivered) = &mut outbound.undelivered {
            // The writer loop has ended in the meantime.
            *undelivered += writer.unsent();
            return;
        }
        let mut waker = None;
        match result {
            Poll::Ready(Ok(())) => {
                outbound.reuse(&mut writer);
                outbound.writer = Some(writer);
                if !outbound.session.out().is_empty() || outbound.session.has_ended() {
                    waker = outbound.schedule();
                }
            }
            Poll::Ready(Err(_)) => {
                outbound.failed = true;
                outbound.lost += writer.unsent();
                waker = outbound.schedule();
            }
            Poll::Pending => {
                outbound.writer = Some(writer);
                outbound.blocked = true;
                waker = outbound.schedule();
            }
        }
        // The loop may have been stopped while the writer was out.
        if self.is_stopped() {
            waker = waker.or_else(|| outbound.schedule());
        }
        drop(outbound);
        if loaded.was_backlogged || is_part_due {
            self.progress.notify();
        }
        waker.inspect(Waker::wake_by_ref);
    }

    /// Runs the writer loop as far as it goes without waiting.
    fn poll_writer(&self, held: &mut Option<Writer>, context: &mut Context<'_>) -> Poll<()> {
        for _ in 0..WRITES_PER_TURN {
            let mut outbound = self.outbound();
            outbound.scheduled = false;
            if outbound.failed || self.is_stopped() {
                return Poll::Ready(());
            }
            if held.is_none() {
                *held = outbound.writer.take();
            }
            let Some(writer) = held else {
                outbound.waker = Some(context.waker().clone());
                return Poll::Pending;
            };
            let mut was_backlogged = false;
            if writer.frames.is_empty() {
                if outbound.session.out().is_empty() && !writer.is_pending {
                    if outbound.session.has_ended() {
                        return Poll::Ready(());
                    }
                    outbound.writer = held.take();
                    outbound.waker = Some(context.waker().clone());
                    return Poll::Pending;
                }
                if !writer.is_pending {
                    was_backlogged = outbound.load(writer).was_backlogged;
                }
            }
            outbound.blocked = false;
            outbound.waker = Some(context.waker().clone());
            outbound.is_writing = true;
            drop(outbound);
            if was_backlogged {
                self.progress.notify();
            }
            let (written, result) = writer.write(context);
            let mut outbound = self.outbound();
            let is_part_due = outbound.session.wrote(written);
            outbound.is_writing = false;
            outbound.failed |= matches!(result, Poll::Ready(Err(_)));
            outbound.reuse(writer);
            drop(outbound);
            if is_part_due {
                self.progress.notify();
            }
            match result {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Counts what the writer loop leaves unsent.
    fn settle(&self, held: Option<&Writer>) {
        let mut outbound = self.outbound();
        let idle = outbound.writer.take();
        let in_writer = held.or(idle.as_ref()).map_or(0, Writer::unsent);
        let queued = outbound.discard();
        outbound.undelivered = Some(in_writer + queued);
        outbound.failed = true;
        drop(outbound);
        self.progress.notify();
    }
}

/// Writes what callers leave to it, until the session has ended and everything is written.
pub(super) async fn run(connection: Arc<Connection>, shared: Arc<Shared>) {
    let mut held = Settled { connection: &connection, writer: None };
    poll_fn(|context| connection.poll_writer(&mut held.writer, context)).await;
    if connection.is_stopped() {
        return;
    }
    if connection.has_failed() {
        drop(held);
        or(shared.runtime.sleep(LINGER), connection.until_stopped()).await;
        connection.stop();
    } else if let Some(writer) = &mut held.writer {
        let closing = poll_fn(|context| writer.io.poll_close(context));
        let closing = async { drop(closing.await) };
        or(closing, connection.until_stopped()).await;
    }
}

/// What the writer loop holds, settled when the loop ends in whatever way.
struct Settled<'a> {
    connection: &'a Connection,
    writer: Option<Writer>,
}

impl Drop for Settled<'_> {
    fn drop(&mut self) {
        self.connection.settle(self.writer.as_ref());
    }
}
