//! What a library has to bring to be measured: two ends that carry events.

use std::os::unix::process::parent_id;
use std::path::PathBuf;

use lahja_bench::{Case, Parcel, Receipt, Result, directory};

/// A library that carries events between processes.
pub(crate) trait Peer: Sync {
    /// How reports call it.
    const NAME: &'static str;

    /// By how much less it is given to do, as for [`Subject::slowness`](lahja_bench::Subject::slowness).
    const SLOWNESS: u64 = 1;

    /// The end that sends events to all consumers, and takes their answers.
    type Producer: Producer;

    /// The end that takes events, and answers.
    type Consumer: Consumer;

    /// Returns why it cannot do the work of a case, if it cannot.
    fn cannot(&self, _case: &Case) -> Option<&'static str> {
        None
    }

    /// Runs a future to its end on the library's own runtime, if it has one.
    fn run<T>(&self, work: impl Future<Output = T>) -> T {
        futures_lite::future::block_on(work)
    }

    /// Makes the end that listens, before there is any consumer.
    async fn produce(&self, case: &Case, place: &Place) -> Result<Self::Producer>;

    /// Connects consumer number `index` to it.
    async fn consume(&self, case: &Case, place: &Place, index: usize) -> Result<Self::Consumer>;
}

/// The producer's end.
pub(crate) trait Producer {
    /// Waits until all consumers are connected and would miss nothing.
    async fn meet(&mut self, consumers: usize) -> Result<()>;

    /// Sends an event to all consumers, now or with those that follow.
    async fn send(&mut self, event: Parcel) -> Result<()>;

    /// Sends what is still here.
    async fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    /// Takes the next answer of the one consumer.
    async fn answer(&mut self) -> Result<Parcel>;
}

/// A consumer's end.
pub(crate) trait Consumer {
    /// Takes the next event.
    async fn receive(&mut self) -> Result<Parcel>;

    /// Answers the event that was taken last, with the same.
    async fn answer(&mut self, event: Parcel) -> Result<()>;

    /// Takes all events, and answers each.
    async fn serve(&mut self, receipt: &mut Receipt) -> Result<()> {
        while !receipt.is_complete() {
            let event = self.receive().await?;
            receipt.take(&event);
            self.answer(event).await?;
        }
        Ok(())
    }
}

/// What both ends know, and nobody else.
pub(crate) struct Place {
    directory: PathBuf,
    producer: u32,
}

impl Place {
    pub(crate) fn of_producer() -> Result<Self> {
        Ok(Self { directory: directory()?, producer: std::process::id() })
    }

    pub(crate) fn of_consumer() -> Result<Self> {
        Ok(Self { directory: directory()?, producer: parent_id() })
    }

    /// Returns the path of a socket or file.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Returns the address of a socket, as ZeroMQ and nng write it.
    pub(crate) fn ipc(&self, name: &str) -> String {
        format!("ipc://{}", self.path(name).display())
    }

    /// Returns a name for what is in no directory.
    pub(crate) fn name(&self, name: &str) -> String {
        format!("lahja-bench/{}/{name}", self.producer)
    }
}
