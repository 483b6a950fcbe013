//! One participant of an event bus.

mod builder;
mod view;

use std::any::TypeId;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_lite::future::or;

use crate::broadcast::Broadcast;
use crate::connection::Connection;
use crate::error::{ConnectError, NameError};
use crate::event::{Event, Received, Request};
use crate::handler::{AnswerOutput, HandlerOutput};
use crate::limits::Limits;
use crate::name::EndpointName;
use crate::request::RequestBuilder;
use crate::runtime::Runtime;
use crate::server::{self, Server};
use crate::session::PeerTraffic;
use crate::shared::Shared;
use crate::subscription::{EventStream, SubscribeConfig, Subscription, WaitFor};
use crate::transport::{Connector, Listener, Transport};

pub use builder::EndpointBuilder;
pub use view::{Changed, CloseReport, SchemaMismatch, Scope};

/// One participant of an event bus: it broadcasts, consumes, requests and answers.
///
/// Clones are handles to the same endpoint. Dropping the last one closes it at once;
/// [`close`](Self::close) closes it in order. Subscriptions, streams and futures do not keep it
/// open, and while a handler holds a clone the endpoint stays open until it is closed.
#[derive(Clone)]
pub struct Endpoint {
    handle: Arc<Handle>,
}

/// What the clones of an endpoint share; its drop closes the endpoint.
struct Handle {
    shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        for connection in self.shared.begin_close() {
            connection.send_and_stop();
        }
    }
}

impl Endpoint {
    /// Creates an endpoint that is connected to nobody yet.
    ///
    /// # Errors
    ///
    /// [`NameError`] if `name` cannot name an endpoint.
    pub fn new(name: impl AsRef<str>, runtime: impl Runtime) -> Result<Self, NameError> {
        Ok(Self::builder(name)?.build(runtime))
    }

    /// Begins to put an endpoint together, to set its groups and limits.
    ///
    /// # Errors
    ///
    /// [`NameError`] if `name` cannot name an endpoint.
    pub fn builder(name: impl AsRef<str>) -> Result<EndpointBuilder, NameError> {
        Ok(EndpointBuilder {
            name: EndpointName::new(name)?,
            groups: Vec::new(),
            limits: Limits::default(),
        })
    }

    /// Returns the endpoint's name.
    pub fn name(&self) -> &EndpointName {
        &self.shared().name
    }

    /// Returns the groups that the endpoint is a member of.
    pub fn groups(&self) -> &[EndpointName] {
        &self.shared().groups
    }

