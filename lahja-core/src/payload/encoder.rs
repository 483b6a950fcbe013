//! A serializer that writes over the front of a buffer, as postcard does but for one thing: it writes
//! numbers where they belong.
//!
//! postcard gathers the bytes of a number first, and copies them then: to read several bytes that were
//! just written one by one has the processor wait until they have left its store buffer. What is no
//! number, length or variant postcard writes.

use std::fmt::Display;

use postcard::ser_flavors::Flavor;
use postcard::{Error, Result};
use serde::ser::{self, Serialize, Serializer};

/// How many bytes a number takes at most.
const MAX_NUMBER: usize = 10;

/// The front of a buffer that is long enough, or the value is not written.
pub(super) struct Front<'a> {
    buffer: &'a mut [u8],
    len: usize,
}

impl<'a> Front<'a> {
    pub(super) fn of(buffer: &'a mut [u8]) -> Self {
        Self { buffer, len: 0 }
    }

    /// Writes a value. Returns how many bytes it takes.
    #[inline(always)]
    pub(super) fn write<T: Serialize + ?Sized>(mut self, value: &T) -> Result<usize> {
        value.serialize(Encoder(&mut self))?;
        Ok(self.len)
    }

    #[inline]
    fn number(&mut self, number: u64) -> Result<()> {
        let room = self.buffer.get_mut(self.len..).unwrap_or_default();
        let written = match room.first_chunk_mut::<MAX_NUMBER>() {
            // With room for any number, the end of the room need not be looked for.
            Some(room) => put(number, room),
            None => put(number, room),
        };
        self.len += written.ok_or(Error::SerializeBufferFull)?;
        Ok(())
    }

    #[inline]
    fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        let room = self.buffer.get_mut(self.len..).and_then(|room| room.get_mut(..bytes.len()));
        room.ok_or(Error::SerializeBufferFull)?.copy_from_slice(bytes);
        self.len += bytes.len();
        Ok(())
    }
}

/// By reference, since postcard moves it.
impl Flavor for &mut Front<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> Result<()> {
        self.bytes(&[byte])
    }

    fn try_extend(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes(bytes)
    }

    fn finalize(self) -> Result<()> {
        Ok(())
    }
}

struct Encoder<'a, 'b>(&'a mut Front<'b>);

impl<'b> Encoder<'_, 'b> {
    /// Returns the encoder of a part.
    fn part(&mut self) -> Encoder<'_, 'b> {
        Encoder(self.0)
    }

    fn postcard(&mut self) -> postcard::Serializer<&mut Front<'b>> {
        postcard::Serializer { output: self.0 }
    }
}

/// Has postcard write values.
macro_rules! pass_through {
    ($($serialize:ident: $type:ty;)*) => {$(
        #[inline]
        fn $serialize(mut self, value: $type) -> Result<()> {
            self.postcard().$serialize(value)
        }
    )*};
}

/// Writes numbers; those with a sign so that small ones are short.
macro_rules! numbers {
    ($($serialize:ident: $type:ty, $number:expr;)*) => {$(
        #[inline]
        fn $serialize(self, value: $type) -> Result<()> {
            let number: fn($type) -> u64 = $number;
            self.0.number(number(value))
        }
    )*};
}

impl Serializer for Encoder<'_, '_> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    pass_through! {
        serialize_bool: bool;
        serialize_i8: i8;
        serialize_u8: u8;
        serialize_i128: i128;
        serialize_u128: u128;
        serialize_f32: f32;
        serialize_f64: f64;
    }

    numbers! {
        serialize_u16: u16, u64::from;
        serialize_u32: u32, u64::from;
        serialize_u64: u64, u64::from;
        serialize_i16: i16, |value| zig_zag(value.into());
        serialize_i32: i32, |value| zig_zag(value.into());
        serialize_i64: i64, zig_zag;
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }

    #[inline]
    fn serialize_char(self, value: char) -> Result<()> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Result<()> {
        self.serialize_bytes(value.as_bytes())
    }

    #[inline]
    fn serialize_bytes(self, value: &[u8]) -> Result<()> {
        self.0.number(value.len() as u64)?;
        self.0.bytes(value)
    }

    fn collect_str<T: Display + ?Sized>(mut self, value: &T) -> Result<()> {
        self.postcard().collect_str(value)
    }

    #[inline]
    fn serialize_none(self) -> Result<()> {
        self.0.number(0)
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<()> {
        self.0.number(1)?;
        value.serialize(self)
    }

    #[inline]
    fn serialize_unit(self) -> Result<()> {
        Ok(())
    }

    #[inline]
    fn serialize_unit_struct(self, _name: &'static str) -> Result<()> {
        Ok(())
    }

    #[inline]
    fn serialize_unit_variant(
        self,
        _name: &'static str,
        index: u32,
        _variant: &'static str,
    ) -> Result<()> {
        self.0.number(index.into())
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<()> {
        value.serialize(self)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        index: u32,
        _variant: &'static str,
        value: &T,
    ) -> Result<()> {
        self.0.number(index.into())?;
        value.serialize(self)
    }

    #[inline]
    fn serialize_seq(self, len: Option<usize>) -> Result<Self> {
        self.0.number(len.ok_or(Error::SerializeSeqLengthUnknown)? as u64)?;
        Ok(self)
    }

    #[inline]
    fn serialize_tuple(self, _len: usize) -> Result<Self> {
        Ok(self)
    }

    #[inline]
    fn serialize_tuple_struct(self, _name: &'static str, _len: usize) -> Result<Self> {
        Ok(self)
    }

    #[inline]
    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        index: u32,
        _variant: &'static str,
        _len: usize,
    ) -> Result<Self> {
        self.0.number(index.into())?;
        Ok(self)
    }

    #[inline]
    fn serialize_map(self, len: Option<usize>) -> Result<Self> {
        self.serialize_seq(len)
    }

    #[inline]
    fn serialize_struct(self, _name: &'static str, _len: usize) -> Result<Self> {
        Ok(self)
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self> {
        self.serialize_tuple_variant(name, index, variant, len)
    }
}

/// Writes a number, seven bits at a time, the lowest first. Returns how many bytes it takes, if there is
/// room.
#[inline(always)]
fn put<'a>(mut number: u64, room: impl IntoIterator<Item = &'a mut u8>) -> Option<usize> {
    for (at, byte) in room.into_iter().enumerate() {
        if number < 0x80 {
            *byte = number as u8;
            return Some(at + 1);
        }
        *byte = number as u8 | 0x80;
        number >>= 7;
    }
    None
}

/// Numbers of either sign in turn: 0, -1, 1, -2 become 0, 1, 2, 3.
#[inline]
fn zig_zag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

/// Writes the parts of what has several.
macro_rules! parts {
    ($($trait:ident: $($serialize:ident($($key:ident)?)),+;)*) => {$(
        impl ser::$trait for Encoder<'_, '_> {
            type Ok = ();
            type Error = Error;

            $(#[inline]
            fn $serialize<T: Serialize + ?Sized>(
                &mut self,
                $($key: &'static str,)?
                value: &T,
            ) -> Result<()> {
                value.serialize(self.part())
            })+

            #[inline]
            fn end(self) -> Result<()> {
                Ok(())
            }
        }
    )*};
}

parts! {
    SerializeSeq: serialize_element();
    SerializeTuple: serialize_element();
    SerializeTupleStruct: serialize_field();
    SerializeTupleVariant: serialize_field();
    SerializeMap: serialize_key(), serialize_value();
    SerializeStruct: serialize_field(_key);
    SerializeStructVariant: serialize_field(_key);
}
