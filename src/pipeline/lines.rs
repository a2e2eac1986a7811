//! The path of a line: parse, mine, count, detect, into the batch. One like a line before is neither parsed nor mined: it
//! touches counters and is forgotten.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::detect::{Counted, Horizon, MeterId, NEW_VALUE, OUTLIER, Seen, Words};
use crate::mine::{Change, Detail, Mined};
use crate::model::{
    Evidence, Fact, Finding, Header, JudgedBy, Kind, Level, LineBlock, LineSpan, Medium, Origin, Phase, Place,
    SourceCounts, TemplateRow, Timestamp,
};
use crate::parse::{Format, Plan, headline};

use super::clock::{EventClock, Pace};
use super::kinds::{Answer, answer_to, may_ask};
use super::memory::Known;
use super::silence::Voice;
use super::twins::Heard;
use super::{Effects, Pipeline};

/// A line stamped this much before one that came earlier is late; syslog files are out of order by less.
const LATE: Duration = Duration::from_secs(5);
/// Lines between two looks at what detectors marked, where lines are traced.
const MARKS_EVERY: usize = 64;

/// What is remembered of one source of lines.
pub struct SourceState {
    /// Small number for the twin table and the miner.
    number: u32,
    /// Where its lines are counted by time.
    meter: MeterId,
    pace: Pace,
    lines: u64,
    plan: Plan,
    /// Learning and live lines of one source interleave: each has its own time.
    learn_clock: EventClock,
    live_clock: EventClock,
    /// Whose lines they are that name no host: ours, or of the peer that sent them.
    own_host: Arc<str>,
    /// The host of its last line: it is nearly always the same.
    host: Arc<str>,
}

/// One line in the batch.
#[derive(Debug)]
pub struct Entry {
    /// Index into the kinds.
    pub kind: u32,
    pub host: Arc<str>,
    pub time: Timestamp,
    /// Kept where somebody will want to show it: the kind is unanswered or known to be anomalous.
    pub evidence: Option<Box<Evidence>>,
}

/// A line on its way, after parsing.
pub(super) struct Passing<'a> {
    pub(super) header: Header<'a>,
    pub(super) time: Timestamp,
    pub(super) host: &'a Arc<str>,
    pub(super) span: LineSpan,
    pub(super) heard: Heard,
    pub(super) source: MeterId,
}

