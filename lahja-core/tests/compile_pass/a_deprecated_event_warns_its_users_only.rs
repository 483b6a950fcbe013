#![deny(warnings)]

use lahja_core::Event;
use serde::{Deserialize, Serialize};

#[deprecated]
#[derive(Serialize, Deserialize, Event)]
#[event(response = OldAnswer)]
pub struct OldQuestion;

#[deprecated]
#[derive(Serialize, Deserialize, Event)]
pub struct OldAnswer;

fn main() {}
