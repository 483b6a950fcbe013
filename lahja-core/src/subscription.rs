//! Consuming events: subscriptions with a handler, streams, and what can be configured.

mod stream;

use std::any::TypeId;
use std::fmt;
use std::sync::{Arc, Weak};

use crate::connection::Connection;
use crate::endpoint::Endpoint;
use crate::error::{PayloadError, ReadyError};
use crate::event::{Event, Received, Request};
use crate::handler::{self, AnswerOutput, HandlerOutput};
use crate::inbox::{Config, Inbox, Overflow, Rest};
use crate::name::EndpointName;
use crate::session::Slot;
use crate::shared::Shared;
use crate::sync::lock;

pub use stream::{EventStream, NextEvent, WaitFor};

/// A subscription that is being put together.
///
/// Made by [`Endpoint::subscription`]; [`subscribe`](Self::subscribe), [`stream`](Self::stream)
/// or [`answer`](Self::answer) make it real.
#[must_use = "a subscription does nothing before it is made real"]
pub struct SubscribeConfig<'a, E> {
    endpoint: &'a Endpoint,
    config: Config<E>,
}

impl<'a, E: Event> SubscribeConfig<'a, E> {
    pub(crate) fn new(endpoint: &'a Endpoint) -> Self {
        let config = Config {
            origins: Vec::new(),
            filter: None,
            capacity: endpoint.shared().limits.capacity,
            bytes: endpoint.shared().limits.queue,
            overflow: Overflow::Wait,
        };
        Self { endpoint, config }
    }

    /// Takes events of this endpoint alone; given several times, of these.
    ///
    /// Other endpoints do not learn of the subscription, so what it does not want is never sent.
    pub fn from(mut self, origin: impl AsRef<str>) -> Self {
        self.config.origins.push(origin.as_ref().into());
        self
    }

    /// Takes those events alone for which `predicate` returns true.
    ///
    /// It is called before an event is queued, in the task that reads from the connection or that
    /// broadcasts: it should be quick. If it panics the event is not taken.
    pub fn filter(mut self, predicate: impl Fn(&E) -> bool + Send + Sync + 'static) -> Self {
        self.config.filter = Some(Box::new(predicate));
        self
    }

    /// Queues up to this many events, at least one. A subscription that loses nothing applies it
    /// to events of its own endpoint, since others are bounded by a window of bytes. The default
    /// is [`Limits::capacity`](crate::Limits::capacity).
    pub fn capacity(mut self, events: usize) -> Self {
        self.config.capacity = events.max(1);
        self
    }

    /// Says what happens when events arrive faster than they are consumed.
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.config.overflow = overflow;
        self
    }

    /// Calls `handler` with every event. See [`Endpoint::subscribe`].
    pub fn subscribe<H, R, K>(self, handler: H) -> Subscription
    where
        H: Fn(Received<E>) -> R + Send + Sync + 'static,
        R: HandlerOutput<K> + 'static,
        K: 'static,
    {
        let stream = self.stream();
        let (shared, subscription) = stream.handled();
        shared.runtime.spawn(Box::pin(handler::run(shared.clone(), stream, handler)));
        subscription
    }

    /// Answers every request with what `handler` returns. See [`Endpoint::answer`].
    pub fn answer<H, R, K>(self, handler: H) -> Subscription
    where
        E: Request,
        H: Fn(Received<E>) -> R + Send + Sync + 'static,
        R: AnswerOutput<E::Response, K> + 'static,
        K: 'static,
    {
        let endpoint = self.endpoint.downgrade();
        let stream = self.stream();
        let (shared, subscription) = stream.handled();
        let answering = handler::answer(endpoint, shared.clone(), stream, handler);
        shared.runtime.spawn(Box::pin(answering));
        subscription
    }

    /// Makes the events a stream. See [`Endpoint::stream`].
    pub fn stream(self) -> EventStream<E> {
        let shared = self.endpoint.shared();
        let inbox = Arc::new(Inbox::new(self.config));
        shared.subscribe(&inbox);
        EventStream::new(Arc::new(Subscriber { shared: Arc::downgrade(shared), inbox }))
    }
}

