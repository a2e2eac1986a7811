//! Logs read as a whole: the same pipeline as the daemon's, on the time of the lines, without sources, store, deliveries
//! or sleep. For `eval`, reports and backtests. Knows no files: the caller makes the blocks.

use std::collections::HashMap;
use std::sync::Arc;

use crate::model::{
    Completion, Fact, Fingerprint, Incident, JudgeRequest, Judged, LineBlock, LineSpan, Phase, Snapshot, Timestamp,
    Usage,
};
use crate::pipeline::{Counters, Effects, Input, Marked, Passed, Pipeline, Settings, Told};

/// A pipeline that is fed old logs.
///
/// Feed the blocks of a baseline with `Phase::Learn` and the others with `Phase::Live`, each input as one `Origin` from
/// its beginning, in order; say [`Replay::learned`] where novelty and rates may begin to speak, and [`Replay::finish`]
/// at the end. Inputs that follow one another may lie in any order of time.
pub struct Replay {
    pipeline: Pipeline,
    /// The time it is, by the lines.
    now: Timestamp,
    /// Which input is read, and how many lines of it passed.
    origin: Option<Arc<str>>,
    lines: u64,
    /// Live lines that still only teach, before [`Replay::learned`] is said by itself.
    warm_up: Option<u64>,
    /// Every incident so far, as it was last.
    incidents: HashMap<Fingerprint, Incident>,
}

/// What one call led to.
#[derive(Debug, Default)]
pub struct Step {
    /// Each line of the block that is neither our own nor one another input said already, with its number in its input
    /// (from 1).
    pub lines: Vec<(u64, Passed)>,
    /// Findings with their incidents, in order.
    pub told: Vec<Told>,
    /// Lines that belong to an incident that does not speak of whole kinds, also of earlier blocks.
    pub marked: Vec<Marked>,
    /// A request to the model, when one was asked for. At most one is under way.
    pub request: Option<JudgeRequest>,
}

/// What asking a model about everything would cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Cost {
    pub questions: u64,
    pub calls: u64,
    /// By our own estimate.
    pub input_tokens: u64,
    pub output_tokens: u64,
}

impl Step {
    fn append(&mut self, mut later: Step) {
        self.lines.append(&mut later.lines);
        self.told.append(&mut later.told);
        self.marked.append(&mut later.marked);
        self.request = later.request.or(self.request.take());
    }
}

impl Replay {
    pub fn new(settings: Settings) -> Replay {
        let mut pipeline = Pipeline::new(settings);
        pipeline.on_event_time();
        Replay { pipeline, now: Timestamp::EPOCH, origin: None, lines: 0, warm_up: None, incidents: HashMap::new() }
    }

    /// Where there is no baseline: the first `lines` live lines delay what needs one. Then [`Replay::learned`] is said by
    /// itself, in the middle of a block if need be.
    pub fn with_warm_up(self, lines: u64) -> Replay {
        Replay { warm_up: Some(lines), ..self }
    }

    /// Begins with what an earlier run knew: templates, baselines, verdicts. Before the first block.
    pub fn restore(&mut self, snapshot: Snapshot, now: Timestamp) {
        self.pipeline.restore(snapshot, now, &mut Effects::default());
    }

    /// The next lines of an input. Times without a year are taken as not later than `origin.written`, so set it.
    pub fn feed(&mut self, block: &LineBlock) -> Step {
        let Some(left) = self.warm_up.filter(|_| block.phase == Phase::Live) else { return self.pass(block) };
        let count = block.spans.len() as u64;
        if left > count {
            self.warm_up = Some(left - count);
            return self.pass(block);
        }
        self.warm_up = None;
        let (head, tail) = block.spans.split_at(usize::try_from(left).unwrap_or(0).min(block.spans.len()));
        let part = |spans: &[LineSpan]| LineBlock { spans: spans.to_vec(), ..block.clone() };
        let mut step = self.pass(&part(head));
        step.append(self.learned());
        step.append(self.pass(&part(tail)));
        step
    }

    fn pass(&mut self, block: &LineBlock) -> Step {
        if self.origin.as_ref() != Some(&block.origin.name) {
            self.origin = Some(Arc::clone(&block.origin.name));
            self.lines = 0;
            // Each input has its own time.
            self.now = Timestamp::EPOCH;
        }
        let before = self.lines;
        self.lines += block.spans.len() as u64;
        let mut out = Effects::default();
        self.pipeline.handle(Input::Lines(block), self.now, &mut out);
        self.now = out.trace.now;
        let mut step = self.step(out);
        // Offsets grow within a block: both lists are in order.
        let mut spans = block.spans.iter().zip(before + 1..).peekable();
        for (number, passed) in &mut step.lines {
            while spans.next_if(|(span, _)| span.offset < passed.offset).is_some() {}
            *number = spans.peek().map_or(0, |(_, number)| *number);
        }
        step
    }

