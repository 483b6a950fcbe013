//! Directories of private buses: making them, and removing those that nobody lives in.
//!
//! Every handle shares the lock on its directory, so whoever can lock the directory alone is the
//! last there, and may remove it. That holds for the last to leave as well as for a stranger who
//! sweeps up after a crash, and two of them never remove the same one.

use std::collections::hash_map::RandomState;
use std::ffi::OsStr;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags, openat, unlinkat};
use rustix::io::Errno;
use rustix::process::Uid;

use super::directory::{self, DirFd, Location, Made};
use super::{LOCK, SOCKET, lock};
use crate::error::BusError;

/// What the name of each private bus's directory begins with.
pub(super) const PREFIX: &str = "bus-";

const MARKER: &str = ".private";
/// How many fresh directories in a row may be swept away by others before we give up.
const ATTEMPTS: usize = 128;

/// Makes a directory in `base` that has a name of its own.
pub(super) fn make(base: &Path, me: Uid) -> Result<(DirFd, PathBuf), BusError> {
    for _ in 0..ATTEMPTS {
        if let Some(made) = try_make(base, me)? {
            return Ok(made);
        }
    }
    Err(BusError::io("make a directory in", base, Errno::AGAIN))
}

/// Makes a directory, or returns `None` if its name was taken or somebody who sweeps was faster
/// than our lock on it.
fn try_make(base: &Path, me: Uid) -> Result<Option<(DirFd, PathBuf)>, BusError> {
    let location = Location::new(&base.join(random_name()), me)?;
    if location.make()? == Made::Before {
        return Ok(None);
    }
    let fd = match location.open() {
        Err(BusError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Ok(None);
        }
        opened => opened?,
    };
    let failed = |source| BusError::io("lock", location.path(), source);
    if !lock::try_share(&fd).map_err(failed)? || !location.leads_to(&fd).map_err(failed)? {
        return Ok(None);
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(&fd, MARKER, flags, Mode::RUSR | Mode::WUSR)
        .map_err(|errno| BusError::io("mark", location.path(), errno))?;
    Ok(Some((fd.into(), location.into_path())))
}

/// Seven characters leave room for the longest user number and the longest endpoint name in the
/// path of a socket. A name that is taken costs another attempt, no more.
fn random_name() -> String {
    let mut bits = RandomState::new().build_hasher().finish();
    let mut name = String::from(PREFIX);
    for _ in 0..7 {
        name.extend(char::from_digit((bits % 32) as u32, 32));
        bits /= 32;
    }
    name
}

/// Tells whether the directory is that of a private bus.
pub(super) fn is_marked(dir: impl AsFd) -> io::Result<bool> {
    directory::exists(dir, MARKER.as_ref())
}

/// Removes the directory unless somebody else lives in it.
pub(super) fn leave(dir: &OwnedFd, path: &Path) {
    let parent = openat(dir, "..", OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
    if let (Ok(parent), Some(name)) = (parent, path.file_name()) {
        // What is left behind when this fails, the next sweep removes.
        _ = try_remove(&parent, name, dir);
    }
}

/// Removes the directories in `base` that nobody lives in, such as a crash leaves.
///
/// What cannot be removed stays: it does not stand in the way of anybody.
pub(super) fn sweep(base: &OwnedFd) {
    let Ok(entries) = directory::entries(base) else {
        return;
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    for name in entries.iter().filter(|name| name.starts_with(PREFIX)) {
        if let Ok(dir) = openat(base, name.as_str(), flags, Mode::empty()) {
            _ = try_remove(base, name.as_ref(), &dir);
        }
    }
}

fn try_remove(parent: &OwnedFd, name: &OsStr, dir: &OwnedFd) -> io::Result<()> {
    // From here on nobody enters, and nobody but us removes the directory that has this name.
    if !lock::try_own(dir)? || !directory::leads_to(parent, name, dir)? {
        return Ok(());
    }
    for entry in directory::entries(dir)? {
        if entry == MARKER || entry.ends_with(LOCK) || entry.ends_with(SOCKET) {
            unlinkat(dir, entry.as_str(), AtFlags::empty())?;
        }
    }
    Ok(unlinkat(parent, name, AtFlags::REMOVEDIR)?)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::sync::mpsc::{self, TryRecvError};
    use std::thread;

    use rustix::process::geteuid;

    use super::super::BusDir;
    use super::super::testing::{TempDir, claim, stale_socket};
    use super::*;

    fn private_in(base: &Path) -> BusDir {
        BusDir::private_in(base, geteuid()).unwrap()
    }

    /// What a bus leaves whose processes were all killed.
    fn residue(base: &Path, name: &str) {
        let dir = base.join(name);
        fs::create_dir(&dir).unwrap();
        for file in [MARKER, ".bus.lock", "e1.lock", "e2.lock"] {
            File::create(dir.join(file)).unwrap();
        }
        stale_socket(&dir.join("e1.ipc"));
    }

    #[test]
    fn the_longest_names_fit_into_the_longest_base() {
        let base = format!("/run/user/{}/lahja", u32::MAX);
        let name = "x".repeat(crate::EndpointName::MAX_LEN);
        let path = Path::new(&base).join(random_name()).join(name + SOCKET);
        super::super::socket::address(&path).unwrap();
    }

    #[test]
    fn a_private_directory_goes_with_its_last_handle() {
        let temp = TempDir::new();
        let owner = private_in(temp.path());
        let name = owner.path().file_name().unwrap().to_owned();
        let clone = owner.clone();
        drop(owner);
        assert_eq!(temp.entries(), [name.into_string().unwrap()]);
        drop(clone);
        assert_eq!(temp.entries(), [""; 0]);
    }

    #[test]
    fn a_seat_keeps_a_private_directory_after_its_owner_left() {
        let temp = TempDir::new();
        let owner = private_in(temp.path());
        let guest = BusDir::join(owner.path()).unwrap();
        drop(owner);
        let (seat, listener) = claim(&guest, "e1").unwrap();
        drop(guest);
        assert!(seat.socket_path().exists());
        drop(listener);
        drop(seat);
        assert_eq!(temp.entries(), [""; 0]);
    }

    #[test]
    fn a_private_directory_is_not_joined_once_it_is_gone() {
        let temp = TempDir::new();
        let owner = private_in(temp.path());
        let path = owner.path().to_owned();
        drop(owner);
        assert!(matches!(BusDir::join(path), Err(BusError::Io { .. })));
        assert_eq!(temp.entries(), [""; 0]);
    }

    #[test]
    fn what_a_user_put_there_is_kept() {
        let temp = TempDir::new();
        let owner = private_in(temp.path());
        let path = owner.path().to_owned();
        fs::write(path.join("notes"), "precious").unwrap();
        drop(owner);
        assert_eq!(fs::read_dir(&path).unwrap().count(), 1);
    }

    #[test]
    fn a_sweep_removes_the_dead_and_spares_the_living() {
        let temp = TempDir::new();
        let owned = private_in(temp.path());
        let left = private_in(temp.path());
        let (seat, _listener) = claim(&BusDir::join(left.path()).unwrap(), "e1").unwrap();
        drop(left);
        residue(temp.path(), "bus-dead");
        fs::create_dir(temp.join("bus-halfmade")).unwrap();
        residue(temp.path(), "shared");

        let new = private_in(temp.path());
        let name = |dir: &BusDir| dir.path().file_name().unwrap().to_str().unwrap().to_owned();
        let mut expected = [name(&owned), name(seat.dir()), name(&new), "shared".into()];
        expected.sort();
        assert_eq!(temp.entries(), expected);
        assert!(seat.socket_path().exists());
    }

    #[test]
    fn making_leaving_and_sweeping_at_once_never_removes_a_living_bus() {
        let temp = TempDir::new();
        let (working, finished) = mpsc::channel::<()>();
        thread::scope(|scope| {
            let base = directory::open_or_make(temp.path(), geteuid()).unwrap();
            scope.spawn(move || {
                while finished.try_recv() == Err(TryRecvError::Empty) {
                    sweep(&base);
                }
            });
            for working in [working.clone(), working.clone(), working.clone(), working] {
                let base = temp.path();
                scope.spawn(move || {
                    (0..250).for_each(|_| make_and_leave(base));
                    drop(working);
                });
            }
        });
        assert_eq!(temp.entries(), [""; 0]);
    }

    fn make_and_leave(base: &Path) {
        let bus = private_in(base);
        let guest = BusDir::join(bus.path()).unwrap();
        let (seat, _listener) = claim(&bus, "e1").unwrap();
        drop(bus);
        guest.connect(&"e1".parse().unwrap()).unwrap();
        drop(guest);
        assert!(seat.socket_path().exists());
    }

    #[test]
    fn of_many_that_leave_at_once_the_last_removes_the_directory() {
        let temp = TempDir::new();
        for _ in 0..200 {
            let owner = private_in(temp.path());
            let guests: Vec<_> = (0..3).map(|_| BusDir::join(owner.path()).unwrap()).collect();
            thread::scope(|scope| {
                for handle in guests.into_iter().chain([owner]) {
                    scope.spawn(move || drop(handle));
                }
            });
            assert_eq!(temp.entries(), [""; 0]);
        }
    }
}
