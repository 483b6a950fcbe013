//! Unix sockets that have a path.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, Mode, chmodat, fchmod, statat, unlinkat};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with,
};
use rustix::process::geteuid;

use super::directory::{self, DirFd};
use super::lock::NameLock;
use crate::error::{BusError, SocketError};

/// The longest path of a Unix socket, in bytes: its address has 108, and the last is a NUL.
const MAX_PATH: usize = 107;

/// How many may be connecting before the next has to try again. The kernel has its own limit.
const BACKLOG: i32 = 1024;

const MODE: Mode = Mode::RUSR.union(Mode::WUSR);

/// Listens at `path`, where only this user can connect, for endpoints that are wired by hand.
///
/// A socket that nobody answers at is removed first, under the lock of `<path>.lock`. Dropping the
/// [`SocketFile`] removes both files. The directory has to be one where no other user can replace
/// either.
pub(crate) fn bind_path(path: impl AsRef<Path>) -> Result<(SocketFile, UnixListener), SocketError> {
    let path = path.as_ref();
    let address = address(path)?;
    let Some(name) = path.file_name() else {
        return Err(SocketError::io("bind", path, Errno::INVAL));
    };
    let above = match path.parent() {
        Some(above) if above != Path::new("") => above,
        _ => Path::new("."),
    };
    let dir = directory::open_parent(above, geteuid()).map_err(|error| in_no_dir(path, error))?;
    let mut lock_name = name.to_os_string();
    lock_name.push(super::LOCK);
    let place = Place::try_take(Arc::new(dir), path.into(), lock_name)
        .map_err(|source| SocketError::io("lock", path, source))?;
    let Some(place) = place else {
        return Err(SocketError::InUse { path: path.into() });
    };
    place.refuse_answering()?;
    place.bind(&address)
}

/// Says of the socket at `path` what is wrong with the directory it would be in.
fn in_no_dir(path: &Path, error: BusError) -> SocketError {
    match error {
        BusError::Symlink { path } => SocketError::Symlink { path },
        BusError::UnsafeParent { path, uid, mode } => SocketError::UnsafeParent { path, uid, mode },
        BusError::Io { source, .. } => SocketError::io("bind", path, source),
        _ => SocketError::io("bind", path, Errno::NOTDIR),
    }
}

/// Connects to the socket at `path` without waiting; a full backlog is
/// [`io::ErrorKind::WouldBlock`].
pub(crate) fn connect_path(path: impl AsRef<Path>) -> Result<UnixStream, SocketError> {
    let path = path.as_ref();
    let address = address(path)?;
    let failed = |errno| SocketError::io("connect to", path, errno);
    let socket = new_socket().map_err(failed)?;
    connect(&socket, &address).map_err(failed)?;
    Ok(socket.into())
}

pub(super) fn address(path: &Path) -> Result<SocketAddrUnix, SocketError> {
    let len = path.as_os_str().len();
    if len > MAX_PATH {
        return Err(SocketError::PathTooLong { path: path.into(), len, max: MAX_PATH });
    }
    if len == 0 {
        // The kernel would take it for an abstract name, which anybody can reach.
        return Err(SocketError::io("find", path, Errno::NOENT));
    }
    SocketAddrUnix::new(path).map_err(|errno| SocketError::io("find", path, errno))
}

fn new_socket() -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
}

/// Where a socket may be bound, as nobody else has the lock.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    lock: NameLock,
}

impl Place {
    /// Takes the lock, or returns `None` while somebody else has it.
    pub(super) fn try_take(
        dir: DirFd,
        path: PathBuf,
        lock_name: OsString,
    ) -> io::Result<Option<Self>> {
        let lock = NameLock::try_take(dir, lock_name)?;
        Ok(lock.map(|lock| Self { path, lock }))
    }

    /// Fails if somebody answers, who then has not asked for our lock.
    fn refuse_answering(&self) -> Result<(), SocketError> {
        use io::ErrorKind::{ConnectionRefused, NotFound, WouldBlock};
        let error = match connect_path(&self.path) {
            Ok(_) => return Err(self.in_use()),
            Err(error) => error,
        };
        match &error {
            SocketError::Io { source, .. } => match source.kind() {
                ConnectionRefused | NotFound => Ok(()),
                WouldBlock => Err(self.in_use()),
                _ => Err(error),
            },
            _ => Err(error),
        }
    }

    fn in_use(&self) -> SocketError {
        SocketError::InUse { path: self.path.clone() }
    }

