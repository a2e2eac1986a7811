//! Lines as sources hand them over: one read, many borrowed lines. Never one boxed record at a time.

use std::sync::Arc;

use super::{Position, Timestamp};

/// What a source says of one stream; shared by all its blocks.
#[derive(Clone, PartialEq, Debug)]
pub struct Origin {
    /// What a person calls it: the path, `journal`, `syslog/10.0.0.7`, `stdin`.
    pub name: Arc<str>,
    pub medium: Medium,
    /// `format =` of the config; `None` lets the parser vote.
    pub format: Option<Arc<str>>,
    /// When the newest byte was written as far as the source knows (file mtime); settles missing years.
    pub written: Option<Timestamp>,
}

/// Closed set of what lines can come from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Medium {
    File,
    /// Lines are journald JSON objects, one an entry.
    Journal,
    /// One sender of syslog messages; the origin is `syslog/ADDRESS`, or `syslog/local` for programs of this host.
    Syslog,
    Stdin,
}

/// Whether lines teach or speak.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Already there when we first looked: baseline only, plus the "already there" notice.
    Learn,
    Live,
}

/// One read's worth of whole lines, in order.
#[derive(Clone, Debug)]
pub struct LineBlock {
    pub origin: Arc<Origin>,
    pub phase: Phase,
    pub bytes: Vec<u8>,
    pub spans: Vec<LineSpan>,
    /// Where the stream stands after the last line of this block. `None` for learning passes, which are not resumed.
    pub position: Option<Position>,
}

/// One line inside [`LineBlock::bytes`], without its line end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LineSpan {
    pub start: u32,
    pub end: u32,
    /// Byte offset of the line in its stream.
    pub offset: u64,
    /// Longer than the line cap: the rest was skipped and counted.
    pub truncated: bool,
    /// Flushed without its newline because the file is gone.
    pub partial: bool,
}

impl LineBlock {
    /// The lines as bytes, in order, each with its span.
    pub fn lines(&self) -> impl Iterator<Item = (&[u8], LineSpan)> {
        self.spans
            .iter()
            .map(|span| (self.bytes.get(span.start as usize..span.end as usize).unwrap_or_default(), *span))
    }
}

/// Things sources report besides lines. Each is counted and said; none stops a source.
#[derive(Clone, PartialEq, Debug)]
pub enum SourceEvent {
    /// Lines were certainly or possibly lost. `lost` counts entries, or bytes of a file; 0 when it is known that nothing
    /// seen was, none when nobody knows.
    Gap { origin: Arc<str>, reason: String, lost: Option<u64> },
    /// Cannot be read now; retried. `fix` says what to do about it.
    Unreadable { origin: Arc<str>, error: String, fix: String },
    /// Readable again after `Unreadable`.
    Readable { origin: Arc<str> },
    /// The rest of an overlong line was skipped.
    Skipped { origin: Arc<str>, bytes: u64 },
    /// This source has handed over every line that was there at the start.
    Learned { source: Arc<str> },
    /// This source has no more lines, for good (standard input).
    Ended { source: Arc<str> },
}
