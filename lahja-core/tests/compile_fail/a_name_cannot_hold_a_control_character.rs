use lahja_core::Event;

#[derive(Event)]
#[event(name = "two\nlines")]
struct TwoLines;

fn main() {}
