//! tarpc over a Unix socket, on a thread of Tokio, with bincode. It has calls, and no events.

use std::io;
use std::os::unix::net::{UnixListener, UnixStream};

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesOrdered;
use lahja_bench::{Case, Parcel, Receipt, Result};
use serde::{Deserialize, Serialize};
use tarpc::client::{Config, RpcError};
use tarpc::serde_transport::{self, Transport};
use tarpc::server::{BaseChannel, Channel, Requests, serve};
use tarpc::tokio_serde::formats::Bincode;
use tarpc::tokio_util::codec::LengthDelimitedCodec;
use tarpc::{ClientMessage, Response, context};

use crate::peer::{Consumer, Peer, Place, Producer};
use crate::shape::Shape;

/// The one call.
#[tarpc::service]
trait Echo {
    async fn ask(event: Parcel) -> Parcel;
}

pub(crate) struct Tarpc;

pub(crate) struct Near {
    listener: UnixListener,
    client: Option<EchoClient>,
    calls: FuturesOrdered<BoxFuture<'static, std::result::Result<Parcel, RpcError>>>,
}

pub(crate) struct Far {
    requests: Requests<Server>,
}

type Server = BaseChannel<EchoRequest, EchoResponse, ServerTransport>;
type ServerTransport = Framed<ClientMessage<EchoRequest>, Response<EchoResponse>>;
type Framed<In, Out> = Transport<tokio::net::UnixStream, In, Out, Bincode<In, Out>>;

impl Peer for Tarpc {
    const NAME: &'static str = "tarpc";
    type Producer = Near;
    type Consumer = Far;

    fn cannot(&self, case: &Case) -> Option<&'static str> {
        (Shape::of(case) != Shape::ThereAndBack).then_some("it has no events, only calls")
    }

    fn run<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime of one thread needs nothing but descriptors")
            .block_on(work)
    }

    async fn produce(&self, _case: &Case, place: &Place) -> Result<Near> {
        let listener = UnixListener::bind(place.path("tarpc"))?;
        Ok(Near { listener, client: None, calls: FuturesOrdered::new() })
    }

    async fn consume(&self, _case: &Case, place: &Place, _index: usize) -> Result<Far> {
        let transport: ServerTransport = framed(UnixStream::connect(place.path("tarpc"))?)?;
        Ok(Far { requests: BaseChannel::with_defaults(transport).requests() })
    }
}

fn framed<In, Out>(stream: UnixStream) -> io::Result<Framed<In, Out>>
where
    In: for<'a> Deserialize<'a>,
    Out: Serialize,
{
    stream.set_nonblocking(true)?;
    let stream = tokio::net::UnixStream::from_std(stream)?;
    Ok(serde_transport::new(LengthDelimitedCodec::builder().new_framed(stream), Bincode::default()))
}

impl Producer for Near {
    async fn meet(&mut self, _consumers: usize) -> Result<()> {
        let (stream, _) = self.listener.accept()?;
        self.client = Some(EchoClient::new(Config::default(), framed(stream)?).spawn());
        Ok(())
    }

    /// Prepares a call, which starts when its answer or an earlier one is waited for.
    async fn send(&mut self, event: Parcel) -> Result<()> {
        let (client, event) = (self.client.clone().ok_or("it is not connected")?, event);
        let call = async move { client.ask(context::current(), event).await };
        self.calls.push_back(Box::pin(call));
        Ok(())
    }

    async fn answer(&mut self) -> Result<Parcel> {
        Ok(self.calls.next().await.ok_or("nothing has been asked")??)
    }
}

impl Consumer for Far {
    async fn receive(&mut self) -> Result<Parcel> {
        Err("it has no events".into())
    }

    async fn answer(&mut self, _event: Parcel) -> Result<()> {
        Err("it answers while it serves".into())
    }

    async fn serve(&mut self, receipt: &mut Receipt) -> Result<()> {
        // Answers leave while the next request is waited for, the last one too.
        while let Some(request) = self.requests.next().await {
            let request = request?;
            let EchoRequest::Ask { event } = &request.get().message;
            receipt.take(event);
            let echo = |_, EchoRequest::Ask { event }| async { Ok(EchoResponse::Ask(event)) };
            request.execute(serve(echo)).await;
        }
        Ok(())
    }
}
