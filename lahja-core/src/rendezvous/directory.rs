//! Opening directories that nobody else can reach into or replace.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, fstat, mkdirat, openat, statat};
use rustix::io::Errno;
use rustix::process::Uid;

use crate::error::BusError;

/// A directory's descriptor, shared by the locks inside it.
pub(super) type DirFd = Arc<OwnedFd>;

const OPEN: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
pub(super) const WRITABLE_BY_OTHERS: u32 = 0o022;
const ACCESSIBLE_TO_OTHERS: u32 = 0o077;
const STICKY: u32 = 0o1000;

/// Opens the directory at `path` and makes it if it is missing.
pub(super) fn open_or_make(path: &Path, me: Uid) -> Result<OwnedFd, BusError> {
    let location = Location::new(path, me)?;
    location.make()?;
    location.open()
}

/// A name in a directory where no other user can replace what has that name.
///
/// Only the two last steps of the path are looked at. Whoever can replace an earlier one can lead
/// us elsewhere, but only to a directory that is ours alone, and then `is_same` finds out.
#[derive(Debug)]
pub(super) struct Location {
    parent: OwnedFd,
    /// Invariant: the last part of `path`.
    name: OsString,
    /// Invariant: absolute.
    path: PathBuf,
    me: Uid,
}

/// What came of making a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Made {
    Now,
    Before,
}

