//! A large event of a peer, to be decoded when it is consumed: the reader has others to attend to.

use std::sync::Arc;

use super::{Charge, Credit, Item};
use crate::connection::Inlet;
use crate::credit::charge;
use crate::error::PayloadError;
use crate::event::{Event, Received};
use crate::name::EndpointName;
use crate::payload;
use crate::reply::Reply;

/// The payload of one event as it came. Dropping it gives back its credit.
pub(crate) struct Whole {
    inlet: Arc<Inlet>,
    credit: Credit,
    max_depth: usize,
    payload: Vec<u8>,
    reply: Option<Arc<Reply>>,
}

impl Whole {
    pub(crate) fn new(
        inlet: Arc<Inlet>,
        max_depth: usize,
        payload: Vec<u8>,
        reply: Option<Arc<Reply>>,
    ) -> Self {
        let credit = Credit::new(inlet.clone(), charge(payload.len()));
        Self { inlet, credit, max_depth, payload, reply }
    }

    /// Returns who broadcast the event.
    pub(crate) fn origin(&self) -> &EndpointName {
        self.inlet.origin()
    }

    /// Decodes the event. One that is malformed is consumed by that, and refused if it is a request.
    pub(crate) fn decode<E: Event>(self) -> Result<Item<E>, PayloadError> {
        let Self { inlet, credit, max_depth, payload, reply } = self;
        let event = payload::decode(&payload, max_depth);
        inlet.keep_spare(payload);
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                reply.inspect(|reply| reply.refuse());
                return Err(error);
            }
        };
        let event = Received::new(event, inlet.origin().clone(), reply);
        Ok(Item::Event(event, Charge::Remote(credit)))
    }
}
