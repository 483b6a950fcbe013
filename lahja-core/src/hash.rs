//! Hashes: of names, and of what is a number already.
//!
//! That of names is FNV-1a (64 bit), see <http://www.isthe.com/chongo/tech/comp/fnv/>: short, the same on every
//! machine, and computed at compile time where the bytes are known then. Neither is a defence against
//! whoever looks for collisions.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

/// A map whose keys are numbers.
pub(crate) type IdMap<T> = HashMap<u64, T, BuildHasherDefault<IdHasher>>;

/// A set of numbers.
///
/// Numbers that are chosen to collide make it a list: what others choose belongs into a set with a
/// bound.
pub(crate) type IdSet = HashSet<u64, BuildHasherDefault<IdHasher>>;

/// Hashes a number with one multiplication, which spreads it over all bits.
#[derive(Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = extend(self.0, bytes);
    }

    fn write_u64(&mut self, id: u64) {
        let product = u128::from(self.0 ^ id) * u128::from(GOLDEN_RATIO);
        self.0 = (product >> 64) as u64 ^ product as u64;
    }
}

/// 2^64 divided by the golden ratio: its multiples are spread evenly.
const GOLDEN_RATIO: u64 = 0x9e37_79b9_7f4a_7c15;

/// The hash of nothing.
pub(crate) const EMPTY: u64 = 0xcbf2_9ce4_8422_2325;

/// Hashes `bytes` behind what `hash` is of.
pub(crate) const fn extend(mut hash: u64, bytes: &[u8]) -> u64 {
    let mut i = 0;
    while i < bytes.len() {
        hash ^= bytes[i] as u64;
        hash = hash.wrapping_mul(0x0000_0100_0000_01b3);
        i += 1;
    }
    hash
}

#[cfg(test)]
mod tests {
    use std::hash::Hash;

    use super::*;

    /// Vectors from the page above.
    #[test]
    fn hashes_as_published() {
        assert_eq!(extend(EMPTY, b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(extend(EMPTY, b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(extend(extend(EMPTY, b"foo"), b"bar"), 0x8594_4171_f739_67e8);
    }

    /// A table looks at the low bits for a place, and at the high ones before it compares.
    #[test]
    fn ids_that_count_up_differ_in_the_bits_that_a_table_looks_at() {
        for shift in [0, 32] {
            let hash = |id: u64| {
                let mut hasher = IdHasher::default();
                (id << shift).hash(&mut hasher);
                hasher.finish()
            };
            let low: HashSet<_> = (0..1024).map(|id| hash(id) % 1024).collect();
            let high: HashSet<_> = (0..1024).map(|id| hash(id) >> 57).collect();
            assert!(low.len() > 512, "{} of 1024 places", low.len());
            assert_eq!(high.len(), 128);
        }
    }
}
