//! The new build.

use lahja_smol::Event;
use serde::{Deserialize, Serialize};

lahja_skew::events! {
    "same" struct Same { id: u64, list: Vec<elsewhere::Piece> }
    "moved" struct UnderAnotherName { id: elsewhere::Id, part: elsewhere::Piece }
    "field added" struct FieldAdded { id: u64, more: () }
    "field renamed" struct FieldRenamed { number: u64 }
    "field retyped" struct FieldRetyped { id: i64 }
    "nested change" struct NestedChange { parts: Vec<Option<Changed>> }
    "variant added" enum VariantAdded { #[default] A, B, C }
    "answer" struct Answer(u64);
}

/// Types that are called otherwise in the old build, and lie in another module there.
mod elsewhere {
    use serde::{Deserialize, Serialize};

    #[derive(Debug, Default, Serialize, Deserialize)]
    pub(super) struct Id(u64);

    #[derive(Debug, Default, Serialize, Deserialize)]
    pub(super) struct Piece {
        name: String,
        inner: Option<Box<Piece>>,
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Changed {
    count: u16,
}

/// A request that is the same in both builds; its answer is not.
#[derive(Debug, Default, Serialize, Deserialize, Event)]
#[event(name = "request", response = Answer)]
struct Question(u64);

lahja_skew::program!(
    [Same, UnderAnotherName, FieldAdded, FieldRenamed, FieldRetyped, NestedChange, VariantAdded],
    Question
);
