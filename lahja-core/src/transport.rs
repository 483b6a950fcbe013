//! What carries frames between two endpoints.
//!
//! [`StreamTransport`] makes a transport of any byte stream; [`memory_pair`] joins two endpoints
//! of one process.

mod memory;
mod stream;

use std::future::Future;
use std::io;
use std::task::{Context, Poll};

pub use memory::{MemoryTransport, memory_pair};
pub use stream::StreamTransport;

use crate::error::FrameError;
use crate::frame::{ArrivedFrames, FrameBuffer};

/// A connection that carries frames both ways, in order.
pub trait Transport: Send + 'static {
    /// The receiving half.
    type Reader: FrameReader;
    /// The sending half.
    type Writer: FrameWriter;

    /// Splits the transport into its halves, which are used by different tasks.
    fn split(self) -> (Self::Reader, Self::Writer);
}

/// The receiving half of a [`Transport`].
///
/// # Notes for implementers
///
/// [`FrameDecoder`](crate::FrameDecoder) does all the work but reading.
pub trait FrameReader: Send + 'static {
    /// Waits until bytes have arrived. Ready with `false` at an orderly end.
    ///
    /// Nothing is lost if the caller stops polling.
    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>>;

    /// Reads what has arrived as [`poll_fill`](Self::poll_fill) does, for a caller that asks again soon
    /// if nothing has, and need not be woken. That is faster where a reactor would be told to watch for
    /// bytes, and would see to each arrival, too. By default it is the same.
    ///
    /// It may forget whom an earlier `poll_fill` was to wake, so whoever waits then calls that again. A
    /// reader that wraps another passes this on.
    fn poll_ask(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        self.poll_fill(context)
    }

    /// Takes the content of the next frame that has arrived as a whole.
    ///
    /// # Errors
    ///
    /// The bytes are no frames.
    fn next_frame(&mut self) -> Result<Option<&[u8]>, FrameError>;

    /// Takes the frames that come next, as long as each has arrived as a whole, its content begins with
    /// `header`, and `take` agrees to it. `take` is called once for each frame of which the first two hold,
    /// in order, with the length of its content in bytes. Returns exactly the frames that it agreed to, or
    /// `None` if there are none.
    ///
    /// This is faster than taking one after the other. By default it takes none, and leaves them to
    /// [`next_frame`](Self::next_frame), as frames with which something is wrong always are. Only a
    /// [`FrameDecoder`](crate::FrameDecoder) makes [`ArrivedFrames`]; a reader that wraps another passes
    /// the call on.
    fn next_alike(
        &mut self,
        header: [u8; 3],
        take: impl FnMut(usize) -> bool,
    ) -> Option<ArrivedFrames>
    where
        Self: Sized,
    {
        let _ = (header, take);
        None
    }

    /// Checks that the frames may end here.
    ///
    /// # Errors
    ///
    /// [`FrameError::Truncated`] if a frame has begun and not ended.
    fn finish(&self) -> Result<(), FrameError>;

    /// Sets the longest frame to be taken from now on.
    fn set_max_frame(&mut self, max_frame: usize);

    /// Tells whether it takes the system to wake this end when bytes arrive, which is slow, so
    /// that asking again for a moment before sleeping may be faster
    /// ([`Limits::poll_for`](crate::Limits::poll_for)).
    fn wakes_slowly(&self) -> bool {
        true
    }
}

/// The sending half of a [`Transport`].
pub trait FrameWriter: Send + 'static {
    /// Writes frames until none is left. What is pending or failed stays in `frames`, so the next
    /// call, by whomever, carries on at the right byte.
    ///
    /// # Errors
    ///
    /// The transport is broken. It is not written to again.
    fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        frames: &mut FrameBuffer,
    ) -> Poll<io::Result<()>>;

    /// Flushes, then tells the peer that no more frames follow.
    ///
    /// # Errors
    ///
    /// The transport is broken.
    fn poll_close(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// Accepts transports.
pub trait Listener: Send + 'static {
    /// What is accepted.
    type Transport: Transport;

    /// Waits for the next peer.
    ///
    /// # Errors
    ///
    /// An error of one connection or for want of resources; the next call may succeed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future must not lose a peer that connected.
    fn accept(&mut self) -> impl Future<Output = io::Result<Self::Transport>> + Send;
}

/// Connects to one place, as often as it is asked to.
pub trait Connector: Send + Sync + 'static {
    /// What is connected.
    type Transport: Transport;

    /// Tries once to connect.
    ///
    /// # Errors
    ///
    /// Nobody listens, or the peer is not to be trusted.
    fn connect(&self) -> impl Future<Output = io::Result<Self::Transport>> + Send;
}
