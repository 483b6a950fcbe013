//! What is on its way out of one connection: the session, whose output it is, and the transport.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::batch::{Batch, Frames};
use crate::frame::FrameBuffer;
use crate::message::Message;
use crate::session::{Session, Slot};
use crate::transport::FrameWriter;

/// With this much queued a caller writes at once. With less, a consumer that is as fast as its producer
/// runs out of events and sleeps more often, and to wake it costs both as much as some 250 events.
/// More leaves it idle meanwhile.
///
/// Linux cuts what is written to a Unix socket into pieces of up to 36,544 bytes
/// (`unix_stream_sendmsg`), and by default takes six of them where nothing lies there: this much of
/// small events is three, so that a socket takes it twice as a whole.
pub(super) const WRITE_AT: usize = 103 * 1024;

/// With so many requests or responses queued, too: who makes many at once, or answers them, and the
/// peer then work at the same time. Fewer cost system calls, more leave one of them idle.
const WRITE_EXCHANGES_AT: usize = 14;

/// The sending side of a connection.
pub(super) struct Outbound {
    pub(super) session: Session,
    /// Events of a topic that are queued behind what the session has queued. Look at the session once
    /// [`settle`](Self::settle) has queued them there.
    pub(super) batch: Option<(Slot, Arc<Batch>)>,
    /// Taken by whoever writes.
    pub(super) writer: Option<Writer>,
    /// The writer loop, while it waits.
    pub(super) waker: Option<Waker>,
    /// Whether the writer loop has been woken and has not run since.
    pub(super) scheduled: bool,
    /// Whether frames have gathered for the writer loop since a frame was last written by itself, or
    /// left to the loop for that.
    ///
    /// Whoever makes many requests at once, or answers them, would write the first alone each time,
    /// which wakes the peer for little, and again soon after. So once frames have gathered, the next one
    /// is left to the writer loop, too, however late it comes. If no others gather behind it, the one
    /// after that is written at once again.
    pub(super) is_followed: bool,
    /// Whether the transport took no more the last time a caller wrote.
    pub(super) blocked: bool,
    /// Where in the output ends what was handed to the writer last.
    pub(super) loaded: u64,
    /// Whether a write is under way, of which `written` does not know yet.
    pub(super) is_writing: bool,
    pub(super) failed: bool,
    /// Events and responses that went nowhere since the transport failed.
    pub(super) lost: u64,
    /// What the writer loop left unsent when it ended.
    pub(super) undelivered: Option<u64>,
}

/// The transport, and what it is being given. Whoever has it is the one who writes.
pub(super) struct Writer {
    pub(super) io: Box<dyn FrameWriter>,
    /// Frames that are being written.
    pub(super) frames: FrameBuffer,
    /// Whether the transport still holds back what it took.
    pub(super) is_pending: bool,
}

impl Writer {
    /// Writes what the transport takes. Returns how many bytes that was.
    pub(super) fn write(&mut self, context: &mut Context<'_>) -> (u64, Poll<io::Result<()>>) {
        let before = self.frames.len();
        let result = self.io.poll_write(context, &mut self.frames);
        self.is_pending = result.is_pending();
        ((before - self.frames.len()) as u64, result)
    }

    /// Counts the events and responses that are not written as a whole.
    pub(super) fn unsent(&self) -> u64 {
        count_users(&self.frames)
    }
}

impl Outbound {
    pub(super) fn new(session: Session, io: Box<dyn FrameWriter>) -> Self {
        let frames = FrameBuffer::new();
        Self {
            session,
            batch: None,
            writer: Some(Writer { io, frames, is_pending: false }),
            waker: None,
            scheduled: false,
            is_followed: false,
            blocked: false,
            loaded: 0,
            is_writing: false,
            failed: false,
            lost: 0,
            undelivered: None,
        }
    }

    /// Ends the batch that others may add to, and queues what is in it.
    #[inline]
    pub(super) fn settle(&mut self) {
        if self.batch.is_some() {
            self.settle_batch();
        }
    }

    #[cold]
    fn settle_batch(&mut self) {
        let Some((slot, batch)) = self.batch.take() else { return };
        if let Some(Frames { bytes, count, charged }) = batch.leave() {
            self.is_followed |= count > 1 || !self.session.out().is_empty();
            self.session.push_shared(slot, &bytes, count, charged);
        }
    }

    /// Tells whether the writer loop will send what is queued, and there is not much of it yet.
    #[inline]
    pub(super) fn is_gathering(&mut self) -> bool {
        self.scheduled && !self.session.out().is_empty() && !self.is_full() && !self.failed
    }

    /// Tells whether so much is queued that a caller writes it.
    #[inline]
    pub(super) fn is_full(&mut self) -> bool {
        self.session.out().len() >= WRITE_AT || self.session.exchanges() >= WRITE_EXCHANGES_AT
    }

    /// Moves what is queued to the writer.
    pub(super) fn load(&mut self, writer: &mut Writer) -> Loaded {
        debug_assert!(writer.frames.is_empty());
        let was_backlogged = self.session.is_backlogged();
        self.session.taken();
        std::mem::swap(self.session.out(), &mut writer.frames);
        self.loaded = self.session.queued();
        if was_backlogged {
            self.session.resume();
        }
        Loaded { was_backlogged }
    }

    /// Has what comes next gather in the memory of what has just been written, which is in the caches.
    pub(super) fn reuse(&mut self, writer: &mut Writer) {
        if writer.frames.is_empty() && self.session.out().is_empty() {
            std::mem::swap(self.session.out(), &mut writer.frames);
        }
    }

    /// Drops what is queued. Returns how many events and responses were in it.
    pub(super) fn discard(&mut self) -> u64 {
        self.session.taken();
        let unsent = self.session.out();
        let lost = count_users(unsent);
        unsent.advance(unsent.len());
        lost
    }

    /// Has the writer loop run. Returns how to wake it.
    pub(super) fn schedule(&mut self) -> Option<Waker> {
        self.scheduled = true;
        self.waker.take()
    }
}

#[must_use]
pub(super) struct Loaded {
    pub(super) was_backlogged: bool,
}

fn count_users(frames: &FrameBuffer) -> u64 {
    frames.unwritten().map(Message::count_users).sum()
}