    /// Removes the socket that somebody dead has left.
    pub(super) fn clear(&self) -> io::Result<()> {
        remove_socket(self.lock.dir(), file_name(&self.path))
    }

    /// Binds a socket and listens.
    ///
    /// The mode is right from the first moment, as Linux gives a socket's own to the file, and
    /// settled before anybody can connect, as that needs a socket that listens. The umask stays
    /// as it is: it is that of the whole process.
    pub(super) fn bind(
        self,
        address: &SocketAddrUnix,
    ) -> Result<(SocketFile, UnixListener), SocketError> {
        let path = self.path.clone();
        let failed = |source| SocketError::io("bind", &path, source);
        self.clear().map_err(failed)?;
        let socket = bind_new(address).map_err(|errno| match errno {
            Errno::ADDRINUSE => self.in_use(),
            errno => failed(errno.into()),
        })?;
        let file = SocketFile { path: self.path, lock: self.lock };
        file.restrict().map_err(failed)?;
        listen(&socket, BACKLOG).map_err(|errno| failed(errno.into()))?;
        Ok((file, socket.into()))
    }
}

pub(super) fn bind_new(address: &SocketAddrUnix) -> Result<OwnedFd, Errno> {
    let socket = new_socket()?;
    // Where the system refuses, `restrict` makes up for it.
    _ = fchmod(&socket, MODE);
    bind(&socket, address)?;
    Ok(socket)
}

/// A bound socket's file and the lock that guards it; dropping it removes both.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    lock: NameLock,
}

impl SocketFile {
    #[cfg(test)]
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the file mode 0600 where the umask or the system made it another.
    fn restrict(&self) -> io::Result<()> {
        let (dir, name) = (self.lock.dir(), file_name(&self.path));
        let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
        if Mode::from_raw_mode(stat.st_mode) != MODE {
            chmodat(dir, name, MODE, AtFlags::empty())?;
        }
        Ok(())
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // If the lock file was removed by hand, the socket may be somebody else's by now.
        if self.lock.is_current() {
            _ = remove_socket(self.lock.dir(), file_name(&self.path));
        }
    }
}

impl SocketError {
    pub(super) fn io(action: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        Self::Io { action, path: path.into(), source: source.into() }
    }
}

fn file_name(path: &Path) -> &OsStr {
    path.file_name().unwrap_or_default()
}

