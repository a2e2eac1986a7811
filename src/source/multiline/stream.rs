//! One stream of lines with something waiting, and the positions held back for it.

use std::sync::Arc;
use std::time::Instant;

use crate::model::{LineBlock, LineSpan, Origin, Phase, Position, SourceEvent};
use crate::source::FromSource;

use super::group::{Group, Logical};
use super::wrap::{LANES, Wrap};
use super::{LONGEST, QUIET, QUIET_LINE};

/// What waits of one stream.
#[derive(Debug)]
pub(super) struct Stream {
    origin: Arc<Origin>,
    phase: Phase,
    lanes: [Lane; LANES],
    /// Of blocks whose lines wait at least in part, one for each generation.
    positions: Vec<Position>,
    /// Blocks so far: tells what waited before a block from what began in it.
    blocks: u64,
    last_at: Instant,
}

/// What waits of one of the stream's lanes.
#[derive(Debug, Default)]
struct Lane {
    /// A line whose end has not come.
    part: Option<Logical>,
    group: Option<Group>,
}

/// A block in the making.
#[derive(Debug, Default)]
struct Draft {
    bytes: Vec<u8>,
    spans: Vec<LineSpan>,
    left_out: u64,
}

impl Stream {
    pub fn new(origin: Arc<Origin>, phase: Phase, now: Instant) -> Stream {
        Stream { origin, phase, lanes: Default::default(), positions: Vec::new(), blocks: 0, last_at: now }
    }

    /// Takes a block, and appends what is complete.
    pub fn take(&mut self, block: LineBlock, now: Instant, out: &mut Vec<FromSource>) {
        self.blocks += 1;
        self.origin = Arc::clone(&block.origin);
        let mut draft = Draft { bytes: Vec::with_capacity(block.bytes.len()), ..Draft::default() };
        for (line, span) in block.lines() {
            self.last_at = now;
            let wrap = Wrap::of(line);
            if let Some(lane) = self.lanes.get_mut(wrap.lane) {
                lane.take(line, span, &wrap, (self.blocks, now), &mut draft);
            }
        }
        for lane in &mut self.lanes {
            lane.close_if(&mut draft, |group| !group.expects_more());
        }
        // What waited before this block is out or still waits; then the positions before it do too.
        let oldest = self.lanes.iter().filter_map(Lane::since).map(|(block, _)| block).min();
        let mut free = Vec::new();
        if oldest.is_none_or(|oldest| oldest >= self.blocks) {
            free = std::mem::take(&mut self.positions);
        }
        if let Some(position) = block.position {
            self.hold(position);
        }
        if oldest.is_none() {
            free.retain(|old: &Position| self.positions.iter().all(|new| new.stream != old.stream));
            free.append(&mut self.positions);
        }
        self.emit(draft, free, out);
    }

    pub fn deadline(&self) -> Instant {
        let begun = self.lanes.iter().filter_map(Lane::since).map(|(_, at)| at).min().unwrap_or(self.last_at);
        let is_record = |lane: &Lane| lane.part.is_some() || lane.group.as_ref().is_some_and(Group::is_trace);
        let quiet = if self.lanes.iter().any(is_record) { QUIET } else { QUIET_LINE };
        (self.last_at + quiet).min(begun + LONGEST)
    }

    pub fn held(&self) -> usize {
        let held =
            |lane: &Lane| lane.part.as_ref().map_or(0, Logical::held) + lane.group.as_ref().map_or(0, Group::held);
        self.lanes.iter().map(held).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.lanes.iter().all(|lane| lane.since().is_none())
    }

    /// Appends everything that waits.
    pub fn flush(mut self, out: &mut Vec<FromSource>) {
        let mut draft = Draft::default();
        for lane in &mut self.lanes {
            if let Some(mut part) = lane.part.take() {
                part.partial = true;
                lane.whole(part, &mut draft);
            }
            lane.close_if(&mut draft, |_| true);
        }
        let free = std::mem::take(&mut self.positions);
        self.emit(draft, free, out);
    }

    fn hold(&mut self, position: Position) {
        match self.positions.iter_mut().find(|held| held.stream == position.stream) {
            Some(held) => *held = position,
            None => self.positions.push(position),
        }
    }

    /// One block with the lines and the first position, then empty ones with the other positions.
    fn emit(&self, draft: Draft, positions: Vec<Position>, out: &mut Vec<FromSource>) {
        let Draft { bytes, spans, left_out } = draft;
        let block = |bytes, spans, position| {
            let origin = Arc::clone(&self.origin);
            FromSource::Lines(LineBlock { origin, phase: self.phase, bytes, spans, position })
        };
        let mut positions = positions.into_iter();
        let first = positions.next();
        if !spans.is_empty() || first.is_some() {
            out.push(block(bytes, spans, first));
        }
        out.extend(positions.map(|position| block(Vec::new(), Vec::new(), Some(position))));
        if left_out > 0 {
            out.push(FromSource::Event(SourceEvent::Skipped {
                origin: Arc::clone(&self.origin.name),
                bytes: left_out,
            }));
        }
    }
}

impl Lane {
    fn take(&mut self, line: &[u8], span: LineSpan, wrap: &Wrap, here: (u64, Instant), draft: &mut Draft) {
        let text = line.get(wrap.text.clone()).unwrap_or_default();
        let tail = line.get(wrap.text.end..).unwrap_or_default();
        let whole = match self.part.take() {
            Some(mut part) if part.style == wrap.style => {
                draft.left_out += part.extend(text, tail);
                part
            }
            Some(mut other) => {
                other.partial = true;
                self.whole(other, draft);
                Logical::of(line, span, wrap, here)
            }
            None => Logical::of(line, span, wrap, here),
        };
        if wrap.goes_on {
            self.part = Some(whole);
        } else {
            self.whole(whole, draft);
        }
    }

    /// When the first byte that waits came.
    fn since(&self) -> Option<(u64, Instant)> {
        let part = self.part.as_ref().map(|part| part.since);
        part.into_iter().chain(self.group.as_ref().map(Group::since)).min()
    }

    /// A whole line: into the group, or the group ends and another begins.
    fn whole(&mut self, line: Logical, draft: &mut Draft) {
        let line = match &mut self.group {
            Some(group) => match group.join(line) {
                Ok(()) => return,
                Err(line) => line,
            },
            None => line,
        };
        self.close_if(draft, |_| true);
        self.group = Some(Group::new(line));
    }

    fn close_if(&mut self, draft: &mut Draft, is_over: impl FnOnce(&Group) -> bool) {
        if let Some(group) = self.group.take_if(|group| is_over(group)) {
            draft.left_out += group.left_out_bytes();
            group.write(&mut draft.bytes, &mut draft.spans);
        }
    }
}