impl Pipeline {
    pub(super) fn lines(&mut self, block: &LineBlock, mut now: Timestamp, out: &mut Effects) -> Timestamp {
        let number = self.sources.len() as u32;
        // Out of the map while its lines pass: the plan borrows from the block, the rest from us.
        let mut source =
            self.sources.remove(&block.origin.name).unwrap_or_else(|| self.new_source(&block.origin, number));
        let reference = block.origin.written.unwrap_or(now);
        source.plan.prime(block.lines().map(|(bytes, _)| bytes), reference, &self.context);
        self.memory.prepare(block, &mut source.plan);
        let detail = self.miner.growth(source.number).detail();
        let mut findings = Vec::new();
        let mut counts = SourceCounts::default();
        let mut voice = self.silence.listen(&block.origin.name);
        for (number, (bytes, span)) in block.lines().enumerate() {
            source.lines += 1;
            let front = source.plan.front(bytes, reference);
            let key = front.and_then(|front| Some((front, self.memory.key(block, number, &front, source.number)?)));
            let found = key.and_then(|(front, key)| {
                let (place, known) = self.memory.find(key)?;
                let header = source.plan.read_again(bytes, &front, &known.reading)?;
                Some((place, known.kind, header))
            });
            let (known, mut header) = match found {
                Some((place, kind, header)) => (Some((place, kind)), header),
                None => (None, source.plan.parse(bytes, reference, &self.context)),
            };
            header.notes.truncated |= span.truncated;
            counts.lines += 1;
            counts.lossy += u64::from(header.notes.lossy);
            counts.truncated += u64::from(header.notes.truncated);
            counts.fallback += u64::from(header.notes.fallback);
            voice.line(header.time);
            let now =
                if self.tracing { self.advance(header.time, reference, &mut now, &mut findings, out) } else { now };
            let clock = match block.phase {
                Phase::Learn => &mut source.learn_clock,
                Phase::Live => &mut source.live_clock,
            };
            let time = clock.at(header.time, now);
            counts.late += u64::from(header.time.is_some_and(|stamp| time.since(stamp) > LATE));
            match &header.host {
                Some(host) if **host == *source.host => {}
                Some(host) if **host != *source.own_host => source.host = Arc::from(&**host),
                None if Arc::ptr_eq(&source.host, &source.own_host) => {}
                Some(_) | None => source.host = Arc::clone(&source.own_host),
            }
            let mut passing =
                Passing { header, time, host: &source.host, span, heard: Heard::First, source: source.meter };
            let Some(heard) = self.heard(&passing, source.number, &block.origin, block.phase) else {
                self.counters.own += 1;
                continue;
            };
            counts.repeated += u64::from(heard != Heard::First);
            if self.detect.count_source(source.meter, time, block.phase) {
                self.detect.source_beat(&source.host, time, block.phase, &mut findings);
            }
            if heard == Heard::Twin {
                if let (None, Some((front, key))) = (known, key)
                    && let Some(reading) = source.plan.reading(bytes, &front, &passing.header)
                {
                    self.memory.put(key, Known { reading, kind: None });
                }
            } else {
                passing.heard = heard;
                let kind = known.and_then(|(_, kind)| kind);
                if kind.is_none() {
                    self.miner.enter(source.number, source.lines);
                }
                let index = self.line(&passing, kind, &block.origin, block.phase, now, &mut findings, out);
                if kind.is_none()
                    && let Some(index) = index
                    && self.is_memorable(&passing.header, index, source.number)
                {
                    match (known, key) {
                        (Some((place, _)), _) => self.memory.name(place, index),
                        (None, Some((front, key))) => {
                            if let Some(reading) = source.plan.reading(bytes, &front, &passing.header) {
                                self.memory.put(key, Known { reading, kind: Some(index) });
                            }
                        }
                        (None, None) => {}
                    }
                }
                if self.tracing {
                    self.tell(std::mem::take(&mut findings), now, out);
                    if let Some(index) = index {
                        self.trace_line(&passing, index, block.phase, &mut out.trace);
                    }
                    // Detectors keep a bounded number of marks.
                    if number % MARKS_EVERY == 0 {
                        self.trace_marks(&mut out.trace);
                    }
                }
            }
        }
        if block.phase == Phase::Live {
            self.detect.settle(self.event_time, &mut findings);
            source.pace.block(source.live_clock.last(), now);
        }
        self.tell(findings, now, out);
        self.account(block, counts, voice, now, out);
        self.grown(&block.origin.name, source.number, detail, now, out);
        if let Some(position) = &block.position {
            out.moved(position.clone());
        }
        self.sources.insert(Arc::clone(&block.origin.name), source);
        if self.tracing {
            self.trace_marks(&mut out.trace);
        }
        out.trace.now = now;
        now
    }

    /// Enters a block into the books: counts, and that its source spoke.
    fn account(&mut self, block: &LineBlock, counts: SourceCounts, voice: Voice, now: Timestamp, out: &mut Effects) {
        let name = &block.origin.name;
        if counts.lines > 0 {
            self.ledger.add(name, &counts);
        }
        self.counters.lines += counts.lines;
        self.counters.lossy += counts.lossy;
        self.counters.truncated += counts.truncated;
        self.counters.fallback += counts.fallback;
        self.counters.twins += counts.repeated;
        if let Some(back) = self.silence.heard(voice, block.phase, now) {
            self.source_heard(back, now, out);
        }
        // Deleted, and read to its end.
        if let Some(Place::FileV1(place)) = block.position.as_ref().map(|position| &position.at)
            && place.sealed
            && *place.path == **name
        {
            self.silence.ended(name);
        }
    }

