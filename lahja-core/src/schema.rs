//! The structure of types, without the types: to compare those of two builds, and to read payloads.
//!
//! postcard writes no names and no kinds, so two builds whose types differ would misread each
//! other. Every topic is announced with the [fingerprint](Schema::fingerprint) of its type's
//! schema, and events go only to those whose fingerprint is the same.
//!
//! # Examples
//!
//! Printing a payload in a process that does not have its type; any serde format does, here
//! `serde_json`:
//!
//! ```
//! use lahja_core::schema::Schema;
//! use serde::Deserialize;
//!
//! #[derive(Deserialize)]
//! struct Moved {
//!     who: String,
//!     to: Option<(i32, i32)>,
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let schema = Schema::of::<Moved>()?; // serializable itself, to be sent or kept
//! let value = schema.read(b"\x02Li\x01\x02\x03")?;
//! assert_eq!(serde_json::to_string(&value)?, r#"{"who":"Li","to":[1,-2]}"#);
//! # Ok(())
//! # }
//! ```

mod explorer;
mod parts;
mod place;
#[cfg(test)]
mod tests;
mod value;

use std::any::TypeId;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::PayloadError;
use crate::event::Event;
use crate::hash;

use explorer::Explorer;
use place::Place;

pub use value::Value;

/// The structure of a type as its encoding shows it.
///
/// It is what the type's `Deserialize` implementation asks for: the names of fields and variants,
/// in order, and what kinds of values they hold. Names of types are no part of it, and neither are
/// newtypes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Shapes")]
pub struct Schema {
    // The first is the type itself; the others are parts of it, by their place in this list.
    shapes: Vec<Shape>,
}

/// A schema as it comes from anybody.
#[derive(Deserialize)]
struct Shapes {
    shapes: Vec<Shape>,
}

/// How many shapes a schema that comes from elsewhere may have, and how many parts all together.
const MAX_SHAPES: usize = 4_096;
const MAX_PARTS: usize = 1 << 17;

impl TryFrom<Shapes> for Schema {
    type Error = &'static str;

    fn try_from(Shapes { shapes }: Shapes) -> Result<Self, Self::Error> {
        let is_there = |part: &u32| (*part as usize) < shapes.len();
        match shapes.len() {
            0 => Err("a schema without a shape"),
            len if len > MAX_SHAPES => Err("a schema of too many shapes"),
            _ if shapes.iter().map(|shape| shape.parts.len()).sum::<usize>() > MAX_PARTS => {
                Err("a schema of too many parts")
            }
            _ if !shapes.iter().all(|shape| shape.parts.iter().all(is_there)) => {
                Err("a schema that names a part that it does not have")
            }
            _ => Ok(Self { shapes }),
        }
    }
}

/// The structure of one part of a type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Shape {
    kind: Kind,
    /// Of fields or variants. There may be more than parts, because serde's `alias` adds some.
    names: Vec<String>,
    /// The places of the parts in the schema's list.
    parts: Vec<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
enum Kind {
    Unit,
    Bool,
    I8,
    I16,
    I32,
    I64,
    I128,
    U8,
    U16,
    U32,
    U64,
    U128,
    F32,
    F64,
    Char,
    Text,
    Option,
    /// Bytes are a sequence of `U8`, since they are encoded alike.
    Sequence,
    /// Its parts are key and value.
    Map,
    Tuple,
    Struct,
    Enum,
}

impl Schema {
    /// Finds the structure of a type.
    ///
    /// The type's `Deserialize` implementation is called again and again with made-up values, until
    /// it has been seen to read every variant and every field. Where it refuses what it is given, a
    /// few hundred other values are tried. A panic is a refusal.
    ///
    /// # Errors
    ///
    /// [`PayloadError::Unsupported`] if the type asks for what is not in a payload, as serde's
    /// `flatten`, `untagged` and `tag` do. [`PayloadError::Undetermined`] if it accepts none of the
    /// values that are tried in front of something else in a tuple or in an entry of a map, so that
    /// what comes there is not known; if what comes somewhere is seen to depend on what came before,
    /// and is no variant of an enum; or if it asks for more than about a million values.
    pub fn of<T: DeserializeOwned>() -> Result<Self, PayloadError> {
        let mut explorer = Explorer::new();
        while explorer.begins() {
            let run = || T::deserialize(Place::root(&mut explorer)).is_ok();
            // A panic is a refusal.
            let accepted = catch_unwind(AssertUnwindSafe(run)).unwrap_or(false);
            explorer.end(accepted)?;
        }
        explorer.into_schema()
    }

