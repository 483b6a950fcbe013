//! Consuming events: subscriptions with a handler, streams, and what can be configured.

use std::any::TypeId;
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use crate::endpoint::Endpoint;
use crate::error::{ReadyError, StreamEnded};
use crate::event::{Event, Received, Request};
use crate::handler::{self, AnswerOutput, HandlerOutput};
use crate::inbox::{Charge, Config, Consumed, Entry, Inbox, Item, Lagged, Overflow, Rest};
use crate::shared::Shared;
use crate::sync::lock;

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
        EventStream {
            subscriber: Arc::new(Subscriber { shared: Arc::downgrade(shared), inbox }),
            batch: VecDeque::new(),
        }
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
    /// [`ReadyError`] if the endpoint is closed, or a peer has no place for another topic.
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
    let mut announced = Vec::new();
    for (peer, connection) in shared.registry().established() {
        if lock(&connection.announced).get(&event) == Some(&None) {
            let peer = peer.name.clone();
            return Err(ReadyError::TooManyTopics { peer });
        }
        announced.push((connection.clone(), connection.epoch()));
    }
    for (connection, epoch) in announced {
        loop {
            let progress = connection.listen();
            if connection.is_acknowledged(epoch) || connection.has_ended() {
                break;
            }
            progress.await;
        }
    }
    match shared.is_closed() {
        true => Err(ReadyError::Closed),
        false => Ok(()),
    }
}

/// A stream of events, in the order in which they came. Dropping it unsubscribes.
///
/// It yields [`Lagged`] in the place of events that were lost, which happens to a lossless
/// subscription only if it has consumed nothing for
/// [`Limits::stalled_after`](crate::Limits::stalled_after) while somebody waited for it. It ends
/// when the endpoint is closed.
#[must_use = "streams do nothing unless polled"]
pub struct EventStream<E: Event> {
    subscriber: Arc<Subscriber<E>>,
    // What was taken from the queue and not yet handed out.
    batch: VecDeque<Entry<E>>,
}

impl<E: Event> EventStream<E> {
    /// Waits for the next event.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no event.
    pub async fn next(&mut self) -> Option<Result<Received<E>, Lagged>> {
        poll_fn(|context| self.poll_next_event(context)).await
    }

    /// Waits until every peer that is connected by now has acknowledged the subscription: events
    /// that it begins to broadcast after that are delivered.
    ///
    /// # Errors
    ///
    /// [`ReadyError`] if the endpoint is closed, or a peer has no place for another topic.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn ready(&self) -> Result<(), ReadyError> {
        ready(&self.subscriber.shared, TypeId::of::<E>()).await
    }

    /// Waits for the next event, and keeps its charge with it until it is consumed.
    pub(crate) async fn next_charged(&mut self) -> Option<Item<E>> {
        poll_fn(|context| self.poll_charged(context)).await
    }

    fn poll_next_event(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Received<E>, Lagged>>> {
        while ready!(self.poll_batch(context)) {
            if let Some(event) = self.unpack(Consumed::AtOnce) {
                return Poll::Ready(Some(Ok(event)));
            }
            if let Some(Entry::Item(item)) = self.batch.pop_front() {
                return Poll::Ready(Some(item.consume()));
            }
        }
        Poll::Ready(None)
    }

    fn poll_charged(&mut self, context: &mut Context<'_>) -> Poll<Option<Item<E>>> {
        while ready!(self.poll_batch(context)) {
            if let Some(event) = self.unpack(Consumed::Later) {
                return Poll::Ready(Some(Item::Event(event, Charge::Own)));
            }
            if let Some(Entry::Item(item)) = self.batch.pop_front() {
                return Poll::Ready(Some(item));
            }
        }
        Poll::Ready(None)
    }

    /// Waits until there is something in the batch. Ready with `false` at the end.
    fn poll_batch(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        let inbox = &self.subscriber.inbox;
        if inbox.is_discarded() {
            self.batch.clear();
        }
        match self.batch.is_empty() {
            true => inbox.poll_take(&mut self.batch, context),
            false => Poll::Ready(true),
        }
    }

    /// Takes the next event of those that are packed at the front of the batch.
    fn unpack(&mut self, consumed: Consumed) -> Option<Received<E>> {
        while let Some(Entry::Packed(packed)) = self.batch.front_mut() {
            match packed.next(consumed) {
                Some(Ok(event)) => return Some(event),
                Some(Err(error)) => {
                    if let Some(shared) = self.subscriber.shared.upgrade() {
                        shared.counters.count_malformed(&error);
                    }
                }
                None => drop(self.batch.pop_front()),
            }
        }
        None
    }

    /// Splits off the handle of a stream that a handler will consume.
    fn handled(&self) -> (Arc<Shared>, Subscription) {
        let shared = self.subscriber.shared.upgrade();
        let shared = shared.expect("the caller holds the endpoint");
        let subscription = Subscription {
            subscriber: Some(self.subscriber.clone()),
            shared: Arc::downgrade(&shared),
            event: TypeId::of::<E>(),
        };
        (shared, subscription)
    }
}

impl<E: Event> Stream for EventStream<E> {
    type Item = Result<Received<E>, Lagged>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_next_event(context)
    }
}

// The events in the batch are never pinned.
impl<E: Event> Unpin for EventStream<E> {}

impl<E: Event> Drop for EventStream<E> {
    fn drop(&mut self) {
        self.subscriber.end();
    }
}

impl<E: Event> fmt::Debug for EventStream<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream").field("event", &E::NAME).finish_non_exhaustive()
    }
}

/// Waits for one event of a type. Made by [`Endpoint::wait_for`].
///
/// # Cancel safety
///
/// Dropping the future unsubscribes; events that came in the meantime are dropped.
#[must_use = "futures do nothing unless polled"]
pub struct WaitFor<E: Event>(pub(crate) EventStream<E>);

impl<E: Event> Future for WaitFor<E> {
    type Output = Result<Received<E>, StreamEnded>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match ready!(self.0.poll_next_event(context)) {
                Some(Ok(event)) => return Poll::Ready(Ok(event)),
                Some(Err(_lagged)) => {}
                None => return Poll::Ready(Err(StreamEnded)),
            }
        }
    }
}

impl<E: Event> fmt::Debug for WaitFor<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitFor").field("event", &E::NAME).finish_non_exhaustive()
    }
}

impl fmt::Debug for Charge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Charge")
    }
}
