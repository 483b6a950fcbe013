use lahja_core::Event;

#[derive(Event)]
#[event]
struct Bare;

#[derive(Event)]
#[event()]
struct Empty;

#[derive(Event)]
#[event = "demo.Assigned"]
struct Assigned;

fn main() {}
