//! ipc-channel: typed channels over Unix sockets, one a consumer and one back.

use ipc_channel::ipc::{self, IpcOneShotServer, IpcReceiver, IpcSender};
use lahja_bench::{Case, Parcel, Result};

use crate::peer::{Consumer, Peer, Place, Producer};

pub(crate) struct IpcChannel;

/// What a consumer sends first: where it takes events, and where answers come from.
type Ends = (IpcSender<Parcel>, IpcReceiver<Parcel>);

pub(crate) struct Near {
    servers: Vec<IpcOneShotServer<Ends>>,
    ends: Vec<Ends>,
}

pub(crate) struct Far {
    events: IpcReceiver<Parcel>,
    answers: IpcSender<Parcel>,
}

impl Peer for IpcChannel {
    const NAME: &'static str = "ipc-channel";
    const SLOWNESS: u64 = 4;
    type Producer = Near;
    type Consumer = Far;

    async fn produce(&self, case: &Case, place: &Place) -> Result<Near> {
        let mut servers = Vec::new();
        for index in 0..case.consumers {
            let (server, name) = IpcOneShotServer::new()?;
            std::fs::write(place.path(&index.to_string()), name)?;
            servers.push(server);
        }
        Ok(Near { servers, ends: Vec::new() })
    }

    async fn consume(&self, _case: &Case, place: &Place, index: usize) -> Result<Far> {
        let name = std::fs::read_to_string(place.path(&index.to_string()))?;
        let (events_in, events) = ipc::channel()?;
        let (answers, answers_out) = ipc::channel()?;
        IpcSender::connect(name)?.send((events_in, answers_out))?;
        Ok(Far { events, answers })
    }
}

impl Producer for Near {
    async fn meet(&mut self, _consumers: usize) -> Result<()> {
        for server in self.servers.drain(..) {
            let (_, ends) = server.accept()?;
            self.ends.push(ends);
        }
        Ok(())
    }

    async fn send(&mut self, event: Parcel) -> Result<()> {
        let Some(((last, _), others)) = self.ends.split_last() else {
            return Ok(());
        };
        for (events, _) in others {
            events.send(event.clone())?;
        }
        Ok(last.send(event)?)
    }

    async fn answer(&mut self) -> Result<Parcel> {
        Ok(self.ends[0].1.recv()?)
    }
}

impl Consumer for Far {
    async fn receive(&mut self) -> Result<Parcel> {
        Ok(self.events.recv()?)
    }

    async fn answer(&mut self, event: Parcel) -> Result<()> {
        Ok(self.answers.send(event)?)
    }
}
