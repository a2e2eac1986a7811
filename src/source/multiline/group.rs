//! Lines that are one record: a stack trace, or a line that a container runtime wrote in parts. Knows caps, not clocks.

use std::time::Instant;

use crate::model::LineSpan;

use super::clue::{Clue, Trace, may_go_on};
use super::wrap::{Style, Wrap};

/// Most lines and bytes of one record. What comes beyond is counted, and said at its end.
pub(super) const LINES_MAX: u32 = 500;
pub(super) const BYTES_MAX: usize = 256 << 10;

/// One line as its program wrote it, parts put together.
#[derive(Clone, Debug)]
pub(super) struct Logical {
    /// The first part as it was, without the text's end.
    pub bytes: Vec<u8>,
    /// Where in `bytes` the text starts; it ends where they end.
    pub text_at: usize,
    /// What stands behind the text.
    pub tail: Vec<u8>,
    pub style: Style,
    pub offset: u64,
    pub truncated: bool,
    pub partial: bool,
    /// The block of the stream that its first byte came in, and when that was.
    pub since: (u64, Instant),
}

/// Lines put together so far.
#[derive(Clone, Debug)]
pub(super) struct Group {
    first: Logical,
    /// Where the first line ends in `first.bytes`.
    head_end: usize,
    trace: Trace,
    lines: u32,
    left_out: u32,
    left_out_bytes: u64,
    /// Blank lines that belong to it if what follows does.
    blanks: Vec<Logical>,
}

impl Logical {
    pub fn of(line: &[u8], span: LineSpan, wrap: &Wrap, since: (u64, Instant)) -> Logical {
        Logical {
            bytes: line.get(..wrap.text.end).unwrap_or(line).to_vec(),
            text_at: wrap.text.start.min(line.len()),
            tail: line.get(wrap.text.end..).unwrap_or_default().to_vec(),
            style: wrap.style,
            offset: span.offset,
            truncated: span.truncated,
            partial: span.partial,
            since,
        }
    }

    pub fn text(&self) -> &[u8] {
        self.bytes.get(self.text_at..).unwrap_or_default()
    }

    /// Puts the next part behind; gives how many bytes found no room.
    pub fn extend(&mut self, part: &[u8], tail: &[u8]) -> u64 {
        let room = BYTES_MAX.saturating_sub(self.bytes.len()).min(part.len());
        // Once something was left out, nothing behind it belongs to what is kept.
        let room = if self.truncated { 0 } else { room };
        self.bytes.extend_from_slice(part.get(..room).unwrap_or_default());
        self.truncated |= room < part.len();
        // Where Docker's last part ends, the line ends.
        self.tail.clear();
        self.tail.extend_from_slice(tail);
        (part.len() - room) as u64
    }

    pub fn held(&self) -> usize {
        self.bytes.len() + self.tail.len()
    }

    /// Writes it at the end of `bytes`.
    pub fn write(&self, bytes: &mut Vec<u8>, spans: &mut Vec<LineSpan>) {
        // Blocks stay far below 4 GiB: they hold one block of lines and what was held before it.
        let start = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        bytes.extend_from_slice(&self.bytes);
        bytes.extend_from_slice(&self.tail);
        let end = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let Logical { offset, truncated, partial, .. } = *self;
        spans.push(LineSpan { start, end, offset, truncated, partial });
    }
}

impl Group {
    pub fn new(first: Logical) -> Group {
        let trace = Trace::begun_by(first.text(), Clue::of(first.text()));
        let head_end = first.bytes.len();
        Group { first, head_end, trace, lines: 1, left_out: 0, left_out_bytes: 0, blanks: Vec::new() }
    }

    /// Takes the next line of the stream if it belongs here; gives it back if not.
    pub fn join(&mut self, line: Logical) -> Result<(), Logical> {
        let text = line.text();
        let clue = Clue::of(text);
        if clue == Clue::Blank && self.trace.takes_blanks() && self.blanks.len() < 8 {
            self.blanks.push(line);
            return Ok(());
        }
        let head = self.first.bytes.get(self.first.text_at..self.head_end).unwrap_or_default();
        let Some(trace) = self.trace.with(head, text, clue, !self.blanks.is_empty()) else { return Err(line) };
        if line.style != self.first.style {
            return Err(line);
        }
        self.trace = trace;
        for blank in std::mem::take(&mut self.blanks) {
            self.add(blank.text());
        }
        self.add(line.text());
        self.first.truncated |= line.truncated;
        Ok(())
    }

    /// Whether the next line may belong here, so that it is worth waiting for.
    pub fn expects_more(&self) -> bool {
        self.lines > 1 || self.trace != Trace::Line || may_go_on(self.first.text())
    }

    /// More than one line already.
    pub fn is_trace(&self) -> bool {
        self.lines > 1 || self.trace != Trace::Line
    }

    /// When its first line came.
    pub fn since(&self) -> (u64, Instant) {
        self.first.since
    }

    pub fn held(&self) -> usize {
        self.first.held() + self.blanks.iter().map(Logical::held).sum::<usize>()
    }

    /// Bytes that were left out.
    pub fn left_out_bytes(&self) -> u64 {
        self.left_out_bytes
    }

    /// Writes the record, and blank lines that turned out to be records of their own.
    pub fn write(mut self, bytes: &mut Vec<u8>, spans: &mut Vec<LineSpan>) {
        if self.left_out > 0 {
            let marker = format!("[{} more lines left out]", self.left_out);
            let line_break = self.first.style.line_break();
            self.first.bytes.extend_from_slice(line_break);
            self.first.bytes.extend_from_slice(marker.as_bytes());
            self.first.truncated = true;
        }
        self.first.write(bytes, spans);
        for blank in &self.blanks {
            blank.write(bytes, spans);
        }
    }

    fn add(&mut self, text: &[u8]) {
        self.lines = self.lines.saturating_add(1);
        let line_break = self.first.style.line_break();
        let is_full = self.lines > LINES_MAX || self.first.bytes.len() + line_break.len() + text.len() > BYTES_MAX;
        if is_full || self.left_out > 0 {
            self.left_out = self.left_out.saturating_add(1);
            self.left_out_bytes += text.len() as u64 + 1;
            return;
        }
        self.first.bytes.extend_from_slice(line_break);
        self.first.bytes.extend_from_slice(text);
    }
}
