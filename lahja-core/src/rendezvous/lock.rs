//! Locks that end with their process.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, flock, fstat, openat, unlinkat};
use rustix::io::Errno;

use super::directory::{self, DirFd};

/// How often in a row a lock file may be removed by its last holder before we call it busy.
const ATTEMPTS: usize = 64;

/// A lock on the file that has a certain name in a directory.
///
/// Two never hold the same name. Whoever removes the file holds its lock; whoever opened it before
/// and locks it after finds that the name leads elsewhere, and begins again with the new file.
#[derive(Debug)]
pub(super) struct FileLock(OwnedFd);

impl FileLock {
    /// Takes the lock, or returns `None` while somebody else has it.
    pub(super) fn try_take(dir: impl AsFd, name: &OsStr) -> io::Result<Option<Self>> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        for _ in 0..ATTEMPTS {
            let file = openat(&dir, name, flags, Mode::RUSR | Mode::WUSR)?;
            if !try_flock(&file, FlockOperation::NonBlockingLockExclusive)? {
                return Ok(None);
            }
            let lock = Self(file);
            if directory::leads_to(&dir, name, &lock.0)? {
                return Ok(Some(lock));
            }
        }
        Ok(None)
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // Closing is not enough: a child that another thread has forked shares the lock until it
        // has started its program.
        _ = flock(&self.0, FlockOperation::Unlock);
    }
}

/// A lock whose file goes with it.
#[derive(Debug)]
pub(super) struct NameLock {
    lock: FileLock,
    dir: DirFd,
    name: OsString,
}

impl NameLock {
    /// Takes the lock, or returns `None` while somebody else has it.
    pub(super) fn try_take(dir: DirFd, name: OsString) -> io::Result<Option<Self>> {
        let lock = FileLock::try_take(&dir, &name)?;
        Ok(lock.map(|lock| Self { lock, dir, name }))
    }

    pub(super) fn dir(&self) -> &DirFd {
        &self.dir
    }

    /// Tells whether the name is still ours: it is not if somebody removed the file by hand.
    pub(super) fn is_current(&self) -> bool {
        directory::leads_to(&self.dir, &self.name, &self.lock.0).unwrap_or(false)
    }
}

impl Drop for NameLock {
    fn drop(&mut self) {
        // A file that has content is no lock file of ours, whatever its name.
        let empty = fstat(&self.lock.0).is_ok_and(|stat| stat.st_size == 0);
        if empty && self.is_current() {
            _ = unlinkat(&self.dir, &self.name, AtFlags::empty());
        }
    }
}

/// Shares the lock on `file` with everyone who does the same; again is harmless.
pub(super) fn try_share(file: impl AsFd) -> io::Result<bool> {
    try_flock(file, FlockOperation::NonBlockingLockShared)
}

/// Takes the lock on `file` for us alone. On failure, a share in it is lost.
pub(super) fn try_own(file: impl AsFd) -> io::Result<bool> {
    try_flock(file, FlockOperation::NonBlockingLockExclusive)
}

fn try_flock(file: impl AsFd, operation: FlockOperation) -> io::Result<bool> {
    match flock(file, operation) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::thread;

    use super::super::testing::TempDir;
    use super::*;

    #[test]
    fn whoever_has_a_lock_has_the_name_though_its_file_comes_and_goes() {
        let temp = TempDir::new();
        let dir = DirFd::new(File::open(temp.path()).unwrap().into());
        let holders = AtomicU32::new(0);
        let take_again_and_again = || {
            let mut taken = 0;
            while taken < 1_000 {
                let Some(lock) = NameLock::try_take(dir.clone(), "name.lock".into()).unwrap()
                else {
                    continue;
                };
                assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0);
                assert!(lock.is_current(), "its file is another one's");
                holders.fetch_sub(1, Ordering::SeqCst);
                taken += 1;
            }
        };
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(take_again_and_again);
            }
        });
        assert_eq!(temp.entries(), [""; 0]);
    }
}
