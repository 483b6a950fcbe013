//! Putting an endpoint together.

use std::sync::Arc;

use super::{Endpoint, Handle};
use crate::error::NameError;
use crate::limits::Limits;
use crate::message::MAX_GROUPS;
use crate::name::EndpointName;
use crate::runtime::Runtime;
use crate::shared::Shared;

/// Puts an endpoint together. Made by [`Endpoint::builder`].
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it builds"]
pub struct EndpointBuilder {
    pub(super) name: EndpointName,
    pub(super) groups: Vec<EndpointName>,
    pub(super) limits: Limits,
}

impl EndpointBuilder {
    /// Makes the endpoint a member of a group. May be given up to 32 times.
    ///
    /// # Errors
    ///
    /// [`NameError`] if `group` cannot name a group, which obeys the rules for endpoints, or if
    /// the endpoint is already a member of 32.
    pub fn group(mut self, group: impl AsRef<str>) -> Result<Self, NameError> {
        if self.groups.len() >= MAX_GROUPS {
            return Err(NameError::TooManyGroups { max: MAX_GROUPS });
        }
        self.groups.push(EndpointName::new(group)?);
        Ok(self)
    }

    /// Sets the bounds that the endpoint keeps.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Starts the endpoint, whose background work the runtime will run.
    pub fn build(self, runtime: impl Runtime) -> Endpoint {
        let runtime = Arc::new(runtime);
        let shared = Shared::start(self.name, self.groups, self.limits, runtime);
        Endpoint { handle: Arc::new(Handle { shared }) }
    }
}
