//! Types of every shape.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One of everything.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    id: u64,
    name: String,
    small: (i8, u16, i32, i128),
    large: (u128, i64, u32, i16),
    real: [f32; 3],
    letter: char,
    flag: bool,
    maybe: Option<Option<f64>>,
    kinds: Vec<Kind>,
    by_name: BTreeMap<String, Vec<u8>>,
    wait: Duration,
    unit: (),
    result: Result<u8, String>,
    boxed: Box<Wrapped>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Wrapped(u32);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Kind {
    Nothing,
    One(i64),
    Two(u8, String),
    Named { x: Option<u32>, y: Vec<bool> },
}

/// One byte for each level.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum List {
    End,
    Next(Box<List>),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Chain {
    next: Option<Box<Chain>>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Nest(Vec<Nest>);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Maps(BTreeMap<u8, Maps>);

/// Wide as well as deep.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Tree {
    Leaf([u64; 8]),
    Node(Box<[Tree; 2]>),
    Many(Vec<Tree>, BTreeMap<u16, Tree>),
}

/// How deeply a value is nested: each enum, option, struct, newtype, sequence and map is a level.
pub(super) trait Nested {
    fn levels(&self) -> usize;
}

impl Nested for List {
    fn levels(&self) -> usize {
        match self {
            Self::End => 1,
            Self::Next(next) => 1 + next.levels(),
        }
    }
}

impl Nested for Chain {
    fn levels(&self) -> usize {
        2 + self.next.as_ref().map_or(0, |next| next.levels())
    }
}

impl Nested for Nest {
    fn levels(&self) -> usize {
        2 + self.0.iter().map(Self::levels).max().unwrap_or(0)
    }
}

impl Nested for Maps {
    fn levels(&self) -> usize {
        2 + self.0.values().map(Self::levels).max().unwrap_or(0)
    }
}
