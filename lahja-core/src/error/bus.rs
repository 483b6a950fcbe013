//! Errors of event buses: directories, sockets, other users.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use thiserror::Error;

use crate::name::EndpointName;

use super::NameError;

/// A directory that cannot be the meeting place of an event bus.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BusError {
    /// No event bus can have this name.
    #[error("event bus name {name:?} is not allowed")]
    Name {
        /// The name as it was given.
        name: String,
        /// The rule it breaks.
        source: NameError,
    },
    /// The name begins as only those of private event buses do.
    #[error("event bus name {name:?} begins like that of a private one")]
    Reserved {
        /// The name as it was given.
        name: String,
    },
    /// The directory, or the one it is in, is a symbolic link.
    #[error("{path:?} is a symbolic link, not the directory of an event bus")]
    Symlink {
        /// The symbolic link.
        path: PathBuf,
    },
    /// Something else than a directory is there.
    #[error("{path:?} is not a directory")]
    NotADirectory {
        /// What should be a directory.
        path: PathBuf,
    },
    /// The directory belongs to another user.
    #[error("event bus directory {path:?} belongs to user {uid}")]
    ForeignOwner {
        /// The directory.
        path: PathBuf,
        /// The user it belongs to.
        uid: u32,
    },
    /// The group or everybody may reach into the directory.
    #[error("event bus directory {path:?} has mode {mode:04o} instead of 0700")]
    TooOpen {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Another user could replace the directory, as they may write to the one it is in.
    #[error(
        "directory {path:?} of user {uid} with mode {mode:04o} is no safe place for an event bus"
    )]
    UnsafeParent {
        /// The directory that the bus directory is in.
        path: PathBuf,
        /// The user it belongs to.
        uid: u32,
        /// Its permission bits.
        mode: u32,
    },
    /// The directory that was opened has been removed or replaced since.
    #[error("event bus directory {path:?} is gone")]
    Gone {
        /// Where it was.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot {action} {path:?}")]
    Io {
        /// What was attempted, as a verb.
        action: &'static str,
        /// What it was attempted on.
        path: PathBuf,
        /// The answer of the operating system.
        source: io::Error,
    },
}

/// An endpoint could not join its event bus.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum JoinError {
    /// No endpoint can have this name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A living endpoint has this name, in this process or another.
    #[error("endpoint name {name:?} is taken")]
    NameTaken {
        /// The name.
        name: EndpointName,
    },
    /// Others kept joining for as long as this endpoint was ready to wait.
    #[error("event bus {path:?} is busy")]
    Busy {
        /// The directory of the bus.
        path: PathBuf,
    },
    /// The directory of the bus cannot be used.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// The endpoint's socket cannot be made.
    #[error(transparent)]
    Socket(#[from] SocketError),
}

/// A Unix socket that could not be bound or connected.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SocketError {
    /// The path does not fit into the address of a Unix socket.
    #[error("socket path {path:?} of {len} bytes is longer than {max}")]
    PathTooLong {
        /// The path.
        path: PathBuf,
        /// Its length in bytes.
        len: usize,
        /// The longest that fits, in bytes.
        max: usize,
    },
    /// Somebody is listening there.
    #[error("socket path {path:?} is in use")]
    InUse {
        /// The path.
        path: PathBuf,
    },
    /// The directory that the socket would be in is a symbolic link.
    #[error("{path:?} is a symbolic link, not the directory of a socket")]
    Symlink {
        /// The symbolic link.
        path: PathBuf,
    },
    /// Another user could replace the socket, as they may write to the directory it would be in.
    #[error("directory {path:?} of user {uid} with mode {mode:04o} is no safe place for a socket")]
    UnsafeParent {
        /// The directory.
        path: PathBuf,
        /// The user it belongs to.
        uid: u32,
        /// Its permission bits.
        mode: u32,
    },
    /// The operating system refused.
    #[error("cannot {action} socket {path:?}")]
    Io {
        /// What was attempted, as a verb.
        action: &'static str,
        /// The path of the socket.
        path: PathBuf,
        /// The answer of the operating system.
        source: io::Error,
    },
}

/// A peer that may not talk to this process.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PeerError {
    /// The peer's process runs as another user.
    #[error("peer belongs to user {uid}")]
    ForeignUser {
        /// That user.
        uid: u32,
    },
    /// The operating system does not tell who the peer is.
    #[error("cannot tell whose the peer is")]
    Io(#[source] io::Error),
}

/// A child process did not take its endpoint. No process is left behind.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// No endpoint can have this name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The program cannot be run.
    #[error("the program cannot be run")]
    Run(#[source] io::Error),
    /// The link to the child failed, or the child cannot be waited for.
    #[error("the link to the child failed")]
    Link(#[source] io::Error),
    /// The child ended before it had joined the bus.
    #[error("the child ended before it had joined the bus: {0}")]
    Exited(ExitStatus),
    /// The child closed its standard input without taking its endpoint.
    #[error("the child closed its standard input without taking its endpoint")]
    NotTaken,
    /// The child could not join the bus.
    #[error("the child could not join the bus: {reason}")]
    Join {
        /// What the child says.
        reason: String,
    },
    /// The child has not joined the bus in time.
    #[error("the child has not joined the bus within {0:?}")]
    TimedOut(Duration),
}

/// This process cannot take over an endpoint from a parent.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClaimError {
    /// The standard input is not the link to a process that spawned this one, or it has been
    /// taken already.
    #[error("this process was not spawned with an endpoint")]
    NotSpawned,
    /// The parent has not said which endpoint is meant.
    #[error("the parent has not handed over an endpoint in time")]
    TimedOut,
    /// The link failed.
    #[error("the link to the parent failed")]
    Io(#[source] io::Error),
    /// The bus of the parent cannot be used.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// The bus cannot be joined.
    #[error(transparent)]
    Join(#[from] JoinError),
}
