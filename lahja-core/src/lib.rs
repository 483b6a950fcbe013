//! lahja core.

// `#[derive(Event)]` writes `::lahja_core`, in this crate's own modules too.
extern crate self as lahja_core;

mod backoff;
mod broadcast;
mod bus;
mod connection;
mod credit;
mod delivery;
mod endpoint;
mod error;
mod event;
mod frame;
mod handler;
mod inbox;
mod limits;
mod link;
mod message;
mod name;
mod payload;
mod pending;
mod platform;
mod rendezvous;
mod reply;
mod request;
mod routing;
mod runtime;
mod server;
mod session;
mod shared;
mod spawn;
mod subscription;
mod sync;
mod topic;
mod transport;
mod unix;

pub use broadcast::{Broadcast, BroadcastConfig, BroadcastFuture};
pub use bus::{EventBus, Join};
pub use endpoint::{
    Changed, CloseReport, Endpoint, EndpointBuilder, PeerTraffic, Scope, Stats, WeakEndpoint,
};
pub use error::{
    BroadcastError, BusError, ClaimError, ConnectError, FrameError, JoinError, NameError,
    PayloadError, PeerError, ProtocolError, ReadyError, RequestError, SocketError, SpawnError,
    StreamEnded,
};
pub use event::{Event, Received, Request};
pub use frame::{FrameBuffer, FrameDecoder};
pub use handler::{AnswerOutput, HandlerOutput};
pub use inbox::{Lagged, Overflow};
#[cfg(feature = "derive")]
pub use lahja_derive::Event;
pub use limits::Limits;
pub use link::take_stdio;
pub use name::EndpointName;
pub use platform::{ChildProcess, Platform};
pub use request::{RequestBuilder, RequestFuture};
pub use runtime::{BoxFuture, Runtime};
pub use server::Server;
pub use session::Traffic;
pub use spawn::{Child, Connect, Spawn};
pub use subscription::{EventStream, SubscribeConfig, Subscription, WaitFor};
pub use transport::{
    Connector, FrameReader, FrameWriter, Listener, MemoryTransport, StreamTransport, Transport,
    memory_pair,
};
pub use unix::{UnixConnector, UnixListener, UnixTransport};
