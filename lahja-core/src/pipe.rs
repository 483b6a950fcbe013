//! Pipes that can be written to though nobody reads them any more.

use std::io::{self, IoSlice, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ReadWriteFlags, pwritev2, read, write};
use rustix::net::{SendFlags, send};

/// `RWF_NOSIGNAL`, which Linux has since 6.18.
const NO_SIGNAL: ReadWriteFlags = ReadWriteFlags::from_bits_retain(0x100);

/// An offset that stands for the current position, which is all that a pipe has.
const HERE: u64 = u64::MAX;

/// One end of a pipe, or a socket in its place, for a transport over it.
///
/// To write where nobody reads any more is an error, and no more than that. The system would send
/// SIGPIPE as well, which ends a process in which that signal has its default action. Programs in
/// Rust ignore it from the start; what is loaded by others, or sets the signal back, does not.
/// Before Linux 6.18 a pipe is looked at before it is written to, and the signal still comes if its
/// last reader goes in between.
///
/// Adapters make it wait for readiness on their reactor, for instance as a
/// [`SharedSocket`](crate::SharedSocket) of an `async_io::Async<Pipe>`.
#[derive(Debug)]
pub struct Pipe(OwnedFd);

impl Pipe {
    /// Writes without a signal where the system has no way to leave it out for pipes.
    fn write_watchfully(&self, bytes: &[u8]) -> Result<usize, Errno> {
        match send(&self.0, bytes, SendFlags::NOSIGNAL) {
            Err(Errno::NOTSOCK) => {}
            sent => return sent,
        }
        let mut ends = [PollFd::new(&self.0, PollFlags::empty())];
        poll(&mut ends, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))?;
        if ends[0].revents().contains(PollFlags::ERR) {
            return Err(Errno::PIPE);
        }
        write(&self.0, bytes)
    }
}

impl From<OwnedFd> for Pipe {
    fn from(end: OwnedFd) -> Self {
        Self(end)
    }
}

impl AsFd for Pipe {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Read for &Pipe {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        Ok(read(&self.0, bytes)?)
    }
}

impl Write for &Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        static IS_OLD: AtomicBool = AtomicBool::new(false);
        if !IS_OLD.load(Ordering::Relaxed) {
            match pwritev2(&self.0, &[IoSlice::new(bytes)], HERE, NO_SIGNAL) {
                Err(Errno::OPNOTSUPP | Errno::NOSYS) => IS_OLD.store(true, Ordering::Relaxed),
                written => return Ok(written?),
            }
        }
        Ok(self.write_watchfully(bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use async_signal::{Signal, Signals};
    use futures_lite::StreamExt;
    use futures_lite::future::{block_on, poll_once};

    use super::*;

    fn ends() -> [(Pipe, Pipe); 2] {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        let (near, far) = UnixStream::pair().unwrap();
        [(reader.into(), writer.into()), (OwnedFd::from(near).into(), OwnedFd::from(far).into())]
    }

    #[test]
    fn to_write_where_nobody_reads_is_an_error_without_a_signal() {
        let mut signals = Signals::new([Signal::Pipe]).unwrap();
        let quietly = |pipe: &Pipe| (&mut &*pipe).write(b"unheard");
        let watchfully = |pipe: &Pipe| Ok(pipe.write_watchfully(b"unheard")?);
        for write in [&quietly as &dyn Fn(&Pipe) -> io::Result<usize>, &watchfully] {
            for (reader, writer) in ends() {
                assert_eq!(write(&writer).unwrap(), 7);
                let mut heard = [0; 10];
                assert_eq!((&reader).read(&mut heard).unwrap(), 7);
                drop(reader);
                assert_eq!(write(&writer).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
            }
        }
        assert!(block_on(poll_once(signals.next())).is_none());
        // It would have come: one that is sent does.
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::PIPE)
            .unwrap();
        assert_eq!(block_on(signals.next()).unwrap().unwrap(), Signal::Pipe);
    }
}