    /// Whether another source said the line already; `None` for our own lines.
    pub(super) fn heard(&mut self, passing: &Passing<'_>, source: u32, origin: &Origin, phase: Phase) -> Option<Heard> {
        let header = &passing.header;
        if header.program == "logwren" && header.pid.is_some_and(|pid| self.own_pids.contains(&pid)) {
            return None;
        }
        // Only syslog-like lines have twins: they name their program. Learning counts nothing twice that matters.
        if phase == Phase::Live && !header.program.is_empty() {
            // Each part keys the next one, so that no part can pose as another.
            let hash = xxh3_64_with_seed(passing.host.as_bytes(), self.twin_seed);
            let hash = xxh3_64_with_seed(header.program.as_bytes(), hash);
            let hash = match origin.medium {
                Medium::Journal | Medium::Syslog => xxh3_64_with_seed(in_files(&header.message).as_bytes(), hash),
                Medium::File | Medium::Stdin => xxh3_64_with_seed(header.message.as_bytes(), hash),
            };
            // Milder levels are no news against the one a line without any is taken for.
            let leveled = header.level.is_some_and(|level| level <= Level::Warning);
            return Some(self.twins.look(hash, source, passing.time, leveled));
        }
        Some(Heard::First)
    }

    /// Whether every line of its shape is of this kind, as long as the source is what it is.
    fn is_memorable(&self, header: &Header<'_>, index: u32, source: u32) -> bool {
        // Of a record of many lines the shape does not tell the headline.
        !header.message.contains('\n')
            && self.miner.growth(source).detail() == Detail::Full
            && self.kinds.get(index).is_some_and(|state| *state.kind.program == *header.program)
    }

