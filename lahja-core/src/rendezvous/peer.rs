//! Who is at the other end of a socket.

use std::os::fd::AsFd;

use rustix::net::sockopt::socket_peercred;
use rustix::process::{Uid, geteuid};

use crate::error::PeerError;

/// Checks that the process at the other end runs as the user that this one runs as.
pub(crate) fn check_peer(socket: impl AsFd) -> Result<(), PeerError> {
    check_peer_is(socket, geteuid())
}

fn check_peer_is(socket: impl AsFd, user: Uid) -> Result<(), PeerError> {
    let peer = socket_peercred(socket).map_err(|errno| PeerError::Io(errno.into()))?;
    if peer.uid == user {
        return Ok(());
    }
    Err(PeerError::ForeignUser { uid: peer.uid.as_raw() })
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::net::UnixStream;

    use super::super::testing::stranger;
    use super::*;

    #[test]
    fn a_peer_is_checked_by_its_user() {
        let (one, other) = UnixStream::pair().unwrap();
        check_peer(&one).unwrap();
        let me = geteuid().as_raw();
        let Err(PeerError::ForeignUser { uid }) = check_peer_is(&other, stranger()) else {
            panic!("a foreign user was let in");
        };
        assert_eq!(uid, me);
        let file = File::open("/").unwrap();
        assert!(matches!(check_peer(&file), Err(PeerError::Io(_))));
    }
}
