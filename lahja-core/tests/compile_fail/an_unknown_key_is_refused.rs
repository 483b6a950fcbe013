use lahja_core::Event;

#[derive(Event)]
#[event(nmae = "demo.Misspelt")]
struct Misspelt;

#[derive(Event)]
#[event(name::space = "demo.Path")]
struct Path;

fn main() {}
