use lahja_core::Event;

#[derive(Event)]
#[event(name = "", name = "\0")]
#[event(answer = Answer)]
struct Broken<T> {
    #[event]
    field: T,
}

fn main() {}
