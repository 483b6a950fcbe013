//! What the tests of this module share.

use std::env;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use rustix::process::{Uid, geteuid};

use super::{BusDir, BusLock, Seat, socket};
use crate::error::JoinError;

/// A directory of mode 0700 that is removed with everything in it.
#[derive(Debug)]
pub(super) struct TempDir(PathBuf);

impl TempDir {
    pub(super) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("lahja-test-{}-{n}", process::id()));
        DirBuilder::new().mode(0o700).create(&path).unwrap();
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }

    pub(super) fn entries(&self) -> Vec<String> {
        entries(&self.0)
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}

pub(super) fn make_dir(path: PathBuf, mode: u32) -> PathBuf {
    fs::create_dir(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path
}

/// Leaves a socket that nobody listens on.
///
/// Nobody ever did: a child that another test is starting would keep a listener alive.
pub(super) fn stale_socket(path: &Path) {
    socket::bind_new(&socket::address(path).unwrap()).unwrap();
}

/// A user that this process is not.
pub(super) fn stranger() -> Uid {
    Uid::from_raw(geteuid().as_raw() + 1)
}

/// Lists the names in a directory in order.
pub(super) fn entries(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Takes the bus's lock, however long others hold it.
pub(super) fn lock(dir: &BusDir) -> BusLock {
    loop {
        if let Some(lock) = dir.try_lock().unwrap() {
            return lock;
        }
        thread::yield_now();
    }
}

pub(super) fn claim(dir: &BusDir, name: &str) -> Result<(Seat, UnixListener), JoinError> {
    lock(dir).claim(&name.parse().unwrap())
}
