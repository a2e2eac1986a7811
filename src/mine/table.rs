//! Remembers which template a shape has, for a bounded number of shapes. Must not grow with the input: what was not
//! asked for lately gives way.

/// Shapes that share one cache line.
const WAYS: usize = 4;

/// Shape to number, set-associative, second chance inside a set.
#[derive(Debug)]
pub struct Table {
    sets: Vec<[Entry; WAYS]>,
    len: usize,
    evicted: u64,
    /// Which way gives way when all of a set were asked for lately.
    turn: u32,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    shape: u64,
    number: u32,
    /// Asked for since the set was last searched for a victim. Empty entries are [`Entry::EMPTY`].
    asked: u32,
}

impl Entry {
    const EMPTY: Entry = Entry { shape: 0, number: u32::MAX, asked: 0 };

    fn is_empty(&self) -> bool {
        self.number == u32::MAX
    }
}

impl Table {
    /// Room for `capacity` shapes, rounded up to a power of two. 16 bytes each, taken at once.
    pub fn new(capacity: usize) -> Table {
        let sets = capacity.div_ceil(WAYS).max(1).next_power_of_two();
        Table { sets: vec![[Entry::EMPTY; WAYS]; sets], len: 0, evicted: 0, turn: 0 }
    }

    /// The number of a shape.
    #[inline]
    pub fn get(&mut self, shape: u64) -> Option<u32> {
        let index = self.index(shape);
        let entry = self.sets.get_mut(index)?.iter_mut().find(|entry| entry.shape == shape && !entry.is_empty())?;
        entry.asked = 1;
        Some(entry.number)
    }

    /// Remembers a shape that is not there. `number` must be below `u32::MAX`.
    pub fn put(&mut self, shape: u64, number: u32) {
        let index = self.index(shape);
        self.turn = self.turn.wrapping_add(1);
        let turn = self.turn as usize % WAYS;
        let Some(set) = self.sets.get_mut(index) else { return };
        let victim = match set.iter().position(Entry::is_empty) {
            Some(free) => {
                self.len += 1;
                free
            }
            None => {
                self.evicted += 1;
                let idle = (0..WAYS)
                    .map(|way| (way + turn) % WAYS)
                    .find(|way| set.get(*way).is_some_and(|entry| entry.asked == 0));
                if idle.is_none() {
                    set.iter_mut().for_each(|entry| entry.asked = 0);
                }
                idle.unwrap_or(turn)
            }
        };
        if let Some(entry) = set.get_mut(victim) {
            *entry = Entry { shape, number, asked: 0 };
        }
    }

    /// Shapes remembered.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Shapes that gave way so far.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    #[inline]
    fn index(&self, shape: u64) -> usize {
        // The upper half: the lower one picks bits of the key in other tables.
        (shape >> 32) as usize & (self.sets.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_is_asked_for() {
        let mut table = Table::new(1024);
        let spread = |number: u64| number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for hot in 0..256 {
            table.put(spread(hot), hot as u32);
        }
        let mut lost = 0;
        for cold in 1_000..100_000_u64 {
            table.put(spread(cold), 7);
            let hot = cold % 256;
            if table.get(spread(hot)).is_none() {
                lost += 1;
                table.put(spread(hot), hot as u32);
            }
        }
        assert!(lost < 1_000, "{lost} of 99,000 look-ups of 256 hot shapes missed");
        assert!(table.len() <= 1024);
        assert!(table.evicted() > 90_000);
    }

    #[test]
    fn shape_zero_is_a_shape() {
        let mut table = Table::new(4);
        assert_eq!(table.get(0), None);
        table.put(0, 3);
        assert_eq!(table.get(0), Some(3));
    }
}
