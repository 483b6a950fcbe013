//! Event buses of several processes: a directory, the endpoints that join it, and the child
//! processes that are handed theirs.

use std::convert::Infallible;
use std::fmt;
use std::future::IntoFuture;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_channel::Sender;
use futures_lite::future::or;

use crate::backoff::Backoff;
use crate::endpoint::Endpoint;
use crate::error::{BusError, ConnectError, JoinError};
use crate::limits::Limits;
use crate::name::EndpointName;
use crate::platform::Platform;
use crate::rendezvous::{BusDir, BusLock};
use crate::server;
use crate::shared::Shared;
use crate::spawn::{Connect, Spawn};
use crate::unix::{UnixConnector, UnixListener};

/// How long joining waits for peers that are listed and do not answer. They are connected to in
/// the background when they do.
const JOIN_GRACE: Duration = Duration::from_secs(1);

/// The first pause before the bus's lock is tried again, which is held for microseconds.
const LOCK_PAUSE: Duration = Duration::from_millis(1);

/// An event bus: the endpoints, of whatever processes, that meet in one directory.
///
/// The bus is no process and no broker: it is the place where endpoints find each other, and they
/// then talk directly. Clones are handles to the same bus. A private bus is removed with the last
/// handle and the last endpoint.
#[derive(Clone)]
pub struct EventBus<P> {
    platform: P,
    dir: BusDir,
}

impl<P: Platform + Default> EventBus<P> {
    /// Creates a private bus for this process and its children, in a fresh directory that only
    /// they know.
    ///
    /// # Errors
    ///
    /// [`BusError`] tells why the directory cannot be made or is not safe.
    pub fn new() -> Result<Self, BusError> {
        Self::new_on(P::default())
    }

    /// Opens the bus that every process of this user knows by `name`.
    ///
    /// Its directory is `$XDG_RUNTIME_DIR/lahja/<name>`, or below a directory of the user in the
    /// directory for temporary files.
    ///
    /// # Errors
    ///
    /// [`BusError`] tells why the name or the directory cannot be used.
    pub fn open(name: impl AsRef<str>) -> Result<Self, BusError> {
        Self::open_on(P::default(), name)
    }

    /// Opens the bus whose directory is `path`; it is created, with mode 0700, if it is missing.
    ///
    /// # Errors
    ///
    /// [`BusError`] tells why the directory cannot be used: it is a symbolic link, belongs to
    /// another user, is open to others or lies where others could replace it.
    pub fn at(path: impl AsRef<Path>) -> Result<Self, BusError> {
        Self::at_on(P::default(), path)
    }

    /// Joins the bus that this process was spawned for, with the name it was given; await it to
    /// get the endpoint.
    ///
    /// It takes over the standard input, through which the parent handed the endpoint over, and
    /// points it at `/dev/null`. When the parent dies the endpoint is closed, and a second later
    /// the process sends itself SIGTERM, unless told [`Connect::outlive_parent`].
    ///
    /// # Errors
    ///
    /// [`ClaimError`](crate::ClaimError): nobody spawned this process, or the bus cannot be
    /// joined.
    pub fn connect() -> Connect<P> {
        Self::connect_on(P::default())
    }
}

impl<P: Platform> EventBus<P> {
    /// As [`new`](Self::new), on a platform of the user's choice.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn new_on(platform: P) -> Result<Self, BusError> {
        let dir = BusDir::private()?;
        Ok(Self { platform, dir })
    }

    /// As [`open`](Self::open), on a platform of the user's choice.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    pub fn open_on(platform: P, name: impl AsRef<str>) -> Result<Self, BusError> {
        let dir = BusDir::open(name.as_ref())?;
        Ok(Self { platform, dir })
    }

    /// As [`at`](Self::at), on a platform of the user's choice.
    ///
    /// # Errors
    ///
    /// As for [`at`](Self::at).
    pub fn at_on(platform: P, path: impl AsRef<Path>) -> Result<Self, BusError> {
        let dir = BusDir::at(path)?;
        Ok(Self { platform, dir })
    }

    /// As [`connect`](Self::connect), on a platform of the user's choice.
    pub fn connect_on(platform: P) -> Connect<P> {
        Connect::new(platform)
    }

    /// Opens a bus that somebody else has made.
    pub(crate) fn existing(platform: P, path: &Path) -> Result<Self, BusError> {
        let dir = BusDir::join(path)?;
        Ok(Self { platform, dir })
    }

    /// Returns the directory of the bus.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Begins to join the bus as `name`; await it to get the endpoint.
    ///
    /// By then it is connected to every endpoint that was on the bus and answered within a second.
    ///
    /// # Errors
    ///
    /// [`JoinError`]: the name is none or is taken, or the directory or socket cannot be used.
    pub fn endpoint(&self, name: impl AsRef<str>) -> Join<P> {
        Join {
            bus: self.clone(),
            name: name.as_ref().to_owned(),
            groups: Vec::new(),
            limits: Limits::default(),
        }
    }

    /// Begins to start a child process and hand it the endpoint `name`, which the child takes with
    /// [`connect`](Self::connect); await it to get the [`Child`](crate::Child).
    ///
    /// The child's standard input is used for that; the rest of `command` is left as it is. It is
    /// ready when the child has joined the bus.
    ///
    /// # Errors
    ///
    /// [`SpawnError`](crate::SpawnError): the program cannot be run, ended without taking its
    /// endpoint, could not join, or took too long. No process is left behind then.
    pub fn spawn(&self, name: impl AsRef<str>, command: P::Command) -> Spawn<P> {
        Spawn::new(self.clone(), name.as_ref(), command)
    }

    pub(crate) fn platform(&self) -> &P {
        &self.platform
    }
}

