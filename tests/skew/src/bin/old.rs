//! The old build.

use lahja_smol::Event;
use serde::{Deserialize, Serialize};

lahja_skew::events! {
    "same" struct Same { id: u64, list: Vec<Part> }
    "moved" struct Moved { id: u64, part: Part }
    "field added" struct FieldAdded { id: u64 }
    "field renamed" struct FieldRenamed { id: u64 }
    "field retyped" struct FieldRetyped { id: u64 }
    "nested change" struct NestedChange { parts: Vec<Option<Changed>> }
    "variant added" enum VariantAdded { #[default] A, B }
    "answer" struct Answer(u32);
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Part {
    name: String,
    inner: Option<Box<Part>>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Changed {
    count: u32,
}

/// A request that is the same in both builds; its answer is not.
#[derive(Debug, Default, Serialize, Deserialize, Event)]
#[event(name = "request", response = Answer)]
struct Question(u64);

lahja_skew::program!(
    [Same, Moved, FieldAdded, FieldRenamed, FieldRetyped, NestedChange, VariantAdded],
    Question
);
