//! A map that keeps what was used recently and forgets the rest: bounded memory under hostile keys, constant time an
//! access. Forgetting is counted, never silent.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};

/// Two generations: what is used moves to the young one; when that is full the old one is forgotten and they swap. Holds
/// at most `capacity` entries and never forgets one of the `capacity / 2` used last.
#[derive(Clone, Debug)]
pub struct Recent<K, V, S = RandomState> {
    young: HashMap<K, V, S>,
    old: HashMap<K, V, S>,
    capacity: usize,
    forgotten: u64,
}

impl<K: Hash + Eq, V, S: BuildHasher + Default> Recent<K, V, S> {
    /// At least two entries.
    pub fn new(capacity: usize) -> Recent<K, V, S> {
        Recent { young: HashMap::default(), old: HashMap::default(), capacity: capacity.max(2), forgotten: 0 }
    }

    /// The entry of `key`, made by `make` if there is none. Counts as use.
    pub fn entry(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        if self.young.contains_key(&key) {
            return self.young.entry(key).or_insert_with(make);
        }
        self.renew(key, make)
    }

    /// The same for a key that is needed afterwards.
    pub fn entry_of(&mut self, key: &K, make: impl FnOnce() -> V) -> &mut V
    where
        K: Clone,
    {
        if !self.young.contains_key(key) {
            self.renew(key.clone(), make);
        }
        self.young.get_mut(key).expect("it is young, or has just become so")
    }

    /// Makes an entry young that is not.
    fn renew(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        if self.young.len() >= self.capacity / 2 {
            let kept = self.old.remove_entry(&key);
            self.forgotten += self.old.len() as u64;
            self.old = std::mem::take(&mut self.young);
            self.young.extend(kept);
        }
        let from_old = self.old.remove(&key);
        self.young.entry(key).or_insert_with(|| from_old.unwrap_or_else(make))
    }

    /// Looks without use.
    pub fn peek(&self, key: &K) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    /// In no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.old.iter().chain(&self.young)
    }

    /// In no particular order; not a use.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.old.iter_mut().chain(&mut self.young)
    }

    /// Entries dropped for room.
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    pub fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        self.young.retain(&mut keep);
        self.old.retain(&mut keep);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_is_used_and_stays_bounded() {
        let mut map: Recent<_, _> = Recent::new(100);
        for number in 0..1_000 {
            *map.entry(number, || 0) += 1;
            *map.entry(-1, || 0) += 1;
            assert!(map.iter().count() <= 101);
        }
        assert_eq!(map.peek(&-1), Some(&1_000));
        assert_eq!(map.peek(&999), Some(&1));
        assert_eq!(map.peek(&5), None);
        assert_eq!(map.forgotten() + map.iter().count() as u64, 1_001);
    }
}
