//! How the ends of a connection begin.

use super::input::Input;
use crate::limits::Limits;
use crate::message::{Hello, OLDEST_VERSION, VERSION};
use crate::name::EndpointName;

/// Limits so low that an input of some bytes reaches them.
pub(super) fn limits(input: &mut Input<'_>) -> Limits {
    Limits {
        frame: input.one_of(&[256, 300, 1_000]),
        window: input.one_of(&[60, 200, 1_000, 0]),
        backlog: input.one_of(&[300, 60, 2_000, 1]),
        topics: input.one_of(&[2, 3, 4, 1, 0]),
        requests: input.one_of(&[2, 1, 3]),
        ..Limits::default()
    }
}

pub(super) fn hello(name: &str, limits: &Limits) -> Hello {
    Hello {
        oldest_version: OLDEST_VERSION,
        newest_version: VERSION,
        features: 0,
        nonce: 0,
        max_frame: limits.frame,
        max_topics: limits.topics,
        max_requests: limits.requests,
        name: EndpointName::new(name).expect("the name is one"),
        groups: Vec::new(),
    }
}
