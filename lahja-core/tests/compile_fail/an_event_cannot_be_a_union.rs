use lahja_core::Event;

#[derive(Event)]
union Either {
    small: u8,
    large: u64,
}

fn main() {}
