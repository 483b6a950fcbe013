//! A socket for the two halves of a connection.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};
use rustix::io::Errno;
use rustix::net::{RecvFlags, Shutdown, recv, shutdown};

/// A connected socket that its clones share, made of one that can be read and written by
/// reference, as `async_io::Async` can.
///
/// Closing any clone shuts down the sending direction of the socket. An adapter whose runtime has
/// such sockets uses this as its [`Platform::Stream`](crate::Platform::Stream).
#[derive(Debug)]
pub struct SharedSocket<S>(Arc<S>);

impl<S> SharedSocket<S> {
    /// Takes a socket to be shared.
    pub fn new(socket: S) -> Self {
        Self(Arc::new(socket))
    }
}

impl<S: AsFd> SharedSocket<S> {
    /// Reads what has arrived, without waiting and without having anyone woken. `None`: it is a pipe,
    /// with which this cannot be done.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`] if nothing has arrived, and whatever else `recv` may fail with.
    pub fn try_read(&self, bytes: &mut [u8]) -> Option<io::Result<usize>> {
        match recv(self, bytes, RecvFlags::DONTWAIT) {
            Ok((count, _whole)) => Some(Ok(count)),
            Err(Errno::NOTSOCK) => None,
            Err(error) => Some(Err(error.into())),
        }
    }
}

impl<S> Clone for SharedSocket<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S: AsFd> AsFd for SharedSocket<S> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl<S> AsyncRead for SharedSocket<S>
where
    for<'a> &'a S: AsyncRead,
{
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self.0).poll_read(context, bytes)
    }
}

impl<S: AsFd> AsyncWrite for SharedSocket<S>
where
    for<'a> &'a S: AsyncWrite,
{
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self.0).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self.0).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(context))?;
        Poll::Ready(match shutdown(&*self, Shutdown::Write) {
            // The peer has gone already, or it is a pipe, which is closed when it is dropped.
            Ok(()) | Err(Errno::NOTCONN | Errno::NOTSOCK) => Ok(()),
            Err(error) => Err(error.into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    use async_io::Async;
    use futures_lite::future::block_on;
    use futures_lite::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[test]
    fn what_has_arrived_is_read_at_once_and_nothing_is_not_waited_for() {
        let (near, far) = UnixStream::pair().unwrap();
        let near = SharedSocket::new(near);
        let mut bytes = [0; 8];
        let nothing = near.try_read(&mut bytes).unwrap().unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
        (&far).write_all(b"here").unwrap();
        assert_eq!(near.try_read(&mut bytes).unwrap().unwrap(), 4);
        assert_eq!(&bytes[..4], b"here");
        drop(far);
        assert_eq!(near.try_read(&mut bytes).unwrap().unwrap(), 0);

        let (reader, _writer) = rustix::pipe::pipe().unwrap();
        assert!(SharedSocket::new(reader).try_read(&mut bytes).is_none());
    }

    #[test]
    fn closing_a_clone_ends_what_the_peer_reads_and_not_what_it_writes() {
        let (near, far) = UnixStream::pair().unwrap();
        let near = SharedSocket::new(Async::new(near).unwrap());
        let far = SharedSocket::new(Async::new(far).unwrap());
        block_on(async {
            let mut writer = near.clone();
            writer.write_all(b"last").await.unwrap();
            writer.close().await.unwrap();
            writer.close().await.unwrap();
            let mut heard = Vec::new();
            far.clone().read_to_end(&mut heard).await.unwrap();
            assert_eq!(heard, b"last");

            far.clone().write_all(b"answer").await.unwrap();
            drop(far);
            heard.clear();
            near.clone().read_to_end(&mut heard).await.unwrap();
            assert_eq!(heard, b"answer");
            // Nobody is there any more.
            near.clone().close().await.unwrap();
        });
    }
}
