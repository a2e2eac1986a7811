//! Tables of log lines: CSV and its cousins. Finds delimiter and columns by the header, gives each record to the parser as
//! one structured line, and keeps its cells. A quote that is never closed costs its line, not the rest of the file.

use std::io::{self, BufRead, Read};
use std::ops::Range;
use std::sync::Arc;

use crate::model::{LineBlock, LineSpan, Origin, Phase};
use crate::source::MAX_LINE_BYTES;

use super::chunk::{Chunk, Numbers, Table};
use super::text::BLOCK_BYTES;

const DELIMITERS: [u8; 4] = [b',', b'\t', b';', b'|'];
/// A quoted cell that spans more than this is a quote that somebody forgot.
const QUOTED_LINES: usize = 1_000;
const QUOTED_BYTES: usize = 256 << 10;

/// What a column means to the parser.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Role {
    Time,
    /// The day, where the time stands in a column of its own.
    Date,
    Level,
    Message,
    Source,
    Host,
    Pid,
}

/// The names under which a column is known, in any case, with `_` for spaces, dots and dashes. Loghub's structured files,
/// Splunk, Elastic, Graylog, Windows and spreadsheets.
const SYNONYMS: [(Role, &[&str]); 7] = [
    (
        Role::Time,
        &[
            "timestamp",
            "@timestamp",
            "time",
            "ts",
            "datetime",
            "date_time",
            "_time",
            "event_time",
            "eventtime",
            "log_time",
            "logtime",
            "created_at",
            "created",
            "time_stamp",
            "timegenerated",
            "time_generated",
        ],
    ),
    (Role::Date, &["date", "day"]),
    (
        Role::Level,
        &["level", "severity", "log_level", "loglevel", "lvl", "levelname", "level_name", "priority", "type_of_event"],
    ),
    (
        Role::Message,
        &[
            "message",
            "msg",
            "content",
            "log_message",
            "logmessage",
            "text",
            "log",
            "description",
            "event_message",
            "body",
            "_raw",
            "raw",
            "line",
            "event",
            "details",
        ],
    ),
    (
        Role::Source,
        &[
            "source",
            "program",
            "component",
            "logger",
            "logger_name",
            "module",
            "service",
            "process",
            "app",
            "application",
            "app_name",
            "syslog_identifier",
            "ident",
            "tag",
            "unit",
            "file",
            "category",
        ],
    ),
    (Role::Host, &["host", "hostname", "host_name", "node", "machine", "computer", "server", "_host"]),
    (Role::Pid, &["pid", "process_id", "processid"]),
];

/// The header of a table.
#[derive(Debug)]
pub struct Columns {
    pub names: Arc<Vec<String>>,
    delimiter: u8,
    roles: Vec<(Role, usize)>,
}

impl Columns {
    /// Reads the first line of a file. `None` when it is no header of a table of log lines: unless `named` (the file is
    /// called .csv or .tsv), two known columns are asked for, the message one of them.
    pub fn sniff(head: &[u8], named: bool) -> Option<Result<Columns, String>> {
        let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
        let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let best = DELIMITERS
            .into_iter()
            .map(|delimiter| Columns::of(line, delimiter))
            .max_by_key(|columns| (columns.roles.len(), columns.names.len()))?;
        let has_message = best.roles.iter().any(|(role, _)| *role == Role::Message);
        match (has_message, named) {
            (true, true) => Some(Ok(best)),
            (true, false) => (best.roles.len() >= 2).then_some(Ok(best)),
            (false, true) if !line.trim_ascii().is_empty() => {
                let found: Vec<String> =
                    best.names.iter().take(20).map(|name| crate::model::inert::one_line(name)).collect();
                let known =
                    SYNONYMS.iter().find(|(role, _)| *role == Role::Message).map_or(&[][..], |(_, names)| names);
                Some(Err(format!(
                    "no column holds the message: found {}; needed is one of {} (and, where there are any, timestamp, level, source)",
                    found.join(", "),
                    known.get(..6).unwrap_or(known).join(", ")
                )))
            }
            (false, _) => None,
        }
    }

