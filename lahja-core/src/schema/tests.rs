use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write;
use std::marker::PhantomData;
use std::net::IpAddr;
use std::num::{NonZeroI64, NonZeroU8};
use std::ops::Range;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::Deserializer;
use serde::de::{self, IgnoredAny};

use super::*;

mod finding;
mod fingerprints;
mod of_serde;
mod reading;

/// Writes a type's structure on one line. A part within itself is how many levels up it is.
fn structure<T: DeserializeOwned>() -> String {
    let schema = Schema::of::<T>().unwrap();
    let mut text = String::new();
    write_part(&schema, 0, &mut Vec::new(), &mut text);
    text
}

fn write_part(schema: &Schema, number: u32, above: &mut Vec<u32>, text: &mut String) {
    if let Some(at) = above.iter().position(|&other| other == number) {
        return write!(text, "^{}", above.len() - at).unwrap();
    }
    let Shape { kind, names, parts } = &schema.shapes[number as usize];
    let brackets = match kind {
        Kind::Unit => return text.push_str("()"),
        Kind::Option => "Option<>",
        Kind::Sequence => "[]",
        Kind::Map => "Map<>",
        Kind::Tuple => "()",
        Kind::Struct => "{}",
        Kind::Enum => "Enum{}",
        scalar => return write!(text, "{scalar:?}").unwrap(),
    };
    let (before, after) = brackets.split_at(brackets.len() - 1);
    text.push_str(before);
    above.push(number);
    for (at, &part) in parts.iter().enumerate() {
        if at > 0 {
            text.push_str(", ");
        }
        if let Some(name) = names.get(at) {
            write!(text, "{name}: ").unwrap();
        }
        write_part(schema, part, above, text);
    }
    above.pop();
    text.push_str(after);
}

/// Where a type is undetermined.
fn gap<T: DeserializeOwned>() -> String {
    match Schema::of::<T>() {
        Err(PayloadError::Undetermined { place }) => place,
        other => panic!("{other:?}"),
    }
}

fn fingerprint_of<T: DeserializeOwned>() -> u64 {
    Schema::of::<T>().unwrap().fingerprint()
}
