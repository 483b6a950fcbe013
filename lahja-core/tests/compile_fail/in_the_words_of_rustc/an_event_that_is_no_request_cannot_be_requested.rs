use lahja_core::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct NotARequest;

fn request<R: lahja_core::Request>(_: R) {}

fn main() {
    request(NotARequest);
}