impl Location {
    pub(super) fn new(path: &Path, me: Uid) -> Result<Self, BusError> {
        let path = std::path::absolute(path).map_err(|e| BusError::io("find", path, e))?;
        let (Some(above), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(BusError::io("open", &path, Errno::INVAL));
        };
        let parent = open_parent(above, me)?;
        Ok(Self { parent, name: name.into(), me, path })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn into_path(self) -> PathBuf {
        self.path
    }

    /// Makes the directory with mode 0700 unless something is there.
    pub(super) fn make(&self) -> Result<Made, BusError> {
        match mkdirat(&self.parent, &self.name, Mode::RWXU) {
            Ok(()) => Ok(Made::Now),
            Err(Errno::EXIST) => Ok(Made::Before),
            Err(errno) => Err(BusError::io("make", &self.path, errno)),
        }
    }

    /// Opens the directory if it is ours alone.
    pub(super) fn open(&self) -> Result<OwnedFd, BusError> {
        open(&self.parent, &self.name, OFlags::RDONLY, &self.path, |stat| {
            check_own(&self.path, stat, self.me)
        })
    }

    /// Tells whether `fd` is what has the name now.
    pub(super) fn leads_to(&self, fd: impl AsFd) -> io::Result<bool> {
        leads_to(&self.parent, &self.name, fd)
    }
}

/// Opens a directory in which no other user can replace what is ours.
pub(super) fn open_parent(path: &Path, me: Uid) -> Result<OwnedFd, BusError> {
    // No reading: a home directory may allow its owner's group no more than passing through.
    open(CWD, path.as_os_str(), OFlags::PATH, path, |stat| check_parent(path, stat, me))
}

/// Opens a directory, and checks what was opened rather than what had the name before.
fn open(
    at: impl AsFd,
    name: &OsStr,
    access: OFlags,
    path: &Path,
    check: impl Fn(&Stat) -> Result<(), BusError>,
) -> Result<OwnedFd, BusError> {
    let failed = |errno| BusError::io("open", path, errno);
    match openat(&at, name, OPEN | access, Mode::empty()) {
        Ok(fd) => {
            check(&fstat(&fd).map_err(failed)?)?;
            Ok(fd)
        }
        Err(errno) => {
            // A link or somebody else's directory cannot be opened; say so rather than how.
            if let Ok(stat) = statat(&at, name, AtFlags::SYMLINK_NOFOLLOW) {
                check(&stat)?;
            }
            Err(failed(errno))
        }
    }
}

fn check_own(path: &Path, stat: &Stat, me: Uid) -> Result<(), BusError> {
    check_type(path, stat)?;
    if stat.st_uid != me.as_raw() {
        return Err(BusError::ForeignOwner { path: path.into(), uid: stat.st_uid });
    }
    if stat.st_mode & ACCESSIBLE_TO_OTHERS != 0 {
        return Err(BusError::TooOpen { path: path.into(), mode: permissions(stat) });
    }
    Ok(())
}

/// In a sticky directory, as the temporary one is, only its owner can replace what is ours. That
/// owner is taken on trust: in a user namespace it need not even have a number.
fn check_parent(path: &Path, stat: &Stat, me: Uid) -> Result<(), BusError> {
    check_type(path, stat)?;
    let trusted_owner = stat.st_uid == me.as_raw() || stat.st_uid == Uid::ROOT.as_raw();
    let closed = stat.st_mode & WRITABLE_BY_OTHERS == 0 && trusted_owner;
    if closed || stat.st_mode & STICKY != 0 {
        return Ok(());
    }
    Err(BusError::UnsafeParent { path: path.into(), uid: stat.st_uid, mode: permissions(stat) })
}

fn check_type(path: &Path, stat: &Stat) -> Result<(), BusError> {
    match file_type(stat) {
        FileType::Directory => Ok(()),
        FileType::Symlink => Err(BusError::Symlink { path: path.into() }),
        _ => Err(BusError::NotADirectory { path: path.into() }),
    }
}

pub(super) fn file_type(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

fn permissions(stat: &Stat) -> u32 {
    stat.st_mode & 0o7777
}

/// Tells whether `name` in the directory `at` is the file that `fd` has open.
pub(super) fn leads_to(at: impl AsFd, name: &OsStr, fd: impl AsFd) -> io::Result<bool> {
    is_same(fd, statat(at, name, AtFlags::SYMLINK_NOFOLLOW))
}

/// Tells whether `found`, the answer for some name, is the file that `fd` has open.
pub(super) fn is_same(fd: impl AsFd, found: Result<Stat, Errno>) -> io::Result<bool> {
    match found {
        Ok(found) => {
            let open = fstat(fd)?;
            Ok((open.st_dev, open.st_ino) == (found.st_dev, found.st_ino))
        }
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

pub(super) fn exists(at: impl AsFd, name: &OsStr) -> io::Result<bool> {
    match statat(at, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(_) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// Lists the names in a directory that are text; no name of ours is anything else.
pub(super) fn entries(dir: impl AsFd) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        if let Ok(name) = entry?.file_name().to_str() {
            names.push(name.into());
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use rustix::process::geteuid;

    use super::super::testing::{TempDir, make_dir, stranger};
    use super::*;

    fn refusal(path: &Path) -> BusError {
        open_or_make(path, geteuid()).unwrap_err()
    }

    #[test]
    fn a_missing_directory_is_made_with_mode_0700() {
        let temp = TempDir::new();
        let path = temp.join("bus");
        for _ in 0..2 {
            open_or_make(&path, geteuid()).unwrap();
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700);
        }
    }

    #[test]
    fn a_missing_parent_is_not_made() {
        let temp = TempDir::new();
        let BusError::Io { path, source, .. } = refusal(&temp.join("a/b")) else {
            panic!("another refusal");
        };
        assert_eq!(path, temp.join("a"));
        assert_eq!(source.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_link_is_refused_as_directory_and_as_parent() {
        let temp = TempDir::new();
        make_dir(temp.join("real"), 0o700);
        symlink("real", temp.join("link")).unwrap();
        symlink("missing", temp.join("dangling")).unwrap();
        for (path, link) in [
            ("link", "link"),
            ("link/", "link"),
            ("link/.", "link"),
            ("link/bus", "link"),
            ("dangling", "dangling"),
        ] {
            match refusal(&temp.join(path)) {
                BusError::Symlink { path } => assert_eq!(path, temp.join(link)),
                other => panic!("{path}: {other}"),
            }
        }
        assert_eq!(temp.entries(), ["dangling", "link", "real"]);
    }

    #[test]
    fn a_file_is_refused_as_directory_and_as_parent() {
        let temp = TempDir::new();
        fs::write(temp.join("file"), "").unwrap();
        for path in ["file", "file/bus"] {
            match refusal(&temp.join(path)) {
                BusError::NotADirectory { path } => assert_eq!(path, temp.join("file")),
                other => panic!("{path}: {other}"),
            }
        }
    }

    #[test]
    fn a_path_that_ends_in_no_name_is_refused() {
        for path in ["/", "", ".."] {
            assert!(matches!(refusal(Path::new(path)), BusError::Io { .. }), "{path}");
        }
    }

    #[test]
    fn a_directory_open_to_others_is_refused() {
        let temp = TempDir::new();
        for open in [0o710, 0o720, 0o770, 0o701, 0o704, 0o755, 0o777, 0o1777] {
            let dir = make_dir(temp.join(format!("{open:o}")), open);
            match refusal(&dir) {
                BusError::TooOpen { path, mode } => assert_eq!((path, mode), (dir, open)),
                other => panic!("{open:o}: {other}"),
            }
        }
    }

    #[test]
    fn a_foreign_directory_is_refused() {
        let temp = TempDir::new();
        let sticky = make_dir(temp.join("tmp"), 0o1777);
        let dir = make_dir(sticky.join("bus"), 0o700);
        match open_or_make(&dir, stranger()).unwrap_err() {
            BusError::ForeignOwner { path, uid } => {
                assert_eq!((path, uid), (dir, geteuid().as_raw()));
            }
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_parent_that_others_write_to_is_refused_unless_sticky() {
        let temp = TempDir::new();
        for open in [0o720, 0o770, 0o777, 0o702, 0o2775] {
            let parent = make_dir(temp.join(format!("{open:o}")), open);
            match refusal(&parent.join("bus")) {
                BusError::UnsafeParent { path, uid, mode } => {
                    assert_eq!((path, mode), (parent.clone(), open));
                    assert_eq!(uid, geteuid().as_raw());
                }
                other => panic!("{open:o}: {other}"),
            }
            assert_eq!(fs::read_dir(&parent).unwrap().count(), 0);
            fs::set_permissions(&parent, fs::Permissions::from_mode(open | 0o1000)).unwrap();
            open_or_make(&parent.join("bus"), geteuid()).unwrap();
        }
    }

    #[test]
    fn a_parent_of_a_stranger_is_refused() {
        let temp = TempDir::new();
        let mut stat = fstat(fs::File::open(temp.path()).unwrap()).unwrap();
        stat.st_uid = 1000;
        let check = |me| check_parent(temp.path(), &stat, Uid::from_raw(me));
        check(1000).unwrap();
        assert!(matches!(check(1001), Err(BusError::UnsafeParent { uid: 1000, .. })));
        stat.st_uid = 0;
        check_parent(temp.path(), &stat, Uid::from_raw(1001)).unwrap();
    }
}