    /// `known` is the kind of an earlier line that this one is like.
    #[expect(clippy::too_many_arguments, reason = "all that a line comes with, and where it goes")]
    fn line(
        &mut self,
        passing: &Passing<'_>,
        known: Option<u32>,
        origin: &Arc<Origin>,
        phase: Phase,
        now: Timestamp,
        findings: &mut Vec<Finding>,
        out: &mut Effects,
    ) -> Option<u32> {
        let Passing { header, time, host, span, heard, source } = passing;
        let level = header.level.unwrap_or_default();
        let known = known.map(|index| self.kinds.current(index));
        let headline = if known.is_some() { Cow::Borrowed(&*header.message) } else { headline(&header.message) };
        let mined = match known {
            Some(index) => {
                let template = self.kinds.get(index)?.kind.template;
                Mined { template, change: None, new_shape: false }
            }
            None => self.miner.mine(&headline),
        };
        if let Some(Change::Merged { gone }) = mined.change {
            let mut pairs = self.kinds.merge(gone, mined.template);
            for merge in self.miner.further_merges() {
                pairs.extend(self.kinds.merge(merge.gone, merge.into));
            }
            pairs.iter().for_each(|(gone, into)| self.detect.merged(gone, into));
            self.template_changed(gone, now, out);
            for gone in pairs.iter().map(|(gone, _)| gone.template).collect::<BTreeSet<_>>() {
                self.template_changed(gone, now, out);
            }
        }
        if let Some(Change::Generalized | Change::Merged { .. }) = mined.change {
            self.template_changed(mined.template, now, out);
        }
        // The copy without a level was counted already; this one adds how bad it is, unless a rule knew that.
        let plain = (*heard == Heard::Leveled).then(|| Kind {
            program: header.program.as_ref().into(),
            level: Level::default(),
            template: mined.template,
        });
        let plain = plain.and_then(|kind| self.kinds.by_kind_mut(&kind));
        if plain.as_ref().is_some_and(|plain| plain.ruled) && mined.change.is_none() {
            return None;
        }
        let level_is_news = plain.is_some_and(|plain| {
            // One line, one question: about the kind that has its level.
            let first = plain.count == 1;
            if first && plain.answer == Answer::None {
                plain.answer = Answer::Settled;
            }
            // Nor does its incident count the line again.
            plain.told &= !first;
            first
        });
        let mut touched = match known {
            Some(index) => self.kinds.touch_again(index, *time, phase)?,
            None => self.kinds.touch(&header.program, level, mined.template, *time, phase),
        };
        if level_is_news {
            touched.known_level = None;
        }
        match phase {
            Phase::Learn => {
                self.learned.lines += 1;
                self.learned.oldest = Some(self.learned.oldest.map_or(*time, |oldest| oldest.min(*time)));
                self.learned.newest = Some(self.learned.newest.map_or(*time, |newest| newest.max(*time)));
            }
            // Inputs read one after the other each have their own time.
            Phase::Live if self.tracing => self.event_time = *time,
            Phase::Live => self.event_time = self.event_time.max(*time),
        }
        if mined.change.is_some() {
            self.write_template(&mined, *time, out);
        }
        let state = self.kinds.get_mut(touched.index)?;
        if let Some(Change::Generalized | Change::Merged { .. }) = mined.change
            && let Some(row) = self.judge.doubt(state.id, now)
        {
            state.answer = answer_to(&row);
            out.facts.push(Fact::Verdict(row));
        }

        let begins = touched.new_kind || !state.began || mined.new_shape || mined.change.is_some();
        if !state.began {
            state.meters = self.detect.meters(&state.kind);
        }
        let beat = self.detect.count(&Counted { meters: state.meters, source: *source, time: *time, phase });
        if begins || beat || !state.interest.is_none() {
            let nearest = if touched.new_template { self.miner.nearest(&headline) } else { None };
            let seen = Seen {
                kind: &state.kind,
                kind_id: state.id,
                template_text: self.miner.text(mined.template).unwrap_or_default(),
                message: &header.message,
                words: &Words::default(),
                unit: header.unit.as_deref(),
                pid: header.pid,
                host,
                time: *time,
                origin: &origin.name,
                offset: span.offset,
                phase,
                new_template: touched.new_template,
                new_kind: touched.new_kind,
                known_level: touched.known_level,
                count: state.count,
                nearest: nearest.map(|(_, text)| text),
            };
            let before = findings.len();
            if begins {
                state.interest = self.detect.begin(&seen, findings);
                state.began = true;
            } else if !state.interest.is_none() {
                state.interest = self.detect.line(state.interest, &seen, findings);
            }
            if beat {
                self.detect.beat(&seen, findings);
            }
            state.ruled |= state.interest.claimed();
            state.told |= findings.len() > before;
            if phase == Phase::Live
                && !self.tracing
                && let Some(odd) = findings.get(before..).and_then(odd_value)
                && let Some(row) = self.judge.doubt_for_values(state.id, now)
            {
                // This very line becomes the example.
                (state.answer, state.sample, state.odd) = (answer_to(&row), None, Some(odd));
                out.facts.push(Fact::Verdict(row));
            }
        }

        let wants_evidence = match state.answer {
            _ if self.every_line => true,
            Answer::None => state.sample.is_none(),
            Answer::Undecided(until) => state.sample.is_none() && may_ask(until, now),
            Answer::Anomalous => true,
            Answer::Queued | Answer::QueuedLow | Answer::Settled => false,
        };
        let evidence = wants_evidence.then(|| {
            Box::new(Evidence {
                time: *time,
                host: Arc::clone(host),
                program: Arc::clone(&state.kind.program),
                level,
                origin: Arc::clone(&origin.name),
                offset: span.offset,
                line: Evidence::clip(&header.message),
            })
        });
        if state.answer == Answer::None && state.sample.is_none() {
            state.sample.clone_from(&evidence);
        }
        if phase == Phase::Live
            && let Some(entries) =
                self.batch.push(Entry { kind: touched.index, host: Arc::clone(host), time: *time, evidence }, now)
        {
            self.ask(entries, now, out);
        }
        Some(touched.index)
    }

    /// Moves `now` to the time of a line, and does what became due. One line cannot carry it past `limit`, when its log
    /// was last written.
    fn advance(
        &mut self,
        claimed: Option<Timestamp>,
        limit: Timestamp,
        now: &mut Timestamp,
        findings: &mut Vec<Finding>,
        out: &mut Effects,
    ) -> Timestamp {
        let time = match claimed {
            Some(claimed) => claimed.min(limit.saturating_add(Duration::from_secs(300))),
            None if *now == Timestamp::EPOCH => limit,
            None => *now,
        };
        if time > *now {
            let second = time.as_seconds() > now.as_seconds();
            *now = time;
            if second && !self.learning {
                self.detect.settle(time, findings);
                self.tell(std::mem::take(findings), time, out);
            }
            if self.next_deadline().is_some_and(|deadline| deadline <= time) {
                self.settle(time, out);
            }
        }
        *now
    }

    /// When silence may be judged next.
    pub(super) fn listen_at(&self) -> Option<Timestamp> {
        let deadline = self.detect.next_deadline().filter(|_| !self.learning)?;
        Some(deadline.saturating_add(Pace::DELAY))
    }

