use lahja_core::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Fields {
    #[serde(skip)]
    good: u8,
    #[serde(rename = "other", skip_serializing_if = "Option::is_none")]
    by_value: Option<u8>,
    #[serde(bound(deserialize = ""), skip_serializing, default)]
    unwritten: u8,
    #[serde(skip_deserializing)]
    unread: u8,
}

#[derive(Serialize, Deserialize, Event)]
enum Variants {
    #[serde(skip)]
    Neither,
    #[serde(rename = "written", skip_deserializing)]
    Unread,
    Good(#[serde(skip_serializing_if = "Option::is_none")] Option<u8>),
}

fn main() {}
