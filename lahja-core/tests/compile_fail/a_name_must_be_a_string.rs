use lahja_core::Event;

#[derive(Event)]
#[event(name = 3)]
struct Number;

#[derive(Event)]
#[event(name)]
struct Nothing;

#[derive(Event)]
#[event(name("demo.Listed"))]
struct Listed;

#[derive(Event)]
#[event(name = )]
struct Unfinished;

fn main() {}
