//! Every public error, one small enum per operation.

use thiserror::Error;

use crate::name::EndpointName;

/// A text that cannot name an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NameError {
    /// The name has no character.
    #[error("endpoint name is empty")]
    Empty,
    /// The name has more than [`EndpointName::MAX_LEN`] bytes.
    #[error("endpoint name of {len} bytes is longer than {}", EndpointName::MAX_LEN)]
    TooLong {
        /// The name's length in bytes.
        len: usize,
    },
    /// The name holds `/` or a control character.
    #[error("endpoint name {name:?} holds {character:?} at byte {at}")]
    Forbidden {
        /// The name as it was given.
        name: String,
        /// The character that no name may hold.
        character: char,
        /// Where that character begins, in bytes.
        at: usize,
    },
    /// The name begins with a dot or holds two in a row.
    #[error("endpoint name {name:?} begins with '.' or holds \"..\"")]
    Dots {
        /// The name as it was given.
        name: String,
    },
}