    fn of(line: &[u8], delimiter: u8) -> Columns {
        let mut names: Vec<String> =
            fields(line, delimiter).into_iter().map(|cell| String::from_utf8_lossy(&cell).trim().to_owned()).collect();
        for (at, name) in names.iter_mut().enumerate() {
            if name.is_empty() {
                *name = format!("column_{}", at + 1);
            }
        }
        let plain: Vec<String> = names.iter().map(|name| name.to_lowercase().replace([' ', '.', '-'], "_")).collect();
        let roles = SYNONYMS
            .iter()
            .filter_map(|(role, known)| {
                let at = known.iter().find_map(|known| plain.iter().position(|name| name == known))?;
                Some((*role, at))
            })
            .collect();
        Columns { names: Arc::new(names), delimiter, roles }
    }

    /// The cells of a record, as many as there are columns: what is missing is empty, what is left over belongs to the
    /// last.
    pub fn cells(&self, record: &[u8]) -> Vec<String> {
        let found = fields(record, self.delimiter);
        let mut cells: Vec<String> = found.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect();
        if cells.len() > self.names.len() && !self.names.is_empty() {
            let rest = cells.split_off(self.names.len() - 1);
            cells.push(rest.join(&char::from(self.delimiter).to_string()));
        }
        cells.resize(self.names.len(), String::new());
        cells
    }

    /// The record as one line of JSON with the names the parser knows. Bytes that are no UTF-8 stay: the parser counts
    /// them.
    fn line(&self, record: &[u8], out: &mut Vec<u8>) {
        let cells = fields(record, self.delimiter);
        let last = self.names.len().saturating_sub(1);
        let cell = |wanted: Role| {
            let (_, at) = self.roles.iter().find(|(role, _)| *role == wanted)?;
            let mut cell = cells.get(*at)?.clone();
            if *at == last {
                for more in cells.get(last + 1..).unwrap_or_default() {
                    cell.push(self.delimiter);
                    cell.extend_from_slice(more);
                }
            }
            Some(cell)
        };
        let time = match (cell(Role::Date), cell(Role::Time)) {
            (Some(date), Some(time)) => Some([date, time].join(&b' ')),
            (Some(one), None) | (None, Some(one)) => Some(one),
            (None, None) => None,
        };
        let pairs: [(&str, Option<Vec<u8>>); 6] = [
            ("timestamp", time),
            ("level", cell(Role::Level)),
            ("logger", cell(Role::Source)),
            ("host", cell(Role::Host)),
            ("pid", cell(Role::Pid)),
            ("message", cell(Role::Message)),
        ];
        out.push(b'{');
        for (name, value) in pairs {
            let Some(value) = value.filter(|value| name == "message" || !value.trim_ascii().is_empty()) else {
                continue;
            };
            if out.last() != Some(&b'{') {
                out.push(b',');
            }
            out.push(b'"');
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"\":\"");
            escape(value.trim_ascii(), out);
            out.push(b'"');
        }
        out.push(b'}');
    }
}

/// A table under way.
pub struct TableReader<R> {
    origin: Arc<Origin>,
    columns: Arc<Columns>,
    input: io::BufReader<R>,
    /// Lines read ahead while looking for the end of a quote that has none.
    again: std::collections::VecDeque<Vec<u8>>,
    /// The header is behind us.
    began: bool,
    next_number: u64,
    offset: u64,
    /// What was wrong, a sentence each.
    pub problems: Vec<String>,
    ended: bool,
    failed: Option<io::Error>,
}

impl<R: Read> TableReader<R> {
    pub fn new(origin: Arc<Origin>, columns: Columns, input: R) -> TableReader<R> {
        let input = io::BufReader::with_capacity(BLOCK_BYTES, input);
        TableReader {
            origin,
            columns: Arc::new(columns),
            input,
            again: std::collections::VecDeque::new(),
            began: false,
            next_number: 1,
            offset: 0,
            problems: Vec::new(),
            ended: false,
            failed: None,
        }
    }

