#![no_main]

mod counting;

use counting::Counting;
use lahja_core::fuzzing;
use libfuzzer_sys::fuzz_target;

#[global_allocator]
static ALLOCATOR: Counting = Counting::new();

fuzz_target!(|data: &[u8]| {
    let peak = ALLOCATOR.peak_of(|| fuzzing::payload(data));
    let bound = fuzzing::payload_memory(data.len());
    assert!(peak <= bound, "{peak} bytes of memory are held, of {bound}");
});
