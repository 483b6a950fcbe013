//! Made-up values with parts: those of tuples, collections and structs.

use std::vec::IntoIter;

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeSeed, IntoDeserializer};

use super::place::{Halt, Place};

/// Parts that are given in order: those of a tuple, one element, or one entry.
pub(super) struct Parts<'a, 'b> {
    place: &'a mut Place<'b>,
    node: usize,
    next: usize,
    len: usize,
}

impl<'a, 'b> Parts<'a, 'b> {
    pub(super) fn new(place: &'a mut Place<'b>, node: usize, len: usize) -> Self {
        Self { place, node, next: 0, len }
    }

    /// Returns how many have been taken.
    pub(super) fn taken(&self) -> usize {
        self.next
    }
}

impl Parts<'_, '_> {
    fn next(&mut self) -> Option<Place<'_>> {
        let part = self.next;
        if part == self.len {
            return None;
        }
        self.next += 1;
        Some(self.place.part(self.node, part))
    }
}

impl<'de> de::SeqAccess<'de> for Parts<'_, '_> {
    type Error = Halt;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Halt> {
        self.next().map(|place| seed.deserialize(place)).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.len - self.next)
    }
}

impl<'de> de::MapAccess<'de> for Parts<'_, '_> {
    type Error = Halt;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Halt> {
        de::SeqAccess::next_element_seed(self, seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Halt> {
        seed.deserialize(self.next().ok_or(Halt)?)
    }
}

/// The fields of a struct, given by name.
pub(super) struct Fields<'a, 'b> {
    place: &'a mut Place<'b>,
    node: usize,
    names: &'static [&'static str],
    left: IntoIter<usize>,
    field: usize,
}

impl<'a, 'b> Fields<'a, 'b> {
    pub(super) fn new(
        place: &'a mut Place<'b>,
        node: usize,
        names: &'static [&'static str],
        order: Vec<usize>,
    ) -> Self {
        Self { place, node, names, left: order.into_iter(), field: 0 }
    }
}

impl<'de> de::MapAccess<'de> for Fields<'_, '_> {
    type Error = Halt;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Halt> {
        let Some(field) = self.left.next() else { return Ok(None) };
        self.field = field;
        let name: StrDeserializer<'_, Halt> = self.names[field].into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Halt> {
        seed.deserialize(self.place.part(self.node, self.field))
    }
}
