//! Rows that wait on disk until every incident has its last word, in the order of their lines.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use anyhow::Context;

use crate::model::{Fingerprint, Level, TemplateId, Timestamp};
use crate::pipeline::Shown;

use super::chunk::Chunk;
use super::spool::nameless;

/// Bytes read and written at a time.
const BUFFER_BYTES: usize = 64 << 10;

/// One line that may become a row. A view: of the line while it passes, of the file when it comes back.
#[derive(Clone, PartialEq, Debug)]
pub struct Draft<'a> {
    /// Where the line stands among all lines: number of its chunk, and its place there.
    pub place: Place,
    pub origin: &'a str,
    pub offset: u64,
    pub line_number: u64,
    pub time: Timestamp,
    pub program: &'a str,
    /// As the line says it.
    pub level: Option<Level>,
    pub template: TemplateId,
    pub incident: Fingerprint,
    /// Names of the columns of a table. Plain lines have none, and their message for a cell.
    pub columns: Option<&'a Arc<Vec<String>>>,
    pub cells: Vec<Cow<'a, str>>,
}

/// Number of a chunk, and of a line in it.
pub type Place = (u64, u32);

impl<'a> Draft<'a> {
    /// The line at `index` of the chunk with this number, which belongs to `incident`.
    pub fn new(
        chunk: &'a Chunk,
        number: u64,
        index: usize,
        time: Timestamp,
        shown: &'a Shown,
        incident: Fingerprint,
    ) -> Draft<'a> {
        let cells: Option<Vec<Cow<'a, str>>> =
            chunk.cells(index).map(|cells| cells.into_iter().map(Cow::Owned).collect());
        let columns = chunk.table.as_ref().filter(|_| cells.is_some()).map(|table| &table.columns.names);
        Draft {
            place: (number, u32::try_from(index).unwrap_or(u32::MAX)),
            origin: &chunk.block.origin.name,
            offset: chunk.block.spans.get(index).map_or(0, |span| span.offset),
            line_number: chunk.number(index),
            time,
            program: &shown.kind.program,
            level: shown.level,
            template: shown.kind.template,
            incident,
            columns,
            cells: cells.unwrap_or_else(|| vec![Cow::Borrowed(&*shown.message)]),
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
        let out = BufWriter::with_capacity(BUFFER_BYTES, nameless()?);
        Ok(Rows { out, buffer: Vec::new(), tables: Vec::new() })
    }

    pub fn push(&mut self, draft: &Draft<'_>) -> anyhow::Result<()> {
        let table = draft.columns.map_or(0, |columns| self.table(columns));
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
        for text in [draft.origin, draft.program].into_iter().chain(draft.cells.iter().map(|cell| &**cell)) {
            self.buffer.extend_from_slice(&(text.len() as u64).to_le_bytes());
            self.buffer.extend_from_slice(text.as_bytes());
        }
        let length = (self.buffer.len() as u64).to_le_bytes();
        let written = self.out.write_all(&length).and_then(|()| self.out.write_all(&self.buffer));
        written.context("cannot write a temporary file; is the disk full?")
    }

    /// Before the first one. Nothing may be pushed meanwhile.
    pub fn read(&mut self) -> anyhow::Result<Reading> {
        let again = |out: &mut BufWriter<File>| {
            out.flush()?;
            let mut file = out.get_ref().try_clone()?;
            file.seek(SeekFrom::Start(0))?;
            io::Result::Ok(file)
        };
        let file = again(&mut self.out).context("cannot read a temporary file back")?;
        let input = BufReader::with_capacity(BUFFER_BYTES, file);
        Ok(Reading { input, buffer: Vec::new(), tables: self.tables.clone() })
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
    /// The current one.
    buffer: Vec<u8>,
    tables: Vec<Arc<Vec<String>>>,
}

impl Reading {
    /// Goes on to the next draft and says where its line stands; `None` behind the last one.
    pub fn advance(&mut self) -> anyhow::Result<Option<Place>> {
        let mut length = [0; 8];
        match self.input.read_exact(&mut length) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read.context("cannot read a temporary file back")?,
        }
        self.buffer.clear();
        let length = u64::from_le_bytes(length);
        (&mut self.input).take(length).read_to_end(&mut self.buffer).context("cannot read a temporary file back")?;
        Ok(Some(self.draft()?.place))
    }

