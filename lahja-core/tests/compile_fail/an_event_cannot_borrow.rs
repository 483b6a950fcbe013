use lahja_core::Event;

#[derive(Event)]
struct Borrowing<'a>(&'a str);

fn main() {}
