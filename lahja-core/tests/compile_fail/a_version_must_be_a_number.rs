use lahja_core::Event;

#[derive(Event)]
#[event(version = "1.0")]
struct Text;

#[derive(Event)]
#[event(version = 4_294_967_296)]
struct Large;

#[derive(Event)]
#[event(version)]
struct Nothing;

fn main() {}
