//! Waiting until a connection is stopped.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use event_listener::EventListener;

use super::Connection;

/// Ready when a connection is stopped from this side.
///
/// It is asked with every read, which costs a look at the flag: the listener's lock is taken only
/// for another waker.
pub(super) struct UntilStopped<'a> {
    connection: &'a Connection,
    listening: Option<(EventListener, Waker)>,
}

impl<'a> UntilStopped<'a> {
    pub(super) fn new(connection: &'a Connection) -> Self {
        Self { connection, listening: None }
    }
}

impl Future for UntilStopped<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Self { connection, listening } = &mut *self;
        if connection.is_stopped() {
            return Poll::Ready(());
        }
        let waker = context.waker();
        if listening.as_ref().is_some_and(|(_, told)| told.will_wake(waker)) {
            return Poll::Pending;
        }
        let listener = listening.take().map(|(listener, _)| listener);
        let mut listener = listener.unwrap_or_else(|| connection.stopped.listen());
        let is_told = Pin::new(&mut listener).poll(context).is_ready();
        // The flag is set before anybody is told.
        if is_told || connection.is_stopped() {
            return Poll::Ready(());
        }
        *listening = Some((listener, waker.clone()));
        Poll::Pending
    }
}