    /// The next records; `None` at the end.
    ///
    /// # Errors
    /// When reading fails, after everything that could be read was given.
    pub fn next(&mut self) -> io::Result<Option<Chunk>> {
        if !std::mem::replace(&mut self.began, true) {
            self.record();
        }
        let (mut bytes, mut spans, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
        let (mut raw, mut records): (Vec<u8>, Vec<Range<usize>>) = (Vec::new(), Vec::new());
        while bytes.len() < BLOCK_BYTES {
            let Some((number, offset, record)) = self.record() else { break };
            if record.trim_ascii().is_empty() {
                continue;
            }
            let start = bytes.len();
            self.columns.line(&record, &mut bytes);
            let truncated = bytes.len() - start > MAX_LINE_BYTES;
            // Places fit: a block is far smaller than 4 GiB.
            spans.push(LineSpan { start: start as u32, end: bytes.len() as u32, offset, truncated, partial: false });
            numbers.push(number);
            records.push(raw.len()..raw.len() + record.len());
            raw.extend_from_slice(&record);
        }
        if spans.is_empty() {
            return self.failed.take().map_or(Ok(None), Err);
        }
        let block = LineBlock { origin: Arc::clone(&self.origin), phase: Phase::Live, bytes, spans, position: None };
        let table = Table { columns: Arc::clone(&self.columns), bytes: raw, records };
        Ok(Some(Chunk { block, numbers: Numbers::Each(numbers), table: Some(table) }))
    }

    /// One record with the number of its first line and its offset. A quote that is not closed in time is taken as it
    /// stands, and said.
    fn record(&mut self) -> Option<(u64, u64, Vec<u8>)> {
        let (number, offset) = (self.next_number, self.offset);
        let mut record = self.line()?;
        let mut quotes = Quotes::new(self.columns.delimiter);
        let mut more = Vec::new();
        let first_length = record.len();
        quotes.see(&record);
        while quotes.open || quotes.broken && !more.is_empty() {
            let is_too_much = quotes.broken || more.len() >= QUOTED_LINES || record.len() >= QUOTED_BYTES;
            let next = if is_too_much { None } else { self.line() };
            let Some(next) = next else {
                if self.problems.len() < 1_000 {
                    self.problems
                        .push(format!("line {number}: a quote is never closed; the line is taken as it stands"));
                }
                self.again = more.into_iter().chain(std::mem::take(&mut self.again)).collect();
                record.truncate(first_length);
                // Without its quotes no cell can swallow the lines behind it.
                for byte in &mut record {
                    if *byte == b'"' {
                        *byte = b'\'';
                    }
                }
                self.next_number = number + 1;
                self.offset = offset + first_length as u64;
                break;
            };
            quotes.see(&next);
            record.extend_from_slice(&next);
            more.push(next);
        }
        while record.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
            record.pop();
        }
        Some((number, offset, record))
    }

    /// One line with its end.
    fn line(&mut self) -> Option<Vec<u8>> {
        let line = match self.again.pop_front() {
            Some(line) => line,
            None if self.ended => return None,
            None => {
                let mut line = Vec::new();
                match (&mut self.input).take(MAX_LINE_BYTES as u64).read_until(b'\n', &mut line) {
                    Ok(_) => {}
                    Err(error) => {
                        self.ended = true;
                        self.failed = Some(error);
                    }
                }
                if line.is_empty() {
                    self.ended = true;
                    return None;
                }
                line
            }
        };
        self.next_number += u64::from(line.ends_with(b"\n"));
        self.offset += line.len() as u64;
        Some(line)
    }
}

/// Whether a record ends inside a quoted cell (RFC 4180, section 2).
struct Quotes {
    delimiter: u8,
    open: bool,
    /// Something stood behind a closing quote: it closed nothing.
    broken: bool,
    at_cell_start: bool,
}

impl Quotes {
    fn new(delimiter: u8) -> Quotes {
        Quotes { delimiter, open: false, broken: false, at_cell_start: true }
    }

    fn see(&mut self, bytes: &[u8]) {
        let mut bytes = bytes.iter().copied().peekable();
        while let Some(byte) = bytes.next() {
            if self.open {
                if byte == b'"' && bytes.next_if_eq(&b'"').is_none() {
                    self.open = false;
                    let next = bytes.peek().copied().unwrap_or(b'\n');
                    self.broken |= next != self.delimiter && !matches!(next, b'\r' | b'\n');
                }
            } else if byte == b'"' && self.at_cell_start {
                self.open = true;
                self.at_cell_start = false;
            } else {
                self.at_cell_start = byte == self.delimiter;
            }
        }
    }
}

