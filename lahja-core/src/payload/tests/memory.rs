//! How much memory a payload costs that claims more than there is, as the system counts it.

use std::env;
use std::fs;
use std::hint::black_box;
use std::process::{Command, Stdio};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::*;

/// Says to a process what it is to do with hardly any memory.
const ROLE: &str = "LAHJA_TEST_MEMORY";

const MEBIBYTE: usize = 1 << 20;

/// Lets this process have so many bytes of memory on top of what it has.
fn confine(bytes: usize) {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let held = status.lines().find_map(|line| line.strip_prefix("VmData:")).unwrap();
    let held: u64 = held.trim().strip_suffix(" kB").unwrap().parse().unwrap();
    let maximum = getrlimit(Resource::Data).maximum;
    let current = Some(1_024 * held + bytes as u64);
    setrlimit(Resource::Data, Rlimit { current, maximum }).unwrap();
}

fn decode_all() {
    const FOUR_BILLION: [u8; 5] = [0xff, 0xff, 0xff, 0xff, 0x0f];
    let ten = [FOUR_BILLION, [1, 2, 3, 4, 5]].concat();
    let mut mebibyte = vec![0; MEBIBYTE];
    mebibyte[..3].copy_from_slice(&[0xfd, 0xff, 0x3f]);
    let ones = vec![1; MEBIBYTE];
    // The first of these would take twice as much without bounds.
    confine(MEBIBYTE);
    error::<HashMap<u64, u64>>(&ten);
    error::<BTreeMap<u8, String>>(&ten);
    error::<Vec<u64>>(&ten);
    error::<String>(&ten);
    error::<Bytes>(&ten);
    error::<HashSet<()>>(&FOUR_BILLION);
    error::<Vec<()>>(&FOUR_BILLION);
    error::<List>(&ones);
    error::<Nest>(&ones);
    error::<u8>(&ones);
    // And these a hundred times as much as there is of them.
    confine(3 * MEBIBYTE);
    error::<Vec<Option<[u64; 32]>>>(&mebibyte);
    error::<HashMap<u64, [u64; 32]>>(&mebibyte);
    // What lies in boxes is refused when the budget is used up.
    confine(70 * MEBIBYTE);
    error::<Vec<Box<Option<[u64; 32]>>>>(&mebibyte);
}

#[test]
fn what_claims_more_than_there_is_costs_no_more_than_its_share() {
    match env::var(ROLE).as_deref() {
        Ok("decode") => return decode_all(),
        Ok("exceed") => {
            confine(MEBIBYTE);
            black_box(vec![1_u8; 2 * MEBIBYTE]);
            return;
        }
        _ => {}
    }
    let succeeds = |role: &str| {
        let mut command = Command::new(env::current_exe().unwrap());
        let test =
            "payload::tests::memory::what_claims_more_than_there_is_costs_no_more_than_its_share";
        command.args(["--exact", test, "--nocapture"]).env(ROLE, role).stdout(Stdio::null());
        if role == "exceed" {
            command.stderr(Stdio::null());
        }
        command.status().unwrap().success()
    };
    assert!(succeeds("decode"));
    // One that takes more has an end.
    assert!(!succeeds("exceed"));
}
