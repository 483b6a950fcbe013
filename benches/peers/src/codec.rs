//! Events as bytes, for libraries that carry bytes.

use lahja_bench::{Parcel, Result};

/// What an encoded event has beside its payload, at most.
const REST: usize = 32;

/// Returns how many bytes an event with so long a payload takes at most.
pub(crate) fn room(payload: usize) -> usize {
    payload + REST
}

/// Encodes into a new buffer, for libraries that keep it.
pub(crate) fn to_vec(event: &Parcel) -> Result<Vec<u8>> {
    let buffer = Vec::with_capacity(room(event.payload.len()));
    Ok(postcard::to_extend(event, buffer)?)
}

/// Encodes into a buffer that is used again, for libraries that copy it.
pub(crate) fn to_buffer<'a>(event: &Parcel, buffer: &'a mut Vec<u8>) -> Result<&'a [u8]> {
    buffer.resize(room(event.payload.len()), 0);
    Ok(postcard::to_slice(event, buffer)?)
}

pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Parcel> {
    Ok(postcard::from_bytes(bytes)?)
}
