//! Rows that wait on disk until every incident has its last word, in the order of their lines.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use anyhow::Context;

use crate::model::{Fingerprint, Level, TemplateId, Timestamp};
use crate::pipeline::Shown;

use super::chunk::Chunk;
use super::spool::nameless;

/// One line that may become a row.
#[derive(Clone, PartialEq, Debug)]
pub struct Draft {
    /// Where the line stands among all lines: number of its chunk, and its place there.
    pub place: (u64, u32),
    pub origin: Arc<str>,
    pub offset: u64,
    pub line_number: u64,
    pub time: Timestamp,
    pub program: Arc<str>,
    /// As the line says it.
    pub level: Option<Level>,
    pub template: TemplateId,
    pub incident: Fingerprint,
    /// Names of the columns of a table. Plain lines have none, and their message for a cell.
    pub columns: Option<Arc<Vec<String>>>,
    pub cells: Vec<String>,
}

impl Draft {
    /// The line at `index` of the chunk with this number, which belongs to `incident`.
    pub fn new(
        chunk: &Chunk,
        number: u64,
        index: usize,
        time: Timestamp,
        shown: &Shown,
        incident: Fingerprint,
    ) -> Draft {
        let cells = chunk.cells(index);
        let names = chunk.table.as_ref().filter(|_| cells.is_some()).map(|table| Arc::clone(&table.columns.names));
        Draft {
            place: (number, u32::try_from(index).unwrap_or(u32::MAX)),
            origin: Arc::clone(&chunk.block.origin.name),
            offset: chunk.block.spans.get(index).map_or(0, |span| span.offset),
            line_number: chunk.number(index),
            time,
            program: Arc::clone(&shown.kind.program),
            level: shown.level,
            template: shown.kind.template,
            incident,
            columns: names,
            cells: cells.unwrap_or_else(|| vec![shown.message.clone()]),
        }
    }

    /// Its level in words; empty when the line has none.
    pub fn level_word(&self) -> &'static str {
        self.level.map_or("", Level::as_str)
    }
}

/// Drafts on disk. In our own words rather than JSON: a busy log has a row for every tenth line.
pub struct Rows {
    out: BufWriter<File>,
    buffer: Vec<u8>,
    /// Tables so far, by their names of columns.
    tables: Vec<Arc<Vec<String>>>,
}

impl Rows {
    pub fn new() -> anyhow::Result<Rows> {
        Ok(Rows { out: BufWriter::new(nameless()?), buffer: Vec::new(), tables: Vec::new() })
    }

    pub fn push(&mut self, draft: &Draft) -> anyhow::Result<()> {
        let table = draft.columns.as_ref().map_or(0, |columns| self.table(columns));
        let level = draft.level.map_or(u64::MAX, |level| level as u64);
        let numbers = [
            draft.place.0,
            u64::from(draft.place.1),
            draft.offset,
            draft.line_number,
            draft.time.as_micros().cast_unsigned(),
            level,
            draft.template.0,
            draft.incident.0,
            table,
        ];
        self.buffer.clear();
        for number in numbers {
            self.buffer.extend_from_slice(&number.to_le_bytes());
        }
        for text in [&*draft.origin, &*draft.program].into_iter().chain(draft.cells.iter().map(String::as_str)) {
            self.buffer.extend_from_slice(&(text.len() as u64).to_le_bytes());
            self.buffer.extend_from_slice(text.as_bytes());
        }
        let length = (self.buffer.len() as u64).to_le_bytes();
        let written = self.out.write_all(&length).and_then(|()| self.out.write_all(&self.buffer));
        written.context("cannot write a temporary file; is the disk full?")
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
        let (origin, program) = (Arc::from(""), Arc::from(""));
        Ok(Reading { input: BufReader::new(file), buffer: Vec::new(), tables: self.tables.clone(), origin, program })
    }

