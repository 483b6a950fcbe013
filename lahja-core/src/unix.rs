//! Unix sockets as listeners and connectors, for buses and for explicit wiring.

use std::fmt;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use crate::error::SocketError;
use crate::name::EndpointName;
use crate::platform::Platform;
use crate::rendezvous::{BusDir, SocketFile, bind_path, check_peer, connect_path};
use crate::transport::{Connector, Listener, StreamTransport};

/// A transport over a Unix socket.
pub type UnixTransport<P> = StreamTransport<<P as Platform>::Stream, <P as Platform>::Stream>;

/// Accepts peers at a Unix socket. Peers of other users are refused before a byte is read.
pub struct UnixListener<P: Platform> {
    listener: P::Listener,
    // Removes the socket's file, unless the seat of an endpoint does.
    _file: Option<SocketFile>,
}

impl<P: Platform> UnixListener<P> {
    /// Binds a socket to `path`, with mode 0600. The file is removed with the listener; one that
    /// a crash has left is replaced.
    ///
    /// # Errors
    ///
    /// [`SocketError`]: the path is too long or in use, its directory is a symbolic link or one in
    /// which other users could replace the socket, or the operating system refuses.
    pub fn bind(path: impl AsRef<Path>) -> Result<Self, SocketError>
    where
        P: Default,
    {
        Self::bind_on(&P::default(), path)
    }

    /// Binds a socket to `path` on a platform of the user's choice.
    ///
    /// # Errors
    ///
    /// As for [`bind`](Self::bind).
    pub fn bind_on(platform: &P, path: impl AsRef<Path>) -> Result<Self, SocketError> {
        let path = path.as_ref();
        let (file, listener) = bind_path(path)?;
        let listener = platform.listener(listener).map_err(|source| SocketError::Io {
            action: "listen at",
            path: path.to_owned(),
            source,
        })?;
        let _file = Some(file);
        Ok(Self { listener, _file })
    }

    pub(crate) fn seated(listener: P::Listener) -> Self {
        let _file = None;
        Self { listener, _file }
    }
}

impl<P: Platform> Listener for UnixListener<P> {
    type Transport = UnixTransport<P>;

    async fn accept(&mut self) -> io::Result<UnixTransport<P>> {
        let stream = P::accept(&mut self.listener).await?;
        transport::<P>(stream)
    }
}

impl<P: Platform> fmt::Debug for UnixListener<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnixListener").finish_non_exhaustive()
    }
}

/// Connects to a Unix socket. A peer of another user is refused before a byte is read.
#[derive(Debug, Clone)]
pub struct UnixConnector<P> {
    platform: P,
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    Path(PathBuf),
    Seat(BusDir, EndpointName),
}

impl<P: Platform> UnixConnector<P> {
    /// Connects to the socket at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self
    where
        P: Default,
    {
        Self::on(P::default(), path)
    }

    /// Connects to the socket at `path` on a platform of the user's choice.
    pub fn on(platform: P, path: impl Into<PathBuf>) -> Self {
        let place = Place::Path(path.into());
        Self { platform, place }
    }

    /// Connects to an endpoint of a bus.
    pub(crate) fn seat(platform: P, bus: BusDir, name: EndpointName) -> Self {
        let place = Place::Seat(bus, name);
        Self { platform, place }
    }
}

impl<P: Platform> Connector for UnixConnector<P> {
    type Transport = UnixTransport<P>;

    async fn connect(&self) -> io::Result<UnixTransport<P>> {
        let stream: UnixStream = match &self.place {
            Place::Path(path) => connect_path(path),
            Place::Seat(bus, name) => bus.connect(name),
        }
        .map_err(into_io)?;
        transport::<P>(self.platform.stream(stream)?)
    }
}

/// Makes a transport of a socket, if the process at its other end is of the same user.
pub(crate) fn transport<P: Platform>(stream: P::Stream) -> io::Result<UnixTransport<P>> {
    check_peer(&stream).map_err(|error| io::Error::new(io::ErrorKind::PermissionDenied, error))?;
    Ok(StreamTransport::new(stream.clone(), stream).try_read_with(P::try_read))
}

/// Keeps the kind of the error, which tells whether to try again.
fn into_io(error: SocketError) -> io::Error {
    let kind = match &error {
        SocketError::Io { source, .. } => source.kind(),
        SocketError::PathTooLong { .. }
        | SocketError::Symlink { .. }
        | SocketError::UnsafeParent { .. } => io::ErrorKind::InvalidInput,
        SocketError::InUse { .. } => io::ErrorKind::AddrInUse,
    };
    io::Error::new(kind, error)
}
