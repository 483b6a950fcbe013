//! Any bytes as a value of many types.

mod types;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::PayloadError;
use crate::payload::{MAX_DEPTH, budget, decode, encode, encode_over};
use types::{Chain, Kind, List, Maps, Nest, Nested, Record, Tree};

/// Decodes bytes as a value of a type that the first byte chooses, and what it decodes again.
///
/// # Panics
///
/// Panics if a value that is decoded does not come back from its encoding.
pub fn payload(data: &[u8]) {
    let Some((&choice, bytes)) = data.split_first() else { return };
    match choice % 20 {
        0 | 1 => round_trip::<Record>(bytes),
        2 => is_nested::<List>(bytes),
        3 => is_nested::<Chain>(bytes),
        4 => is_nested::<Nest>(bytes),
        5 => is_nested::<Maps>(bytes),
        6 => same_value::<Tree>(bytes),
        7 => same_value::<HashMap<u64, u64>>(bytes),
        8 => same_value::<HashMap<String, Vec<Kind>>>(bytes),
        9 => same_value::<HashSet<()>>(bytes),
        10 => same_value::<BTreeMap<String, BTreeSet<u16>>>(bytes),
        11 => same_value::<Vec<()>>(bytes),
        12 => same_value::<Vec<Option<[u64; 32]>>>(bytes),
        13 => same_value::<Vec<HashMap<u8, String>>>(bytes),
        14 => same_value::<Vec<BTreeMap<(), Box<[u8]>>>>(bytes),
        15 => same_value::<HashMap<(), u64>>(bytes),
        16 => same_value::<Vec<Box<Option<[u64; 32]>>>>(bytes),
        17 => same_value::<Vec<(String, char, Option<i128>)>>(bytes),
        18 => same_value::<Vec<Kind>>(bytes),
        _ => round_trip::<f64>(bytes),
    }
}

/// Returns how many bytes of memory [`payload`] may hold at once for an input of `len` bytes.
///
/// The budget counts elements. A vector that grows holds three times as much for a moment, and a map
/// has room for more entries than it has.
pub fn payload_memory(len: usize) -> usize {
    4 * budget(len)
}

/// For types that hold themselves.
fn is_nested<T>(bytes: &[u8])
where
    T: Serialize + DeserializeOwned + PartialEq + Debug + Nested,
{
    if let Ok(value) = decode::<T>(bytes, MAX_DEPTH) {
        let levels = value.levels();
        assert!(levels <= MAX_DEPTH, "{levels} levels are decoded");
        // A map may have dropped what was deepest.
        let mut encoding = Vec::new();
        encode(&value, &mut encoding).expect("what was decoded can be encoded");
        assert!(decode::<T>(&encoding, levels).is_ok());
        assert!(
            decode::<T>(&encoding, levels - 1).is_err(),
            "{levels} levels are counted as fewer"
        );
    }
    same_value::<T>(bytes);
}

fn same_value<T>(bytes: &[u8])
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let Some((value, encoding)) = there_and_back::<T>(bytes) else { return };
    match decode::<T>(&encoding, MAX_DEPTH) {
        // Numbers that were longer than they need be had a larger budget.
        Err(PayloadError::OverBudget { .. }) if encoding.len() < bytes.len() => {}
        again => assert_eq!(again.as_ref(), Ok(&value)),
    }
}

/// For types with numbers that do not equal themselves.
fn round_trip<T: Serialize + DeserializeOwned>(bytes: &[u8]) {
    let Some((_, encoding)) = there_and_back::<T>(bytes) else { return };
    let again = decode::<T>(&encoding, MAX_DEPTH).expect("what was encoded can be decoded");
    let mut encoded_again = Vec::new();
    encode(&again, &mut encoded_again).expect("what was decoded can be encoded");
    assert_eq!(encoded_again, encoding);
}

fn there_and_back<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Option<(T, Vec<u8>)> {
    let value = decode::<T>(bytes, MAX_DEPTH).ok()?;
    let mut encoding = b"before".to_vec();
    encode(&value, &mut encoding).expect("what was decoded can be encoded");
    assert!(encoding.starts_with(b"before"));
    let encoding = encoding.split_off(6);
    assert!(encoding.len() <= bytes.len(), "there is a shorter encoding than lahja's");
    let mut scratch = vec![0xff; bytes.len() / 2];
    let len = encode_over(&value, &mut scratch).expect("what was decoded can be encoded");
    assert_eq!(scratch[..len], encoding);
    if let Some(last) = encoding.len().checked_sub(1) {
        assert!(decode::<T>(&encoding[..last], MAX_DEPTH).is_err(), "a value that is cut is taken");
    }
    Some((value, encoding))
}
