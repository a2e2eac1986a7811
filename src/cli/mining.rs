//! The batch way of a line: blocks of one read, a header, a template, a counter. No driver, no store, no detectors.
//! Memory does not grow with the input.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::io::{self, Read};

use crate::mine::{self, Change, Health, Miner};
use crate::model::{LineSpan, TemplateId};
use crate::parse::{Context, Plan};
use crate::source::{MAX_BLOCK_BYTES, MAX_LINE_BYTES, Splitter};

use super::inputs::Opened;

/// Lines become counted templates.
pub struct Mining {
    miner: Miner,
    context: Context,
    counts: HashMap<TemplateId, Count, BuildHasherDefault<Spread>>,
    totals: Totals,
    merged: bool,
}

/// How often a template was seen, and where. Lines are numbered from 1 through all inputs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Count {
    pub lines: u64,
    pub first: u64,
    pub last: u64,
}

/// What passed, and what was lost of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    pub lines: u64,
    pub bytes: u64,
    /// Lines with invalid UTF-8, which was replaced.
    pub lossy: u64,
    /// Lines over the cap, and the bytes beyond it that nobody looked at.
    pub cut: u64,
    pub dropped: u64,
}

impl Mining {
    pub fn new(config: &mine::Config, seed: u64, context: Context) -> Mining {
        Mining {
            miner: Miner::new(config, seed),
            context,
            counts: HashMap::default(),
            totals: Totals::default(),
            merged: false,
        }
    }

    /// Reads an input to its end. `each` is told the number of every line and the template it has for now: a later line
    /// may merge it into another one ([`Mining::current`]).
    ///
    /// # Errors
    /// When reading or `each` fails. What was read before is counted.
    pub fn read(
        &mut self,
        opened: Opened,
        now: crate::model::Timestamp,
        mut each: impl FnMut(u64, TemplateId) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut plan = Plan::new(opened.medium, None);
        let reference = opened.written.unwrap_or(now);
        let mut input = opened.bytes;
        let mut splitter = Splitter::new(MAX_LINE_BYTES, MAX_BLOCK_BYTES, 0, false);
        let mut buffer = vec![0; MAX_BLOCK_BYTES];
        let mut spans = Vec::new();
        loop {
            let length = match input.read(&mut buffer) {
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let mut read = buffer.get(..length).unwrap_or_default();
            self.totals.bytes += length as u64;
            while !read.is_empty() {
                // Whole lines need no copy: the splitter gets the ends of a read, and lines longer than one.
                let used = if splitter.at_line_start() { whole_lines(read, &mut spans) } else { 0 };
                if used > 0 {
                    self.block(&mut plan, read, &spans, reference, &mut each)?;
                    read = read.get(used..).unwrap_or_default();
                    continue;
                }
                let end = memchr::memchr(b'\n', read).map_or(read.len(), |newline| newline + 1);
                let used = splitter.push(read.get(..end).unwrap_or_default());
                read = read.get(used..).unwrap_or_default();
                if let Some((bytes, spans)) = splitter.take() {
                    self.block(&mut plan, &bytes, &spans, reference, &mut each)?;
                }
            }
            if length == 0 {
                break;
            }
        }
        splitter.finish();
        if let Some((bytes, spans)) = splitter.take() {
            self.block(&mut plan, &bytes, &spans, reference, &mut each)?;
        }
        self.totals.dropped += splitter.take_dropped();
        Ok(())
    }

    fn block(
        &mut self,
        plan: &mut Plan,
        bytes: &[u8],
        spans: &[LineSpan],
        reference: crate::model::Timestamp,
        each: &mut impl FnMut(u64, TemplateId) -> io::Result<()>,
    ) -> io::Result<()> {
        let text = |span: &LineSpan| bytes.get(span.start as usize..span.end as usize).unwrap_or_default();
        plan.prime(spans.iter().map(text), reference, &self.context);
        for span in spans {
            let header = plan.parse(text(span), reference, &self.context);
            self.totals.lossy += u64::from(header.notes.lossy);
            self.totals.cut += u64::from(span.truncated);
            self.totals.lines += 1;
            let mined = self.miner.mine(&header.message);
            self.merged |= matches!(mined.change, Some(Change::Merged { .. }));
            let number = self.totals.lines;
            let count = self.counts.entry(mined.template).or_insert(Count { lines: 0, first: number, last: number });
            count.lines += 1;
            count.last = number;
            each(number, mined.template)?;
        }
        Ok(())
    }

    /// The template that `id` is part of now.
    pub fn current(&self, id: TemplateId) -> TemplateId {
        self.miner.current(id).unwrap_or(id)
    }

    /// Whether a template that `each` was told is part of another one now.
    pub fn has_merged(&self) -> bool {
        self.merged
    }

    /// Every template with its text, most lines first.
    pub fn templates(&self) -> Vec<(TemplateId, &str, Count)> {
        let mut counts: HashMap<TemplateId, Count> = HashMap::new();
        for (id, count) in &self.counts {
            let sum = counts.entry(self.current(*id)).or_insert(Count { lines: 0, ..*count });
            sum.lines += count.lines;
            sum.first = sum.first.min(count.first);
            sum.last = sum.last.max(count.last);
        }
        let text = |id| self.miner.text(id).unwrap_or_default();
        let mut templates: Vec<_> = counts.into_iter().map(|(id, count)| (id, text(id), count)).collect();
        templates.sort_by_key(|(_, _, count)| (std::cmp::Reverse(count.lines), count.first));
        templates
    }

    pub fn totals(&self) -> Totals {
        self.totals
    }

    pub fn health(&self) -> Health {
        self.miner.health()
    }
}

/// Finds the lines that end in `read`, as the splitter would, and returns where the last of them ends. Only for reads
/// shorter than the cap of a line.
fn whole_lines(read: &[u8], spans: &mut Vec<LineSpan>) -> usize {
    spans.clear();
    let mut next = 0;
    for newline in memchr::memchr_iter(b'\n', read) {
        let line = read.get(next..newline).unwrap_or_default();
        let nuls = line.iter().take_while(|byte| **byte == 0).count();
        let end = newline - usize::from(line.len() > nuls && line.ends_with(b"\r"));
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let (start, end) = (place(next + nuls), place(end));
        spans.push(LineSpan { start, end, offset: 0, truncated: false, partial: false });
        next = newline + 1;
    }
    next
}

/// A template id is a hash already; the miner bounds how many there are.
#[derive(Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Medium, Timestamp};

