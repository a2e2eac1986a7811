//! The journal export format (systemd.io/JOURNAL_EXPORT_FORMATS): entries of binary-safe fields become the JSON lines that
//! `journalctl -o json` prints. Keeps every field; drops only what is longer than a line may be, and counts it.

use std::io::{self, BufRead, Read};
use std::sync::Arc;

use crate::model::{LineBlock, LineSpan, Medium, Origin, Phase};
use crate::source::MAX_LINE_BYTES;

use super::chunk::{Chunk, Numbers};
use super::text::BLOCK_BYTES;

/// Whether these first bytes of a file are those of an export.
pub fn is_export(head: &[u8]) -> bool {
    head.starts_with(b"__CURSOR=")
}

/// An export under way.
pub struct ExportReader {
    origin: Arc<Origin>,
    input: io::BufReader<Box<dyn Read + Send>>,
    next_number: u64,
    offset: u64,
    /// Bytes of fields that were too long.
    dropped: u64,
    failed: Option<io::Error>,
}

impl ExportReader {
    pub fn new(origin: &Origin, input: Box<dyn Read + Send>) -> ExportReader {
        let origin = Arc::new(Origin { medium: Medium::Journal, format: None, ..origin.clone() });
        let input = io::BufReader::with_capacity(BLOCK_BYTES, input);
        ExportReader { origin, input, next_number: 1, offset: 0, dropped: 0, failed: None }
    }

    /// The next entries; `None` at the end.
    ///
    /// # Errors
    /// When reading fails or the export is cut inside a field, after everything before that was given.
    pub fn next(&mut self) -> io::Result<Option<Chunk>> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let (mut bytes, mut spans, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
        while bytes.len() < BLOCK_BYTES {
            let (start, offset, number) = (bytes.len(), self.offset, self.next_number);
            let entry = self.entry(&mut bytes);
            if bytes.len() > start {
                // Places fit: a block is far smaller than 4 GiB.
                let (start, end) = (start as u32, bytes.len() as u32);
                spans.push(LineSpan { start, end, offset, truncated: false, partial: false });
                numbers.push(number);
            }
            match entry {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    self.failed = Some(error);
                    break;
                }
            }
        }
        if spans.is_empty() {
            return self.failed.take().map_or(Ok(None), Err);
        }
        let block = LineBlock { origin: Arc::clone(&self.origin), phase: Phase::Live, bytes, spans, position: None };
        Ok(Some(Chunk { block, numbers: Numbers::Each(numbers), table: None }))
    }

    pub fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }

    /// Appends one entry as a JSON object; false at the end of the export.
    fn entry(&mut self, out: &mut Vec<u8>) -> io::Result<bool> {
        let start = out.len();
        let result = self.fields(start, out);
        if out.len() > start {
            out.push(b'}');
        }
        result
    }

    fn fields(&mut self, start: usize, out: &mut Vec<u8>) -> io::Result<bool> {
        loop {
            let mut line = Vec::new();
            let limit = (MAX_LINE_BYTES + 1) as u64;
            let length = (&mut self.input).take(limit).read_until(b'\n', &mut line)?;
            self.offset += length as u64;
            if length == 0 {
                return Ok(false);
            }
            if line.len() > MAX_LINE_BYTES && !line.ends_with(b"\n") {
                self.skip_line(line.len() as u64)?;
                continue;
            }
            self.next_number += 1;
            if line.ends_with(b"\n") {
                line.pop();
            }
            if line.is_empty() {
                if out.len() > start {
                    return Ok(true);
                }
                continue;
            }
            match memchr::memchr(b'=', &line) {
                Some(at) => {
                    let (name, value) = line.split_at(at);
                    push(out, start, name, value.get(1..).unwrap_or_default());
                }
                // NAME, newline, eight bytes of length, the value, newline.
                None => {
                    let mut length = [0; 8];
                    self.input.read_exact(&mut length)?;
                    let length = u64::from_le_bytes(length);
                    let kept = length.min(MAX_LINE_BYTES as u64);
                    let mut value = Vec::new();
                    if (&mut self.input).take(kept).read_to_end(&mut value)? as u64 != kept {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    self.next_number += memchr::memchr_iter(b'\n', &value).count() as u64 + 1;
                    // And the newline behind it.
                    let rest = length.saturating_sub(kept).saturating_add(1);
                    io::copy(&mut (&mut self.input).take(rest), &mut io::sink())?;
                    self.offset = self.offset.saturating_add(length).saturating_add(9);
                    self.dropped += length - kept;
                    push(out, start, &line, &value);
                }
            }
        }
    }

    fn skip_line(&mut self, already: u64) -> io::Result<()> {
        let mut length = already;
        loop {
            let buffer = self.input.fill_buf()?;
            let (used, ends) = match memchr::memchr(b'\n', buffer) {
                Some(at) => (at + 1, true),
                None => (buffer.len(), buffer.is_empty()),
            };
            self.input.consume(used);
            length += used as u64;
            self.offset += used as u64;
            if ends {
                self.dropped += length;
                self.next_number += 1;
                return Ok(());
            }
        }
    }
}

