//! The directory where the endpoints of an event bus find each other.
//!
//! | entry | what it is |
//! |---|---|
//! | the directory | locked shared by every [`BusDir`] of it: whoever locks it alone is the last |
//! | `.bus.lock` | the bus's lock, held while an endpoint joins |
//! | `.private` | says that the last to leave removes the directory |
//! | `<name>.lock` | locked for as long as the endpoint of that name lives |
//! | `<name>.ipc` | the endpoint's socket, mode 0600 |
//!
//! Every lock is a `flock`: it ends with its process, however that ends, so a crash leaves files
//! but no owner. A file is removed only by who holds the lock that guards it: the socket and the
//! lock file of an endpoint under its name's lock, a whole private directory under the lock of the
//! directory itself.
//!
//! Nothing here waits. What is locked by somebody else is said to be, and the caller tries again.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, statat};
use rustix::process::{Uid, geteuid};

use crate::error::{BusError, JoinError, SocketError};
use crate::name::EndpointName;
use directory::{DirFd, Location};
use lock::FileLock;
use socket::Place;

pub(crate) use peer::check_peer;
pub(crate) use socket::{SocketFile, bind_path, connect_path};

mod base;
mod directory;
mod lock;
mod peer;
mod private;
mod socket;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

const BUS_LOCK: &str = ".bus.lock";
const LOCK: &str = ".lock";
const SOCKET: &str = ".ipc";

/// The open directory of an event bus; clones share it.
///
/// A private directory is removed with the last handle to it, in whatever process that is.
#[derive(Debug, Clone)]
pub(crate) struct BusDir(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    fd: DirFd,
    /// Invariant: absolute, and it led to `fd` when that was opened.
    path: PathBuf,
    lifetime: Lifetime,
}

/// Whether a directory outlives those who meet in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lifetime {
    Lasting,
    Private,
}

impl BusDir {
    /// Makes a fresh directory of its own for a private bus, and removes those that died.
    pub(crate) fn private() -> Result<Self, BusError> {
        Self::private_in(&base::base_dir(), geteuid())
    }

    /// Opens the directory of the bus that everyone of this user knows by `name`, and makes it if
    /// it is missing.
    pub(crate) fn open(name: &str) -> Result<Self, BusError> {
        Self::open_in(&base::base_dir(), name, geteuid())
    }

    /// Opens the directory at `path`, and makes it if it is missing.
    pub(crate) fn at(path: impl AsRef<Path>) -> Result<Self, BusError> {
        Self::at_for(path.as_ref(), geteuid())
    }

    /// Opens the directory at `path`, which somebody else has made, for instance a private one.
    pub(crate) fn join(path: impl AsRef<Path>) -> Result<Self, BusError> {
        Self::from_location(Location::new(path.as_ref(), geteuid())?)
    }

    fn private_in(base: &Path, me: Uid) -> Result<Self, BusError> {
        let base_fd = directory::open_or_make(base, me)?;
        private::sweep(&base_fd);
        let (fd, path) = private::make(base, me)?;
        Ok(Self::new(fd, path, Lifetime::Private))
    }

    fn open_in(base: &Path, name: &str, me: Uid) -> Result<Self, BusError> {
        EndpointName::new(name).map_err(|source| BusError::Name { name: name.into(), source })?;
        if name.starts_with(private::PREFIX) {
            return Err(BusError::Reserved { name: name.into() });
        }
        directory::open_or_make(base, me)?;
        Self::at_for(&base.join(name), me)
    }

    fn at_for(path: &Path, me: Uid) -> Result<Self, BusError> {
        let location = Location::new(path, me)?;
        location.make()?;
        Self::from_location(location)
    }

    fn from_location(location: Location) -> Result<Self, BusError> {
        let fd = location.open()?;
        let failed = |source| BusError::io("look into", location.path(), source);
        // Somebody may hold the lock alone for a moment; `try_lock` insists on it.
        lock::try_share(&fd).map_err(failed)?;
        let lifetime = if private::is_marked(&fd).map_err(failed)? {
            Lifetime::Private
        } else {
            Lifetime::Lasting
        };
        Ok(Self::new(fd.into(), location.into_path(), lifetime))
    }

    fn new(fd: DirFd, path: PathBuf, lifetime: Lifetime) -> Self {
        Self(Arc::new(Inner { fd, path, lifetime }))
    }

    /// Returns the absolute path of the directory, which is all that another process needs.
    pub(crate) fn path(&self) -> &Path {
        &self.0.path
    }