    /// Returns a number that two types share if their values are encoded and named alike.
    ///
    /// A field that is added, removed, renamed, moved or of another type changes it, however deep
    /// it lies, and so does a variant or an alias. Renaming a type, moving it, or wrapping it in a
    /// newtype does not. Different structures have the same number with a probability of 2^-64.
    pub fn fingerprint(&self) -> u64 {
        let classes = self.classes();
        // Walks what is left when parts that are alike count as one, in an order that does not
        // depend on how they were found.
        let mut order = vec![0];
        let mut numbers = BTreeMap::from([(classes[0], 0_usize)]);
        let mut fingerprint = hash::EMPTY;
        let mut at = 0;
        while let Some(&index) = order.get(at) {
            fingerprint = self.shapes[index].hash(fingerprint);
            for &part in &self.shapes[index].parts {
                let part = part as usize;
                let next = numbers.len();
                let number = *numbers.entry(classes[part]).or_insert_with(|| {
                    order.push(part);
                    next
                });
                fingerprint = hash::extend(fingerprint, &(number as u64).to_le_bytes());
            }
            at += 1;
        }
        fingerprint
    }

    /// Tells which parts are alike: those with the same number here.
    ///
    /// Partition refinement: parts are told apart by what they are, then by what their parts were
    /// in the last round, until a round tells no more of them apart.
    fn classes(&self) -> Vec<u64> {
        let of_parts = |shape: &Shape, classes: &[u64]| {
            let parts = shape.parts.iter().map(|&part| classes[part as usize]);
            parts.fold(shape.hash(hash::EMPTY), |hash, class| {
                hash::extend(hash, &class.to_le_bytes())
            })
        };
        let count = |classes: &[u64]| classes.iter().collect::<BTreeSet<_>>().len();
        let mut classes: Vec<_> = self.shapes.iter().map(|s| s.hash(hash::EMPTY)).collect();
        loop {
            let refined: Vec<_> = self.shapes.iter().map(|s| of_parts(s, &classes)).collect();
            if count(&refined) == count(&classes) {
                return classes;
            }
            classes = refined;
        }
    }
}

impl Shape {
    /// Hashes what the part is, but for its own parts.
    fn hash(&self, mut hash: u64) -> u64 {
        hash = hash::extend(hash, &[self.kind as u8]);
        hash = hash::extend(hash, &(self.parts.len() as u64).to_le_bytes());
        hash = hash::extend(hash, &(self.names.len() as u64).to_le_bytes());
        for name in &self.names {
            hash = hash::extend(hash, &(name.len() as u64).to_le_bytes());
            hash = hash::extend(hash, name.as_bytes());
        }
        hash
    }
}

/// Returns the number that a type is announced with: the [fingerprint](Schema::fingerprint) of its
/// schema and its [version](Event::VERSION), and for a request those of the response, too.
///
/// # Errors
///
/// As for [`Schema::of`], but that a type with a version may be undetermined.
pub fn fingerprint<E: Event>() -> Result<u64, PayloadError> {
    let fingerprint = fingerprint_of::<E>()?;
    let Some(response) = E::RESPONSE else { return Ok(fingerprint) };
    let hash = hash::extend(fingerprint, response.name().as_bytes());
    Ok(hash::extend(hash, &response.fingerprint()?.to_le_bytes()))
}

/// Returns the fingerprint of an event by itself, which is looked into once in the life of a process,
/// or by several threads at the same time.
pub(crate) fn fingerprint_of<E: Event>() -> Result<u64, PayloadError> {
    static KNOWN: Mutex<BTreeMap<TypeId, Result<u64, PayloadError>>> = Mutex::new(BTreeMap::new());
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = known().get(&TypeId::of::<E>()) {
        return known.clone();
    }
    let structure = match Schema::of::<E>() {
        Err(PayloadError::Undetermined { .. }) if E::VERSION.is_some() => Ok(hash::EMPTY),
        schema => schema.map(|schema| schema.fingerprint()),
    };
    let found = structure.map(|structure| match E::VERSION {
        Some(version) => hash::extend(structure, &version.to_le_bytes()),
        None => structure,
    });
    known().insert(TypeId::of::<E>(), found.clone());
    found
}
