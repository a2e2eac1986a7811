//! Hashing of ids that are hashes of log text already: a multiplication with a key of this process, so that nobody outside
//! chooses which of them meet in a map. For whole words only; text goes to the hasher of the standard library.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hasher, RandomState};

/// A map by ids.
pub type ById<K, V> = HashMap<K, V, Keyed>;
/// A set of ids.
pub type Ids<K> = HashSet<K, Keyed>;

/// Odd, and without a pattern: the golden ratio of 2^64.
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

/// Makes hashers with one key.
#[derive(Clone, Copy, Debug)]
pub struct Keyed {
    key: u64,
}

impl Default for Keyed {
    fn default() -> Keyed {
        Keyed { key: RandomState::new().hash_one(MIX) }
    }
}

impl BuildHasher for Keyed {
    type Hasher = Mixed;

    #[inline]
    fn build_hasher(&self) -> Mixed {
        Mixed(self.key)
    }
}

/// The hash so far.
#[derive(Clone, Copy, Debug)]
pub struct Mixed(u64);

impl Hasher for Mixed {
    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Ids are words; this is for completeness.
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    #[inline]
    fn write_u32(&mut self, word: u32) {
        self.write_u64(u64::from(word));
    }

    #[inline]
    fn write_u64(&mut self, word: u64) {
        // Both halves of the product: each bit of the word comes to bear on each bit of the hash.
        let product = u128::from(self.0 ^ word) * u128::from(MIX ^ self.0.rotate_left(32) | 1);
        self.0 = (product >> 64) as u64 ^ product as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_spread_and_keys_differ() {
        let (one, other) = (Keyed::default(), Keyed::default());
        let low: HashSet<u64> = (0..1_000u64).map(|id| one.hash_one(id << 40) & 0xffff).collect();
        assert!(low.len() > 950, "{}", low.len());
        assert_ne!(one.hash_one(7u64), other.hash_one(7u64));
        assert_eq!(one.hash_one(7u32), one.hash_one(7u32));
    }
}
