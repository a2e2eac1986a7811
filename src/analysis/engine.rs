//! The pipeline on event time: chunks in, counts and rows out. Holds what one run adds up; reads nothing itself.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use std::time::Instant;

use crate::model::{Change, Fact, Fingerprint, Phase, Timestamp};
use crate::pipeline::{Counters, Effects, Input, Passed, Pipeline, SecondLook, SecondQuestions, Settings};
use crate::report::{InputSummary, Metrics, Series, Week};

use super::chunk::Chunk;
use super::collect::{Collector, Wanted};
use super::rows::{Draft, Rows};
use super::trail::Step;

/// Steps of the timeline, and of one template's.
const STEPS: usize = 240;
const TEMPLATE_STEPS: usize = 48;
/// Hours of the heat map: two months.
const HOURS: usize = 24 * 62;
/// Columns of all tables together.
const MAX_COLUMNS: usize = 1_000;

/// One run under way.
pub struct Engine {
    pub pipeline: Pipeline,
    pub collector: Collector,
    pub metrics: Metrics,
    pub inputs: Vec<InputSummary>,
    pub timeline: Series,
    pub hours: Series,
    pub week: Week,
    /// By the number of the kind.
    pub kinds: Vec<KindStats>,
    /// Verdicts, spend and the judge's state, for the store.
    pub lasting: Vec<Fact>,
    /// What makes the report incomplete.
    pub problems: Vec<String>,
    /// What does not: a broken quote, a state that cannot be written.
    pub remarks: Vec<String>,
    /// Incidents that spoke after the last line: their lines were passed over.
    flagged: HashSet<Fingerprint>,
    /// Columns of the tables so far.
    columns: Vec<String>,
    has_plain: bool,
    /// Chunks so far.
    chunks: u64,
    /// Event time: of every stream, and the newest.
    times: HashMap<Arc<str>, Timestamp>,
    now: Timestamp,
    began: Instant,
}

/// Lines of one kind.
pub struct KindStats {
    pub count: u64,
    pub first: Timestamp,
    pub last: Timestamp,
    pub series: Series,
}

impl Engine {
    pub fn new(pipeline: Pipeline, names: Vec<String>, zone: jiff::tz::TimeZone) -> anyhow::Result<Engine> {
        let inputs = names.into_iter().map(|name| InputSummary { name, ..InputSummary::default() }).collect();
        Ok(Engine {
            pipeline,
            collector: Collector::new()?,
            metrics: Metrics::default(),
            inputs,
            timeline: Series::new(STEPS, 1),
            hours: Series::new(HOURS, 3_600),
            week: Week::new(zone),
            kinds: Vec::new(),
            lasting: Vec::new(),
            problems: Vec::new(),
            remarks: Vec::new(),
            flagged: HashSet::new(),
            columns: Vec::new(),
            has_plain: false,
            chunks: 0,
            times: HashMap::new(),
            now: Timestamp::EPOCH,
            began: Instant::now(),
        })
    }

    /// Lines that only teach what is normal.
    pub fn learn(&mut self, mut chunk: Chunk) {
        self.metrics.baseline_lines += chunk.block.spans.len() as u64;
        chunk.block.phase = Phase::Learn;
        // Nothing said while learning is about the lines that are analyzed.
        self.lines(&chunk, &mut Effects::default());
    }

    /// The baseline is complete. What rules saw in it is not what was asked about.
    pub fn learned(&mut self) {
        let mut effects = Effects::default();
        self.pipeline.handle(Input::Learned, self.now, &mut effects);
        self.keep(&mut effects);
        // What teaches is read again from the start.
        self.times.clear();
    }

    /// Other settings from here on.
    pub fn reload(&mut self, settings: Settings) {
        self.pipeline.handle(Input::Reload(Box::new(settings)), self.now, &mut Effects::default());
    }