    /// The baseline is complete.
    pub fn learned(&mut self) -> Step {
        self.warm_up = None;
        self.handle(Input::Learned, self.now)
    }

    /// The end of all inputs: what was counted but not yet said is said.
    pub fn finish(&mut self) -> Step {
        let mut out = Effects::default();
        self.pipeline.end_of_input(self.now, &mut out);
        self.step(out)
    }

    /// Lets one request to the model go, when something waits. Its end goes to [`Replay::judged`].
    pub fn judge_ready(&mut self, now: Timestamp) -> Step {
        self.handle(Input::JudgeReady, now)
    }

    pub fn judged(&mut self, judged: Judged, now: Timestamp) -> Step {
        self.handle(Input::Judged(judged), now)
    }

    /// Every incident so far, as it is now, worst first.
    pub fn incidents(&self) -> Vec<&Incident> {
        let mut incidents: Vec<&Incident> = self.incidents.values().collect();
        incidents.sort_by_key(|incident| (std::cmp::Reverse(incident.severity), incident.first_seen, incident.id));
        incidents
    }

    pub fn incident(&self, id: Fingerprint) -> Option<&Incident> {
        self.incidents.get(&id)
    }

    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    pub fn counters(&self) -> Counters {
        self.pipeline.counters()
    }

    /// What a model would have been asked: forms every request that waits and answers it itself with what changes
    /// nothing. Ends the use of this replay.
    pub fn cost(mut self, now: Timestamp) -> Cost {
        let mut cost = Cost { questions: self.counters().questions, ..Cost::default() };
        while let Some(request) = self.judge_ready(now).request {
            cost.calls += 1;
            cost.input_tokens += u64::from(request.prompt.estimated_input_tokens);
            cost.output_tokens += OUTPUT_TOKENS_PER_VERDICT * request.kinds.len() as u64;
            self.judged(all_normal(&request, now), now);
        }
        cost
    }

    fn handle(&mut self, input: Input<'_>, now: Timestamp) -> Step {
        let mut out = Effects::default();
        self.pipeline.handle(input, now, &mut out);
        self.step(out)
    }

    fn step(&mut self, out: Effects) -> Step {
        for fact in out.facts {
            if let Fact::Incident(incident) = fact {
                // One that triage forgot may come again milder: what it was at its worst is what was told.
                let worst = self.incidents.get(&incident.id).map_or(incident.severity, |known| known.severity);
                let severity = worst.max(incident.severity);
                self.incidents.insert(incident.id, Incident { severity, ..*incident });
            }
        }
        Step {
            lines: out.trace.lines.into_iter().map(|passed| (0, passed)).collect(),
            told: out.trace.told,
            marked: out.trace.marked,
            request: out.judge,
        }
    }
}

/// Mostly short ones, some with prose.
const OUTPUT_TOKENS_PER_VERDICT: u64 = 60;

/// An answer that is believed and makes nothing of anything: right about the canaries, normal otherwise.
fn all_normal(request: &JudgeRequest, now: Timestamp) -> Judged {
    let document: serde_json::Value = serde_json::from_str(request.prompt.user.as_str()).unwrap_or_default();
    let items = document.get("items").and_then(|items| items.as_array());
    let verdicts: Vec<serde_json::Value> = items
        .into_iter()
        .flatten()
        .map(|item| {
            let text = item.to_string();
            let is_bad = ["kernel panic", "out of memory", "corrupt"].iter().any(|word| text.contains(word));
            let verdict = if is_bad { "anomalous" } else { "normal" };
            serde_json::json!({"id": item.get("id"), "verdict": verdict, "confidence": 0.9})
        })
        .collect();
    let text = serde_json::json!({"nonce": document.get("nonce"), "verdicts": verdicts}).to_string();
    Judged {
        request: request.id,
        kinds: request.kinds.clone(),
        result: Ok(Completion { text, usage: Usage::default(), model: "nobody".to_owned() }),
        usage: Usage::default(),
        cost_usd: 0.0,
        finished_at: now,
    }
}