    /// Takes the bus's lock, or returns `None` while somebody else is joining.
    pub(crate) fn try_lock(&self) -> Result<Option<BusLock>, BusError> {
        let Inner { fd, path, .. } = &*self.0;
        let failed = |source| BusError::io("lock", path, source);
        if !lock::try_share(fd).map_err(failed)? {
            return Ok(None);
        }
        // Sockets are bound and dialled by path, so it has to lead here still.
        let named = statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW);
        if !directory::is_same(fd, named).map_err(failed)? {
            return Err(BusError::Gone { path: path.clone() });
        }
        let lock = FileLock::try_take(fd, BUS_LOCK.as_ref()).map_err(failed)?;
        Ok(lock.map(|lock| BusLock { _lock: lock, dir: self.clone() }))
    }

    /// Tells whether a living endpoint holds `name`; also true when that cannot be told at once,
    /// as somebody is joining.
    pub(crate) fn is_live(&self, name: &EndpointName) -> Result<bool, BusError> {
        let held = directory::exists(&self.0.fd, lock_name(name).as_ref());
        if !held.map_err(|source| BusError::io("look into", self.path(), source))? {
            return Ok(false);
        }
        match self.try_lock()? {
            Some(lock) => lock.is_live(name),
            None => Ok(true),
        }
    }

    /// Connects to the socket of `name` without waiting; a full backlog is
    /// [`io::ErrorKind::WouldBlock`].
    pub(crate) fn connect(&self, name: &EndpointName) -> Result<UnixStream, SocketError> {
        connect_path(self.socket_path(name))
    }

    fn socket_path(&self, name: &EndpointName) -> PathBuf {
        self.path().join(socket_name(name))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if self.lifetime == Lifetime::Private {
            private::leave(&self.fd, &self.path);
        }
    }
}

/// The bus's lock: nobody else joins while it is held.
#[derive(Debug)]
pub(crate) struct BusLock {
    // Declared first, so that it is given back before the directory may go.
    _lock: FileLock,
    dir: BusDir,
}

impl BusLock {
    /// Takes `name` for an endpoint of this process, and listens on its socket.
    ///
    /// The path is checked before anything is touched. What a dead endpoint of that name left is
    /// removed.
    pub(crate) fn claim(&self, name: &EndpointName) -> Result<(Seat, UnixListener), JoinError> {
        let path = self.dir.socket_path(name);
        let address = socket::address(&path)?;
        let place = self.place(name).map_err(|source| SocketError::io("lock", &path, source))?;
        let Some(place) = place else {
            return Err(JoinError::NameTaken { name: name.clone() });
        };
        let (socket, listener) = place.bind(&address)?;
        let seat = Seat { _socket: socket, _dir: self.dir.clone() };
        Ok((seat, listener))
    }

    /// Lists the living endpoints other than `me` in the order of their names, and removes what
    /// dead ones left.
    pub(crate) fn others(&self, me: &EndpointName) -> Result<Vec<EndpointName>, BusError> {
        let entries = directory::entries(&self.dir.0.fd)
            .map_err(|source| BusError::io("list", self.dir.path(), source))?;
        // A crash may leave either file without the other, so both give a name.
        let names: BTreeSet<_> = entries
            .iter()
            .filter_map(|entry| entry.strip_suffix(SOCKET).or(entry.strip_suffix(LOCK)))
            .filter_map(|stem| EndpointName::new(stem).ok())
            .filter(|name| name != me)
            .collect();
        let mut living = Vec::new();
        for name in names {
            if self.is_live(&name)? {
                living.push(name);
            }
        }
        Ok(living)
    }

    /// Only the bus's lock makes it safe to try a name's lock: nobody claims the name meanwhile,
    /// and is refused because of the trial.
    fn is_live(&self, name: &EndpointName) -> Result<bool, BusError> {
        let path = self.dir.socket_path(name);
        let failed = |source| BusError::io("look at", &path, source);
        let Some(place) = self.place(name).map_err(failed)? else {
            // Whoever is leaving has the lock still, but no socket.
            let socket = socket_name(name);
            return directory::exists(&self.dir.0.fd, socket.as_ref()).map_err(failed);
        };
        place.clear().map_err(failed)?;
        Ok(false)
    }

    fn place(&self, name: &EndpointName) -> io::Result<Option<Place>> {
        let path = self.dir.socket_path(name);
        Place::try_take(self.dir.0.fd.clone(), path, lock_name(name).into())
    }
}

/// A living endpoint's hold on its name; dropping it removes the socket and frees the name.
#[derive(Debug)]
pub(crate) struct Seat {
    // Declared first: it goes before the directory may.
    _socket: SocketFile,
    _dir: BusDir,
}

#[cfg(test)]
impl Seat {
    fn dir(&self) -> &BusDir {
        &self._dir
    }

    fn socket_path(&self) -> &Path {
        self._socket.path()
    }
}

impl BusError {
    fn io(action: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        Self::Io { action, path: path.into(), source: source.into() }
    }
}

fn lock_name(name: &EndpointName) -> String {
    format!("{name}{LOCK}")
}

fn socket_name(name: &EndpointName) -> String {
    format!("{name}{SOCKET}")
}