/// Removes a socket, and nothing else that has its name.
fn remove_socket(dir: impl AsFd, name: &OsStr) -> io::Result<()> {
    match statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) if directory::file_type(&stat) == FileType::Socket => {
            Ok(unlinkat(&dir, name, AtFlags::empty())?)
        }
        Ok(_) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::ErrorKind;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::super::testing::{TempDir, entries, make_dir, stale_socket};
    use super::*;

    fn io_kind<T>(result: Result<T, SocketError>) -> Option<ErrorKind> {
        match result {
            Err(SocketError::Io { source, .. }) => Some(source.kind()),
            _ => None,
        }
    }

    #[test]
    fn a_bound_socket_is_for_its_user_alone_and_goes_with_its_handle() {
        let temp = TempDir::new();
        let path = temp.join("a.sock");
        let (file, listener) = bind_path(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
        connect_path(&path).unwrap();
        listener.accept().unwrap();
        drop(file);
        assert_eq!(temp.entries(), [""; 0]);
    }

    #[test]
    fn nobody_else_may_connect_from_the_first_moment() {
        let temp = TempDir::new();
        let path = temp.join("a.sock");
        bind_new(&address(&path).unwrap()).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
    }

    #[test]
    fn a_mode_that_came_out_wrong_is_put_right() {
        let temp = TempDir::new();
        let (file, _listener) = bind_path(temp.join("a.sock")).unwrap();
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o777)).unwrap();
        file.restrict().unwrap();
        let mode = fs::metadata(file.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
    }

    #[test]
    fn a_path_of_108_bytes_is_refused_before_any_bind() {
        let temp = TempDir::new();
        let room = MAX_PATH - temp.path().as_os_str().len() - 1;
        let (_file, _listener) = bind_path(temp.join("x".repeat(room))).unwrap();
        let before = temp.entries();
        let long = temp.join("y".repeat(room + 1));
        let Err(SocketError::PathTooLong { path, len, max }) = bind_path(&long) else {
            panic!("the path was taken");
        };
        assert_eq!((path, len, max), (long.clone(), 108, 107));
        assert!(matches!(connect_path(&long), Err(SocketError::PathTooLong { .. })));
        assert_eq!(temp.entries(), before);
    }

    #[test]
    fn a_directory_that_others_could_change_is_refused_before_any_bind() {
        let temp = TempDir::new();
        for mode in [0o770, 0o720, 0o702, 0o777] {
            let dir = make_dir(temp.join(format!("{mode:o}")), mode);
            match bind_path(dir.join("a.sock")) {
                Err(SocketError::UnsafeParent { path, mode: found, .. }) => {
                    assert_eq!((path, found), (dir.clone(), mode));
                }
                other => panic!("{mode:o}: {other:?}"),
            }
            assert_eq!(entries(&dir), [""; 0]);
            fs::set_permissions(&dir, fs::Permissions::from_mode(mode | 0o1000)).unwrap();
            bind_path(dir.join("a.sock")).unwrap();
        }
        let real = make_dir(temp.join("real"), 0o700);
        symlink("real", temp.join("link")).unwrap();
        let Err(SocketError::Symlink { path }) = bind_path(temp.join("link/a.sock")) else {
            panic!("a link was followed");
        };
        assert_eq!(path, temp.join("link"));
        assert_eq!(entries(&real), [""; 0]);
    }

    #[test]
    fn no_name_becomes_an_abstract_one() {
        assert_eq!(io_kind(bind_path("")), Some(ErrorKind::NotFound));
        assert_eq!(io_kind(connect_path("")), Some(ErrorKind::NotFound));
        assert_eq!(io_kind(connect_path("\0abc")), Some(ErrorKind::InvalidInput));
    }

    #[test]
    fn a_stale_socket_is_replaced_only_under_its_lock() {
        let temp = TempDir::new();
        let path = temp.join("a.sock");
        stale_socket(&path);
        let dir = Arc::new(OwnedFd::from(fs::File::open(temp.path()).unwrap()));
        let lock = NameLock::try_take(dir, "a.sock.lock".into()).unwrap();
        assert!(matches!(bind_path(&path), Err(SocketError::InUse { .. })));
        assert!(path.exists());
        drop(lock);
        assert_eq!(io_kind(connect_path(&path)), Some(ErrorKind::ConnectionRefused));
        let (_file, _listener) = bind_path(&path).unwrap();
        connect_path(&path).unwrap();
    }

    #[test]
    fn a_socket_that_answers_is_left_alone_though_nobody_holds_the_lock() {
        let temp = TempDir::new();
        let path = temp.join("a.sock");
        let listener = UnixListener::bind(&path).unwrap();
        assert!(matches!(bind_path(&path), Err(SocketError::InUse { .. })));
        listener.set_nonblocking(true).unwrap();
        while listener.accept().is_ok() {}
        connect_path(&path).unwrap();
        listener.accept().unwrap();
        assert_eq!(temp.entries(), ["a.sock"]);
    }

    #[test]
    fn what_is_no_socket_is_never_removed() {
        let temp = TempDir::new();
        fs::write(temp.join("a.sock"), "precious").unwrap();
        fs::write(temp.join("b.sock.lock"), "precious").unwrap();
        assert!(bind_path(temp.join("a.sock")).is_err());
        drop(bind_path(temp.join("b.sock")).unwrap());
        assert_eq!(temp.entries(), ["a.sock", "b.sock.lock"]);
    }

    #[test]
    fn a_socket_whose_lock_file_was_replaced_by_hand_is_not_removed() {
        let temp = TempDir::new();
        let path = temp.join("a.sock");
        let (old, _listener) = bind_path(&path).unwrap();
        fs::remove_file(temp.join("a.sock.lock")).unwrap();
        fs::remove_file(&path).unwrap();
        let (_new, listener) = bind_path(&path).unwrap();
        drop(old);
        connect_path(&path).unwrap();
        listener.accept().unwrap();
    }

    #[test]
    fn a_full_backlog_would_block() {
        let temp = TempDir::new();
        let path = temp.join("a.sock");
        let (_file, listener) = bind_path(&path).unwrap();
        listen(&listener, 2).unwrap();
        let mut waiting = Vec::new();
        let full = loop {
            match connect_path(&path) {
                Ok(stream) => waiting.push(stream),
                full => break full,
            }
        };
        assert_eq!(io_kind(full), Some(ErrorKind::WouldBlock));
        listener.accept().unwrap();
        connect_path(&path).unwrap();
    }
}
