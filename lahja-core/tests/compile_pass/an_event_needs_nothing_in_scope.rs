#![deny(warnings)]
#![no_implicit_prelude]

use ::serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, ::lahja_core::Event)]
#[event(response = Answer)]
struct Question;

#[derive(Serialize, Deserialize, ::lahja_core::Event)]
struct Answer(());

fn main() {
    let _ = (Question, Answer(()));
}
