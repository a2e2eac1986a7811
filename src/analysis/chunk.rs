//! A block of lines with what a report needs to name them again: line numbers, and the cells of a table.

use std::ops::Range;
use std::sync::Arc;

use crate::model::LineBlock;

use super::table::Columns;

/// Longest line shown beside another one.
const TEXT_BYTES: usize = 300;

/// One read's worth of one input.
#[derive(Debug)]
pub struct Chunk {
    pub block: LineBlock,
    pub numbers: Numbers,
    /// The records the lines were made of, when the input is a table.
    pub table: Option<Table>,
}

/// Line numbers, from 1 in each input.
#[derive(Debug)]
pub enum Numbers {
    /// One after the other, beginning here.
    From(u64),
    /// Of each line: records of a table and entries of a journal span several.
    Each(Vec<u64>),
}

/// The records of a chunk, one a line.
#[derive(Debug)]
pub struct Table {
    pub columns: Arc<Columns>,
    pub bytes: Vec<u8>,
    pub records: Vec<Range<usize>>,
}

impl Chunk {
    pub fn number(&self, index: usize) -> u64 {
        match &self.numbers {
            Numbers::From(first) => first.saturating_add(index as u64),
            Numbers::Each(numbers) => numbers.get(index).copied().unwrap_or_default(),
        }
    }

    /// The cells of the record behind a line, one for each column of its table.
    pub fn cells(&self, index: usize) -> Option<Vec<String>> {
        let table = self.table.as_ref()?;
        let record = table.bytes.get(table.records.get(index)?.clone())?;
        Some(table.columns.cells(record))
    }

    /// A line as it stands in the input, to be shown beside another one.
    pub fn text(&self, index: usize) -> Option<String> {
        let bytes = match &self.table {
            Some(table) => table.bytes.get(table.records.get(index)?.clone())?,
            None => {
                let span = self.block.spans.get(index)?;
                self.block.bytes.get(span.start as usize..span.end as usize)?
            }
        };
        Some(
            crate::model::clip(&String::from_utf8_lossy(bytes.get(..TEXT_BYTES).unwrap_or(bytes)), TEXT_BYTES)
                .to_owned(),
        )
    }

    /// Which line begins at this offset of its stream.
    pub fn index_of(&self, offset: u64) -> Option<usize> {
        self.block.spans.binary_search_by_key(&offset, |span| span.offset).ok()
    }
}
