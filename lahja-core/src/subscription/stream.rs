//! Events as a stream, or the first of them.

use std::any::TypeId;
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_lite::future::{or, poll_once};

use super::{Subscriber, Subscription, ready};
use crate::error::{ReadyError, StreamEnded};
use crate::event::{Event, Received};
use crate::inbox::{Entry, Item, Lagged, Unpacking};
use crate::shared::Shared;

/// A stream of events, in the order in which they came. Dropping it unsubscribes.
///
/// It yields [`Lagged`] in the place of events that were lost, which happens to a lossless
/// subscription only if it has consumed nothing for
/// [`Limits::stalled_after`](crate::Limits::stalled_after) after somebody had to wait for it. It ends
/// when the endpoint is closed.
#[must_use = "streams do nothing unless polled"]
pub struct EventStream<E: Event> {
    subscriber: Arc<Subscriber<E>>,
    // What was taken from the queue and not yet handed out.
    batch: VecDeque<Entry<E>>,
    // What of that was packed and is taken out first.
    unpacking: Unpacking<E>,
    // What is taken out next otherwise.
    item: Option<Item<E>>,
}

impl<E: Event> EventStream<E> {
    pub(super) fn new(subscriber: Arc<Subscriber<E>>) -> Self {
        Self { subscriber, batch: VecDeque::new(), unpacking: Unpacking::new(), item: None }
    }

    /// Waits for the next event, or for [`Lagged`] in the place of events that were lost. `None` says
    /// that the endpoint is closed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no event.
    #[inline]
    #[expect(clippy::should_implement_trait, reason = "it is what this is called for any stream")]
    pub fn next(&mut self) -> NextEvent<'_, E> {
        NextEvent(self)
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
        ready(&self.subscriber.shared, TypeId::of::<E>()).await
    }

    /// Waits for the next event, and keeps its charge with it until it is consumed.
    pub(crate) async fn next_charged(&mut self) -> Option<Item<E>> {
        poll_fn(|context| self.poll_charged(context)).await
    }

    /// Waits for the handler of an event. Events behind it that are to be dropped do not wait for
    /// it, since others may need their room.
    pub(crate) async fn attend<T>(&mut self, handling: impl Future<Output = T>) -> T {
        let mut handling = pin!(handling);
        if let Some(done) = poll_once(&mut handling).await {
            return done;
        }
        let discarded = async {
            self.subscriber.inbox.until_discarded().await;
            None
        };
        match or(async { Some(handling.as_mut().await) }, discarded).await {
            Some(done) => done,
            None => {
                self.discard();
                handling.await
            }
        }
    }

    #[inline(always)]
    fn poll_next_event(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Received<E>, Lagged>>> {
        loop {
            self.discard_if_asked();
            if let Some(event) = self.unpacking.take() {
                return Poll::Ready(Some(Ok(event)));
            }
            if let Some(item) = self.item.take() {
                return Poll::Ready(Some(item.consume()));
            }
            if !ready!(self.poll_more(context)) {
                return Poll::Ready(None);
            }
        }
    }

    fn poll_charged(&mut self, context: &mut Context<'_>) -> Poll<Option<Item<E>>> {
        loop {
            self.discard_if_asked();
            let item = self.unpacking.take_charged().or_else(|| self.item.take());
            if item.is_some() || !ready!(self.poll_more(context)) {
                return Poll::Ready(item);
            }
        }
    }

    #[inline(always)]
    fn discard_if_asked(&mut self) {
        if self.subscriber.inbox.is_discarded() {
            self.discard();
        }
    }

    /// Drops what was taken from the queue.
    #[cold]
    fn discard(&mut self) {
        self.batch.clear();
        self.unpacking.clear();
        self.item = None;
    }

    /// Waits until there may be something decoded, or an item. Ready with `false` at the end.
    ///
    /// Not inlined, so that the way of an event that is decoded already is short.
    #[inline(never)]
    fn poll_more(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        match self.unpacking.decode() {
            Ok(true) => return Poll::Ready(true),
            Ok(false) => {}
            Err((origin, error)) => {
                self.subscriber.malformed(&origin, &error);
                return Poll::Ready(true);
            }
        }
        if self.batch.is_empty()
            && !ready!(self.subscriber.inbox.poll_take(&mut self.batch, context))
        {
            return Poll::Ready(false);
        }
        match self.batch.pop_front() {
            Some(Entry::Item(item)) => self.item = Some(item),
            Some(Entry::Packed(packed)) => self.unpacking.begin(packed),
            Some(Entry::Whole(whole)) => {
                let origin = whole.origin().clone();
                let item = whole.decode();
                self.item =
                    item.inspect_err(|error| self.subscriber.malformed(&origin, error)).ok();
            }
            None => {}
        }
        Poll::Ready(true)
    }

    /// Splits off the handle of a stream that a handler will consume.
    pub(super) fn handled(&self) -> (Arc<Shared>, Subscription) {
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

    #[inline]
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

/// Waits for the next event of a stream, or for what it yields in the place of events that were lost.
/// `None` is its end. Made by [`EventStream::next`].
///
/// Polled again after it was ready, it waits for the event after that.
///
/// # Cancel safety
///
/// Dropping the future loses no event.
#[must_use = "futures do nothing unless polled"]
pub struct NextEvent<'a, E: Event>(&'a mut EventStream<E>);

impl<E: Event> Future for NextEvent<'_, E> {
    type Output = Option<Result<Received<E>, Lagged>>;

    // An event that is handed over by a call is read back in larger pieces than it was written in,
    // to which the processor cannot forward a store: it waits.
    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll_next_event(context)
    }
}

impl<E: Event> fmt::Debug for NextEvent<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NextEvent").field("event", &E::NAME).finish_non_exhaustive()
    }
}

/// Waits for one event of a type. Made by
/// [`Endpoint::wait_for`](crate::Endpoint::wait_for).
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
