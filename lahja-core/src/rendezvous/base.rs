//! Where the directories are of the buses that are known by name, and of the private ones.

use std::env;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Stat, lstat};
use rustix::process::{Uid, geteuid};

use super::directory::{WRITABLE_BY_OTHERS, file_type};

/// Returns the directory that holds those of the buses known by name and of the private ones.
///
/// This is the one function of the module that reads the environment.
pub(super) fn base_dir() -> PathBuf {
    let runtime_dir = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    base_in(runtime_dir, &env::temp_dir(), geteuid())
}

fn base_in(runtime_dir: Option<PathBuf>, temp_dir: &Path, me: Uid) -> PathBuf {
    match runtime_dir {
        Some(dir) if is_runtime_dir(&dir, me) => dir.join("lahja"),
        _ => temp_dir.join(format!("lahja-{}", me.as_raw())),
    }
}

fn is_runtime_dir(dir: &Path, me: Uid) -> bool {
    let ours = |stat: Stat| {
        file_type(&stat) == FileType::Directory
            && stat.st_uid == me.as_raw()
            && stat.st_mode & WRITABLE_BY_OTHERS == 0
    };
    dir.is_absolute() && lstat(dir).is_ok_and(ours)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::super::testing::{TempDir, make_dir, stranger};
    use super::*;

    #[test]
    fn the_runtime_directory_is_preferred_if_it_is_ours() {
        let temp = TempDir::new();
        let me = geteuid();
        let runtime = make_dir(temp.join("run"), 0o700);
        let base = |dir: &Path, me| base_in(Some(dir.into()), Path::new("/tmp"), me);
        assert_eq!(base(&runtime, me), runtime.join("lahja"));

        let fallback = Path::new("/tmp").join(format!("lahja-{}", me.as_raw()));
        assert_eq!(base_in(None, Path::new("/tmp"), me), fallback);
        symlink("run", temp.join("link")).unwrap();
        let open = make_dir(temp.join("open"), 0o770);
        for unfit in [Path::new("run"), Path::new(""), &temp.join("link"), &open] {
            assert_eq!(base(unfit, me), fallback, "{unfit:?}");
        }
        let theirs = format!("/tmp/lahja-{}", stranger().as_raw());
        assert_eq!(base(&runtime, stranger()), Path::new(&theirs));
    }
}
