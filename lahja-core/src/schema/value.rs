//! Payloads read by their schema, without their type.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{self, Deserializer, Error as _, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

use super::{Kind, Schema, Shape};
use crate::error::PayloadError;
use crate::payload::{self, MAX_DEPTH};

/// A value that was read from a payload by its [`Schema`].
///
/// It serializes as the value itself would: with `serde_json` a struct is an object, a variant of
/// an enum its name or an object with one key. (A map whose keys are no scalars becomes a list of
/// pairs, since JSON takes nothing else as a key. A variant that holds `()` looks like one that
/// holds nothing, as it does in a payload.)
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// Nothing, as in `()`, a unit struct, or `None`.
    Unit,
    /// A truth value.
    Bool(bool),
    /// A signed number of any width.
    Signed(i128),
    /// An unsigned number of any width.
    Unsigned(u128),
    /// A number of single precision.
    Single(f32),
    /// A number of double precision.
    Double(f64),
    /// A character.
    Char(char),
    /// A text.
    Text(Cow<'a, str>),
    /// A sequence, a tuple, or bytes.
    List(Vec<Value<'a>>),
    /// The entries of a map.
    Map(Vec<(Value<'a>, Value<'a>)>),
    /// The fields of a struct, by name.
    Struct(Vec<(&'a str, Value<'a>)>),
    /// A variant of an enum, by name, and what it holds.
    Variant(&'a str, Box<Value<'a>>),
}

impl Schema {
    /// Reads a payload of the type that this is the structure of.
    ///
    /// Bounds are those of receiving: a depth of 64 types, and memory in proportion to the payload's
    /// length.
    ///
    /// # Errors
    ///
    /// [`PayloadError`] if the payload is not one value of the type, or out of bounds;
    /// [`PayloadError::Refused`] also where the structure is not known well enough.
    pub fn read<'a>(&'a self, payload: &'a [u8]) -> Result<Value<'a>, PayloadError> {
        let budget = Cell::new(payload::budget(payload.len()));
        let seed = Part { schema: self, number: 0, budget: &budget };
        // What a variant holds is a level of its own here.
        payload::decode_seed(seed, payload, 2 * MAX_DEPTH)
    }
}

/// How one part of a payload is read.
#[derive(Clone, Copy)]
struct Part<'a, 'b> {
    schema: &'a Schema,
    number: u32,
    /// What the values may still take up in memory, in bytes.
    budget: &'b Cell<usize>,
}

impl<'a> Part<'a, '_> {
    /// Returns what is known of the part. A schema may come from anybody.
    fn shape<E: de::Error>(self) -> Result<&'a Shape, E> {
        let shape = self.schema.shapes.get(self.number as usize);
        shape.ok_or_else(|| E::custom("the schema names a part that it does not have"))
    }

    /// Returns how one of its own parts is read, and charges for it.
    fn part<E: de::Error>(self, part: usize) -> Result<Self, E> {
        let size = size_of::<(Value<'a>, Value<'a>)>();
        let budget = self.budget.get().checked_sub(size);
        self.budget.set(budget.ok_or_else(|| E::custom("the values take up too much memory"))?);
        let number = self.shape()?.parts.get(part);
        let number = number.ok_or_else(|| E::custom("the schema lacks a part"))?;
        Ok(Self { number: *number, ..self })
    }

    /// Returns the name of a field or variant, or `None` if aliases make that uncertain.
    fn name<E: de::Error>(self, part: usize) -> Result<Option<&'a str>, E> {
        let Shape { names, parts, .. } = self.shape()?;
        let are_certain = names.len() == parts.len();
        Ok(names.get(part).filter(|_| are_certain).map(String::as_str))
    }
}

impl<'a> de::DeserializeSeed<'a> for Part<'a, '_> {
    type Value = Value<'a>;

    fn deserialize<D: Deserializer<'a>>(self, place: D) -> Result<Value<'a>, D::Error> {
        let shape = self.shape()?;
        match shape.kind {
            Kind::Unit => Ok(Value::Unit),
            Kind::Bool => bool::deserialize(place).map(Value::Bool),
            Kind::I8 => i8::deserialize(place).map(|n| Value::Signed(n.into())),
            Kind::I16 => i16::deserialize(place).map(|n| Value::Signed(n.into())),
            Kind::I32 => i32::deserialize(place).map(|n| Value::Signed(n.into())),
            Kind::I64 => i64::deserialize(place).map(|n| Value::Signed(n.into())),
            Kind::I128 => i128::deserialize(place).map(Value::Signed),
            Kind::U8 => u8::deserialize(place).map(|n| Value::Unsigned(n.into())),
            Kind::U16 => u16::deserialize(place).map(|n| Value::Unsigned(n.into())),
            Kind::U32 => u32::deserialize(place).map(|n| Value::Unsigned(n.into())),
            Kind::U64 => u64::deserialize(place).map(|n| Value::Unsigned(n.into())),
            Kind::U128 => u128::deserialize(place).map(Value::Unsigned),
            Kind::F32 => f32::deserialize(place).map(Value::Single),
            Kind::F64 => f64::deserialize(place).map(Value::Double),
            Kind::Char => char::deserialize(place).map(Value::Char),
            Kind::Text => <&str>::deserialize(place).map(|text| Value::Text(text.into())),
            Kind::Option => place.deserialize_option(self),
            Kind::Sequence => place.deserialize_seq(self),
            Kind::Map => place.deserialize_map(self),
            Kind::Tuple | Kind::Struct => place.deserialize_tuple(shape.parts.len(), self),
            Kind::Enum => place.deserialize_enum("", &[], self),
        }
    }
}

