//! Bounded postcard encoding and decoding of users' types.
//!
//! postcard alone trusts its input: a length in a few bytes makes it reserve megabytes or loop for
//! seconds, a recursive type makes it overflow the stack, and what follows the value is ignored.
//! [`decode`] bounds all of these by the size of what has arrived; see [`bounded`] for the rules.
//! They are the receiver's: a value beyond them is encoded all the same.

use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};

use postcard::ser_flavors::Size;
use serde::Serialize;
use serde::de::{DeserializeOwned, DeserializeSeed};

use crate::error::PayloadError;

mod access;
mod bounded;
mod encoder;
mod failure;
#[cfg(test)]
mod tests;

pub(crate) use bounded::budget;
use encoder::Front;

/// How deeply a value may be nested unless the caller says otherwise.
pub(crate) const MAX_DEPTH: usize = 64;

/// Appends the encoding of `value` to `buffer`.
///
/// The value is serialized twice, to measure it and to write it. That is far faster for a
/// `Vec<u8>` field than appending byte by byte, and not much slower for anything else.
///
/// # Errors
///
/// [`PayloadError::Unencodable`] if postcard or the type itself cannot encode the value. `buffer`
/// is then as it was.
#[inline]
pub(crate) fn encode<T>(value: &T, buffer: &mut Vec<u8>) -> Result<(), PayloadError>
where
    T: Serialize + ?Sized,
{
    let start = buffer.len();
    let size = postcard::serialize_with_flavor(value, Size::default()).map_err(unencodable)?;
    buffer.reserve_exact(size);
    buffer.resize(start + size, 0);
    match postcard::to_slice(value, &mut buffer[start..]).map(|written| written.len()) {
        Ok(len) => {
            buffer.truncate(start + len);
            Ok(())
        }
        Err(error) => {
            buffer.truncate(start);
            encode_changed(value, error, buffer)
        }
    }
}

/// Encodes `value` over the front of `scratch`, which grows as needed, and returns the encoding's
/// length. What else `scratch` holds has no meaning.
///
/// Room that is there already needs neither measuring nor clearing, so a reused scratch buffer is
/// the fastest way for small values.
///
/// # Errors
///
/// As for [`encode`].
#[inline(always)]
pub(crate) fn encode_over<T>(value: &T, scratch: &mut Vec<u8>) -> Result<usize, PayloadError>
where
    T: Serialize + ?Sized,
{
    match Front::of(scratch).write(value) {
        Ok(len) => Ok(len),
        Err(error) if may_be_full(&error) => {
            scratch.clear();
            encode(value, scratch)?;
            Ok(scratch.len())
        }
        Err(error) => Err(unencodable(error)),
    }
}

/// Decodes a value that takes up all of `bytes` and is nested at most `max_depth` levels deep.
///
/// Every sequence, map, tuple, struct, enum, option and newtype is a level.
///
/// # Errors
///
/// [`PayloadError`] if the bytes are not one value of the type, or one that is out of bounds, or if
/// the type's own `Deserialize` panics.
#[inline]
pub(crate) fn decode<T>(bytes: &[u8], max_depth: usize) -> Result<T, PayloadError>
where
    T: DeserializeOwned,
{
    decode_seed(PhantomData, bytes, max_depth)
}

/// Decodes one value after the other as [`decode`] does, up to one that is not decoded.
///
/// # Errors
///
/// Why that one was not.
#[inline]
pub(crate) fn decode_each<'a, T>(
    payloads: impl Iterator<Item = &'a [u8]>,
    max_depth: usize,
    mut take: impl FnMut(T),
) -> Result<(), PayloadError>
where
    T: DeserializeOwned,
{
    let mut decode = |bytes| {
        take(bounded::decode(PhantomData, bytes, max_depth)?);
        Ok(())
    };
    catch_unwind(AssertUnwindSafe(|| payloads.into_iter().try_for_each(&mut decode)))
        .unwrap_or(Err(PayloadError::Panicked))
}

/// As [`decode`], with a seed that makes the value.
#[inline]
pub(crate) fn decode_seed<'de, S>(
    seed: S,
    bytes: &'de [u8],
    max_depth: usize,
) -> Result<S::Value, PayloadError>
where
    S: DeserializeSeed<'de>,
{
    catch_unwind(AssertUnwindSafe(|| bounded::decode(seed, bytes, max_depth)))
        .unwrap_or(Err(PayloadError::Panicked))
}

/// Encodes a value that has become longer since it was measured, as one behind a lock may.
#[cold]
fn encode_changed<T>(
    value: &T,
    error: postcard::Error,
    buffer: &mut Vec<u8>,
) -> Result<(), PayloadError>
where
    T: Serialize + ?Sized,
{
    if !may_be_full(&error) {
        return Err(unencodable(error));
    }
    let encoding = postcard::to_stdvec(value).map_err(unencodable)?;
    buffer.extend_from_slice(&encoding);
    Ok(())
}

/// Tells whether there may have been no room. Of a text that a type shows of itself postcard tells no
/// more than that it was not written.
fn may_be_full(error: &postcard::Error) -> bool {
    matches!(error, postcard::Error::SerializeBufferFull | postcard::Error::CollectStrError)
}

#[cold]
fn unencodable(error: postcard::Error) -> PayloadError {
    let reason = match error {
        postcard::Error::SerializeSeqLengthUnknown => {
            "a sequence, map or flattened struct does not know its length beforehand"
        }
        postcard::Error::SerdeSerCustom => "its Serialize implementation returned an error",
        postcard::Error::CollectStrError => "its Display implementation returned an error",
        _ => "postcard does not support it",
    };
    PayloadError::Unencodable { reason }
}
