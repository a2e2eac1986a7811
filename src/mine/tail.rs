//! What the tails of lines were read as, by their shape: the tail of a line, from its tag on, with every word that has a
//! digit looking alike. Finer than `shape` is of the message in it: tails of one shape hold messages of one shape. Must
//! not know what the answers mean, or when one holds for all tails of a shape (`parse` does).

use std::num::NonZeroU64;

use super::hash::Keys;
use super::shape::{NUMBER_WITHIN, Shape};
use super::table::Table;

/// Longest tail that has a shape. Far less than what a miner looks at of a message.
pub const TAIL_MAX: usize = 4_096;

/// Numbers of the caller's by the shape of a tail, for a bounded number of shapes.
#[derive(Debug)]
pub struct Tails {
    keys: Keys,
    table: Table,
}

impl Tails {
    /// The first word with a digit is told to be a number or not where it begins in front of this many bytes.
    pub const NUMBER_WITHIN: usize = NUMBER_WITHIN;

    /// `seed` keys the shapes; it must be that of [`super::Prepared`]. Room for `capacity` shapes, 16 bytes each.
    pub fn new(capacity: usize, seed: u64) -> Tails {
        Tails { keys: Keys::new(seed), table: Table::new(capacity) }
    }

    /// What was put for this shape in this context.
    #[inline]
    pub fn get(&mut self, shape: NonZeroU64, context: u64) -> Option<u32> {
        self.table.get(self.keys.join(shape.get(), context))
    }

    /// Remembers a number, below `u32::MAX`, for a shape that is not there.
    pub fn put(&mut self, shape: NonZeroU64, context: u64, number: u32) {
        self.table.put(self.keys.join(shape.get(), context), number);
    }
}

/// The key of a tail of this shape; `None` where it has none: it is not ASCII, or has a word that is too long.
#[inline(always)]
pub fn tail_shape(shape: Shape, keys: &Keys) -> Option<NonZeroU64> {
    if !shape.is_ascii || shape.has_long_word {
        return None;
    }
    // One bit in 64 is not missed.
    NonZeroU64::new(keys.join(shape.hash, u64::from(shape.begins_with_number)) | 1)
}