/// An endpoint that is about to join a bus; await it to get it. Made by [`EventBus::endpoint`].
#[must_use = "nothing is joined unless this is awaited"]
pub struct Join<P> {
    bus: EventBus<P>,
    name: String,
    groups: Vec<String>,
    limits: Limits,
}

impl<P: Platform> Join<P> {
    /// Makes the endpoint a member of a group. May be given up to 32 times.
    pub fn group(mut self, group: impl AsRef<str>) -> Self {
        self.groups.push(group.as_ref().to_owned());
        self
    }

    /// Sets the bounds that the endpoint keeps.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    async fn join(self) -> Result<Endpoint, JoinError> {
        let Self { bus, limits, .. } = self;
        let mut builder = Endpoint::builder(&self.name)?.limits(limits.clone());
        for group in self.groups {
            builder = builder.group(group)?;
        }
        let name = EndpointName::new(&self.name)?;
        let (listener, seat, others) = {
            let lock = lock_bus(&bus, limits.handshake_timeout).await?;
            let (seat, listener) = lock.claim(&name)?;
            (listener, seat, lock.others(&name)?)
        };
        let listener = bus.platform.listener(listener).map_err(|source| BusError::Io {
            action: "listen in",
            path: bus.path().to_owned(),
            source,
        })?;
        let endpoint = builder.build(bus.platform.clone());
        let shared = endpoint.shared();
        shared.keep(seat);
        endpoint.serve(UnixListener::<P>::seated(listener)).detach();
        let (dialling, dialled) = async_channel::bounded::<Infallible>(1);
        for other in others {
            let dial = dial(dialling.clone(), shared.clone(), bus.clone(), other);
            bus.platform.spawn(Box::pin(dial));
        }
        drop(dialling);
        let all = async {
            let _ = dialled.recv().await;
        };
        or(all, bus.platform.sleep(JOIN_GRACE)).await;
        Ok(endpoint)
    }
}

impl<P: Platform> IntoFuture for Join<P> {
    type Output = Result<Endpoint, JoinError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.join())
    }
}

impl<P> fmt::Debug for EventBus<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventBus").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl<P> fmt::Debug for Join<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Join").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Takes the lock of a bus, which serialises joining.
async fn lock_bus<P: Platform>(bus: &EventBus<P>, limit: Duration) -> Result<BusLock, JoinError> {
    let locking = async {
        let mut backoff = Backoff::from(LOCK_PAUSE);
        loop {
            if let Some(lock) = bus.dir.try_lock()? {
                return Ok(lock);
            }
            bus.platform.sleep(backoff.pause()).await;
        }
    };
    let busy = async {
        bus.platform.sleep(limit).await;
        let path = bus.path().to_owned();
        Err(JoinError::Busy { path })
    };
    or(locking, busy).await
}

/// Connects to an endpoint that was on the bus, for as long as it is.
async fn dial<P: Platform>(
    // Dropped last: who has joined may leave at once, and is not to be held by this.
    _dialling: Sender<Infallible>,
    shared: Arc<Shared>,
    bus: EventBus<P>,
    name: EndpointName,
) {
    let connector = UnixConnector::seat(bus.platform.clone(), bus.dir.clone(), name.clone());
    let mut backoff = Backoff::new();
    let dialling = async {
        loop {
            match server::attempt(&shared, &connector).await {
                Ok(_) | Err(ConnectError::Closed) => return,
                Err(_) => {}
            }
            // A peer that says it is connected may mean an endpoint that bore our name before and
            // whose end it has not seen yet.
            if shared.is_connected_to(&name) || !bus.dir.is_live(&name).unwrap_or(false) {
                return;
            }
            bus.platform.sleep(backoff.pause()).await;
        }
    };
    or(shared.until_closed(), dialling).await;
}
