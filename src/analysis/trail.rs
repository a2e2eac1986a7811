//! Which line was of which kind, for every line that passed: a few bytes each, on disk, so that a second pass knows without
//! parsing which lines it wants. Decides nothing.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};

use anyhow::Context;

use crate::model::{Fingerprint, Timestamp};

use super::spool::nameless;

/// One line that passed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    /// Its place in its chunk.
    pub index: u32,
    /// Number of its kind.
    pub kind: u32,
    pub time: Timestamp,
    pub fate: Fate,
}

/// What became of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// Nobody spoke of it.
    Passed,
    /// It has a row.
    Row,
    /// It belongs to this incident, which mattered too little at the time.
    Perhaps(Fingerprint),
}

/// The lines of all chunks, one after the other.
pub struct Trail {
    out: BufWriter<File>,
    buffer: Vec<u8>,
    last: Timestamp,
}

impl Trail {
    pub fn new() -> anyhow::Result<Trail> {
        Ok(Trail { out: BufWriter::new(nameless()?), buffer: Vec::new(), last: Timestamp::EPOCH })
    }

    /// The lines of one chunk that passed, in order.
    pub fn push(&mut self, steps: &[Step]) -> anyhow::Result<()> {
        self.buffer.clear();
        put(&mut self.buffer, steps.len() as u64);
        let mut next = 0;
        for step in steps {
            let (fate, id) = match step.fate {
                Fate::Passed => (0, None),
                Fate::Row => (1, None),
                Fate::Perhaps(id) => (2, Some(id)),
            };
            put(&mut self.buffer, u64::from(step.index.wrapping_sub(next)) << 2 | fate);
            next = step.index.wrapping_add(1);
            put(&mut self.buffer, u64::from(step.kind));
            let delta = step.time.as_micros().wrapping_sub(self.last.as_micros());
            put(&mut self.buffer, (delta << 1 ^ delta >> 63).cast_unsigned());
            self.last = step.time;
            if let Some(id) = id {
                self.buffer.extend_from_slice(&id.0.to_le_bytes());
            }
        }
        self.out.write_all(&self.buffer).context("cannot write a temporary file; is the disk full?")
    }

    /// From the first chunk. Nothing may be pushed meanwhile.
    pub fn read(&mut self) -> anyhow::Result<Reading> {
        let again = |out: &mut BufWriter<File>| {
            out.flush()?;
            let mut file = out.get_ref().try_clone()?;
            file.seek(SeekFrom::Start(0))?;
            io::Result::Ok(file)
        };
        let file = again(&mut self.out).context("cannot read a temporary file back")?;
        Ok(Reading { input: BufReader::new(file), last: Timestamp::EPOCH })
    }
}

/// The lines coming back.
pub struct Reading {
    input: BufReader<File>,
    last: Timestamp,
}

impl Reading {
    /// The lines of the next chunk; `false` behind the last one.
    pub fn next(&mut self, steps: &mut Vec<Step>) -> anyhow::Result<bool> {
        steps.clear();
        if self.input.fill_buf().context("cannot read a temporary file back")?.is_empty() {
            return Ok(false);
        }
        self.chunk(steps).context("a temporary file was damaged")?;
        Ok(true)
    }

    fn chunk(&mut self, steps: &mut Vec<Step>) -> io::Result<()> {
        let mut next = 0u32;
        for _ in 0..self.number()? {
            let first = self.number()?;
            let index = next.wrapping_add((first >> 2) as u32);
            next = index.wrapping_add(1);
            let kind = self.number()? as u32;
            let delta = self.number()?;
            let delta = (delta >> 1).cast_signed() ^ -((delta & 1).cast_signed());
            self.last = Timestamp::from_micros(self.last.as_micros().wrapping_add(delta));
            let fate = match first & 3 {
                0 => Fate::Passed,
                1 => Fate::Row,
                _ => {
                    let mut id = [0; 8];
                    self.input.read_exact(&mut id)?;
                    Fate::Perhaps(Fingerprint(u64::from_le_bytes(id)))
                }
            };
            steps.push(Step { index, kind, time: self.last, fate });
        }
        Ok(())
    }

    fn number(&mut self) -> io::Result<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let buffer = self.input.fill_buf()?;
            let byte = *buffer.first().ok_or(io::ErrorKind::UnexpectedEof)?;
            self.input.consume(1);
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        Ok(number)
    }
}

/// Seven bits a byte, the lowest first.
pub fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_written_comes_back(
            chunks in proptest::collection::vec(
                proptest::collection::btree_map(any::<u32>(), (any::<u32>(), any::<i64>(), any::<Option<Option<u64>>>()), 0..9),
                0..5,
            ),
        ) {
            let chunks: Vec<Vec<Step>> = chunks
                .into_iter()
                .map(|chunk| {
                    let step = |(index, (kind, time, fate)): (u32, (u32, i64, Option<Option<u64>>))| {
                        let fate = match fate {
                            None => Fate::Passed,
                            Some(None) => Fate::Row,
                            Some(Some(id)) => Fate::Perhaps(Fingerprint(id)),
                        };
                        Step { index, kind, time: Timestamp::from_micros(time), fate }
                    };
                    chunk.into_iter().map(step).collect()
                })
                .collect();
            let mut trail = Trail::new().expect("a file");
            for chunk in &chunks {
                trail.push(chunk).expect("written");
            }
            let mut reading = trail.read().expect("read");
            let mut steps = Vec::new();
            for chunk in &chunks {
                prop_assert!(reading.next(&mut steps).expect("read"));
                prop_assert_eq!(&steps, chunk);
            }
            prop_assert!(!reading.next(&mut steps).expect("read"));
        }
    }
}
