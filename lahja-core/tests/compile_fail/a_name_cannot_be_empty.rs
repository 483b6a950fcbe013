use lahja_core::Event;

#[derive(Event)]
#[event(name = "")]
struct Nameless;

fn main() {}
