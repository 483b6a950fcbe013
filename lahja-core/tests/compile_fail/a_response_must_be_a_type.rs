use lahja_core::Event;

#[derive(Event)]
#[event(response = "Answer")]
struct Quoted;

#[derive(Event)]
#[event(response)]
struct Nothing;

fn main() {}
