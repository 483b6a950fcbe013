//! The deserializer of made-up values, which tells the [`Explorer`] what it is asked for.

use std::any::type_name;
use std::fmt;

use serde::de::value::U32Deserializer;
use serde::de::{self, DeserializeSeed, IntoDeserializer, Visitor};

use super::Kind;
use super::explorer::{Asked, Explorer, MAX_DEPTH, Slot};
use super::parts::{Fields, Parts};

/// How many numbers are tried from 0 on, behind which come these.
const SMALL: usize = 256;
const LARGE: &[i64] = &[
    256,
    500,
    512,
    1_000,
    1_024,
    2_000,
    4_096,
    8_080,
    10_000,
    32_767,
    49_152,
    65_535,
    65_536,
    100_000,
    1_000_000,
    1_000_000_000,
    1 << 31,
    1 << 32,
    1 << 40,
    1 << 62,
    -1,
];

/// Letters are tried from `a` on.
const LETTERS: usize = 26;

/// What is tried as text: what the usual types that are written as text can be parsed from.
const TEXTS: &[&str] = &[
    "",
    "0",
    "a",
    "/",
    "a:",
    "a@a.aa",
    "0.0.0",
    "0.0.0.0",
    "::",
    "0.0.0.0:0",
    "1970-01-01",
    "00:00:00",
    "1970-01-01T00:00:00",
    "1970-01-01T00:00:00Z",
    "1970-01-01T00:00:00+00:00[UTC]",
    "UTC",
    "PT0S",
    "00000000-0000-0000-0000-000000000000",
    "00000000000000000000000000000000",
    "0000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000000",
];

/// How many bytes are tried: none, and what identifiers, keys and hashes usually have.
const LENGTHS: &[usize] = &[0, 16, 32, 20, 4, 8, 12, 24, 28, 48, 64];

/// The type does not take the value, or is not to be given any more.
#[derive(Debug)]
pub(super) struct Halt;

impl de::Error for Halt {
    fn custom<T: fmt::Display>(_reason: T) -> Self {
        Self
    }
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a made-up value is not accepted")
    }
}

impl std::error::Error for Halt {}

/// The deserializer of what is asked for in one slot.
pub(super) struct Place<'a> {
    explorer: &'a mut Explorer,
    slot: Slot,
    depth: usize,
    newtypes: usize,
}

impl<'a> Place<'a> {
    pub(super) fn root(explorer: &'a mut Explorer) -> Self {
        Self { explorer, slot: Explorer::ROOT, depth: 0, newtypes: 0 }
    }

    /// Notes a value without parts. Returns how many have been refused here.
    fn scalar(&mut self, kind: Kind, values: usize) -> Result<usize, Halt> {
        let asked = Asked { kind, names: &[], len: 0, visitor: "" };
        self.explorer.ask(self.slot, self.depth, asked, values).ok_or(Halt)?;
        Ok(self.explorer.refused(self.slot))
    }

