//! Requests: the builder, and the future it becomes.

use std::borrow::Cow;
use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::delivery::{Begun, Delivery, Refused, begin};
use crate::endpoint::Endpoint;
use crate::error::RequestError;
use crate::event::{Event, Request};
use crate::message::response_type;
use crate::payload;
use crate::pending::{AnyResponse, Asked, Failure, Outcome};
use crate::routing::Reach;
use crate::shared::Shared;

/// A request that is being put together; await it to send it and get the response.
///
/// Made by [`Endpoint::request`]. It asks everybody within reach who has subscribed to the
/// request; the first response counts.
#[must_use = "a request does nothing unless awaited"]
pub struct RequestBuilder<'a, Q> {
    endpoint: &'a Endpoint,
    request: Q,
    reach: Reach<'a>,
    timeout: Option<Duration>,
}

impl<'a, Q: Request> RequestBuilder<'a, Q> {
    pub(crate) fn new(endpoint: &'a Endpoint, request: Q) -> Self {
        const { assert!(Q::RESPONSE.is_some(), "a request says of its response what the wire needs") };
        Self {
            endpoint,
            request,
            reach: Reach::default(),
            timeout: Some(endpoint.shared().limits.request_timeout),
        }
    }

    /// Asks the endpoint of this name alone, which may be this endpoint.
    pub fn to(mut self, name: &'a (impl AsRef<str> + ?Sized)) -> Self {
        self.reach.to = Some(Cow::Borrowed(name.as_ref()));
        self
    }

    /// Asks the members of this group alone.
    pub fn to_group(mut self, group: &'a (impl AsRef<str> + ?Sized)) -> Self {
        self.reach.group = Some(group.as_ref());
        self
    }

    /// Does not ask the endpoint of this name. May be given several times.
    pub fn except(mut self, name: &'a (impl AsRef<str> + ?Sized)) -> Self {
        self.reach.except.push(name.as_ref());
        self
    }

    /// Waits this long for the response at the most, from the first poll on.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Waits for the response however long it takes.
    pub fn without_timeout(mut self) -> Self {
        self.timeout = None;
        self
    }
}

impl<'a, Q: Request> IntoFuture for RequestBuilder<'a, Q> {
    type Output = Result<Q::Response, RequestError<Q>>;
    type IntoFuture = RequestFuture<'a, Q>;

    fn into_future(self) -> RequestFuture<'a, Q> {
        RequestFuture {
            endpoint: self.endpoint,
            timeout: self.timeout,
            start: Some((self.request, self.reach)),
            in_flight: None,
        }
    }
}

impl<Q> fmt::Debug for RequestBuilder<'_, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBuilder")
            .field("reach", &self.reach)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// Sends a request and waits for the response.
///
/// # Cancel safety
///
/// Nothing happens before the first poll. Dropping the future frees the request's slot and tells
/// those who were asked; whether they acted on the request is not known. Who has not got all of a
/// large request sees nothing of it.
#[must_use = "futures do nothing unless polled"]
pub struct RequestFuture<'a, Q> {
    endpoint: &'a Endpoint,
    timeout: Option<Duration>,
    start: Option<(Q, Reach<'a>)>,
    in_flight: Option<InFlight<Q>>,
}

struct InFlight<Q> {
    slot: Slot,
    // Set while somebody who is asked has no room for the request.
    delivery: Option<Box<Delivery<Q>>>,
}

/// A place in the table of requests in flight, freed when dropped.
struct Slot {
    shared: Arc<Shared>,
    id: u64,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let forgotten = self.shared.pending().forget(self.id);
        for asked in &forgotten.0 {
            if let Asked::Peer { connection, .. } = asked {
                if let Some(connection) = self.shared.connection(*connection) {
                    connection.cancel(self.id);
                }
            }
        }
    }
}

// No field is ever pinned.
impl<Q> Unpin for RequestFuture<'_, Q> {}

