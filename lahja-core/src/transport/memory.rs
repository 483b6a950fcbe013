//! Two transports that are joined within one process.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_channel::{Receiver, Sender};
use futures_core::Stream;

use super::{FrameReader, FrameWriter, Transport};
use crate::error::FrameError;
use crate::frame::{ArrivedFrames, FrameBuffer, FrameDecoder};

/// Batches of frames that wait in each direction before a writer has to wait.
const BATCHES: usize = 16;

/// One of two transports that are joined within one process.
pub struct MemoryTransport {
    sender: Sender<Vec<u8>>,
    receiver: Receiver<Vec<u8>>,
}

/// Creates two transports that are joined: what one sends, the other receives.
///
/// # Examples
///
/// ```
/// let (near, far) = lahja_core::memory_pair();
/// ```
pub fn memory_pair() -> (MemoryTransport, MemoryTransport) {
    let (near_sender, far_receiver) = async_channel::bounded(BATCHES);
    let (far_sender, near_receiver) = async_channel::bounded(BATCHES);
    let near = MemoryTransport { sender: near_sender, receiver: near_receiver };
    let far = MemoryTransport { sender: far_sender, receiver: far_receiver };
    (near, far)
}

impl Transport for MemoryTransport {
    type Reader = MemoryReader;
    type Writer = MemoryWriter;

    fn split(self) -> (MemoryReader, MemoryWriter) {
        let reader =
            MemoryReader { receiver: Box::pin(self.receiver), decoder: FrameDecoder::new(0) };
        let writer = MemoryWriter { sender: self.sender, sending: None };
        (reader, writer)
    }
}

impl fmt::Debug for MemoryTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryTransport").finish_non_exhaustive()
    }
}

/// Takes batches of frames from the other end.
pub struct MemoryReader {
    receiver: Pin<Box<Receiver<Vec<u8>>>>,
    decoder: FrameDecoder,
}

impl FrameReader for MemoryReader {
    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let batch = ready!(self.receiver.as_mut().poll_next(context));
        let is_some = batch.is_some();
        self.decoder.take_over(batch.unwrap_or_default());
        Poll::Ready(Ok(is_some))
    }

    fn next_frame(&mut self) -> Result<Option<&[u8]>, FrameError> {
        self.decoder.next_frame()
    }

    fn next_alike(
        &mut self,
        header: [u8; 3],
        take: impl FnMut(usize) -> bool,
    ) -> Option<ArrivedFrames> {
        self.decoder.next_alike(header, take)
    }

    fn finish(&self) -> Result<(), FrameError> {
        self.decoder.finish()
    }

    fn set_max_frame(&mut self, max_frame: usize) {
        self.decoder.set_max_frame(max_frame);
    }

    fn wakes_slowly(&self) -> bool {
        false
    }
}

impl fmt::Debug for MemoryReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryReader").finish_non_exhaustive()
    }
}

type Sending = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

/// Hands batches of frames to the other end.
pub struct MemoryWriter {
    sender: Sender<Vec<u8>>,
    // A batch for which there was no room.
    sending: Option<Sending>,
}

impl FrameWriter for MemoryWriter {
    fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        frames: &mut FrameBuffer,
    ) -> Poll<io::Result<()>> {
        loop {
            if let Some(sending) = &mut self.sending {
                let sent = ready!(sending.as_mut().poll(context));
                self.sending = None;
                sent?;
            }
            if frames.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let sender = self.sender.clone();
            let batch = frames.take_bytes();
            self.sending = Some(Box::pin(async move {
                let sent = sender.send(batch).await;
                sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
            }));
        }
    }

    fn poll_close(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_write(context, &mut FrameBuffer::new()))?;
        self.sender.close();
        Poll::Ready(Ok(()))
    }
}

impl fmt::Debug for MemoryWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryWriter").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn a_batch_that_is_kept_stays_as_it_came() {
        let (near, far) = memory_pair();
        let (_, mut writer) = near.split();
        let (mut reader, _) = far.split();
        reader.set_max_frame(100);
        let mut context = Context::from_waker(Waker::noop());
        let mut take_batch = |content: &[u8]| {
            let mut frames = FrameBuffer::new();
            frames.push(content);
            assert!(matches!(writer.poll_write(&mut context, &mut frames), Poll::Ready(Ok(()))));
            assert!(matches!(reader.poll_fill(&mut context), Poll::Ready(Ok(true))));
            reader.next_alike(*b"abc", |_| true).unwrap()
        };
        let [first, second] = [b"abc one", b"abc two"].map(|content| take_batch(content));
        assert_eq!(*first, *b"\x07\0\0\0abc one");
        assert_eq!(*second, *b"\x07\0\0\0abc two");
    }
}