    /// Lines to be analyzed, of this input; `outside` lines were left out of them.
    pub fn live(&mut self, chunk: &Chunk, input: usize, outside: u64) -> anyhow::Result<()> {
        let before = self.pipeline.counters();
        let mut effects = Effects::default();
        self.lines(chunk, &mut effects);
        self.count(chunk, input, &effects.trace.lines, &before, outside);
        match &chunk.table {
            None => self.has_plain = true,
            Some(table) => {
                for name in table.columns.names.iter() {
                    if self.columns.len() < MAX_COLUMNS && !self.columns.contains(name) {
                        self.columns.push(name.clone());
                    }
                }
            }
        }
        self.keep(&mut effects);
        self.chunks += 1;
        self.collector.take_lines(&mut effects, chunk, self.chunks - 1)
    }

    /// Anything that is no line, at this time.
    pub fn feed(&mut self, input: Input<'_>, now: Timestamp) -> Effects {
        let mut effects = Effects::default();
        self.pipeline.handle(input, now, &mut effects);
        self.keep(&mut effects);
        let told = effects.trace.told.iter().filter(|told| told.change != Change::AlreadyThere);
        self.flagged.extend(told.map(|told| told.incident));
        self.collector.take(&mut effects);
        effects
    }

    /// Offers the gravest incidents, at most so many, for a question about each as a whole.
    pub fn ask_about_incidents(&mut self, most: usize, now: Timestamp) {
        let mut effects = Effects::default();
        self.pipeline.ask_about_incidents(most, now, &mut effects);
        self.collector.take(&mut effects);
    }

    /// The end of the lines: what waits is said.
    pub fn end_of_lines(&mut self) {
        let mut effects = Effects::default();
        self.pipeline.end_of_input(self.now, &mut effects);
        self.keep(&mut effects);
        self.collector.take(&mut effects);
    }

    /// Must be asked after the first pass and the judge.
    pub fn needs_second_pass(&self) -> bool {
        self.collector.needs_second_pass(&self.flagged)
    }

    /// One chunk of the second pass: the lines that should have a row, into `rows`. `steps` are the lines of the chunk that
    /// passed; some of them may have a row already.
    pub fn look_again(
        &self,
        look: &mut SecondLook,
        (chunk, number, steps): (&Chunk, u64, &[Step]),
        wanted: &Wanted,
        rows: &mut Rows,
    ) -> anyhow::Result<()> {
        let collector = &self.collector;
        let origin = &chunk.block.origin.name;
        let spans = &chunk.block.spans;
        let missed = match (spans.first(), spans.last()) {
            (Some(first), Some(last)) => collector.missed(origin, first.offset, last.offset),
            (None, _) | (_, None) => return Ok(()),
        };
        let named = |step: &Step| missed.get(&spans.get(step.index as usize)?.offset).copied();
        let is_wanted = |step: &&Step| {
            let kind = || self.pipeline.kind_id(step.kind);
            (!missed.is_empty() && named(step).is_some()) || collector.is_wanted(step, kind(), wanted)
        };
        let steps: Vec<&Step> = steps.iter().filter(is_wanted).collect();
        if steps.is_empty() {
            return Ok(());
        }
        let mut at = steps.iter();
        let lines = steps.iter().map(|step| (step.index as usize, step.kind));
        let mut written = Ok(());
        self.pipeline.look_again(look, &chunk.block, self.now, lines, |index, shown| {
            let Some(step) = at.find(|step| step.index as usize == index) else { return };
            if let Some(incident) = named(step).or_else(|| collector.incident_of(step, shown))
                && written.is_ok()
            {
                written = rows.push(&Draft::new(chunk, number, index, step.time, shown, incident));
            }
        });
        written
    }

    /// Something a reader of the report should know that leaves nothing out.
    pub fn remark(&mut self, text: String) {
        self.remarks.push(text);
    }