impl<Q: Request> RequestFuture<'_, Q> {
    fn begin(&mut self) -> Result<(), RequestError<Q>> {
        let (request, reach) = self.start.take().expect("polled after it was ready");
        let shared = self.endpoint.shared();
        let deadline = self.timeout.and_then(|timeout| shared.runtime.now().checked_add(timeout));
        let id = shared.pending().open(deadline, decode::<Q>);
        let id = id.ok_or(RequestError::Closed)?;
        let slot = Slot { shared: shared.clone(), id };
        if let Some(deadline) = deadline {
            shared.look_at(deadline);
        }
        let delivery = match begin(shared, &mut Some(request), &reach, Some(id)) {
            Ok(Begun::Done(_)) => {
                shared.pending().seal(id, Failure::Unanswered);
                None
            }
            Ok(Begun::Waiting(delivery)) => Some(delivery),
            Err(refused) => return Err(refused.into()),
        };
        self.in_flight = Some(InFlight { slot, delivery });
        Ok(())
    }
}

impl<Q: Request> Future for RequestFuture<'_, Q> {
    type Output = Result<Q::Response, RequestError<Q>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.in_flight.is_none() {
            self.begin()?;
        }
        let timeout = self.timeout;
        let in_flight = self.in_flight.as_mut().expect("the request has begun");
        let shared = &in_flight.slot.shared;
        if let Some(delivery) = &mut in_flight.delivery {
            if delivery.poll(shared, context).is_ready() {
                let nobody = match delivery.gone() {
                    Some(peer) => Failure::PeerGone { peer, sent: false },
                    None => Failure::Unanswered,
                };
                in_flight.delivery = None;
                shared.pending().seal(in_flight.slot.id, nobody);
            }
        }
        let outcome = shared.pending().poll(in_flight.slot.id, context);
        let Poll::Ready(outcome) = outcome else {
            return Poll::Pending;
        };
        self.in_flight = None;
        Poll::Ready(finish(outcome, timeout))
    }
}

impl<Q> fmt::Debug for RequestFuture<'_, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestFuture").finish_non_exhaustive()
    }
}

fn decode<Q: Request>(wire_type: u64, bytes: &[u8], depth: usize) -> Result<AnyResponse, Failure> {
    if wire_type != response_type(Q::Response::NAME) {
        return Err(Failure::WrongType);
    }
    let response: Q::Response = payload::decode(bytes, depth).map_err(Failure::Malformed)?;
    Ok(Box::new(response))
}

fn finish<Q: Request>(
    outcome: Outcome,
    timeout: Option<Duration>,
) -> Result<Q::Response, RequestError<Q>> {
    let expected = <Q::Response as Event>::NAME;
    let response = outcome.map_err(|failure| match failure {
        Failure::TimedOut => RequestError::Timeout(timeout.unwrap_or_default()),
        Failure::PeerGone { peer, sent } => RequestError::PeerGone { peer, sent },
        Failure::Unanswered => RequestError::Unanswered,
        Failure::WrongType => RequestError::WrongResponse { expected },
        Failure::Malformed(source) => RequestError::MalformedResponse { source },
        Failure::RefusedPayload => RequestError::Misunderstood,
        Failure::Closed => RequestError::Closed,
    })?;
    let response = response.downcast();
    response.map(|response| *response).map_err(|_| RequestError::WrongResponse { expected })
}

impl<Q> From<Refused<Q>> for RequestError<Q> {
    fn from(refused: Refused<Q>) -> Self {
        match refused {
            Refused::Closed => Self::Closed,
            Refused::Nobody(request) => Self::NoSubscribers(request),
            Refused::Mismatched(request, peer) => Self::SchemaMismatch { request, peer },
            Refused::Unencodable(request, source) => Self::Unencodable { request, source },
            Refused::TooLarge(request, len, max) => Self::TooLarge { request, len, max },
        }
    }
}
