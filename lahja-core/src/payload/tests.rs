use std::cell::Cell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::{self, Debug};
use std::time::{Duration, Instant};

use serde::de::{self, Visitor};
use serde::ser::{self, SerializeSeq};
use serde::{Deserialize, Deserializer, Serializer};

use super::*;

mod bounds;
mod codec;
mod memory;

/// A type with one of everything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Record {
    id: u64,
    name: String,
    small: (i8, u16, i32, i128),
    real: [f32; 3],
    letter: char,
    flag: bool,
    maybe: Option<Option<f64>>,
    kinds: Vec<Kind>,
    by_name: BTreeMap<String, Vec<u8>>,
    by_number: HashMap<u8, String>,
    wait: Duration,
    unit: (),
    boxed: Box<Wrapped>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Wrapped(u32);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Kind {
    Nothing,
    One(i64),
    Two(u8, String),
    Named { x: Option<u32>, y: Vec<bool> },
}

/// One byte for each level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum List {
    End,
    Next(Box<List>),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Chain {
    next: Option<Box<Chain>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Nest(Vec<Nest>);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Maps(BTreeMap<u8, Maps>);

/// Bytes as `serde_bytes` takes them.
#[derive(Debug, Clone, PartialEq)]
struct Bytes(Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BytesVisitor;

        impl Visitor<'_> for BytesVisitor {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }
        }

        deserializer.deserialize_byte_buf(BytesVisitor)
    }
}

fn encoded<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut buffer = Vec::new();
    encode(value, &mut buffer).unwrap();
    buffer
}

fn decoded<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, PayloadError> {
    decode(bytes, MAX_DEPTH)
}

/// The error of decoding `bytes`, which comes in milliseconds; without bounds it takes minutes.
fn error<T: DeserializeOwned>(bytes: &[u8]) -> PayloadError {
    let begin = Instant::now();
    let Err(error) = decoded::<T>(bytes) else {
        panic!("{} bytes were decoded", bytes.len());
    };
    let taken = begin.elapsed();
    assert!(taken < Duration::from_secs(5), "{error} took {taken:?}");
    error
}

fn round_trips<T>(value: &T)
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let bytes = encoded(value);
    match decoded::<T>(&bytes) {
        Ok(back) => assert_eq!(&back, value),
        Err(error) => panic!("{} bytes: {error}", bytes.len()),
    }
}

fn record() -> Record {
    Record {
        id: 1 << 40,
        name: "työ".into(),
        small: (-1, 300, -70_000, i128::MIN),
        real: [0.0, -1.5, f32::MAX],
        letter: 'ö',
        flag: true,
        maybe: Some(None),
        kinds: vec![
            Kind::Nothing,
            Kind::One(-9),
            Kind::Two(1, "two".into()),
            Kind::Named { x: Some(7), y: vec![true, false] },
        ],
        by_name: BTreeMap::from([("a".into(), vec![1, 2]), ("b".into(), vec![])]),
        by_number: HashMap::from([(1, "one".into()), (2, String::new())]),
        wait: Duration::from_millis(1_500),
        unit: (),
        boxed: Box::new(Wrapped(5)),
    }
}
