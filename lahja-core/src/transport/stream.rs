//! A transport over any byte stream of the futures-io kind.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};

use super::{FrameReader, FrameWriter, Transport};
use crate::error::FrameError;
use crate::frame::{ArrivedFrames, FrameBuffer, FrameDecoder};

/// How often a stream is read without waiting whenever it is asked. An executor that has nothing else to
/// do takes about as long as one such look until it asks again.
const LOOKS: usize = 2;

/// Carries frames over a pair of byte streams: a socket and its clone, or two pipes.
///
/// Once no more frames follow, the writer is closed and dropped.
///
/// # Examples
///
/// ```
/// use futures_lite::io::{Cursor, sink};
/// use lahja_core::StreamTransport;
///
/// let transport = StreamTransport::new(Cursor::new(Vec::new()), sink());
/// ```
pub struct StreamTransport<R, W> {
    reader: R,
    writer: W,
    try_read: TryRead<R>,
}

/// Reads what has arrived at a stream, without waiting and without having anyone woken. `None`: that
/// cannot be done.
type TryRead<R> = fn(&R, &mut [u8]) -> Option<io::Result<usize>>;

impl<R, W> StreamTransport<R, W>
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
{
    /// Makes a transport that reads from `reader` and writes to `writer`.
    pub fn new(reader: R, writer: W) -> Self {
        Self { reader, writer, try_read: |_, _| None }
    }

    /// Has the transport read in another way while it is asked again and again: by a call that neither
    /// waits nor has anyone woken, such as [`SharedSocket::try_read`](crate::SharedSocket::try_read).
    /// `None` says that there is no such way.
    ///
    /// It yields the very bytes that `reader` would yield next, so `reader` holds none back itself.
    /// Nothing yet is [`io::ErrorKind::WouldBlock`]; no bytes are the end.
    pub fn try_read_with(self, try_read: fn(&R, &mut [u8]) -> Option<io::Result<usize>>) -> Self {
        Self { try_read, ..self }
    }
}

impl<R, W> Transport for StreamTransport<R, W>
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
{
    type Reader = StreamReader<R>;
    type Writer = StreamWriter<W>;

    fn split(self) -> (StreamReader<R>, StreamWriter<W>) {
        let Self { reader: stream, try_read, .. } = self;
        let reader = StreamReader { stream, try_read, decoder: FrameDecoder::new(0) };
        (reader, StreamWriter(Some(self.writer)))
    }
}

impl<R, W> fmt::Debug for StreamTransport<R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamTransport").finish_non_exhaustive()
    }
}

/// Reads frames from a byte stream.
pub struct StreamReader<R> {
    stream: R,
    try_read: TryRead<R>,
    decoder: FrameDecoder,
}

impl<R: AsyncRead + Unpin + Send + 'static> FrameReader for StreamReader<R> {
    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        loop {
            let space = self.decoder.space();
            match ready!(Pin::new(&mut self.stream).poll_read(context, space)) {
                Ok(count) => {
                    self.decoder.filled(count);
                    return Poll::Ready(Ok(count > 0));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn poll_ask(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        for _ in 0..LOOKS {
            match (self.try_read)(&self.stream, self.decoder.space()) {
                None => return self.poll_fill(context),
                Some(Ok(count)) => {
                    self.decoder.filled(count);
                    return Poll::Ready(Ok(count > 0));
                }
                Some(Err(error)) => match error.kind() {
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => {}
                    _ => return Poll::Ready(Err(error)),
                },
            }
        }
        Poll::Pending
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
}

impl<R> fmt::Debug for StreamReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamReader").finish_non_exhaustive()
    }
}

/// Writes frames to a byte stream.
pub struct StreamWriter<W>(
    // None: closed. A pipe has no other way to be closed than to be dropped.
    Option<W>,
);

impl<W: AsyncWrite + Unpin + Send + 'static> FrameWriter for StreamWriter<W> {
    fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        frames: &mut FrameBuffer,
    ) -> Poll<io::Result<()>> {
        let Some(stream) = &mut self.0 else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        while !frames.is_empty() {
            match ready!(Pin::new(&mut *stream).poll_write(context, frames.bytes())) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(count) => frames.advance(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        uninterrupted(|| Pin::new(&mut *stream).poll_flush(context))
    }

    fn poll_close(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(stream) = &mut self.0 {
            ready!(uninterrupted(|| Pin::new(&mut *stream).poll_close(context)))?;
            self.0 = None;
        }
        Poll::Ready(Ok(()))
    }
}

/// Makes a call again that a signal has interrupted.
fn uninterrupted(mut call: impl FnMut() -> Poll<io::Result<()>>) -> Poll<io::Result<()>> {
    loop {
        match call() {
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

impl<W> fmt::Debug for StreamWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamWriter").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::task::Waker;

    use futures_lite::io::{Sink, sink};

    use super::*;

    /// A stream that says what it is told to say, to whoever asks it without waiting.
    struct Scripted(Mutex<Vec<Option<io::Result<usize>>>>);

    impl Scripted {
        fn try_read(&self, _: &mut [u8]) -> Option<io::Result<usize>> {
            self.0.lock().unwrap().remove(0)
        }
    }

    impl AsyncRead for Scripted {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(7))
        }
    }

    #[test]
    fn what_is_asked_for_is_there_or_not_or_the_end_or_fails() {
        let failing = |kind: io::ErrorKind| Some(Err(kind.into()));
        let nothing = || failing(io::ErrorKind::WouldBlock);
        let script = vec![
            nothing(),
            failing(io::ErrorKind::Interrupted),
            nothing(),
            nothing(),
            Some(Ok(3)),
            None,
            failing(io::ErrorKind::ConnectionReset),
            Some(Ok(0)),
        ];
        let transport: StreamTransport<_, Sink> =
            StreamTransport::new(Scripted(Mutex::new(script)), sink());
        let (mut reader, _writer) = transport.try_read_with(Scripted::try_read).split();
        let mut context = Context::from_waker(Waker::noop());
        let mut ask = || match reader.poll_ask(&mut context) {
            Poll::Ready(there) => Some(there.map_err(|error| error.kind())),
            Poll::Pending => None,
        };
        assert_eq!(ask(), None);
        assert_eq!(ask(), None);
        assert_eq!(ask(), Some(Ok(true)));
        assert_eq!(ask(), Some(Ok(true)), "it is read as a stream");
        assert_eq!(ask(), Some(Err(io::ErrorKind::ConnectionReset)));
        assert_eq!(ask(), Some(Ok(false)));
    }
}
