//! Which lines are one record? Stack traces, lines that go on indented, and lines that a container runtime cut into parts
//! are put together, for each stream on its own. The last lines of a stream wait a moment for what may follow.
//!
//! What waits is not committed: the position of its block is held back until the record is complete, so a crash reads it
//! again. A stream is known by its name, so a record goes on in the file that follows a rotated one.
//!
//! Must never delay a line that nothing can follow, hold more than its caps, or drop a byte uncounted. *Not here:* the
//! journal (its entries are whole), traces whose every line has a syslog header, and what a trace means (parse).

mod clue;
mod wrap;
mod group;
mod stream;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::FromSource;
use crate::model::{LineBlock, Medium, Phase, SourceEvent};

use clue::Clue;
use stream::Stream;
use wrap::Wrap;

/// How long a trace waits for its next line, and a line that may begin one.
const QUIET: Duration = Duration::from_millis(500);
const QUIET_LINE: Duration = Duration::from_millis(100);
/// How long a record waits at most.
const LONGEST: Duration = Duration::from_secs(2);
/// Streams that may wait at the same time, and their bytes. Beyond that nothing waits.
const STREAMS_MAX: usize = 256;
const HELD_MAX: usize = 16 << 20;

/// Puts the lines of every stream together. Sits between the sources and the pipeline.
#[derive(Debug, Default)]
pub struct Joiner {
    /// Those that have something waiting.
    streams: HashMap<(Arc<str>, bool), Stream>,
}

impl Joiner {
    /// Takes what a source said, and appends what may go on.
    pub fn feed(&mut self, message: FromSource, now: Instant, out: &mut Vec<FromSource>) {
        match message {
            FromSource::Lines(block) => self.lines(block, now, out),
            FromSource::Event(event) => {
                // Nothing follows any more.
                if let SourceEvent::Ended { .. } | SourceEvent::Learned { .. } = event {
                    self.flush(out);
                }
                out.push(FromSource::Event(event));
            }
        }
    }

    /// When [`Joiner::flush_due`] has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        self.streams.values().map(Stream::deadline).min()
    }

    /// Appends what has waited long enough.
    pub fn flush_due(&mut self, now: Instant, out: &mut Vec<FromSource>) {
        let due = self.streams.extract_if(|_, stream| stream.deadline() <= now);
        due.for_each(|(_, stream)| stream.flush(out));
    }

    /// Appends everything that waits.
    pub fn flush(&mut self, out: &mut Vec<FromSource>) {
        self.streams.drain().for_each(|(_, stream)| stream.flush(out));
    }

    fn lines(&mut self, block: LineBlock, now: Instant, out: &mut Vec<FromSource>) {
        if block.origin.medium == Medium::Journal {
            return out.push(FromSource::Lines(block));
        }
        let key = (Arc::clone(&block.origin.name), block.phase == Phase::Learn);
        let known = if self.streams.is_empty() { None } else { self.streams.remove(&key) };
        if known.is_none() && !is_interesting(&block) {
            return out.push(FromSource::Lines(block));
        }
        let mut stream = known.unwrap_or_else(|| Stream::new(Arc::clone(&block.origin), block.phase, now));
        stream.take(block, now, out);
        if stream.is_empty() {
            return;
        }
        let held: usize = self.streams.values().map(Stream::held).sum();
        if self.streams.len() >= STREAMS_MAX || held + stream.held() > HELD_MAX {
            stream.flush(out);
        } else {
            self.streams.insert(key, stream);
        }
    }
}

/// Whether any line of a block belongs to another, or its last one may.
fn is_interesting(block: &LineBlock) -> bool {
    let mut last: &[u8] = &[];
    for (line, _) in block.lines() {
        last = line;
        // Most lines are through after this byte.
        let may_be = match line.first() {
            Some(b' ' | b'\t' | b'\\' | b'#' | b'{' | b'A'..=b'Z' | b'a'..=b'z') => true,
            Some(b'0'..=b'9') => line.get(10) == Some(&b'T'),
            Some(_) | None => false,
        };
        if !may_be {
            continue;
        }
        let wrap = Wrap::of(line);
        let text = line.get(wrap.text).unwrap_or_default();
        if wrap.goes_on || !matches!(Clue::of(text), Clue::None | Clue::Blank) {
            return true;
        }
    }
    let wrap = Wrap::of(last);
    clue::may_go_on(last.get(wrap.text).unwrap_or_default())
}
