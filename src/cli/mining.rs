//! The batch way of a line: blocks of one read, a header, a template, a counter. No driver, no store, no detectors.
//! Memory does not grow with the input.

use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, PoisonError};

use crate::mine::{self, Change, Detail, Growth, Health, Miner, Part, Prepared, PreparedLine};
use crate::model::{Header, LineSpan, TemplateId, Timestamp};
use crate::parse::{Context, Plan};

use super::alike::Alike;
use super::inputs::Opened;
use super::reads::{Block, Blocks};
use super::turns::{Desk, Turns};

/// Lines become counted templates.
pub struct Mining {
    miner: Miner,
    context: Context,
    seed: u64,
    /// Not in use.
    desks: Vec<Desk>,
    /// Where in `counted` lines go.
    alike: Alike,
    /// Every template a line had, also those that are part of another one by now.
    counted: Vec<(TemplateId, Count)>,
    places: HashMap<TemplateId, u32>,
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
            seed,
            desks: Vec::new(),
            alike: Alike::new(seed),
            counted: Vec::new(),
            places: HashMap::new(),
            totals: Totals::default(),
            merged: false,
            inputs: 0,
        }
    }

    /// Reads an input to its end. `each` is told the number of every line and the template it has for now: a later line
    /// may merge it into another one ([`Mining::current`]). What comes out does not depend on the number of threads.
    ///
    /// # Errors
    /// When reading or `each` fails. What was read before is counted.
    pub fn read(
        &mut self,
        opened: Opened,
        now: Timestamp,
        threads: usize,
        each: impl FnMut(u64, TemplateId) -> io::Result<()> + Send,
    ) -> io::Result<()> {
        self.inputs += 1;
        // How fine templates are is a matter of the input.
        self.alike = Alike::new(self.seed);
        let reference = opened.written.unwrap_or(now);
        let mut blocks = Blocks::new(opened.bytes);
        let mut plan = Plan::new(opened.medium, None);
        let mut each = each;
        // Most files are one block, and the first one settles the plan.
        let mut desk = self.desk();
        let mut more = true;
        for _ in 0..if threads > 1 { 1 } else { usize::MAX } {
            more = blocks.next(&mut desk.block)?;
            if !more {
                break;
            }
            desk.prepare(&mut self.alike.guess(&plan));
            self.apply(&mut desk, &mut plan, reference, &mut each)?;
        }
        self.desks.push(desk);
        if !more {
            return Ok(());
        }
        let desks: Vec<Desk> = (0..threads).map(|_| self.desk()).collect();
        let turns = Turns::new(blocks, self.alike.guess(&plan));
        let applying = Mutex::new((&mut *self, plan, each));
        let desks = turns.run(desks, |desk| {
            // No thread leaves it half changed: a panic ends the command.
            let mut applying = applying.lock().unwrap_or_else(PoisonError::into_inner);
            let (mining, plan, each) = &mut *applying;
            mining.apply(desk, plan, reference, each)?;
            Ok(mining.alike.guess(plan))
        });
        drop(applying);
        let (desks, outcome) = desks;
        self.desks.extend(desks);
        outcome
    }

    fn desk(&mut self) -> Desk {
        self.desks.pop().unwrap_or_else(|| Desk {
            block: Block::default(),
            prepared: Prepared::new(self.seed),
            hosts_version: 0,
        })
    }

    /// Takes the lines of a block, in their order.
    fn apply(
        &mut self,
        desk: &mut Desk,
        plan: &mut Plan,
        reference: Timestamp,
        each: &mut impl FnMut(u64, TemplateId) -> io::Result<()>,
    ) -> io::Result<()> {
        self.totals.bytes += desk.block.read;
        self.totals.dropped += desk.block.dropped;
        for (bytes, spans) in &desk.block.joined {
            self.joined(plan, bytes, spans, reference, each)?;
        }
        self.whole(desk, plan, reference, each)
    }

    fn whole(
        &mut self,
        desk: &mut Desk,
        plan: &mut Plan,
        reference: Timestamp,
        each: &mut impl FnMut(u64, TemplateId) -> io::Result<()>,
    ) -> io::Result<()> {
        let Desk { block, prepared, hosts_version } = desk;
        let read = block.whole();
        let text = |line: &PreparedLine| read.get(line.start as usize..line.end as usize).unwrap_or_default();
        plan.prime(prepared.lines().iter().map(text), reference, &self.context);
        for number in 0..prepared.lines().len() {
            let Some(line) = prepared.lines().get(number).copied() else { break };
            let bytes = text(&line);
            let front = match line.part {
                Part { at: end @ 1.., exact: 0 } if *hosts_version == plan.hosts_version() => {
                    plan.front_before(bytes, reference, end as usize)
                }
                _ => plan.front(bytes, reference),
            };
            let missing = match self.alike.find(&line, front.as_ref(), plan, prepared, read) {
                Ok((place, format)) => {
                    plan.count_again(format);
                    self.again(place, each)?;
                    continue;
                }
                Err(missing) => missing,
            };
            let header = plan.parse(bytes, reference, &self.context);
            let place = self.line(&header, each)?;
            self.alike.put(&missing, place, plan, bytes, front.as_ref(), &header);
        }
        Ok(())
    }

    fn joined(
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

    /// Counts a line like one that went there.
    #[inline]
    fn again(&mut self, place: u32, each: &mut impl FnMut(u64, TemplateId) -> io::Result<()>) -> io::Result<()> {
        let Some((id, count)) = self.counted.get_mut(place as usize) else { return Ok(()) };
        self.totals.lines += 1;
        count.lines += 1;
        count.last = self.totals.lines;
        each(self.totals.lines, *id)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Medium;
    use crate::source::MAX_LINE_BYTES;

    /// The templates of some bytes, one a line: count, first and last line, text.
    fn mined(bytes: &[u8]) -> (Vec<String>, Totals) {
        let (templates, totals, _) = mined_by(bytes, 1);
        (templates, totals)
    }

    /// The same with the template of every line.
    fn mined_by(bytes: &[u8], threads: usize) -> (Vec<String>, Totals, Vec<TemplateId>) {
        let context = Context { zone: jiff::tz::TimeZone::UTC, host: "h".into() };
        let mut mining = Mining::new(&mine::Config::default(), 1, context);
        let opened = Opened { medium: Medium::File, written: None, bytes: Box::new(io::Cursor::new(bytes.to_vec())) };
        let mut ids = Vec::new();
        mining
            .read(opened, Timestamp::EPOCH, threads, |number, id| {
                ids.push(id);
                assert_eq!(number, ids.len() as u64);
                Ok(())
            })
            .expect("from memory");
        let templates = mining.templates();
        let shown = |(_, text, count): &(TemplateId, &str, Count)| {
            format!("{} {} {} {text}", count.lines, count.first, count.last)
        };
        (templates.iter().map(shown).collect(), mining.totals(), ids)
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
    fn the_number_of_threads_changes_nothing() {
        let mut bytes = Vec::new();
        for number in 0..20_000_u64 {
            let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
            let (minute, second) = (number / 600 % 60, number / 10 % 60);
            let name: String = format!("{spread:x}").chars().map(|digit| char::from(b'a' + digit as u8 % 26)).collect();
            let text = match spread % 9 {
                0 => format!("sshd[{spread}]: Failed password for {name} from 10.0.0.{} port 22", spread % 250),
                1 => format!("kernel: [{spread}.123456] eth{}: link up", spread % 4),
                2 => format!("app[7]: the door was opened by {name} again\r"),
                3 => format!("app[7]: caf\u{e9} {spread}"),
                4 => format!("app: level={} x={spread}", if spread % 2 == 0 { "error" } else { "info" }),
                _ => "CRON[1]: (root) CMD (true)".to_owned(),
            };
            let host = ["web-1", "web-2", "db"][(spread % 3) as usize];
            bytes.extend(format!("Nov 22 05:{minute:02}:{second:02} {host} {text}\n").into_bytes());
            if number == 9_000 {
                bytes.extend(vec![b'x'; 300_000]);
            }
        }
        // The same by an application, whose lines are known as a whole.
        let text = String::from_utf8_lossy(&bytes);
        let heads =
            text.lines().map(|line| line.replacen("Nov 22 ", "2026-11-22 ", 1).replacen(" web-1 ", " INFO ", 1));
        for bytes in [bytes.as_slice(), heads.collect::<Vec<_>>().join("\n").as_bytes()] {
            let one = mined_by(bytes, 1);
            assert!(one.0.len() > 5 && bytes.len() > 1 << 20);
            assert!(mined_by(bytes, 2) == one && mined_by(bytes, 4) == one);
        }
    }

    #[test]
    fn a_failure_ends_all_threads() {
        let context = Context { zone: jiff::tz::TimeZone::UTC, host: "h".into() };
        let mut mining = Mining::new(&mine::Config::default(), 1, context);
        let bytes = Box::new(io::Cursor::new(b"line\n".repeat(500_000)));
        let opened = Opened { medium: Medium::File, written: None, bytes };
        let full = |number, _| if number > 300_000 { Err(io::Error::other("full")) } else { Ok(()) };
        assert_eq!(mining.read(opened, Timestamp::EPOCH, 3, full).expect_err("fails").to_string(), "full");
        assert_eq!(mining.totals().lines, 300_001);
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
