use lahja_core::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct OverTypes<T: Clone, U>(T, U);

#[derive(Serialize, Deserialize, Event)]
struct OverConstants<const N: usize>;

fn main() {}
