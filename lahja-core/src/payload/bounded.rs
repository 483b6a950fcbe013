//! A deserializer that takes the structure of a value itself, within bounds, and has postcard read
//! every scalar, length, tag and text.
//!
//! - **Depth.** Each level of nesting uses up one of a fixed number of levels.
//! - **Memory.** Elements of sequences and maps are charged to a budget before the first of them
//!   is decoded, all at once, by the length that the bytes claim; so is a value that is larger than
//!   the room its parent has for it, and thus lies in a box of its own.
//! - **Reserving.** Collections are told to expect no more elements than there are bytes left.

use std::mem;

use postcard::de_flavors::Slice;
use serde::de::value::U32Deserializer;
use serde::de::{self, Deserialize, DeserializeSeed, IntoDeserializer, Visitor};

use super::access::{Elements, Fields};
use super::failure::{Cause, Failure};
use crate::error::PayloadError;

/// How many bytes of memory each byte of a payload may claim.
///
/// An element is charged its size in memory and one more, and has at least one byte in the payload.
/// So elements of up to 63 bytes always pass, whatever they hold; the largest of the usual ones that
/// one byte encodes are an empty `HashMap` (48 bytes), an `Option<[u64; 4]>` (40) and an empty
/// `String` or `Vec` (24). Larger ones pass if there are few, or if they fill a sixty-fourth of their
/// memory on average. An enum in which one variant is large should box it.
///
/// What a collection allocates beyond its elements is not charged: a vector that grows holds three
/// times as much for a moment, and a map of one entry has room for up to eleven.
const MEMORY_PER_BYTE: usize = 64;

/// How many bytes of memory a payload may claim however small it is.
///
/// Enough for a hundred elements of 200 bytes, the size from which clippy calls a variant large.
const MEMORY_AT_LEAST: usize = 16 * 1024;

/// What a zero-sized element is charged. It takes time but no byte, so this is what limits a
/// `Vec<()>` to four elements a byte, and 1,024 in the smallest payload.
const ZERO_SIZED: usize = 16;

/// Returns what each element of type `T` is charged.
#[inline]
pub(super) const fn price<T>() -> usize {
    match size_of::<T>() {
        0 => ZERO_SIZED,
        size => size + 1,
    }
}

/// Returns the memory that a payload of `len` bytes may claim, in bytes.
pub(crate) fn budget(len: usize) -> usize {
    len.saturating_mul(MEMORY_PER_BYTE).saturating_add(MEMORY_AT_LEAST)
}

#[inline(always)]
pub(super) fn decode<'de, S: DeserializeSeed<'de>>(
    seed: S,
    bytes: &'de [u8],
    max_depth: usize,
) -> Result<S::Value, PayloadError> {
    let mut input = Input { codec: Codec::from_bytes(bytes), budget: budget(bytes.len()) };
    let place = Place { input: &mut input, levels: max_depth, size: size_of::<S::Value>() };
    let value = match seed.deserialize(place) {
        Ok(value) => value,
        Err(failure) => return Err(failure.explain(bytes.len(), input.left(), max_depth)),
    };
    match input.left() {
        0 => Ok(value),
        extra => Err(PayloadError::Trailing { len: bytes.len(), extra }),
    }
}

type Codec<'de> = postcard::Deserializer<'de, Slice<'de>>;

/// The bytes that are left, and the memory they may still claim.
pub(super) struct Input<'de> {
    codec: Codec<'de>,
    budget: usize,
}

impl<'de> Input<'de> {
    /// Has postcard decode the next `T`, which is no collection.
    #[inline]
    fn take<T: Deserialize<'de>>(&mut self) -> Result<T, Failure> {
        Ok(T::deserialize(&mut self.codec)?)
    }

    /// Returns the number of bytes that have not been taken, which postcard tells only at the end.
    #[inline]
    fn left(&mut self) -> usize {
        let codec = mem::replace(&mut self.codec, Codec::from_bytes(&[]));
        let rest = codec.finalize().expect("a slice knows what is left of it");
        self.codec = Codec::from_bytes(rest);
        rest.len()
    }

    #[inline]
    fn charge(&mut self, memory: Option<usize>) -> Result<(), Failure> {
        match memory.and_then(|memory| self.budget.checked_sub(memory)) {
            Some(budget) => {
                self.budget = budget;
                Ok(())
            }
            None => Err(Failure::new(Cause::OverBudget)),
        }
    }
}

/// The deserializer of one value, which knows how deep it lies and how much room it has.
pub(super) struct Place<'a, 'de> {
    input: &'a mut Input<'de>,
    /// How many levels of nesting may begin here.
    levels: usize,
    /// The room there is for the value within its parent, or on the stack, in bytes.
    size: usize,
}

