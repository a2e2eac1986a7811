//! What became of every line, for reports that show lines. Filled only where a caller asks for it: a daemon keeps no lines.

use std::sync::Arc;

use crate::detect::MeterId;
use crate::model::{Finding, Fingerprint, JudgedBy, Kind, KindId, Level, LineBlock, Origin, Phase, Timestamp};
use crate::parse::{Format, Plan, headline};

use super::clock::EventClock;
use super::twins::{Heard, Twins};
use super::{Pipeline, lines};

/// What one call of [`Pipeline::handle`] says of lines. Put an empty one into [`Effects::marks`](super::Effects) to get it.
#[derive(Debug, Default)]
pub struct Marks {
    /// Every live line that was counted, in order.
    pub lines: Vec<LineMark>,
    /// Every finding that joined an incident, in order.
    pub told: Vec<FindingMark>,
}

/// One counted line.
#[derive(Debug)]
pub struct LineMark {
    /// Byte offset of the line in its stream, as in its span.
    pub offset: u64,
    /// Event time.
    pub time: Timestamp,
    /// Number of its kind; the same number means the same kind in one run.
    pub kind: u32,
    /// No format fitted, or none is known.
    pub plain: bool,
    /// The line itself, when somebody said something about its kind.
    pub shown: Option<Box<Shown>>,
}

/// A line that may belong to an incident.
#[derive(Clone, PartialEq, Debug)]
pub struct Shown {
    pub host: Arc<str>,
    pub kind_id: KindId,
    pub kind: Kind,
    /// As the writer of the line said it.
    pub level: Option<Level>,
    /// After the header, cut to [`Shown::MAX_BYTES`]. Hostile.
    pub message: String,
}

impl Shown {
    /// Longest message kept for a report.
    pub const MAX_BYTES: usize = 16 << 10;
}

/// A finding and the incident it joined.
#[derive(Debug)]
pub struct FindingMark {
    pub incident: Fingerprint,
    pub host: Arc<str>,
    pub kind: Option<KindId>,
    /// What separates incidents of one rule; may be empty.
    pub group: String,
    pub judged_by: JudgedBy,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    /// Origin and offset of its lines.
    pub lines: Vec<(Arc<str>, u64)>,
}

impl FindingMark {
    pub(super) fn of(finding: &Finding, incident: Fingerprint) -> FindingMark {
        FindingMark {
            incident,
            host: Arc::clone(&finding.host),
            kind: finding.kind,
            group: finding.group.clone(),
            judged_by: finding.judged_by.clone(),
            first_seen: finding.first_seen,
            last_seen: finding.last_seen,
            lines: finding.evidence.iter().map(|line| (Arc::clone(&line.origin), line.offset)).collect(),
        }
    }
}

/// What is known of one kind, for tables.
#[derive(Clone, PartialEq, Debug)]
pub struct KindView<'a> {
    pub kind: &'a Kind,
    pub id: KindId,
    /// Current text of its template.
    pub template: &'a str,
}

/// Reads the lines of one stream a second time, with what is known by now.
pub struct SecondLook {
    plan: Plan,
    clock: EventClock,
    number: u32,
    meter: MeterId,
}

impl Pipeline {
    /// The kind that [`LineMark::kind`] names.
    pub fn kind(&self, number: u32) -> Option<KindView<'_>> {
        let state = self.kinds.get(number)?;
        let template = self.miner.text(state.kind.template).unwrap_or_default();
        Some(KindView { kind: &state.kind, id: state.id, template })
    }

    /// Begins the second pass: copies of lines are told apart as in the first.
    pub fn begin_second_pass(&mut self) {
        self.twins = Twins::default();
    }

    /// A stream of the second pass; `number` is the same for one name and differs between names.
    pub fn second_look(&mut self, origin: &Origin, number: u32) -> SecondLook {
        let forced = origin.format.as_deref().and_then(|name| Format::from_config(name).ok().flatten());
        let meter = self.detect.source(&origin.name);
        SecondLook { plan: Plan::new(origin.medium, forced), clock: EventClock::default(), number, meter }
    }

    /// Every line of a block that counts, with the kind it has by now. Changes no counter and makes no finding.
    pub fn look_again(
        &mut self,
        look: &mut SecondLook,
        block: &LineBlock,
        now: Timestamp,
        mut each: impl FnMut(u64, Timestamp, &Shown),
    ) {
        let reference = block.origin.written.unwrap_or(now);
        look.plan.prime(block.lines().map(|(bytes, _)| bytes), reference, &self.context);
        for (bytes, span) in block.lines() {
            let header = look.plan.parse(bytes, reference, &self.context);
            let time = look.clock.at(header.time, now);
            let host: Arc<str> = header.host.as_deref().map_or_else(|| Arc::clone(&self.context.host), Arc::from);
            let passing = lines::Passing { header, time, host: &host, span, heard: Heard::First, source: look.meter };
            match self.heard(&passing, look.number, &block.origin, Phase::Live) {
                Some(Heard::First | Heard::Leveled) => {}
                Some(Heard::Twin) | None => continue,
            }
            let header = passing.header;
            let level = header.level.unwrap_or_default();
            let template = self.miner.mine(&headline(&header.message)).template;
            let kind = Kind { program: Arc::from(&*header.program), level, template };
            let shown = Shown {
                kind_id: kind.id(),
                kind,
                level: header.level,
                message: crate::model::clip(&header.message, Shown::MAX_BYTES).to_owned(),
                host: Arc::clone(&host),
            };
            each(span.offset, time, &shown);
        }
    }
}
