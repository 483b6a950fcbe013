//! The link between a process and a child that it spawned: a socket on the child's standard
//! input. It carries the child's endpoint over, and its end tells each of the other's.
//!
//! ```text
//! parent -> child   Invite: magic, version, name, directory, groups
//! child -> parent   Joined, or Failed with the reason
//! parent -> child   Leave: the parent asks the child to leave and sees to it
//! ```

use std::ffi::OsString;
use std::fs::File;
use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use rustix::fs::{FileType, fstat};
use rustix::io::fcntl_dupfd_cloexec;
use rustix::net::sockopt::{socket_domain, socket_type};
use rustix::net::{AddressFamily, SocketType};

use crate::error::{ClaimError, FrameError, PayloadError};
use crate::frame::FrameBuffer;
use crate::name::EndpointName;
use crate::payload::{self, MAX_DEPTH};
use crate::pipe::Pipe;
use crate::platform::Platform;
use crate::transport::{FrameReader, FrameWriter, Transport};
use crate::unix::{self, UnixTransport};

const MAGIC: u32 = u32::from_le_bytes(*b"lhj1");

/// The longest message: a path, a name and groups.
const MAX_FRAME: usize = 16 * 1024;

const JOINED: u8 = 1;
const FAILED: u8 = 2;
const LEAVE: u8 = 3;

/// What a child is told of its endpoint.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Invite {
    pub(crate) name: EndpointName,
    pub(crate) dir: PathBuf,
    pub(crate) groups: Vec<EndpointName>,
}

/// What a child tells its parent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Report {
    Joined,
    Failed(String),
}

/// One end of the link.
pub(crate) struct Link<P: Platform> {
    reader: <UnixTransport<P> as Transport>::Reader,
    writer: <UnixTransport<P> as Transport>::Writer,
}

impl<P: Platform> Link<P> {
    /// Makes a link: the parent's end, and the socket that becomes the child's standard input.
    pub(crate) fn pair(platform: &P) -> io::Result<(Self, OwnedFd)> {
        let (near, far) = UnixStream::pair()?;
        near.set_nonblocking(true)?;
        Ok((Self::new(platform, near)?, far.into()))
    }

    /// Takes the child's end off the standard input of this process.
    pub(crate) fn claim(platform: &P) -> Result<Self, ClaimError> {
        let stdin = rustix::stdio::stdin();
        let is_socket = socket_domain(stdin) == Ok(AddressFamily::UNIX)
            && socket_type(stdin) == Ok(SocketType::STREAM);
        if !is_socket {
            return Err(ClaimError::NotSpawned);
        }
        let claim = || {
            let socket = UnixStream::from(take_stdin()?);
            socket.set_nonblocking(true)?;
            Self::new(platform, socket)
        };
        claim().map_err(ClaimError::Io)
    }

    fn new(platform: &P, socket: UnixStream) -> io::Result<Self> {
        let stream = platform.stream(socket)?;
        let (mut reader, writer) = unix::transport::<P>(stream)?.split();
        reader.set_max_frame(MAX_FRAME);
        Ok(Self { reader, writer })
    }

    pub(crate) async fn invite(&mut self, invite: &Invite) -> io::Result<()> {
        let groups: Vec<_> = invite.groups.iter().map(EndpointName::as_str).collect();
        let dir = invite.dir.as_os_str().as_bytes();
        self.send(&(MAGIC, invite.name.as_str(), dir, groups)).await
    }

    /// Waits for the parent's invitation.
    pub(crate) async fn invited(&mut self) -> Result<Invite, ClaimError> {
        let frame = self.receive().await.map_err(ClaimError::Io)?;
        let frame = frame.ok_or(ClaimError::NotSpawned)?;
        let (magic, name, dir, groups): (u32, String, Vec<u8>, Vec<String>) =
            payload::decode(&frame, MAX_DEPTH).map_err(|_| ClaimError::NotSpawned)?;
        let parse = |name: String| EndpointName::new(name).map_err(|_| ClaimError::NotSpawned);
        if magic != MAGIC {
            return Err(ClaimError::NotSpawned);
        }
        Ok(Invite {
            name: parse(name)?,
            dir: OsString::from_vec(dir).into(),
            groups: groups.into_iter().map(parse).collect::<Result<_, _>>()?,
        })
    }

    pub(crate) async fn report(&mut self, report: &Report) -> io::Result<()> {
        match report {
            Report::Joined => self.send(&(JOINED, "")).await,
            Report::Failed(reason) => self.send(&(FAILED, reason.as_str())).await,
        }
    }

    /// Waits for the child's report; `None` if the child is gone or says anything else.
    pub(crate) async fn reported(&mut self) -> Option<Report> {
        let frame = self.receive().await.ok()??;
        let report: Result<(u8, String), PayloadError> = payload::decode(&frame, MAX_DEPTH);
        match report.ok()? {
            (JOINED, _) => Some(Report::Joined),
            (FAILED, reason) => Some(Report::Failed(reason)),
            _ => None,
        }
    }

    /// Asks the child to leave.
    pub(crate) async fn ask_to_leave(&mut self) -> io::Result<()> {
        self.send(&(LEAVE, "")).await
    }

    /// Waits until the parent asks to leave (`true`) or is gone.
    pub(crate) async fn asked_to_leave(&mut self) -> bool {
        matches!(self.receive().await, Ok(Some(_)))
    }

    async fn send(&mut self, message: &impl serde::Serialize) -> io::Result<()> {
        let mut content = Vec::new();
        payload::encode(message, &mut content).map_err(io::Error::other)?;
        let mut frames = FrameBuffer::new();
        frames.push(&content);
        poll_fn(|context| self.writer.poll_write(context, &mut frames)).await
    }

    async fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let malformed = |error: FrameError| io::Error::new(io::ErrorKind::InvalidData, error);
            if let Some(frame) = self.reader.next_frame().map_err(malformed)? {
                return Ok(Some(frame.to_vec()));
            }
            if !poll_fn(|context| self.reader.poll_fill(context)).await? {
                return Ok(None);
            }
        }
    }
}

/// Takes the standard input of this process and leaves `/dev/null` in its place.
pub(crate) fn take_stdin() -> io::Result<OwnedFd> {
    let null = File::open("/dev/null")?;
    let stdin = fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    rustix::stdio::dup2_stdin(&null)?;
    Ok(stdin)
}

/// Takes the standard input and output of this process, which must be pipes or sockets, for a
/// transport over them, in this order. In their place are left `/dev/null` and the standard error.
///
/// # Errors
///
/// Either is something else, such as a file or a terminal; both are then left as they were. Or
/// descriptors have run out, or there is no `/dev/null`.
pub fn take_stdio() -> io::Result<(Pipe, Pipe)> {
    for (name, stdio) in [("input", rustix::stdio::stdin()), ("output", rustix::stdio::stdout())] {
        let kind = FileType::from_raw_mode(fstat(stdio)?.st_mode);
        if !matches!(kind, FileType::Fifo | FileType::Socket) {
            let what = format!("the standard {name} is no pipe");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
    }
    let null = File::open("/dev/null")?;
    let stdin = fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    let stdout = fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?;
    rustix::stdio::dup2_stdout(rustix::stdio::stderr())?;
    rustix::stdio::dup2_stdin(&null)?;
    Ok((stdin.into(), stdout.into()))
}
