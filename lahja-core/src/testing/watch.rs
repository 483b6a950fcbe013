//! Waiting for events, as a test does.

use std::fmt;

use futures_lite::future::{poll_once, yield_now};

use super::TestBus;
use crate::event::{Event, Received};
use crate::subscription::EventStream;

/// The events of one type that come to one endpoint, as a test waits for them. Made by
/// [`TestBus::watch`].
#[must_use = "a watch does nothing unless it is asked"]
pub struct Watch<'a, E: Event> {
    pub(super) bus: &'a TestBus,
    pub(super) events: EventStream<E>,
}

impl<E: Event> Watch<'_, E> {
    /// Waits for the next event.
    ///
    /// # Panics
    ///
    /// Panics if none comes within the [patience](TestBus::patience), events were lost, or the
    /// endpoint is closed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no event.
    pub async fn next(&mut self) -> Received<E> {
        match self.bus.in_time(event(&mut self.events)).await {
            Some(event) => event,
            None => panic!("no {} has come within {:?}", E::NAME, self.bus.patience),
        }
    }

    /// Waits for an event that `matches`, and lets go of those before it.
    ///
    /// # Panics
    ///
    /// Panics if none comes within the [patience](TestBus::patience), however many others do, and
    /// says what came instead; or if events were lost, or the endpoint is closed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses the events that came before the one it waits for.
    pub async fn find(&mut self, matches: impl Fn(&E) -> bool) -> Received<E>
    where
        E: fmt::Debug,
    {
        let mut others = Vec::new();
        let finding = async {
            loop {
                let event = event(&mut self.events).await;
                if matches(&event) {
                    return event;
                }
                others.push(event);
                // However fast they come, the end of the patience is seen.
                yield_now().await;
            }
        };
        match self.bus.in_time(finding).await {
            Some(event) => event,
            None => panic!(
                "no such {} has come within {:?}; what came: {others:?}",
                E::NAME,
                self.bus.patience,
            ),
        }
    }

    /// Checks that nothing is left that was broadcast before this call. What handlers broadcast
    /// later isn't waited for. Nothing more comes to an endpoint that is closed.
    ///
    /// # Panics
    ///
    /// Panics if an event is there once the bus has [settled](TestBus::settle), or events were
    /// lost; or as `settle` does.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no event.
    pub async fn is_over(&mut self)
    where
        E: fmt::Debug,
    {
        self.bus.settle().await;
        match poll_once(self.events.next()).await {
            None | Some(None) => {}
            Some(Some(Ok(event))) => panic!("one more has come: {event:?}"),
            Some(Some(Err(lagged))) => panic!("{}: {lagged}", E::NAME),
        }
    }
}

/// Waits for the next event.
async fn event<E: Event>(events: &mut EventStream<E>) -> Received<E> {
    match events.next().await {
        Some(Ok(event)) => event,
        Some(Err(lagged)) => panic!("{}: {lagged}", E::NAME),
        None => panic!("the endpoint is closed, no {} will come", E::NAME),
    }
}

impl<E: Event> fmt::Debug for Watch<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("event", &E::NAME).finish_non_exhaustive()
    }
}