    /// The columns of all inputs: those of plain logs where there are any, then each table's own.
    pub fn columns(&self) -> Vec<String> {
        let plain = if self.has_plain || self.columns.is_empty() { &crate::report::PLAIN_COLUMNS[..] } else { &[] };
        let mut names: Vec<String> = plain.iter().map(|name| (*name).to_owned()).collect();
        for name in &self.columns {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }

    /// One row of the report, at this time.
    pub fn count_row(&mut self, time: Timestamp) {
        self.timeline.add(time, 0, 1);
        self.hours.add(time, 0, 1);
        self.week.add(time, 0, 1);
    }

    /// Seconds since the run began.
    pub fn elapsed(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// Each stream has its own time: they are read side by side.
    fn lines(&mut self, chunk: &Chunk, effects: &mut Effects) {
        let name = &chunk.block.origin.name;
        let now = self.times.get(name).copied().unwrap_or(Timestamp::EPOCH);
        self.pipeline.handle(Input::Lines(&chunk.block), now, effects);
        self.times.insert(Arc::clone(name), effects.trace.now);
        self.now = self.now.max(effects.trace.now);
    }

    fn count(&mut self, chunk: &Chunk, input: usize, lines: &[Passed], before: &Counters, outside: u64) {
        let after = self.pipeline.counters();
        let metrics = &mut self.metrics;
        metrics.total_chunks_processed += 1;
        metrics.lines += chunk.block.spans.len() as u64 + outside;
        metrics.lossy += after.lossy - before.lossy;
        metrics.truncated += after.truncated - before.truncated;
        metrics.plain += lines.iter().filter(|line| line.plain).count() as u64;
        metrics.skipped += outside + (chunk.block.spans.len() - lines.len().min(chunk.block.spans.len())) as u64;
        metrics.copies += after.twins - before.twins;
        metrics.parsed = metrics.lines - metrics.plain - metrics.skipped;
        // Most lines were written in the same second as the one before.
        for same in lines.chunk_by(|one, other| one.time.as_seconds() == other.time.as_seconds()) {
            let Some(first) = same.first() else { continue };
            let count = same.len() as u64;
            self.timeline.add(first.time, count, 0);
            self.hours.add(first.time, count, 0);
            self.week.add(first.time, count, 0);
        }
        for line in lines {
            let kind = line.kind as usize;
            while self.kinds.len() <= kind {
                let (first, last) = (line.time, line.time);
                self.kinds.push(KindStats { count: 0, first, last, series: Series::new(TEMPLATE_STEPS, 60) });
            }
            if let Some(stats) = self.kinds.get_mut(kind) {
                if stats.count == 0 {
                    (stats.first, stats.last) = (line.time, line.time);
                }
                stats.count += 1;
                stats.first = stats.first.min(line.time);
                stats.last = stats.last.max(line.time);
                stats.series.add(line.time, 1, 0);
            }
        }
        if let Some(about) = self.inputs.get_mut(input) {
            about.lines += chunk.block.spans.len() as u64 + outside;
            let (first, last) = (lines.iter().map(|line| line.time).min(), lines.iter().map(|line| line.time).max());
            about.first = about.first.into_iter().chain(first).min();
            about.last = about.last.into_iter().chain(last).max();
        }
    }

    /// What outlives the run: answers and their price. Everything else of an analysis stays out of the state.
    fn keep(&mut self, effects: &mut Effects) {
        for fact in &effects.facts {
            let lasts = match fact {
                Fact::Verdict(_) | Fact::Spend { .. } => true,
                Fact::State { name, .. } => [crate::judge::Judge::STATE, SecondQuestions::STATE].contains(&&**name),
                Fact::Template(_)
                | Fact::Kind(_)
                | Fact::Question(_)
                | Fact::QuestionClosed(_)
                | Fact::Finding(_)
                | Fact::Joined { .. }
                | Fact::Incident(_)
                | Fact::Outbox(_)
                | Fact::Delivered { .. }
                | Fact::DeadLetter { .. }
                | Fact::Answer(_)
                | Fact::AnswerOver(_) => false,
            };
            if lasts {
                self.lasting.push(fact.clone());
            }
        }
    }
}