impl<'a, 'de> Place<'a, 'de> {
    /// Begins a level of nesting, which holds a `T`.
    #[inline]
    fn enter<T>(self) -> Result<Self, Failure> {
        let Some(levels) = self.levels.checked_sub(1) else {
            return Err(Failure::new(Cause::TooDeep));
        };
        if size_of::<T>() > self.size {
            self.input.charge(Some(size_of::<T>()))?;
        }
        Ok(Self { input: self.input, levels, size: size_of::<T>() })
    }

    /// Returns the place of a `T` within the level that has been entered.
    #[inline]
    pub(super) fn inner<T>(&mut self) -> Place<'_, 'de> {
        Place { input: self.input, levels: self.levels, size: size_of::<T>() }
    }

    /// Charges for `memory` bytes, or for more than there can be.
    #[inline]
    pub(super) fn charge(&mut self, memory: Option<usize>) -> Result<(), Failure> {
        self.input.charge(memory)
    }

    #[inline(always)]
    fn fields<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_seq(Fields::new(self, len))
    }

    #[inline]
    fn elements(self) -> Result<Elements<'a, 'de>, Failure> {
        let len: usize = self.input.take()?;
        let hint = len.min(self.input.left());
        Ok(Elements::new(self, len, hint))
    }

    #[cold]
    fn unsupported<T>(self, asked: &'static str) -> Result<T, Failure> {
        Err(Failure::new(Cause::Unsupported { asked }))
    }
}

/// Hands what postcard makes of the next bytes to the visitor.
macro_rules! pass_through {
    ($($deserialize:ident, $visit:ident: $type:ty;)*) => {$(
        #[inline]
        fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
            visitor.$visit(self.input.take::<$type>()?)
        }
    )*};
}

impl<'de> de::Deserializer<'de> for Place<'_, 'de> {
    type Error = Failure;

    pass_through! {
        deserialize_bool, visit_bool: bool;
        deserialize_i8, visit_i8: i8;
        deserialize_i16, visit_i16: i16;
        deserialize_i32, visit_i32: i32;
        deserialize_i64, visit_i64: i64;
        deserialize_i128, visit_i128: i128;
        deserialize_u8, visit_u8: u8;
        deserialize_u16, visit_u16: u16;
        deserialize_u32, visit_u32: u32;
        deserialize_u64, visit_u64: u64;
        deserialize_u128, visit_u128: u128;
        deserialize_f32, visit_f32: f32;
        deserialize_f64, visit_f64: f64;
        deserialize_char, visit_char: char;
        deserialize_str, visit_borrowed_str: &'de str;
        deserialize_string, visit_borrowed_str: &'de str;
        deserialize_bytes, visit_borrowed_bytes: &'de [u8];
        deserialize_byte_buf, visit_borrowed_bytes: &'de [u8];
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }

    #[inline]
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        let place = self.enter::<V::Value>()?;
        match place.input.take::<Option<()>>()? {
            None => visitor.visit_none(),
            Some(()) => visitor.visit_some(place),
        }
    }

    #[inline(always)]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        visitor.visit_newtype_struct(self.enter::<V::Value>()?)
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_seq(self.enter::<V::Value>()?.elements()?)
    }

    #[inline]
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_map(self.enter::<V::Value>()?.elements()?)
    }

    #[inline(always)]
    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        self.enter::<V::Value>()?.fields(len, visitor)
    }

    #[inline(always)]
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        self.deserialize_tuple(len, visitor)
    }

    #[inline(always)]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        self.deserialize_tuple(fields.len(), visitor)
    }

    #[inline]
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        visitor.visit_enum(self.enter::<V::Value>()?)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Failure> {
        self.unsupported("a value of unknown type")
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Failure> {
        self.unsupported("a field's name")
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Failure> {
        self.unsupported("the end of a value of unknown type")
    }
}

/// The enum's level has been entered; what its variant holds lies in the same level.
impl<'de> de::EnumAccess<'de> for Place<'_, 'de> {
    type Error = Failure;
    type Variant = Self;

    #[inline]
    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Failure> {
        let index: U32Deserializer<Failure> = self.input.take::<u32>()?.into_deserializer();
        Ok((seed.deserialize(index)?, self))
    }
}

impl<'de> de::VariantAccess<'de> for Place<'_, 'de> {
    type Error = Failure;

    #[inline]
    fn unit_variant(self) -> Result<(), Failure> {
        Ok(())
    }

    #[inline]
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(
        mut self,
        seed: S,
    ) -> Result<S::Value, Failure> {
        seed.deserialize(self.inner::<S::Value>())
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Failure> {
        self.fields(len, visitor)
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        self.fields(fields.len(), visitor)
    }
}
