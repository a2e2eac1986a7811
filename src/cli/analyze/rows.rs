//! Rows that wait on disk until every incident has its last word, in the order of their lines.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::sync::Arc;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::model::{Fingerprint, KindId, TemplateId, Timestamp};
use crate::pipeline::Shown;

use super::chunk::Chunk;
use super::spool::nameless;

/// One line that may become a row.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Draft {
    /// Where the line stands among all lines: number of its chunk, and its place there.
    pub place: (u64, u32),
    /// Which input.
    pub input: usize,
    pub origin: Arc<str>,
    pub offset: u64,
    pub line_number: u64,
    pub time: Timestamp,
    pub host: Arc<str>,
    pub program: Arc<str>,
    /// The level's word; empty when the line has none.
    pub level: String,
    pub kind: KindId,
    pub template: TemplateId,
    pub incident: Option<Fingerprint>,
    /// Names of the columns of a table, and its cells. Plain lines have a message instead.
    pub columns: Option<Arc<Vec<String>>>,
    pub cells: Vec<String>,
}

impl Draft {
    pub fn new(
        chunk: &Chunk,
        number: u64,
        input: usize,
        index: usize,
        time: Timestamp,
        shown: &Shown,
        incident: Option<Fingerprint>,
    ) -> Draft {
        let cells = chunk.cells(index);
        let offset = chunk.block.spans.get(index).map_or(0, |span| span.offset);
        Draft {
            place: (number, u32::try_from(index).unwrap_or(u32::MAX)),
            input,
            origin: Arc::clone(&chunk.block.origin.name),
            offset,
            line_number: chunk.number(index),
            time,
            host: Arc::clone(&shown.host),
            program: Arc::clone(&shown.kind.program),
            level: shown.level.map_or("", |level| level.as_str()).to_owned(),
            kind: shown.kind_id,
            template: shown.kind.template,
            incident,
            columns: cells
                .is_some()
                .then(|| chunk.table.as_ref().map(|table| Arc::clone(&table.columns.names)))
                .flatten(),
            cells: cells.unwrap_or_else(|| vec![shown.message.clone()]),
        }
    }

    /// The message of a plain line, or the whole record of a table.
    pub fn message(&self) -> &str {
        self.cells.iter().max_by_key(|cell| cell.len()).map_or("", String::as_str)
    }

    /// Memory it takes, roughly.
    pub fn bytes(&self) -> usize {
        200 + self.cells.iter().map(|cell| cell.len() + 24).sum::<usize>()
    }
}

/// Drafts on disk.
pub struct Rows {
    out: BufWriter<File>,
    count: u64,
}

impl Rows {
    pub fn new() -> anyhow::Result<Rows> {
        Ok(Rows { out: BufWriter::new(nameless()?), count: 0 })
    }

    pub fn push(&mut self, draft: &Draft) -> anyhow::Result<()> {
        let write = |out: &mut BufWriter<File>| {
            serde_json::to_writer(&mut *out, draft)?;
            out.write_all(b"\n")
        };
        write(&mut self.out).context("cannot write a temporary file; is the disk full?")?;
        self.count += 1;
        Ok(())
    }

    /// From the first one. Nothing may be pushed meanwhile.
    pub fn read(&mut self) -> anyhow::Result<Reading> {
        let again = |out: &mut BufWriter<File>| {
            out.flush()?;
            let mut file = out.get_ref().try_clone()?;
            file.seek(SeekFrom::Start(0))?;
            io::Result::Ok(file)
        };
        let file = again(&mut self.out).context("cannot read a temporary file back")?;
        Ok(Reading { input: BufReader::new(file), line: Vec::new() })
    }
}

/// Drafts coming back.
pub struct Reading {
    input: BufReader<File>,
    line: Vec<u8>,
}

impl Reading {
    pub fn next(&mut self) -> anyhow::Result<Option<Draft>> {
        self.line.clear();
        let length = self.input.read_until(b'\n', &mut self.line).context("cannot read a temporary file back")?;
        if length == 0 {
            return Ok(None);
        }
        serde_json::from_slice(&self.line).map(Some).context("a temporary file was damaged")
    }
}