/// One field of an object: text as a string, anything else as an array of numbers, as journalctl does.
fn push(out: &mut Vec<u8>, start: usize, name: &[u8], value: &[u8]) {
    // A field whose name is no name is damage; the entry goes on without it.
    if !name.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_') {
        return;
    }
    if out.len() - start > MAX_LINE_BYTES {
        return;
    }
    out.push(if out.len() == start { b'{' } else { b',' });
    out.push(b'"');
    out.extend_from_slice(name);
    out.extend_from_slice(b"\":");
    let written = match std::str::from_utf8(value) {
        Ok(text) => serde_json::to_writer(&mut *out, text),
        Err(_) => serde_json::to_writer(&mut *out, value),
    };
    // Writing to memory does not fail.
    debug_assert!(written.is_ok());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> (Vec<String>, bool) {
        let origin = Origin { name: "e".into(), medium: Medium::File, format: None, written: None };
        let mut reader = ExportReader::new(&origin, Box::new(io::Cursor::new(bytes.to_vec())));
        let mut lines = Vec::new();
        loop {
            match reader.next() {
                Ok(Some(chunk)) => {
                    for (index, (line, _)) in chunk.block.lines().enumerate() {
                        lines.push(format!("{} {}", chunk.number(index), String::from_utf8_lossy(line)));
                    }
                }
                Ok(None) => return (lines, true),
                Err(_) => return (lines, false),
            }
        }
    }

    #[test]
    fn entries_become_json() {
        let mut export = b"__CURSOR=s=1\nMESSAGE=up \"x\"\nPRIORITY=6\n\n__CURSOR=s=2\nMESSAGE\n".to_vec();
        export.extend_from_slice(&7u64.to_le_bytes());
        export.extend_from_slice(b"two\n\xfft\n\nlines\n\n".get(..8).expect("bytes"));
        export.extend_from_slice(b"\n");
        assert!(is_export(&export));
        let (lines, whole) = read(&export);
        assert!(whole);
        assert_eq!(
            lines.first().map(String::as_str),
            Some(r#"1 {"__CURSOR":"s=1","MESSAGE":"up \"x\"","PRIORITY":"6"}"#)
        );
        assert_eq!(
            lines.get(1).map(|line| line.starts_with(r#"5 {"__CURSOR":"s=2","MESSAGE":[116,"#)),
            Some(true),
            "{lines:?}"
        );
    }

    #[test]
    fn a_cut_export_gives_what_there_is() {
        let (lines, whole) = read(b"__CURSOR=1\nMESSAGE\n\x09\0\0\0\0\0\0\0abc");
        assert_eq!((lines.len(), whole), (1, false));
    }

    proptest::proptest! {
        #[test]
        fn hostile_exports_never_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
            let export = [&b"__CURSOR=1\n"[..], &bytes].concat();
            let (lines, _) = read(&export);
            for line in lines {
                let json = line.split_once(' ').map(|(_, json)| json).unwrap_or_default();
                proptest::prop_assert!(serde_json::from_str::<serde_json::Value>(json).is_ok(), "{}", json);
            }
        }
    }
}