    /// Number of a table, from 1.
    fn table(&mut self, columns: &Arc<Vec<String>>) -> u64 {
        let place = self.tables.iter().rposition(|known| Arc::ptr_eq(known, columns) || known == columns);
        let place = place.unwrap_or_else(|| {
            self.tables.push(Arc::clone(columns));
            self.tables.len() - 1
        });
        place as u64 + 1
    }
}

/// Drafts coming back.
pub struct Reading {
    input: BufReader<File>,
    buffer: Vec<u8>,
    tables: Vec<Arc<Vec<String>>>,
    /// Of the draft before: mostly the next one has the same.
    origin: Arc<str>,
    program: Arc<str>,
}

impl Reading {
    pub fn next(&mut self) -> anyhow::Result<Option<Draft>> {
        let mut length = [0; 8];
        match self.input.read_exact(&mut length) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read.context("cannot read a temporary file back")?,
        }
        self.buffer.clear();
        let length = u64::from_le_bytes(length);
        (&mut self.input).take(length).read_to_end(&mut self.buffer).context("cannot read a temporary file back")?;
        self.draft().map(Some).context("a temporary file was damaged")
    }

    fn draft(&mut self) -> Option<Draft> {
        let mut rest = &*self.buffer;
        let mut numbers = [0; 9];
        for place in &mut numbers {
            *place = number(&mut rest)?;
        }
        let [chunk, index, offset, line_number, time, level, template, incident, table] = numbers;
        for known in [&mut self.origin, &mut self.program] {
            let name = text(&mut rest)?;
            if *name != **known {
                *known = Arc::from(name);
            }
        }
        let mut cells = Vec::new();
        while !rest.is_empty() {
            cells.push(text(&mut rest)?.to_owned());
        }
        let table = usize::try_from(table).ok()?.checked_sub(1);
        Some(Draft {
            place: (chunk, u32::try_from(index).ok()?),
            origin: Arc::clone(&self.origin),
            offset,
            line_number,
            time: Timestamp::from_micros(time.cast_signed()),
            program: Arc::clone(&self.program),
            level: u8::try_from(level).ok().and_then(Level::from_number),
            template: TemplateId(template),
            incident: Fingerprint(incident),
            columns: table.and_then(|table| self.tables.get(table).cloned()),
            cells,
        })
    }
}

fn number(rest: &mut &[u8]) -> Option<u64> {
    let (bytes, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(u64::from_le_bytes(*bytes))
}

fn text<'b>(rest: &mut &'b [u8]) -> Option<&'b str> {
    let length = usize::try_from(number(rest)?).ok()?;
    let (text, behind) = rest.split_at_checked(length)?;
    *rest = behind;
    std::str::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drafts_come_back_as_they_were() {
        let columns = Arc::new(vec!["a".to_owned(), "b".to_owned()]);
        let draft = |place: u64, level, columns: Option<&Arc<Vec<String>>>, cells: &[&str]| Draft {
            place: (place, 7),
            origin: format!("in{place}").into(),
            offset: 5,
            line_number: u64::MAX,
            time: Timestamp::from_seconds(-1),
            program: "sshd".into(),
            level,
            template: TemplateId(3),
            incident: Fingerprint(u64::MAX),
            columns: columns.cloned(),
            cells: cells.iter().map(|cell| (*cell).to_owned()).collect(),
        };
        let drafts = [
            draft(0, None, None, &["a message"]),
            draft(1, Some(Level::Emerg), Some(&columns), &["", "\u{1b}[2J\n"]),
            draft(1, Some(Level::Debug), Some(&columns), &["x", ""]),
        ];
        let mut rows = Rows::new().expect("a file");
        for draft in &drafts {
            rows.push(draft).expect("written");
        }
        for _ in 0..2 {
            let mut reading = rows.read().expect("read");
            for draft in &drafts {
                assert_eq!(reading.next().expect("read").as_ref(), Some(draft));
            }
            assert_eq!(reading.next().expect("read"), None);
        }
    }
}