/// Cuts a record into cells. What follows a closing quote before the delimiter belongs to the cell.
fn fields(record: &[u8], delimiter: u8) -> Vec<Vec<u8>> {
    let (mut cells, mut cell) = (Vec::new(), Vec::new());
    let (mut open, mut at_start) = (false, true);
    let mut bytes = record.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' if open => {
                if bytes.next_if_eq(&b'"').is_some() {
                    cell.push(b'"');
                } else {
                    open = false;
                }
            }
            _ if open => cell.push(byte),
            b'"' if at_start => {
                open = true;
                at_start = false;
            }
            _ if byte == delimiter => {
                cells.push(std::mem::take(&mut cell));
                at_start = true;
            }
            _ => {
                cell.push(byte);
                at_start = false;
            }
        }
    }
    cells.push(cell);
    cells
}

/// JSON string escapes (RFC 8259, section 7).
fn escape(text: &[u8], out: &mut Vec<u8>) {
    for byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            0..0x20 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(*byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Medium;

    fn read(bytes: &[u8]) -> (Vec<String>, Vec<String>) {
        let columns = Columns::sniff(bytes, true).expect("a table").expect("with a message");
        let origin = Origin { name: "t.csv".into(), medium: Medium::File, format: Some("json".into()), written: None };
        let mut reader = TableReader::new(Arc::new(origin), columns, bytes);
        let mut lines = Vec::new();
        while let Some(chunk) = reader.next().expect("from memory") {
            for (index, (line, span)) in chunk.block.lines().enumerate() {
                assert_eq!(chunk.index_of(span.offset), Some(index));
                lines.push(format!("{} {}", chunk.number(index), String::from_utf8_lossy(line)));
            }
        }
        (lines, reader.problems)
    }

    #[track_caller]
    fn check(bytes: &str, expected: &[&str]) {
        let (lines, problems) = read(bytes.as_bytes());
        assert_eq!(lines, expected);
        assert_eq!(problems, [""; 0]);
    }

    #[test]
    fn records_become_lines() {
        check(
            "timestamp,level,message,source\n2024-01-01 10:00:00,INFO,User login,auth.py\n",
            &[r#"2 {"timestamp":"2024-01-01 10:00:00","level":"INFO","logger":"auth.py","message":"User login"}"#],
        );
        check(
            "\u{feff}Content;Level\r\na;I\r\n\r\nb;E\r\n",
            &[r#"2 {"level":"I","message":"a"}"#, r#"4 {"level":"E","message":"b"}"#],
        );
        check(
            "Date\tTime\tmsg\n2015-10-18\t18:01:47,978\thi\n",
            &[r#"2 {"timestamp":"2015-10-18 18:01:47,978","message":"hi"}"#],
        );
        check(
            "level,message\nE,\"two\nlines, \"\"quoted\"\"\"\nI,x",
            &[r#"2 {"level":"E","message":"two\nlines, \"quoted\""}"#, r#"4 {"level":"I","message":"x"}"#],
        );
        // A comma too many belongs to the last column.
        check("level,message\nE,a, b\n", &[r#"2 {"level":"E","message":"a, b"}"#]);
    }

    #[test]
    fn a_broken_quote_costs_its_line_only() {
        let (lines, problems) = read(b"message,x\n\"never closed,1\nb,2\nc,3\n");
        assert_eq!(lines, [r#"2 {"message":"'never closed"}"#, r#"3 {"message":"b"}"#, r#"4 {"message":"c"}"#]);
        assert_eq!(problems, ["line 2: a quote is never closed; the line is taken as it stands"]);
        // The next line's quote does not close it.
        let (lines, problems) = read(b"message,x\n\"never closed,1\n\"b, c\",2\n");
        assert_eq!(lines, [r#"2 {"message":"'never closed"}"#, r#"3 {"message":"b, c"}"#]);
        assert_eq!(problems.len(), 1);
    }

    #[test]
    fn wrong_columns_are_named() {
        let wrong = Columns::sniff(b"id,amount\n1,2\n", true).expect("a table").expect_err("without a message");
        assert!(wrong.contains("found id, amount; needed is one of message, msg, content"), "{wrong}");
        assert!(Columns::sniff(b"id,amount\n1,2\n", false).is_none());
        assert!(Columns::sniff(b"Nov 22 05:55:40 h sshd[1]: message, level\n", false).is_none());
        assert!(matches!(Columns::sniff(b"level,message\n", false), Some(Ok(_))));
    }

    proptest::proptest! {
        #[test]
        fn hostile_tables_never_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400)) {
            let table = [&b"message,level\n"[..], &bytes].concat();
            let (lines, _) = read(&table);
            proptest::prop_assert!(lines.len() <= bytes.len() + 1);
        }
    }
}
