use lahja_core::Event;

#[derive(Event)]
#[event(crate = "lahja_core")]
struct Quoted;

#[derive(Event)]
#[event(crate)]
struct Nothing;

fn main() {}
