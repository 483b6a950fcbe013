struct NotAnEvent;

fn broadcast<E: lahja_core::Event>(_: E) {}

fn main() {
    broadcast(NotAnEvent);
}
