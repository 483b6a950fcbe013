use lahja_core::Event;

#[derive(Event)]
struct Struct {
    #[event(name = "demo.Field")]
    field: u8,
}

#[derive(Event)]
enum Enum {
    #[event(name = "demo.Variant")]
    Variant(#[event(name = "demo.Field")] u8),
}

fn main() {}