    /// The current one.
    pub fn draft(&self) -> anyhow::Result<Draft<'_>> {
        self.parsed().context("a temporary file was damaged")
    }

    fn parsed(&self) -> Option<Draft<'_>> {
        let mut rest = &*self.buffer;
        let mut numbers = [0; 9];
        for place in &mut numbers {
            *place = number(&mut rest)?;
        }
        let [chunk, index, offset, line_number, time, level, template, incident, table] = numbers;
        let (origin, program) = (text(&mut rest)?, text(&mut rest)?);
        let mut cells = Vec::new();
        while !rest.is_empty() {
            cells.push(Cow::Borrowed(text(&mut rest)?));
        }
        let table = usize::try_from(table).ok()?.checked_sub(1);
        Some(Draft {
            place: (chunk, u32::try_from(index).ok()?),
            origin,
            offset,
            line_number,
            time: Timestamp::from_micros(time.cast_signed()),
            program,
            level: u8::try_from(level).ok().and_then(Level::from_number),
            template: TemplateId(template),
            incident: Fingerprint(incident),
            columns: table.and_then(|table| self.tables.get(table)),
            cells,
        })
    }
}

/// The drafts of two passes in the order of their lines. Where both have a line, the first pass does.
pub struct Both {
    passes: [(Reading, Option<Place>); 2],
}

impl Both {
    pub fn new(mut first: Reading, mut second: Reading) -> anyhow::Result<Both> {
        let places = (first.advance()?, second.advance()?);
        Ok(Both { passes: [(first, places.0), (second, places.1)] })
    }

    /// Gives each draft, in order, to `each`.
    pub fn each(self, mut each: impl FnMut(Draft<'_>) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let [(mut first, mut at), (mut second, mut also)] = self.passes;
        loop {
            let is_second = match (at, also) {
                (None, None) => return Ok(()),
                (Some(at), Some(also)) => also < at,
                (None, Some(_)) => true,
                (Some(_), None) => false,
            };
            if is_second {
                each(second.draft()?)?;
                also = second.advance()?;
            } else {
                each(first.draft()?)?;
                if also == at {
                    also = second.advance()?;
                }
                at = first.advance()?;
            }
        }
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

    fn draft<'a>(
        place: Place,
        level: Option<Level>,
        columns: Option<&'a Arc<Vec<String>>>,
        cells: &[&'a str],
    ) -> Draft<'a> {
        Draft {
            place,
            origin: "in",
            offset: 5,
            line_number: u64::MAX,
            time: Timestamp::from_seconds(-1),
            program: "sshd",
            level,
            template: TemplateId(3),
            incident: Fingerprint(u64::MAX),
            columns,
            cells: cells.iter().map(|cell| Cow::Borrowed(*cell)).collect(),
        }
    }

    #[test]
    fn drafts_come_back_as_they_were() {
        let columns = Arc::new(vec!["a".to_owned(), "b".to_owned()]);
        let drafts = [
            draft((0, 7), None, None, &["a message"]),
            draft((1, 7), Some(Level::Emerg), Some(&columns), &["", "\u{1b}[2J\n"]),
            draft((1, 8), Some(Level::Debug), Some(&columns), &["x", ""]),
        ];
        let mut rows = Rows::new().expect("a file");
        for draft in &drafts {
            rows.push(draft).expect("written");
        }
        for _ in 0..2 {
            let mut reading = rows.read().expect("read");
            for draft in &drafts {
                assert_eq!(reading.advance().expect("read"), Some(draft.place));
                assert_eq!(reading.draft().expect("read"), *draft);
            }
            assert_eq!(reading.advance().expect("read"), None);
        }
    }

    #[test]
    fn two_passes_meet_in_the_order_of_lines() {
        let pass = |name: &str, places: &[Place]| {
            let mut rows = Rows::new().expect("a file");
            for place in places {
                rows.push(&draft(*place, None, None, &[name])).expect("written");
            }
            rows.read().expect("read")
        };
        let first = pass("first", &[(0, 5), (1, 2), (1, 3)]);
        let second = pass("second", &[(0, 1), (1, 2), (1, 4), (7, 0)]);
        let mut found = Vec::new();
        let both = Both::new(first, second).expect("read");
        both.each(|draft| {
            found.push((draft.place, draft.cells.concat()));
            Ok(())
        })
        .expect("read");
        let expected =
            [(0, 1, "second"), (0, 5, "first"), (1, 2, "first"), (1, 3, "first"), (1, 4, "second"), (7, 0, "second")];
        assert_eq!(found, expected.map(|(chunk, line, pass)| ((chunk, line), pass.to_owned())));
    }
}
