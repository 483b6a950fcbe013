//! Why decoding stops, with what only the deserializer knows.

use std::fmt;

use serde::de;

use super::bounded::budget;
use crate::error::PayloadError;

/// Why decoding stops; boxed, to keep the results of scalars in registers.
#[derive(Debug)]
pub(super) struct Failure(Box<Cause>);

#[derive(Debug)]
pub(super) enum Cause {
    Codec(postcard::Error),
    TooDeep,
    OverBudget,
    Unsupported { asked: &'static str },
    Refused { reason: String },
}

impl Failure {
    #[cold]
    pub(super) fn new(cause: Cause) -> Self {
        Self(Box::new(cause))
    }

    #[cold]
    pub(super) fn explain(self, len: usize, left: usize, max: usize) -> PayloadError {
        let at = len - left;
        match *self.0 {
            Cause::Codec(postcard::Error::DeserializeUnexpectedEnd) => {
                PayloadError::Truncated { len }
            }
            Cause::Codec(error) => PayloadError::Malformed { reason: malformed(&error), at },
            Cause::TooDeep => PayloadError::TooDeep { max },
            Cause::OverBudget => PayloadError::OverBudget { len, budget: budget(len) },
            Cause::Unsupported { asked } => {
                PayloadError::Unsupported { place: String::new(), asked }
            }
            Cause::Refused { reason } => PayloadError::Refused { reason, at },
        }
    }
}

fn malformed(error: &postcard::Error) -> &'static str {
    match error {
        postcard::Error::DeserializeBadVarint => "a number is out of its type's range",
        postcard::Error::DeserializeBadBool => "a bool is neither 0 nor 1",
        postcard::Error::DeserializeBadChar => "a char is not one of Unicode",
        postcard::Error::DeserializeBadUtf8 => "a text is not UTF-8",
        postcard::Error::DeserializeBadOption => "an option is neither 0 nor 1",
        _ => "a value is badly encoded",
    }
}

impl From<postcard::Error> for Failure {
    #[cold]
    fn from(error: postcard::Error) -> Self {
        Self::new(Cause::Codec(error))
    }
}

impl de::Error for Failure {
    #[cold]
    fn custom<T: fmt::Display>(reason: T) -> Self {
        Self::new(Cause::Refused { reason: reason.to_string() })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Cause::Codec(error) => f.write_str(malformed(error)),
            Cause::TooDeep => f.write_str("nested too deeply"),
            Cause::OverBudget => f.write_str("too many elements"),
            Cause::Unsupported { asked } => write!(f, "postcard cannot tell {asked}"),
            Cause::Refused { reason } => f.write_str(reason),
        }
    }
}

impl std::error::Error for Failure {}
