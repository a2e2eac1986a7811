//! Turns journalctl's output into blocks of entries and a position. No child, no clock, no waiting: bytes in, blocks out.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use super::Limits;
use super::command::Start;
use super::entry::{Entry, sequence};
use super::filter::Filter;
use super::lines::{Line, Lines};
use crate::model::{JournalPlace, LineBlock, LineSpan, Origin, Phase, Place, Position, SourceEvent, StreamKey};

/// Cursors remembered, to drop entries that come again after a restart of the child.
const SEEN: usize = 4096;

/// Collects entries of one journal.
#[derive(Debug)]
pub(super) struct Intake {
    phase: Phase,
    origin: Arc<Origin>,
    stream: StreamKey,
    filter: Filter,
    entry_bytes: usize,
    block_bytes: usize,
    lines: Lines,
    bytes: Vec<u8>,
    spans: Vec<LineSpan>,
    /// The newest entry read, dropped ones included.
    last: Option<JournalPlace>,
    /// `last` moved since a block was taken.
    moved: bool,
    /// The entry that a resumed child should show first. It was handed over before.
    expected: Option<JournalPlace>,
    seen: Seen,
    /// Learning ends with this entry.
    up_to: Option<JournalPlace>,
    finished: bool,
    /// Lines that are no entries, since last told.
    garbage: u64,
    events: Vec<SourceEvent>,
}

impl Intake {
    pub(super) fn new(phase: Phase, origin: Arc<Origin>, stream: StreamKey, filter: Filter, limits: &Limits) -> Intake {
        Intake {
            phase,
            origin,
            stream,
            filter,
            entry_bytes: limits.entry_bytes,
            block_bytes: limits.block_bytes,
            lines: Lines::new(limits.entry_bytes),
            bytes: Vec::new(),
            spans: Vec::new(),
            last: None,
            moved: false,
            expected: None,
            seen: Seen::default(),
            up_to: None,
            finished: false,
            garbage: 0,
            events: Vec::new(),
        }
    }

    /// For learning: takes nothing behind `place`.
    pub(super) fn up_to(mut self, place: JournalPlace) -> Intake {
        self.up_to = Some(place);
        self
    }

    /// A new child writes from here on; what the old one left unfinished is void.
    pub(super) fn begin(&mut self, start: &Start) {
        self.lines = Lines::new(self.entry_bytes);
        self.expected = None;
        match start {
            Start::After(place) => {
                self.seen.insert(&place.cursor);
                self.last.get_or_insert_with(|| place.clone());
                self.expected = Some(place.clone());
            }
            Start::Head | Start::With(_) | Start::Since(_) => {}
        }
    }

    /// Takes the next bytes of the child. True when they held an entry that had not been there before.
    pub(super) fn feed(&mut self, chunk: &[u8]) -> bool {
        // Taken out while its lines borrow it.
        let mut lines = std::mem::replace(&mut self.lines, Lines::new(0));
        let mut news = false;
        lines.feed(chunk, |line| match line {
            Line::Whole(line) => news |= self.take_line(line),
            Line::TooLong(bytes) => {
                self.events.push(SourceEvent::Skipped { origin: self.name(), bytes });
            }
        });
        self.lines = lines;
        news
    }

    fn take_line(&mut self, line: &[u8]) -> bool {
        if line.is_empty() || self.finished {
            return false;
        }
        let Some(entry) = Entry::read(line) else {
            self.garbage += 1;
            return false;
        };
        if let Some(expected) = self.expected.take() {
            if entry.cursor == expected.cursor {
                return false;
            }
            self.tell_gap(&expected, &entry);
        }
        if !self.seen.insert(&entry.cursor) || self.is_behind_the_end(&entry) {
            return false;
        }
        if self.is_reboot(&entry) {
            tracing::info!("{}: the host was started anew; what follows is of that boot", self.origin.name);
        }
        if self.filter.keeps(&entry) {
            self.push(line, &entry);
        }
        self.finished = self.up_to.as_ref().is_some_and(|place| place.cursor == entry.cursor);
        self.last = Some(entry.place());
        self.moved = true;
        true
    }