    /// The templates of some bytes, one a line: count, first and last line, text.
    fn mined(bytes: &[u8]) -> (Vec<String>, Totals) {
        let context = Context { zone: jiff::tz::TimeZone::UTC, host: "h".into() };
        let mut mining = Mining::new(&mine::Config::default(), 1, context);
        let opened = Opened { medium: Medium::File, written: None, bytes: Box::new(io::Cursor::new(bytes.to_vec())) };
        let mut numbers = 0;
        mining
            .read(opened, Timestamp::EPOCH, |number, _| {
                numbers += 1;
                assert_eq!(number, numbers);
                Ok(())
            })
            .expect("from memory");
        let templates = mining.templates();
        let shown = |(_, text, count): &(TemplateId, &str, Count)| {
            format!("{} {} {} {text}", count.lines, count.first, count.last)
        };
        (templates.iter().map(shown).collect(), mining.totals())
    }

    #[track_caller]
    fn check(bytes: &[u8], expected: &[&str]) {
        assert_eq!(mined(bytes).0, expected);
    }

    #[test]
    fn lines_are_counted_by_template() {
        check(b"", &[]);
        check(b"\n", &["1 1 1 "]);
        check(b"up 1\ndown\nup 2", &["2 1 3 up <NUM>", "1 2 2 down"]);
        check(b"Nov 22 05:55:40 h sshd[1]: bye 1\nNov 22 05:55:41 h cron[2]: bye 2\r\n", &["2 1 2 bye <NUM>"]);
    }

    #[test]
    fn whole_lines_are_those_of_the_splitter() {
        let bytes = b"a\r\n\n\0\0b\n\0\n\r\n\0\r\nc\0\nrest";
        let mut splitter = Splitter::new(MAX_LINE_BYTES, MAX_BLOCK_BYTES, 0, false);
        splitter.push(bytes);
        let (copy, expected) = splitter.take().expect("lines");
        let mut spans = Vec::new();
        assert_eq!(whole_lines(bytes, &mut spans), bytes.len() - 4);
        let texts = |bytes: &[u8], spans: &[LineSpan]| {
            spans.iter().map(|span| bytes[span.start as usize..span.end as usize].to_vec()).collect::<Vec<_>>()
        };
        assert_eq!(texts(bytes, &spans), texts(&copy, &expected));
    }

    #[test]
    fn hostile_bytes_are_lines_too() {
        let binary: Vec<u8> = (0..=255).cycle().take(100_000).collect();
        let (_, totals) = mined(&binary);
        assert_eq!(totals.lines as usize, binary.iter().filter(|byte| **byte == b'\n').count() + 1);
        let (templates, totals) = mined(&vec![b'x'; (MAX_LINE_BYTES) * 3]);
        assert_eq!((templates.len(), totals.lines, totals.cut), (1, 1, 1));
        assert_eq!(totals.dropped as usize, MAX_LINE_BYTES * 2);
        assert_eq!(mined(&[b' ', b':', b'[', b'='].repeat(16 << 10)).1.lines, 1);
    }
}
