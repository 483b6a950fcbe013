//! Running handlers: each subscription's in a task of its own, its panics caught and counted.

use std::future::{Ready, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures_lite::FutureExt;
use futures_lite::future::poll_once;

use crate::broadcast::BroadcastConfig;
use crate::endpoint::WeakEndpoint;
use crate::event::{Event, Received, Request};
use crate::inbox::Charge;
use crate::runtime::BoxFuture;
use crate::shared::Shared;
use crate::subscription::EventStream;

/// Marks a handler that returns its result.
#[derive(Debug, Clone, Copy)]
pub struct Plain;

/// Marks a handler that returns a future.
#[derive(Debug, Clone, Copy)]
pub struct Async;

/// What the handler of a subscription may return: nothing, or a future of nothing.
///
/// `K` tells the two apart and is always inferred.
pub trait HandlerOutput<K>: private::Sealed<K> {
    /// The future that finishes the handler's work.
    type Future: Future<Output = ()> + Send;

    /// Turns the output into that future.
    fn into_future(self) -> Self::Future;
}

/// What the handler of a request may return: the response `T`, or a future of it.
///
/// `K` tells the two apart and is always inferred.
pub trait AnswerOutput<T, K>: private::SealedAnswer<T, K> {
    /// The future that is ready with the response.
    type Future: Future<Output = T> + Send;

    /// Turns the output into that future.
    fn into_future(self) -> Self::Future;
}

impl HandlerOutput<Plain> for () {
    type Future = Ready<()>;

    fn into_future(self) -> Ready<()> {
        ready(())
    }
}

impl<F: Future<Output = ()> + Send> HandlerOutput<Async> for F {
    type Future = F;

    fn into_future(self) -> F {
        self
    }
}

impl<T: Send> AnswerOutput<T, Plain> for T {
    type Future = Ready<T>;

    fn into_future(self) -> Ready<T> {
        ready(self)
    }
}

impl<T, F: Future<Output = T> + Send> AnswerOutput<T, Async> for F {
    type Future = F;

    fn into_future(self) -> F {
        self
    }
}

mod private {
    use super::{Async, Plain};

    pub trait Sealed<K> {}
    impl Sealed<Plain> for () {}
    impl<F: Future<Output = ()>> Sealed<Async> for F {}

    pub trait SealedAnswer<T, K>: Sized {
        /// Has the response sent if it is there. Returns what is to be waited for, a response that
        /// was given back among it.
        fn send_or_wait(self, send: impl FnOnce(T) -> Option<T>) -> Option<Self>;
    }

    impl<T> SealedAnswer<T, Plain> for T {
        fn send_or_wait(self, send: impl FnOnce(T) -> Option<T>) -> Option<T> {
            send(self)
        }
    }

    impl<T, F: Future<Output = T>> SealedAnswer<T, Async> for F {
        fn send_or_wait(self, _: impl FnOnce(T) -> Option<T>) -> Option<F> {
            Some(self)
        }
    }
}

/// Calls a handler with one event after the other, each consumed when its handler is done.
pub(crate) async fn run<E, H, R, K>(shared: Arc<Shared>, mut events: EventStream<E>, handler: H)
where
    E: Event,
    H: Fn(Received<E>) -> R,
    R: HandlerOutput<K>,
{
    while let Some(item) = events.next_charged().await {
        let (event, _charge) = match item.hold() {
            Ok(held) => held,
            Err(lagged) => {
                shared.trouble.lost(E::NAME, lagged);
                continue;
            }
        };
        let called = catch_unwind(AssertUnwindSafe(|| handler(event).into_future()));
        let finished = match called {
            Ok(future) => events.attend(AssertUnwindSafe(future).catch_unwind()).await,
            Err(panic) => Err(panic),
        };
        if finished.is_err() {
            shared.trouble.panicked(E::NAME);
        }
    }
}

/// Answers requests, each in a task of its own unless its response is there at once. A handler
/// may so ask the very peer whose request it answers.
pub(crate) async fn answer<Q, H, R, K>(
    endpoint: WeakEndpoint,
    shared: Arc<Shared>,
    mut requests: EventStream<Q>,
    handler: H,
) where
    Q: Request,
    H: Fn(Received<Q>) -> R,
    R: AnswerOutput<Q::Response, K> + 'static,
    K: 'static,
{
    while let Some(item) = requests.next_charged().await {
        let (request, charge) = match item.hold() {
            Ok(held) => held,
            Err(lagged) => {
                shared.trouble.lost(Q::NAME, lagged);
                continue;
            }
        };
        let config = request.broadcast_config();
        // The response's own encoding may panic as well as the handler.
        let answered = catch_unwind(AssertUnwindSafe(|| -> Option<BoxFuture> {
            let send = |response| config.answer_now(&shared, response);
            let output = handler(request).send_or_wait(send)?;
            let response = output.into_future();
            Some(Box::pin(finish::<Q>(endpoint.clone(), shared.clone(), response, config, charge)))
        }));
        match answered {
            Ok(None) => {}
            Ok(Some(mut waiting)) => {
                if poll_once(&mut waiting).await.is_none() {
                    shared.runtime.spawn(waiting);
                }
            }
            Err(_panic) => shared.trouble.panicked(Q::NAME),
        }
    }
}

/// Waits for a response, and for room for it, and sends it.
async fn finish<Q: Request>(
    endpoint: WeakEndpoint,
    shared: Arc<Shared>,
    response: impl Future<Output = Q::Response>,
    config: BroadcastConfig,
    charge: Charge,
) {
    let answered = async {
        let response = response.await;
        if let Some(endpoint) = endpoint.upgrade() {
            // What cannot be sent leaves the request unanswered.
            let _ = endpoint.broadcast(response).with(config).await;
        }
    };
    if AssertUnwindSafe(answered).catch_unwind().await.is_err() {
        shared.trouble.panicked(Q::NAME);
    }
    drop(charge);
}