    fn push(&mut self, line: &[u8], entry: &Entry<'_>) {
        // Fits: a block is taken at `block_bytes`, and a line has at most `entry_bytes`.
        let start = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        self.bytes.extend_from_slice(line);
        let end = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        let offset = sequence(&entry.cursor).map_or(0, |(_, number)| number);
        self.spans.push(LineSpan { start, end, offset, truncated: false, partial: false });
    }

    /// The first live entry of another boot than the one before, of a journal that holds one machine's.
    pub(super) fn is_reboot(&self, entry: &Entry<'_>) -> bool {
        let boot_before = self.last.as_ref().map(|place| place.boot_id.as_str()).filter(|boot| !boot.is_empty());
        let is_other = boot_before.zip(entry.boot_id.as_deref()).is_some_and(|(before, now)| before != now);
        is_other && self.phase == Phase::Live && self.filter.knows_machine(entry)
    }

    /// Entries of the same source are numbered: one later than the end of learning is live.
    fn is_behind_the_end(&self, entry: &Entry<'_>) -> bool {
        let Some(place) = &self.up_to else { return false };
        match (sequence(&place.cursor), sequence(&entry.cursor)) {
            (Some((ours, end)), Some((theirs, number))) => ours == theirs && number > end,
            (None, _) | (_, None) => false,
        }
    }

    /// The entry we stopped at is gone; how many more are, the numbers in the cursors tell.
    fn tell_gap(&mut self, expected: &JournalPlace, first: &Entry<'_>) {
        let lost = match (sequence(&expected.cursor), sequence(&first.cursor)) {
            (Some((ours, before)), Some((theirs, after))) if ours == theirs => {
                Some(after.saturating_sub(before.saturating_add(1)))
            }
            _ => None,
        };
        if lost != Some(0) {
            let reason = "the journal was vacuumed past the entry where reading stopped".to_owned();
            self.events.push(SourceEvent::Gap { origin: self.name(), reason, lost });
        }
    }

    /// Where the next child has to go on; `None` before the first entry.
    pub(super) fn last(&self) -> Option<&JournalPlace> {
        self.last.as_ref()
    }

    pub(super) fn has_seen(&self, cursor: &str) -> bool {
        self.seen.contains(cursor)
    }

    pub(super) fn has_lines(&self) -> bool {
        !self.spans.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= self.block_bytes
    }

    /// Learning has reached its end.
    pub(super) fn is_finished(&self) -> bool {
        self.finished
    }

    /// The position moved over dropped entries only.
    pub(super) fn has_only_moved(&self) -> bool {
        self.moved && self.spans.is_empty()
    }

    /// What was collected. Without lines when the position only moved; `None` when nothing happened.
    pub(super) fn take_block(&mut self) -> Option<LineBlock> {
        if !self.moved {
            return None;
        }
        self.moved = false;
        let position = match self.phase {
            Phase::Live => self
                .last
                .clone()
                .map(|place| Position { stream: Arc::clone(&self.stream), at: Place::JournalV1(place) }),
            Phase::Learn => None,
        };
        Some(LineBlock {
            origin: Arc::clone(&self.origin),
            phase: self.phase,
            bytes: std::mem::take(&mut self.bytes),
            spans: std::mem::take(&mut self.spans),
            position,
        })
    }

    /// What there is to tell besides lines.
    pub(super) fn take_events(&mut self) -> Vec<SourceEvent> {
        std::mem::take(&mut self.events)
    }

    /// Lines that were no entries, since last asked.
    pub(super) fn take_garbage(&mut self) -> u64 {
        std::mem::take(&mut self.garbage)
    }

    pub(super) fn name(&self) -> Arc<str> {
        Arc::clone(&self.origin.name)
    }
}

/// The newest cursors, as hashes.
#[derive(Debug, Default)]
struct Seen {
    hashes: HashSet<u64>,
    order: VecDeque<u64>,
}

impl Seen {
    /// False when it was there.
    fn insert(&mut self, cursor: &str) -> bool {
        let hash = xxh3_64(cursor.as_bytes());
        if !self.hashes.insert(hash) {
            return false;
        }
        self.order.push_back(hash);
        if self.order.len() > SEEN
            && let Some(oldest) = self.order.pop_front()
        {
            self.hashes.remove(&oldest);
        }
        true
    }

    fn contains(&self, cursor: &str) -> bool {
        self.hashes.contains(&xxh3_64(cursor.as_bytes()))
    }
}
