//! Lines that begin like those before them, and go on in a shape that was seen: what such a line was read as, and which
//! kind it was. For a bounded number of shapes. Counts nothing; decides nothing about a line.

use std::num::NonZeroU64;

use crate::mine::{Part, Prepared, Tails};
use crate::model::LineBlock;
use crate::parse::{Front, Plan, Reading};

/// Shapes remembered at most, over all sources; with all there is to a shape about 1 MB.
const MAX_TAILS: usize = 32_768;

/// What is known by shape.
#[derive(Debug)]
pub struct Memory {
    seed: u64,
    /// The lines of the block at hand.
    prepared: Prepared,
    /// Where in `known`, by the shape of a tail.
    tails: Tails,
    known: Vec<Known>,
    /// Tests compare with a pipeline that remembers nothing.
    #[cfg(test)]
    pub off: bool,
}

/// What all lines of one source with one front and one shape are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Known {
    pub reading: Reading,
    /// Index of their kind; `None` while all of them were copies of another source's.
    pub kind: Option<u32>,
}

/// The shape of a line, and all that its meaning depends on beside it.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    shape: NonZeroU64,
    context: u64,
}

/// Where something is remembered, until something else is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PlaceInMemory(u32);

impl Memory {
    pub fn new(seed: u64) -> Memory {
        Memory {
            seed,
            prepared: Prepared::new(seed),
            tails: Tails::new(MAX_TAILS, seed),
            known: Vec::new(),
            #[cfg(test)]
            off: false,
        }
    }

    /// Looks at a block, whose lines are to be parsed by `plan`.
    pub fn prepare(&mut self, block: &LineBlock, plan: &mut Plan) {
        let useful = plan.has_fronts() && !self.is_off();
        // Nothing is said about the lines of a block that is not looked at.
        let bytes = if useful { block.bytes.as_slice() } else { &[] };
        let spans = block.spans.iter().filter(|_| useful).map(|span| (span.start, span.end));
        self.prepared.read_spans(bytes, spans, |line| plan.tail_at(line).map(Part::tail));
    }

    #[cfg(not(test))]
    fn is_off(&self) -> bool {
        false
    }

    #[cfg(test)]
    fn is_off(&self) -> bool {
        self.off
    }

    /// The key of the `number`th line of the block that was prepared last; `None` where its tail has no shape.
    #[inline]
    pub fn key(&mut self, block: &LineBlock, number: usize, front: &Front, source: u32) -> Option<Key> {
        let line = *self.prepared.lines().get(number)?;
        let part = Part::tail(front.end);
        let shape = if line.part == part { line.shape? } else { self.prepared.shape(&block.bytes, &line, part)? };
        // The context differs in its lower half where it differs.
        Some(Key { shape, context: front.context ^ u64::from(source) << 32 })
    }

    #[inline]
    pub fn find(&mut self, key: Key) -> Option<(PlaceInMemory, Known)> {
        let place = self.tails.get(key.shape, key.context)?;
        Some((PlaceInMemory(place), *self.known.get(place as usize)?))
    }

    /// Remembers what is not known.
    pub fn put(&mut self, key: Key, known: Known) {
        if self.known.len() >= MAX_TAILS {
            // What was forgotten one by one still takes room.
            self.tails = Tails::new(MAX_TAILS, self.seed);
            self.known.clear();
        }
        self.tails.put(key.shape, key.context, self.known.len() as u32);
        self.known.push(known);
    }

    /// The kind of lines that were copies until now.
    pub fn name(&mut self, place: PlaceInMemory, kind: u32) {
        if let Some(known) = self.known.get_mut(place.0 as usize) {
            known.kind = Some(kind);
        }
    }
}
