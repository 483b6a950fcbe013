//! Another user of the machine, who is refused before a byte is read.
//!
//! A process can become another user only if it is root, be it in a user namespace of its own, for
//! which `newuidmap` and a range of users in `/etc/subuid` have to be there. Where neither is so
//! these tests fail and say that; `cargo test` leaves them out, and `.ci/run` asks for them:
//!
//! ```sh
//! cargo test -p lahja-contract --test second_user
//! ```

#[path = "../doors/other.rs"]
mod other;
mod refused;
#[path = "../contract/subjects.rs"]
mod subjects;
mod unreached;

use std::env;
use std::process::Command;

use lahja_contract::process::blocking;
use rustix::process::{Gid, Uid, geteuid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

/// A user and a group that are nobody's, and none of ours.
const STRANGER: u32 = 12_345;

/// Makes this thread, on which the case runs, that of another user.
fn become_a_stranger() {
    set_thread_groups(&[]).unwrap();
    let group = Gid::from_raw(STRANGER);
    set_thread_res_gid(group, group, group).unwrap();
    let user = Uid::from_raw(STRANGER);
    set_thread_res_uid(user, user, user).unwrap();
    assert_eq!(geteuid(), user);
}

/// Runs this case once more as the root of a user namespace, unless this process is root.
///
/// Returns whether it was. Panics if that fails.
async fn was_run_as_root() -> bool {
    if geteuid().is_root() {
        return false;
    }
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--map-auto", "--"]).arg(env::current_exe().unwrap());
    command.args(env::args_os().skip(1));
    let status = blocking(move || command.status()).await;
    assert!(
        matches!(&status, Ok(status) if status.success()),
        "the case failed as the root of a user namespace, or this process cannot be one: {status:?}. \
         It has to be root, or newuidmap and /etc/subuid have to allow it other users."
    );
    true
}
