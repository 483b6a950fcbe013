use lahja_core::Event;
use serde::{Deserialize, Serialize};

struct NotAnEvent;

#[derive(Serialize, Deserialize, Event)]
#[event(response = NotAnEvent)]
struct Question;

fn main() {}