    /// Judges silence, when it is time to: no line may come that would do it.
    pub(super) fn listen(&mut self, now: Timestamp, out: &mut Effects) {
        if self.listen_at().is_none_or(|deadline| deadline > now) {
            return;
        }
        // Old logs are read one after another: none is silent because another one is read. The one that is read now is
        // out of the map while its lines pass.
        let until = |source: &SourceState| if self.tracing { None } else { source.pace.read_until(now) };
        let sources: Vec<_> = self.sources.values().map(|source| (source.meter, until(source))).collect();
        let mut findings = Vec::new();
        self.detect.quiet(&Horizon { now: now.saturating_sub(Pace::DELAY), sources: &sources }, &mut findings);
        self.tell(findings, now, out);
    }

    fn new_source(&mut self, origin: &Origin, number: u32) -> SourceState {
        if let Some(growth) = self.exploded.growth(&origin.name) {
            self.miner.set_growth(number, growth);
        }
        let forced = origin.format.as_deref().and_then(|name| Format::from_config(name).ok().flatten());
        let own_host = match origin.medium {
            Medium::Syslog => peer_host(&origin.name).map_or_else(|| Arc::clone(&self.context.host), Arc::from),
            Medium::File | Medium::Journal | Medium::Stdin => Arc::clone(&self.context.host),
        };
        SourceState {
            number,
            meter: self.detect.source(&origin.name),
            pace: Pace::default(),
            lines: 0,
            plan: Plan::new(origin.medium, forced),
            learn_clock: EventClock::default(),
            live_clock: EventClock::default(),
            host: Arc::clone(&own_host),
            own_host,
        }
    }

    fn write_template(&mut self, mined: &Mined, time: Timestamp, out: &mut Effects) {
        let text = self.miner.text(mined.template).unwrap_or_default().to_owned();
        out.facts.push(Fact::Template(TemplateRow {
            id: mined.template,
            text: text.clone(),
            count: 0,
            first_seen: time,
            last_seen: time,
            merged_into: None,
        }));
        let merged = match mined.change {
            Some(Change::Merged { gone }) => Some((gone, mined.template)),
            Some(Change::New | Change::Generalized) | None => None,
        };
        let further = self.miner.further_merges().iter().map(|merge| (merge.gone, merge.into));
        for (gone, into) in merged.into_iter().chain(further.filter(|_| merged.is_some())) {
            out.facts.push(Fact::Template(TemplateRow {
                id: gone,
                text: text.clone(),
                count: 0,
                first_seen: time,
                last_seen: time,
                merged_into: Some(into),
            }));
        }
    }
}

/// What these findings of one line find odd about its values, without the values.
fn odd_value(findings: &[Finding]) -> Option<&'static str> {
    findings.iter().find_map(|finding| match &finding.judged_by {
        JudgedBy::Detector(name) if **name == *NEW_VALUE => {
            Some("the example holds a value that was never seen before in its place, where only a few others are used")
        }
        JudgedBy::Detector(name) if **name == *OUTLIER => {
            Some("the example holds a number far beyond all others that were seen in its place")
        }
        JudgedBy::Detector(_) | JudgedBy::Rule(_) | JudgedBy::Model(_) => None,
    })
}

/// The address in `syslog/10.0.0.7`, unless it is one of ours.
fn peer_host(origin: &str) -> Option<&str> {
    let address = origin.strip_prefix("syslog/")?;
    let is_ours = address == "local" || address.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    (!is_ours).then_some(address)
}

/// A message as rsyslog writes it to files: each control character as `#` and three octal digits.
fn in_files(message: &str) -> Cow<'_, str> {
    // Without an early end this is a few wide instructions.
    if !message.bytes().fold(false, |found, byte| found | byte.is_ascii_control()) {
        return Cow::Borrowed(message);
    }
    let mut escaped = String::with_capacity(message.len() + 16);
    for letter in message.chars() {
        match u8::try_from(letter) {
            Ok(byte) if byte.is_ascii_control() => escaped.push_str(&format!("#{byte:03o}")),
            Ok(_) | Err(_) => escaped.push(letter),
        }
    }
    Cow::Owned(escaped)
}
