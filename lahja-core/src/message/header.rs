//! The numbers and texts that headers are made of.

use super::{FLAG_OPTIONS, FLAG_REQUEST};
use crate::error::ProtocolError;
use crate::name::EndpointName;

pub(super) fn put_numbers(out: &mut Vec<u8>, kind: u8, numbers: &[u64]) {
    out.push(kind);
    for &number in numbers {
        put_varint(out, number);
    }
}

pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

#[inline]
pub(super) fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Writes what an event begins with.
#[inline]
pub(super) fn put_event(out: &mut Vec<u8>, kind: u8, number: u32, request: Option<u64>) {
    let flags = if request.is_some() { FLAG_REQUEST } else { 0 };
    out.extend_from_slice(&[kind, flags]);
    put_varint(out, number.into());
    if let Some(id) = request {
        put_varint(out, id);
    }
}

/// What is left to read of a frame's content.
pub(super) struct Header<'a> {
    len: usize,
    pub(super) rest: &'a [u8],
}

impl<'a> Header<'a> {
    pub(super) fn new(content: &'a [u8]) -> Self {
        Self { len: content.len(), rest: content }
    }

    fn truncated(&self) -> ProtocolError {
        ProtocolError::TruncatedHeader { len: self.len }
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, ProtocolError> {
        let (&byte, rest) = self.rest.split_first().ok_or_else(|| self.truncated())?;
        self.rest = rest;
        Ok(byte)
    }

    pub(super) fn bytes(&mut self, count: usize) -> Result<&'a [u8], ProtocolError> {
        let split = self.rest.split_at_checked(count);
        let (bytes, rest) = split.ok_or_else(|| self.truncated())?;
        self.rest = rest;
        Ok(bytes)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], ProtocolError> {
        let (array, rest) = self.rest.split_first_chunk().ok_or_else(|| self.truncated())?;
        self.rest = rest;
        Ok(*array)
    }

    #[inline]
    pub(super) fn varint(&mut self) -> Result<u64, ProtocolError> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(ProtocolError::NumberTooLarge)
    }

    #[inline]
    pub(super) fn varint_u32(&mut self) -> Result<u32, ProtocolError> {
        u32::try_from(self.varint()?).map_err(|_| ProtocolError::NumberTooLarge)
    }

    pub(super) fn flags(&mut self, known: u8) -> Result<u8, ProtocolError> {
        let flags = self.byte()?;
        match flags & !known {
            0 => Ok(flags),
            _ => Err(ProtocolError::UnknownFlags { flags }),
        }
    }

    /// Reads what an event begins with: its number, and its id if it is a request.
    #[inline]
    pub(super) fn event(&mut self) -> Result<(u32, Option<u64>), ProtocolError> {
        let flags = self.flags(FLAG_REQUEST | FLAG_OPTIONS)?;
        let number = self.varint_u32()?;
        let request = match flags & FLAG_REQUEST {
            0 => None,
            _ => Some(self.varint()?),
        };
        self.skip_options(flags)?;
        Ok((number, request))
    }

    pub(super) fn skip_options(&mut self, flags: u8) -> Result<(), ProtocolError> {
        if flags & FLAG_OPTIONS != 0 {
            let len = self.varint()?;
            let len = usize::try_from(len).map_err(|_| self.truncated())?;
            self.bytes(len)?;
        }
        Ok(())
    }

    pub(super) fn text(&mut self, max: usize) -> Result<&'a str, ProtocolError> {
        let len = self.varint()?;
        match usize::try_from(len) {
            Ok(len) if len <= max => {
                std::str::from_utf8(self.bytes(len)?).map_err(|_| ProtocolError::NotUtf8)
            }
            _ => Err(ProtocolError::TextTooLong { len, max }),
        }
    }

    pub(super) fn name(&mut self) -> Result<EndpointName, ProtocolError> {
        let text = self.text(EndpointName::MAX_LEN)?;
        EndpointName::new(text).map_err(ProtocolError::BadName)
    }
}