impl<E> fmt::Debug for SubscribeConfig<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubscribeConfig")
            .field("origins", &self.config.origins)
            .field("capacity", &self.config.capacity)
            .field("overflow", &self.config.overflow)
            .finish_non_exhaustive()
    }
}

/// A subscription in the tables of its endpoint.
struct Subscriber<E: Event> {
    shared: Weak<Shared>,
    inbox: Arc<Inbox<E>>,
}

impl<E: Event> Subscriber<E> {
    fn end(&self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.unsubscribe(&self.inbox);
        }
        self.inbox.close(Rest::Discard);
    }

    /// Counts an event that could not be decoded.
    fn malformed(&self, origin: &EndpointName, error: &PayloadError) {
        if let Some(shared) = self.shared.upgrade() {
            shared.trouble.malformed(origin, E::NAME, error);
        }
    }
}

/// A [`Subscriber`] whose type only the handler knows.
trait AnySubscriber: Send + Sync {
    fn end(&self);
}

impl<E: Event> AnySubscriber for Subscriber<E> {
    fn end(&self) {
        self.end();
    }
}

/// A handler that is called with events. Dropping it unsubscribes.
#[must_use = "dropping a subscription ends it; detach it to keep it"]
pub struct Subscription {
    subscriber: Option<Arc<dyn AnySubscriber>>,
    shared: Weak<Shared>,
    event: TypeId,
}

impl Subscription {
    /// Ends the subscription: what is queued is dropped, and a handler that runs is left to
    /// finish.
    pub fn unsubscribe(self) {}

    /// Keeps the subscription for the life of the endpoint.
    pub fn detach(mut self) {
        self.subscriber = None;
    }

    /// Waits until every peer that is connected by now has acknowledged the subscription: events
    /// that it begins to broadcast after that are delivered.
    ///
    /// # Errors
    ///
    /// [`ReadyError`] if the endpoint is closed, a peer has no place for another topic, the type
    /// cannot be decoded, or a peer has broadcast such events and defines them otherwise.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn ready(&self) -> Result<(), ReadyError> {
        ready(&self.shared, self.event).await
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(subscriber) = &self.subscriber {
            subscriber.end();
        }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").finish_non_exhaustive()
    }
}

/// Waits until the peers have acknowledged what is announced of a type.
async fn ready(shared: &Weak<Shared>, event: TypeId) -> Result<(), ReadyError> {
    let shared = shared.upgrade().ok_or(ReadyError::Closed)?;
    if shared.is_closed() {
        return Err(ReadyError::Closed);
    }
    for (connection, epoch, slot) in announced(&shared, event)? {
        loop {
            let progress = connection.listen();
            if connection.is_acknowledged(epoch) || connection.has_ended() {
                break;
            }
            progress.await;
        }
        if slot.is_some_and(|slot| connection.is_mismatched(slot)) {
            let peer = connection.peer().name.clone();
            return Err(ReadyError::SchemaMismatch { peer });
        }
    }
    match shared.is_closed() {
        true => Err(ReadyError::Closed),
        false => Ok(()),
    }
}

/// A connection, with the epoch of its last announcement and the slot of a type that is announced there.
type Announced = (Arc<Connection>, u64, Option<Slot>);

/// Returns where a type is announced.
fn announced(shared: &Shared, event: TypeId) -> Result<Vec<Announced>, ReadyError> {
    let registry = shared.registry();
    let topic = registry.topics().get(&event);
    if let Some(Err(source)) = topic.map(|topic| topic.fingerprint()) {
        return Err(ReadyError::Unsupported { source });
    }
    let announced = registry.established().map(|(peer, connection)| {
        let slot = lock(&connection.announced).get(&event).copied();
        if slot == Some(None) {
            return Err(ReadyError::TooManyTopics { peer: peer.name.clone() });
        }
        Ok((connection.clone(), connection.epoch(), slot.flatten()))
    });
    announced.collect()
}
