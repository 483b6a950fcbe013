use lahja_core::Event;

#[derive(Event)]
#[event(name = "demo.One", name = "demo.Other")]
struct SameAttribute;

#[derive(Event)]
#[event(response = Self)]
#[event(response = Self)]
struct OtherAttribute;

#[derive(Event)]
#[event(crate = lahja_core, crate = lahja_core)]
struct Crates;

fn main() {}
