//! The producer's side.

use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{Link, Tally, path};
use crate::Result;
use crate::case::Case;
use crate::subject::Subject;

/// How long a consumer that is done may take to end.
const GRACE: Duration = Duration::from_secs(5);

/// The consumers of one measurement, as the producer has them. Those who are left are killed when
/// this is dropped.
#[derive(Debug)]
pub struct Children {
    subject: &'static str,
    case: Case,
    listener: UnixListener,
    processes: Vec<Child>,
    links: Vec<Link>,
}

impl Children {
    /// Gets ready to start consumers.
    ///
    /// # Errors
    ///
    /// The process is not part of a measurement, or has done this before.
    pub fn new(subject: &dyn Subject, case: &Case) -> Result<Self> {
        Ok(Self {
            subject: subject.name(),
            case: case.clone(),
            listener: UnixListener::bind(path()?)?,
            processes: Vec::new(),
            links: Vec::new(),
        })
    }

    /// Returns how many consumers there are to be.
    pub fn count(&self) -> usize {
        self.case.consumers
    }

    /// Returns the command that is consumer number `index`. Its standard input is free to use; its
    /// standard output is not. Whoever does not [start](Self::start) it here ends it.
    ///
    /// # Errors
    ///
    /// This program cannot be found.
    pub fn command(&self, index: usize) -> Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["child", self.subject, &serde_json::to_string(&self.case)?]);
        command.arg(index.to_string());
        Ok(command)
    }

    /// Starts a consumer.
    ///
    /// # Errors
    ///
    /// It cannot be run.
    pub fn start(&mut self, mut command: Command) -> Result<()> {
        self.processes.push(command.spawn()?);
        Ok(())
    }

    /// Starts all consumers as they are.
    ///
    /// # Errors
    ///
    /// One cannot be run.
    pub fn start_all(&mut self) -> Result<()> {
        (0..self.count()).try_for_each(|index| self.start(self.command(index)?))
    }

    /// Starts all consumers, each with a socket as its standard input. Returns the other ends.
    ///
    /// # Errors
    ///
    /// One cannot be run.
    pub fn start_with_sockets(&mut self) -> Result<Vec<UnixStream>> {
        let indices = 0..self.count();
        let start = |index| {
            let (near, far) = UnixStream::pair()?;
            let mut command = self.command(index)?;
            command.stdin(Stdio::from(OwnedFd::from(far)));
            self.start(command)?;
            Ok(near)
        };
        indices.map(start).collect()
    }

    /// Waits, blocking, until all consumers are ready.
    ///
    /// # Errors
    ///
    /// One that was started here has ended, or says something else.
    pub fn wait_until_ready(&mut self) -> Result<()> {
        let mut links: Vec<Option<Link>> = Vec::new();
        links.resize_with(self.count(), || None);
        for _ in 0..self.count() {
            let mut link = Link::new(self.accept()?)?;
            let index: usize = link.hear("ready")?.parse()?;
            let place = links.get_mut(index).ok_or("a consumer is one too many")?;
            if place.replace(link).is_some() {
                return Err(format!("consumer {index} is there twice").into());
            }
        }
        self.links = links.into_iter().flatten().collect();
        Ok(())
    }

    fn accept(&mut self) -> Result<UnixStream> {
        let tick = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
        loop {
            let mut ready = [PollFd::new(&self.listener, PollFlags::IN)];
            if poll(&mut ready, Some(&tick))? > 0 {
                return Ok(self.listener.accept()?.0);
            }
            for process in &mut self.processes {
                if let Some(status) = process.try_wait()? {
                    return Err(
                        format!("a consumer has ended before it was ready: {status}").into()
                    );
                }
            }
        }
    }

    /// Tells all consumers to go.
    ///
    /// # Errors
    ///
    /// One is gone.
    pub fn go(&mut self) -> Result<()> {
        self.links.iter_mut().try_for_each(|link| link.say("go"))
    }

    /// Waits, blocking, until all consumers are done, and returns what they say.
    ///
    /// # Errors
    ///
    /// One is gone before it was done.
    pub fn wait_until_done(&mut self) -> Result<Vec<Tally>> {
        self.links.iter_mut().map(|link| Ok(serde_json::from_str(&link.hear("done")?)?)).collect()
    }

    /// Waits, blocking, until those who were started here have ended.
    ///
    /// # Errors
    ///
    /// One has failed, or does not end.
    pub fn wait_until_ended(mut self) -> Result<()> {
        let deadline = Instant::now() + GRACE;
        while let Some(process) = self.processes.last_mut() {
            match process.try_wait()? {
                Some(status) if !status.success() => {
                    return Err(format!("a consumer has failed: {status}").into());
                }
                Some(_) => drop(self.processes.pop()),
                None if Instant::now() > deadline => {
                    return Err("a consumer does not end".into());
                }
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        }
        Ok(())
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        for process in &mut self.processes {
            // It may have ended by itself.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