    /// Notes a value with parts. Returns its node.
    fn composite<V>(
        &mut self,
        kind: Kind,
        names: &'static [&'static str],
        values: usize,
    ) -> Result<usize, Halt> {
        self.ask::<V>(kind, names, 0, values)
    }

    fn ask<V>(
        &mut self,
        kind: Kind,
        names: &'static [&'static str],
        len: usize,
        values: usize,
    ) -> Result<usize, Halt> {
        let asked = Asked { kind, names, len, visitor: type_name::<V>() };
        self.explorer.ask(self.slot, self.depth, asked, values).ok_or(Halt)
    }

    /// Returns the place of a part.
    pub(super) fn part(&mut self, node: usize, part: usize) -> Place<'_> {
        let slot = Slot { node, part };
        Place { explorer: &mut *self.explorer, slot, depth: self.depth + 1, newtypes: 0 }
    }

    /// Gives the parts of a tuple one by one.
    fn tuple<'de, V: Visitor<'de>>(
        mut self,
        node: usize,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Halt> {
        self.explorer.expect(node, len);
        let mut parts = Parts::new(&mut self, node, len);
        let value = visitor.visit_seq(&mut parts)?;
        let taken = parts.taken();
        self.explorer.limit(node, taken);
        Ok(value)
    }

    /// Gives the fields of a struct in order, or by name if not all can be given.
    fn fields<'de, V: Visitor<'de>>(
        mut self,
        node: usize,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Halt> {
        match self.explorer.reordered(node) {
            None => self.tuple(node, names.len(), visitor),
            Some(order) => visitor.visit_map(Fields::new(&mut self, node, names, order)),
        }
    }

    fn unsupported<T>(self, asked: &'static str) -> Result<T, Halt> {
        self.explorer.refuse(self.slot, self.depth, asked);
        Err(Halt)
    }
}

/// Returns the number to give when so many have been refused.
fn number(refused: usize) -> Result<i64, Halt> {
    match refused.checked_sub(SMALL) {
        None => i64::try_from(refused).map_err(|_| Halt),
        Some(at) => LARGE.get(at).copied().ok_or(Halt),
    }
}

/// Gives numbers, cut to the width of their type.
macro_rules! numbers {
    ($($deserialize:ident, $visit:ident: $kind:ident;)*) => {$(
        fn $deserialize<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Halt> {
            let refused = self.scalar(Kind::$kind, SMALL + LARGE.len())?;
            visitor.$visit(number(refused)? as _)
        }
    )*};
}

impl<'de> de::Deserializer<'de> for Place<'_> {
    type Error = Halt;

    numbers! {
        deserialize_i8, visit_i8: I8;
        deserialize_i16, visit_i16: I16;
        deserialize_i32, visit_i32: I32;
        deserialize_i64, visit_i64: I64;
        deserialize_i128, visit_i128: I128;
        deserialize_u8, visit_u8: U8;
        deserialize_u16, visit_u16: U16;
        deserialize_u32, visit_u32: U32;
        deserialize_u64, visit_u64: U64;
        deserialize_u128, visit_u128: U128;
        deserialize_f32, visit_f32: F32;
        deserialize_f64, visit_f64: F64;
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_bool<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Halt> {
        let refused = self.scalar(Kind::Bool, 2)?;
        visitor.visit_bool(refused > 0)
    }

    fn deserialize_char<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Halt> {
        let refused = self.scalar(Kind::Char, LETTERS)?;
        visitor.visit_char(('a'..='z').nth(refused).unwrap_or('a'))
    }

    fn deserialize_str<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Halt> {
        let refused = self.scalar(Kind::Text, TEXTS.len())?;
        visitor.visit_borrowed_str(TEXTS.get(refused).ok_or(Halt)?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Halt> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Halt> {
        let refused = self.explorer.refused(self.slot);
        let node = self.composite::<V>(Kind::Sequence, &[], LENGTHS.len())?;
        self.part(node, 0).scalar(Kind::U8, 0)?;
        // What may be refused is the bytes, not the one that stands for all.
        self.composite::<V>(Kind::Sequence, &[], LENGTHS.len())?;
        let len = *LENGTHS.get(refused).ok_or(Halt)?;
        visitor.visit_borrowed_bytes(&[0; 64][..len])
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Halt> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_unit<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Halt> {
        self.scalar(Kind::Unit, 0)?;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Halt> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        mut self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Halt> {
        self.newtypes += 1;
        if self.newtypes > MAX_DEPTH {
            return Err(Halt);
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_option<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Halt> {
        let node = self.composite::<V>(Kind::Option, &[], 2)?;
        match self.explorer.enters(self.slot, node) {
            true => visitor.visit_some(self.part(node, 0)),
            false => visitor.visit_none(),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Halt> {
        let node = self.composite::<V>(Kind::Sequence, &[], 2)?;
        let len = usize::from(self.explorer.enters(self.slot, node));
        visitor.visit_seq(Parts::new(&mut self, node, len))
    }

    fn deserialize_map<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Halt> {
        let node = self.composite::<V>(Kind::Map, &[], 2)?;
        let len = 2 * usize::from(self.explorer.enters(self.slot, node));
        visitor.visit_map(Parts::new(&mut self, node, len))
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        mut self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Halt> {
        let node = self.ask::<V>(Kind::Tuple, &[], len, 0)?;
        self.tuple(node, len, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Halt> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        mut self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Halt> {
        let node = self.composite::<V>(Kind::Struct, fields, 0)?;
        self.fields(node, fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        mut self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Halt> {
        let node = self.composite::<V>(Kind::Enum, variants, 0)?;
        let variant = self.explorer.choose(node).ok_or(Halt)?;
        let value = visitor.visit_enum(self.part(node, variant))?;
        self.explorer.complete(node, variant);
        Ok(value)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Halt> {
        self.unsupported("a value of unknown type")
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Halt> {
        self.unsupported("a field's name")
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Halt> {
        self.unsupported("the end of a value of unknown type")
    }
}

/// A variant is given by its number, which is its part of the enum.
impl<'de> de::EnumAccess<'de> for Place<'_> {
    type Error = Halt;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Halt> {
        let Slot { node, part } = self.slot;
        let index: U32Deserializer<Halt> = (part as u32).into_deserializer();
        match seed.deserialize(index) {
            Ok(variant) => Ok((variant, self)),
            Err(halt) => {
                // There are more names than variants if some have aliases.
                self.explorer.limit(node, part);
                Err(halt)
            }
        }
    }
}

impl<'de> de::VariantAccess<'de> for Place<'_> {
    type Error = Halt;

    fn unit_variant(mut self) -> Result<(), Halt> {
        self.scalar(Kind::Unit, 0).map(drop)
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Halt> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Halt> {
        let asked = Asked { kind: Kind::Tuple, names: &[], len, visitor: "" };
        let node = self.explorer.ask_variant(self.slot, self.depth, asked).ok_or(Halt)?;
        self.tuple(node, len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Halt> {
        let asked = Asked { kind: Kind::Struct, names: fields, len: 0, visitor: "" };
        let node = self.explorer.ask_variant(self.slot, self.depth, asked).ok_or(Halt)?;
        self.fields(node, fields, visitor)
    }
}
