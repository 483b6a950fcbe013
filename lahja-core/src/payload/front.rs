//! Where postcard writes a value: over the front of a buffer.

use postcard::ser_flavors::Flavor;
use postcard::{Error, Result};

/// The bytes of the longest number of 64 bits.
const LONGEST_NUMBER: usize = 10;

/// The front of a buffer that is long enough, or the value is not written.
pub(super) struct Front<'a> {
    buffer: &'a mut [u8],
    len: usize,
}

impl<'a> Front<'a> {
    pub(super) fn of(buffer: &'a mut [u8]) -> Self {
        Self { buffer, len: 0 }
    }
}

/// By reference, since postcard moves it.
impl Flavor for &mut Front<'_> {
    /// How many bytes are written.
    type Output = usize;

    #[inline(always)]
    fn try_push(&mut self, byte: u8) -> Result<()> {
        *self.buffer.get_mut(self.len).ok_or(Error::SerializeBufferFull)? = byte;
        self.len += 1;
        Ok(())
    }

    #[inline(always)]
    fn try_extend(&mut self, bytes: &[u8]) -> Result<()> {
        let room = self.buffer.get_mut(self.len..).and_then(|room| room.get_mut(..bytes.len()));
        let room = room.ok_or(Error::SerializeBufferFull)?;
        self.len += bytes.len();
        if bytes.len() > LONGEST_NUMBER {
            room.copy_from_slice(bytes);
            return Ok(());
        }
        // postcard has just written a number byte by byte. To read several bytes of it at once would
        // have the processor wait until they have left its store buffer. A loop that ends with the
        // number, by its last byte, does not become such a copy.
        let mut bytes = room.iter_mut().zip(bytes);
        for (to, &byte) in bytes.by_ref() {
            *to = byte;
            if byte < 0x80 {
                break;
            }
        }
        for (to, &byte) in bytes {
            *to = byte;
        }
        Ok(())
    }

    fn finalize(self) -> Result<usize> {
        Ok(self.len)
    }
}
