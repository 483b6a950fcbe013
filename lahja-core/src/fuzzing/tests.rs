//! Random input, and the inputs that fuzzing has found worth keeping.
//!
//! `LAHJA_CASES` sets how many random inputs there are, `LAHJA_SEED` which ones.

use std::env;
use std::fs;
use std::path::Path;
use std::thread;

use super::*;

const CASES: u64 = 20_000;

/// About 50 steps of what the longest inputs are for.
const LONGEST: usize = 200;

fn setting(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |value| value.parse().expect("the setting is a number"))
}

/// Prints an input when it makes a target panic.
struct Blame<'a> {
    target: &'a str,
    origin: String,
    data: &'a [u8],
}

impl Drop for Blame<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            let hex: String = self.data.iter().map(|byte| format!("{byte:02x}")).collect();
            eprintln!("{} fails for {}: {hex}", self.target, self.origin);
        }
    }
}

fn check_random(target: &str, check: fn(&[u8])) {
    let (cases, seed) = (setting("LAHJA_CASES", CASES), setting("LAHJA_SEED", 0));
    let mut data = [0; LONGEST];
    for case in 0..cases {
        let mut random = fastrand::Rng::with_seed(seed.wrapping_add(case));
        let data = &mut data[..random.usize(..=LONGEST)];
        random.fill(data);
        if random.u8(..) < 0x20 {
            // What is nested deeply is all alike.
            let from = random.usize(..=data.len().min(4));
            data[from..].fill(random.u8(..4));
            data.last_mut().into_iter().for_each(|last| *last = 0);
        }
        let origin = format!("LAHJA_SEED={} LAHJA_CASES=1", seed.wrapping_add(case));
        let _blame = Blame { target, origin, data };
        check(data);
    }
}

fn check_kept(target: &str, check: fn(&[u8])) {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    if !fuzz.exists() {
        // The published crate goes without.
        return eprintln!("{} is not there: no input of {target} is checked", fuzz.display());
    }
    let corpus = fuzz.join("corpus").join(target);
    let mut count = 0;
    for file in fs::read_dir(corpus).expect("there are kept inputs") {
        let path = file.expect("the directory can be read").path();
        let data = fs::read(&path).expect("the file can be read");
        let _blame = Blame { target, origin: path.display().to_string(), data: &data };
        check(&data);
        count += 1;
    }
    assert!(count > 0, "no input of {target} is kept");
}

macro_rules! targets {
    ($($target:ident)*) => {$(
        mod $target {
            #[test]
            fn holds_for_random_input() {
                super::check_random(stringify!($target), super::$target);
            }

            #[test]
            fn holds_for_the_kept_inputs() {
                super::check_kept(stringify!($target), super::$target);
            }
        }
    )*};
}

targets!(frame inbox payload peers pending routing session);
