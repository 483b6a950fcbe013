//! Access to what lies within a place: the fields of a struct, the elements of a collection.

use serde::de::{self, DeserializeSeed};

use super::bounded::{Place, price};
use super::failure::Failure;

/// The parts of a tuple or struct, as many as its type says, in memory that it has already.
pub(super) struct Fields<'a, 'de> {
    place: Place<'a, 'de>,
    left: usize,
}

impl<'a, 'de> Fields<'a, 'de> {
    #[inline]
    pub(super) fn new(place: Place<'a, 'de>, len: usize) -> Self {
        Self { place, left: len }
    }
}

impl<'de> de::SeqAccess<'de> for Fields<'_, 'de> {
    type Error = Failure;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Failure> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(self.place.inner::<S::Value>()).map(Some)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// The elements of a sequence or the entries of a map, as many as the bytes claim.
pub(super) struct Elements<'a, 'de> {
    place: Place<'a, 'de>,
    left: usize,
    /// The most that visitors are told to expect: hardly any element takes less than a byte.
    hint: usize,
    /// What has been charged for each of those left: for an element, or for an entry's key.
    charged: usize,
    /// What has been charged for each entry's value.
    value_charged: usize,
}

impl<'a, 'de> Elements<'a, 'de> {
    #[inline]
    pub(super) fn new(place: Place<'a, 'de>, len: usize, hint: usize) -> Self {
        Self { place, left: len, hint, charged: 0, value_charged: 0 }
    }

    /// Charges for the elements left at once, which later are free if they are of one type.
    #[inline]
    fn charge<T>(&mut self) -> Result<(), Failure> {
        let each = price::<T>();
        if each > self.charged {
            let more = self.left.checked_mul(each - self.charged);
            self.place.charge(more)?;
            self.charged = each;
        }
        Ok(())
    }

    /// Charges for the value of the entry whose key was taken last, and of those left.
    #[inline]
    fn charge_value<T>(&mut self) -> Result<(), Failure> {
        let each = size_of::<T>();
        if each > self.value_charged {
            let entries = self.left.checked_add(1);
            let more = entries.and_then(|entries| entries.checked_mul(each - self.value_charged));
            self.place.charge(more)?;
            self.value_charged = each;
        }
        Ok(())
    }
}

impl<'de> de::SeqAccess<'de> for Elements<'_, 'de> {
    type Error = Failure;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Failure> {
        if self.left == 0 {
            return Ok(None);
        }
        self.charge::<S::Value>()?;
        self.left -= 1;
        seed.deserialize(self.place.inner::<S::Value>()).map(Some)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.left.min(self.hint))
    }
}

impl<'de> de::MapAccess<'de> for Elements<'_, 'de> {
    type Error = Failure;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Failure> {
        de::SeqAccess::next_element_seed(self, seed)
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Failure> {
        self.charge_value::<S::Value>()?;
        seed.deserialize(self.place.inner::<S::Value>())
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.left.min(self.hint))
    }
}
