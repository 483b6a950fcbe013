//! The right to answer one request.

use std::sync::{Arc, Weak};

use crate::connection::Connection;
use crate::event::{Event, ResponseType};
use crate::message::{FailureReason, response_type};
use crate::pending::{Asked, Failure};
use crate::session::Push;
use crate::shared::Shared;
use crate::sync::atomic::{AtomicBool, Ordering};

/// The right to answer one request, once. Dropped without an answer, it tells the requester so.
pub(crate) struct Reply {
    to: Requester,
    /// The wire name of the answer that the request's type declares.
    expected: Option<&'static str>,
    answered: AtomicBool,
}

enum Requester {
    Peer { connection: Arc<Connection>, id: u64 },
    Local { shared: Weak<Shared>, id: u64 },
}

impl Reply {
    /// Creates the right to answer a peer's request. `expected` names the type of the answer.
    pub(crate) fn to_peer(
        connection: Arc<Connection>,
        id: u64,
        expected: Option<&'static str>,
    ) -> Arc<Self> {
        Self::new(Requester::Peer { connection, id }, expected)
    }

    /// Creates the right to answer a request of the endpoint itself.
    pub(crate) fn to_self<E: Event>(shared: Weak<Shared>, id: u64) -> Arc<Self> {
        Self::new(Requester::Local { shared, id }, E::RESPONSE.map(ResponseType::name))
    }

    fn new(to: Requester, expected: Option<&'static str>) -> Arc<Self> {
        Arc::new(Self { to, expected, answered: AtomicBool::new(false) })
    }

    pub(crate) fn expected(&self) -> Option<&'static str> {
        self.expected
    }

    /// Returns the connection whose room an answer has to wait for.
    pub(crate) fn connection(&self) -> Option<&Arc<Connection>> {
        match &self.to {
            Requester::Peer { connection, .. } => Some(connection),
            Requester::Local { .. } => None,
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        !self.answered.load(Ordering::Relaxed)
            && match &self.to {
                Requester::Peer { connection, id } => connection.is_asking(*id),
                Requester::Local { shared, id } => {
                    let shared = shared.upgrade();
                    shared.is_some_and(|shared| shared.pending().decoder(*id).is_some())
                }
            }
    }

    /// Answers a request of a peer with an encoded response.
    pub(crate) fn push<R: Event>(&self, payload: &[u8]) -> Push {
        let Requester::Peer { connection, id } = &self.to else {
            return Push::Gone;
        };
        let push = connection
            .update(|session| session.push_response(*id, response_type(R::NAME), payload));
        if matches!(push, Push::Queued | Push::Gone) {
            self.answered.store(true, Ordering::Relaxed);
        }
        push
    }

    /// Answers a request of the endpoint itself. Gives the response back if nobody waits for it.
    pub(crate) fn respond<R: Event>(&self, response: R) -> Result<(), R> {
        let Requester::Local { shared, id } = &self.to else {
            return Err(response);
        };
        match shared.upgrade() {
            Some(shared) if self.is_open() && !self.answered.swap(true, Ordering::Relaxed) => {
                let response = Ok(Box::new(response) as _);
                let _unused = shared.pending().complete(*id, Asked::is_local, response);
                Ok(())
            }
            _ => Err(response),
        }
    }

    /// Tells the requester that its request could not be decoded.
    pub(crate) fn refuse(&self) {
        self.fail(FailureReason::Malformed);
    }

    fn fail(&self, reason: FailureReason) {
        // Most often it is, and to look costs less than to change.
        if self.answered.load(Ordering::Relaxed) || self.answered.swap(true, Ordering::Relaxed) {
            return;
        }
        match &self.to {
            Requester::Peer { connection, id } => {
                connection.update(|session| session.push_failure(*id, reason));
            }
            Requester::Local { shared, id } => {
                if let Some(shared) = shared.upgrade() {
                    shared.pending().fail(*id, Asked::is_local, Failure::Unanswered);
                }
            }
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.fail(FailureReason::Unanswered);
    }
}