impl<'a> Visitor<'a> for Part<'a, '_> {
    type Value = Value<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what the schema says")
    }

    fn visit_none<E: de::Error>(self) -> Result<Value<'a>, E> {
        Ok(Value::Unit)
    }

    fn visit_some<D: Deserializer<'a>>(self, place: D) -> Result<Value<'a>, D::Error> {
        let value = self.part(0)?;
        de::DeserializeSeed::deserialize(value, place)
    }

    fn visit_seq<A: de::SeqAccess<'a>>(self, mut parts: A) -> Result<Value<'a>, A::Error> {
        let shape = self.shape()?;
        let mut values = Vec::new();
        if shape.kind == Kind::Sequence {
            while let Some(value) = parts.next_element_seed(self.part(0)?)? {
                values.push(value);
            }
            return Ok(Value::List(values));
        }
        let mut fields = Vec::new();
        for part in 0..shape.parts.len() {
            let value = parts.next_element_seed(self.part(part)?)?;
            let value = value.ok_or_else(|| A::Error::custom("a part is missing"))?;
            match self.name(part)? {
                Some(name) => fields.push((name, value)),
                None => values.push(value),
            }
        }
        let has_names = shape.kind == Kind::Struct && values.is_empty();
        Ok(if has_names { Value::Struct(fields) } else { Value::List(values) })
    }

    fn visit_map<A: de::MapAccess<'a>>(self, mut entries: A) -> Result<Value<'a>, A::Error> {
        let mut values = Vec::new();
        while let Some(key) = entries.next_key_seed(self.part(0)?)? {
            values.push((key, entries.next_value_seed(self.part(1)?)?));
        }
        Ok(Value::Map(values))
    }

    fn visit_enum<A: de::EnumAccess<'a>>(self, variant: A) -> Result<Value<'a>, A::Error> {
        let (index, content) = variant.variant::<u32>()?;
        let index = index as usize;
        let value = self.part(index)?;
        let value = de::VariantAccess::newtype_variant_seed(content, value)?;
        match self.name(index)? {
            Some(name) => Ok(Value::Variant(name, Box::new(value))),
            None => Err(A::Error::custom("the variant's name is not certain")),
        }
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Unit => serializer.serialize_unit(),
            Self::Bool(bool) => serializer.serialize_bool(*bool),
            Self::Signed(number) => match i64::try_from(*number) {
                Ok(number) => serializer.serialize_i64(number),
                Err(_) => serializer.serialize_i128(*number),
            },
            Self::Unsigned(number) => match u64::try_from(*number) {
                Ok(number) => serializer.serialize_u64(number),
                Err(_) => serializer.serialize_u128(*number),
            },
            Self::Single(number) => serializer.serialize_f32(*number),
            Self::Double(number) => serializer.serialize_f64(*number),
            Self::Char(char) => serializer.serialize_char(*char),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(values) => serializer.collect_seq(values),
            Self::Map(entries) if entries.iter().all(|(key, _)| key.is_scalar()) => {
                serializer.collect_map(entries.iter().map(|(key, value)| (key, value)))
            }
            Self::Map(entries) => serializer.collect_seq(entries),
            Self::Struct(fields) => {
                serializer.collect_map(fields.iter().map(|(name, value)| (name, value)))
            }
            Self::Variant(name, value) => match **value {
                Self::Unit => serializer.serialize_str(name),
                _ => {
                    let mut map = serializer.serialize_map(Some(1))?;
                    map.serialize_entry(name, value)?;
                    map.end()
                }
            },
        }
    }
}

impl Value<'_> {
    /// Tells whether JSON takes the value as a key.
    fn is_scalar(&self) -> bool {
        use Value::{Bool, Char, Signed, Text, Unsigned};
        matches!(self, Bool(_) | Signed(_) | Unsigned(_) | Char(_) | Text(_))
    }
}