    /// Begins a broadcast; await it to send the event to everybody who has subscribed, this
    /// endpoint included, or narrow it down first.
    ///
    /// It is ready when everybody has the event in their queue or on the way, so it waits for
    /// slow consumers, but never makes the others wait for them.
    ///
    /// # Errors
    ///
    /// [`BroadcastError`](crate::BroadcastError); `NoSubscribers` with the event if nobody within
    /// reach wants it.
    pub fn broadcast<E: Event>(&self, event: E) -> Broadcast<'_, E> {
        Broadcast::new(self, event)
    }

    /// Begins a request; await it to send it to everybody who answers such requests and get the
    /// first response.
    ///
    /// # Errors
    ///
    /// [`RequestError`](crate::RequestError) tells how a request ended that got no response.
    pub fn request<Q: Request>(&self, request: Q) -> RequestBuilder<'_, Q> {
        RequestBuilder::new(self, request)
    }

    /// Calls `handler` with every event of a type, in the order in which they come.
    ///
    /// The handler is a function of [`Received<E>`](Received), plain or returning a future. It
    /// runs in a task of its own, for one event at a time. A panic is caught and counted
    /// ([`handler_panics`](crate::Stats::handler_panics)), and the subscription lives on; so are
    /// events that the subscription has lost ([`lost_events`](crate::Stats::lost_events)).
    pub fn subscribe<E, H, R, K>(&self, handler: H) -> Subscription
    where
        E: Event,
        H: Fn(Received<E>) -> R + Send + Sync + 'static,
        R: HandlerOutput<K> + 'static,
        K: 'static,
    {
        self.subscription().subscribe(handler)
    }

    /// Answers every request of a type with what `handler` returns: the response, or a future of
    /// it.
    ///
    /// Requests are answered as they come; a handler that waits does not hold up others. A panic
    /// is caught and counted, and its requester is told at once that there is no answer.
    pub fn answer<Q, H, R, K>(&self, handler: H) -> Subscription
    where
        Q: Request,
        H: Fn(Received<Q>) -> R + Send + Sync + 'static,
        R: AnswerOutput<Q::Response, K> + 'static,
        K: 'static,
    {
        self.subscription().answer(handler)
    }

    /// Returns the events of a type as a stream, beginning now.
    pub fn stream<E: Event>(&self) -> EventStream<E> {
        self.subscription().stream()
    }

    /// Waits for one event of a type, beginning now.
    ///
    /// # Errors
    ///
    /// [`StreamEnded`](crate::StreamEnded) if the endpoint is closed before one comes.
    pub fn wait_for<E: Event>(&self) -> WaitFor<E> {
        WaitFor(self.stream())
    }

    /// Begins to put a subscription together, to set its origins, filter and bounds.
    pub fn subscription<E: Event>(&self) -> SubscribeConfig<'_, E> {
        SubscribeConfig::new(self)
    }

    /// Accepts peers in the background, until the returned server is dropped.
    pub fn serve<L: Listener>(&self, listener: L) -> Server {
        Server::start(self.shared(), listener)
    }

    /// Connects to a peer, and tries again for [`Limits::handshake_timeout`] while nobody
    /// listens. Returns the peer's name.
    ///
    /// What the peer had subscribed to is known by then, so a broadcast reaches it. The peer may
    /// count this endpoint a moment later; there
    /// [`wait_until_connected_to`](Self::wait_until_connected_to) tells when. One of the two ends
    /// connects: if both do at the same moment, both may be refused.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] tells why there is no connection.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up the attempt.
    pub async fn connect<C: Connector>(&self, connector: C) -> Result<EndpointName, ConnectError> {
        server::connect(self.shared(), &connector).await
    }

    /// Connects over a transport that is already there; the other end does the same. Returns the
    /// peer's name.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] tells why there is no connection.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the transport, unless the handshake was done.
    pub async fn attach<T: Transport>(&self, transport: T) -> Result<EndpointName, ConnectError> {
        server::attach(self.shared(), transport).await
    }

    /// Returns the names of the connected endpoints, in order.
    pub fn connections(&self) -> Vec<EndpointName> {
        let registry = self.shared().registry();
        let mut names: Vec<_> = registry.established().map(|(peer, _)| peer.name.clone()).collect();
        drop(registry);
        names.sort_unstable();
        names
    }

    /// Tells whether an endpoint of this name is connected.
    pub fn is_connected_to(&self, name: &(impl AsRef<str> + ?Sized)) -> bool {
        self.peer(name.as_ref()).is_some()
    }

    /// Waits until an endpoint of this name is connected. Never ready if none ever is.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn wait_until_connected_to(&self, name: &(impl AsRef<str> + ?Sized)) {
        loop {
            let changed = self.connections_changed();
            if self.is_connected_to(name) {
                return;
            }
            changed.await;
        }
    }

    /// Returns a future that is ready when a peer has connected or gone since this call.
    pub fn connections_changed(&self) -> Changed {
        Changed(self.shared().listen_connections())
    }

    /// Tells whether the endpoints in `scope` have subscribed to events of a type, as far as this
    /// endpoint may send to them. Those who define it otherwise count: whoever waits for a subscriber
    /// is to learn of that.
    pub fn is_subscribed<E: Event>(&self, scope: Scope<'_>) -> bool {
        let shared = self.shared();
        let registry = shared.registry();
        let subscribers = || registry.subscribers(E::NAME);
        let locally = registry.wants(TypeId::of::<E>(), &shared.name);
        let wants = |name: &str| subscribers().any(|peer| peer.name == name);
        match scope {
            Scope::Any => locally || subscribers().next().is_some(),
            Scope::All => {
                let mut peers = registry.established().peekable();
                peers.peek().is_some() && peers.all(|(peer, _)| wants(peer.name.as_str()))
            }
            Scope::Endpoint(name) if shared.name == name => locally,
            Scope::Endpoint(name) => wants(name),
        }
    }

    /// Waits until the endpoints in `scope` have subscribed to events of a type. Never ready if
    /// they never do.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn wait_until_subscribed<E: Event>(&self, scope: Scope<'_>) {
        loop {
            let changed = self.subscriptions_changed();
            if self.is_subscribed::<E>(scope) {
                return;
            }
            changed.await;
        }
    }

    /// Returns a future that is ready when what somebody wants of this endpoint, or what it wants
    /// itself, has changed since this call.
    pub fn subscriptions_changed(&self) -> Changed {
        Changed(self.shared().listen_subscriptions())
    }

    /// Returns what went over the connection to a peer, or `None` if there is none.
    pub fn traffic(&self, peer: &(impl AsRef<str> + ?Sized)) -> Option<PeerTraffic> {
        Some(self.peer(peer.as_ref())?.traffic())
    }

    /// Tells whether the endpoint has been closed.
    pub fn is_closed(&self) -> bool {
        self.shared().is_closed()
    }

    /// Waits until the endpoint is closed, by whomever.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn closed(&self) {
        self.shared().until_closed().await;
    }

    /// Closes the endpoint: streams end, requests fail, and what was accepted is sent and read by
    /// the peers, for at most `deadline`. Its place on the bus and its listeners are free then.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the endpoint closed, and its connections to end in order
    /// without a deadline until the last handle is dropped.
    pub async fn close(&self, deadline: Duration) -> CloseReport {
        let shared = self.shared();
        let connections = shared.begin_close();
        let drained = async {
            for connection in &connections {
                connection.until_ended().await;
            }
            shared.until_unserved().await;
        };
        or(drained, shared.runtime.sleep(deadline)).await;
        let mut report = CloseReport::default();
        for connection in &connections {
            connection.stop();
            report.undelivered += connection.until_settled().await;
        }
        report
    }

    /// Returns a handle that does not keep the endpoint open.
    pub fn downgrade(&self) -> WeakEndpoint {
        WeakEndpoint(Arc::downgrade(&self.handle))
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }

    fn peer(&self, name: &str) -> Option<Arc<Connection>> {
        let registry = self.shared().registry();
        let mut peers = registry.established();
        let found = peers.find(|(peer, _)| peer.name == name);
        found.map(|(_, connection)| connection.clone())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("name", self.name())
            .field("connections", &self.connections())
            .finish_non_exhaustive()
    }
}

/// A handle that does not keep its [`Endpoint`] open, for handlers that use the endpoint they are
/// subscribed at.
#[derive(Clone)]
pub struct WeakEndpoint(Weak<Handle>);

impl WeakEndpoint {
    /// Returns the endpoint, unless its last handle has been dropped.
    pub fn upgrade(&self) -> Option<Endpoint> {
        self.0.upgrade().map(|handle| Endpoint { handle })
    }

    /// Tells whether both are handles to the same endpoint.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.0.ptr_eq(&other.0)
    }
}

impl fmt::Debug for WeakEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakEndpoint").finish_non_exhaustive()
    }
}
