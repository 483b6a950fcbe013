#![allow(dead_code, non_camel_case_types, unused_macros)]

use ::lahja_core as core;
use serde::{Deserialize, Serialize};

struct str;
struct Option;
struct Some;
trait Event {}
trait Request {}
mod lahja_core {}
macro_rules! concat {
    () => {};
}
macro_rules! env {
    () => {};
}

#[derive(Serialize, Deserialize, core::Event)]
#[event(response = Answer)]
struct Question;

#[derive(Serialize, Deserialize, core::Event)]
struct Answer;

fn main() {}
