//! The contract of transports on those of core: in memory, and on sockets and pipes of every kind.

mod memory {
    lahja_contract::transport_contract!(lahja_core::memory_pair);
}

mod unix_socket {
    lahja_contract::transport_contract!(|| super::unix_pair(lahja_smol::Smol::default()));
}

mod unix_socket_of_threads {
    lahja_contract::transport_contract!(|| super::unix_pair(lahja_contract::reference::Threads));
}

mod pipes {
    lahja_contract::transport_contract!(super::pipe_pair);
}

mod tcp_socket {
    lahja_contract::transport_contract!(super::tcp_pair);
}

mod one_byte_at_a_time {
    lahja_contract::transport_contract!(|| super::in_pieces(1));
}

mod seven_bytes_at_a_time {
    lahja_contract::transport_contract!(|| super::in_pieces(7));
}

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};
use lahja_contract::reference::Threads;
use lahja_core::{Platform, SharedSocket, StreamTransport, Transport};
use rustix::pipe::{PipeFlags, pipe_with};
use smol::Async;

fn unix_streams<P: Platform>(platform: &P) -> (P::Stream, P::Stream) {
    let (near, far) = UnixStream::pair().unwrap();
    let own = |socket: UnixStream| {
        socket.set_nonblocking(true).unwrap();
        platform.stream(socket).unwrap()
    };
    (own(near), own(far))
}

fn unix_pair<P: Platform>(platform: P) -> (impl Transport, impl Transport) {
    let (near, far) = unix_streams(&platform);
    let own =
        |socket: P::Stream| StreamTransport::new(socket.clone(), socket).try_read_with(P::try_read);
    (own(near), own(far))
}

fn pipe_pair() -> (impl Transport, impl Transport) {
    let pipe = || {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        let reader = Async::new(File::from(reader)).unwrap();
        (reader, Async::new(File::from(writer)).unwrap())
    };
    let (near_reader, far_writer) = pipe();
    let (far_reader, near_writer) = pipe();
    let near = StreamTransport::new(near_reader, near_writer);
    (near, StreamTransport::new(far_reader, far_writer))
}

fn tcp_pair() -> (impl Transport, impl Transport) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    let own = |socket| {
        let socket = SharedSocket::new(Async::new(socket).unwrap());
        StreamTransport::new(socket.clone(), socket).try_read_with(SharedSocket::try_read)
    };
    (own(near), own(far))
}

fn in_pieces(len: usize) -> (impl Transport, impl Transport) {
    let (near, far) = unix_streams(&Threads);
    let pieces = |stream| Pieces { stream, len, waits: false };
    let own = |stream: <Threads as Platform>::Stream| {
        StreamTransport::new(pieces(stream.clone()), pieces(stream))
    };
    (own(near), own(far))
}

/// A stream that takes and gives some bytes at a time, and nothing every other time.
struct Pieces<T> {
    stream: T,
    len: usize,
    waits: bool,
}

impl<T: Unpin> Pieces<T> {
    fn poll_piece<R>(
        &mut self,
        context: &mut Context<'_>,
        poll: impl FnOnce(Pin<&mut T>, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        self.waits = !self.waits;
        if self.waits {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        poll(Pin::new(&mut self.stream), context)
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Pieces<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let len = self.len.min(bytes.len());
        self.poll_piece(context, |stream, context| stream.poll_read(context, &mut bytes[..len]))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Pieces<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let len = self.len.min(bytes.len());
        self.poll_piece(context, |stream, context| stream.poll_write(context, &bytes[..len]))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_piece(context, |stream, context| stream.poll_flush(context))
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_piece(context, |stream, context| stream.poll_close(context))
    }
}
