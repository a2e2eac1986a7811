//! The batch way of a line: blocks of one read, a header, a template, a counter. No driver, no store, no detectors.
//! Memory does not grow with the input.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::io::{self, Read};

use crate::mine::{self, Change, Detail, Growth, Health, Miner, Prepared, PreparedLine, Tails};
use crate::model::{Header, LineSpan, TemplateId, Timestamp};
use crate::parse::{Context, Plan};
use crate::source::{MAX_BLOCK_BYTES, MAX_LINE_BYTES, Splitter};

use super::inputs::Opened;

/// Shapes of tails remembered at most.
const MAX_TAILS: usize = 65_536;

/// Lines become counted templates.
pub struct Mining {
    miner: Miner,
    context: Context,
    prepared: Prepared,
    /// Where in `counted` the lines of a tail go.
    tails: Tails,
    /// Every template a line had, also those that are part of another one by now.
    counted: Vec<(TemplateId, Count)>,
    places: HashMap<TemplateId, u32, BuildHasherDefault<Spread>>,
    totals: Totals,
    merged: bool,
    /// Inputs read so far; the one at hand has this number less one.
    inputs: u32,
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
            prepared: Prepared::new(seed),
            tails: Tails::new(MAX_TAILS, seed),
            counted: Vec::new(),
            places: HashMap::default(),
            totals: Totals::default(),
            merged: false,
            inputs: 0,
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
        now: Timestamp,
        mut each: impl FnMut(u64, TemplateId) -> io::Result<()>,
    ) -> io::Result<()> {
        self.inputs += 1;
        let mut plan = Plan::new(opened.medium, None);
        let reference = opened.written.unwrap_or(now);
        let mut input = opened.bytes;
        let mut splitter = Splitter::new(MAX_LINE_BYTES, MAX_BLOCK_BYTES, 0, false);
        let mut buffer = vec![0; MAX_BLOCK_BYTES];
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
                let used =
                    if splitter.at_line_start() { self.whole(&mut plan, read, reference, &mut each)? } else { 0 };
                if used > 0 {
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

    /// Takes the whole lines in front, and returns how many bytes they were.
    fn whole(
        &mut self,
        plan: &mut Plan,
        read: &[u8],
        reference: Timestamp,
        each: &mut impl FnMut(u64, TemplateId) -> io::Result<()>,
    ) -> io::Result<usize> {
        let mut locator = plan.locator();
        // Out of us while its lines pass.
        let mut prepared = std::mem::replace(&mut self.prepared, Prepared::new(0));
        let used = prepared.read(read, |line| locator.tail_at(line));
        let outcome = self.apply(&prepared, plan, read, reference, each);
        self.prepared = prepared;
        outcome.map(|()| used)
    }

    /// Takes the lines of a block, in their order.
    fn apply(
        &mut self,
        prepared: &Prepared,
        plan: &mut Plan,
        read: &[u8],
        reference: Timestamp,
        each: &mut impl FnMut(u64, TemplateId) -> io::Result<()>,
    ) -> io::Result<()> {
        let text = |line: &PreparedLine| read.get(line.start as usize..line.end as usize).unwrap_or_default();
        plan.prime(prepared.lines().iter().map(text), reference, &self.context);
        for line in prepared.lines() {
            let bytes = text(line);
            let front = plan.front(bytes, reference);
            let shape = match front {
                Some(front) if front.end == line.tail_at as usize => line.shape,
                Some(front) => prepared.shape(read, line, front.end),
                None => None,
            };
            let known = front.zip(shape);
            if let Some((front, shape)) = known
                && let Some(place) = self.tails.get(shape, front.context)
                && let Some((id, count)) = self.counted.get_mut(place as usize)
            {
                plan.count_known();
                self.totals.lines += 1;
                count.lines += 1;
                count.last = self.totals.lines;
                each(self.totals.lines, *id)?;
                continue;
            }
            let header = plan.parse(bytes, reference, &self.context);
            let place = self.line(&header, each)?;
            if let Some((front, shape)) = known
                && plan.reads_by_shape(bytes, &front, &header)
            {
                self.tails.put(shape, front.context, place);
            }
        }
        Ok(())
    }

    fn block(
        &mut self,
        plan: &mut Plan,
        bytes: &[u8],
        spans: &[LineSpan],
        reference: Timestamp,
        each: &mut impl FnMut(u64, TemplateId) -> io::Result<()>,
    ) -> io::Result<()> {
        let text = |span: &LineSpan| bytes.get(span.start as usize..span.end as usize).unwrap_or_default();
        plan.prime(spans.iter().map(text), reference, &self.context);
        for span in spans {
            let header = plan.parse(text(span), reference, &self.context);
            self.totals.cut += u64::from(span.truncated);
            self.line(&header, each)?;
        }
        Ok(())
    }

    /// Mines and counts a line, and returns the place of its template in `counted`.
    fn line(
        &mut self,
        header: &Header<'_>,
        each: &mut impl FnMut(u64, TemplateId) -> io::Result<()>,
    ) -> io::Result<u32> {
        self.totals.lossy += u64::from(header.notes.lossy);
        self.totals.lines += 1;
        self.miner.enter(self.inputs - 1, self.totals.lines);
        let mined = self.miner.mine(&header.message);
        self.merged |= matches!(mined.change, Some(Change::Merged { .. }));
        let number = self.totals.lines;
        let place = *self.places.entry(mined.template).or_insert_with(|| {
            self.counted.push((mined.template, Count { lines: 0, first: number, last: number }));
            self.counted.len() as u32 - 1
        });
        if let Some((_, count)) = self.counted.get_mut(place as usize) {
            count.lines += 1;
            count.last = number;
        }
        each(number, mined.template)?;
        Ok(place)
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
        for (id, count) in &self.counted {
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

    /// What became part of each template.
    pub fn merged_from(&self) -> HashMap<TemplateId, Vec<TemplateId>> {
        let mut merged: HashMap<TemplateId, Vec<TemplateId>> = HashMap::new();
        for merge in self.miner.merges() {
            merged.entry(merge.into).or_default().push(merge.gone);
        }
        merged
    }

    /// The inputs, by number in the order they were read, of which not every word is kept apart any more.
    pub fn exploded(&self) -> impl Iterator<Item = (usize, Growth)> {
        let growths = (0..self.inputs).map(|input| (input as usize, self.miner.growth(input)));
        growths.filter(|(_, growth)| growth.detail() != Detail::Full)
    }

    pub fn totals(&self) -> Totals {
        self.totals
    }

    pub fn health(&self) -> Health {
        self.miner.health()
    }
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
    use crate::model::Medium;

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
