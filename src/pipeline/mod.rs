//! How does a line become effects? A synchronous state machine over the pure rooms. *Not here:* I/O and clocks (driver).
//!
//! ```text
//! handle(input, now, effects)        next_deadline()
//!   Lines  -> lines.rs    parse, mine, count, detect; into the batch
//!   Judged -> asking.rs   batch to questions, replies to verdicts
//!   Answered -> answering.rs  a person's word to mutes and verdicts
//!   any    -> telling.rs  findings to incidents, incidents to alerts, alerts to the outbox
//! ```

mod effects;
mod clock;
mod twins;
mod ledger;
mod rhythm;
mod silence;
mod kinds;
mod memory;
mod lines;
mod asking;
mod answering;
mod every_line;
mod telling;
mod troubles;
mod explosion;
mod restore;
mod trace;
mod second_look;
mod second_question;
mod explain;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod asking_test;
#[cfg(test)]
mod memory_test;
#[cfg(test)]
mod second_test;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

pub use effects::{Effects, Input, Learned, Notice};
pub use explain::Explanation;
pub use second_look::SecondLook;
pub use second_question::SecondQuestions;
pub use trace::{KindView, Marked, Passed, Shown, Told, Trace};

use crate::batch::Batch;
use crate::detect::{Detect, RuleSet};
use crate::judge::Judge;
use crate::mine::Miner;
use crate::model::{Fact, SourceCounts, SourceEvent, Timestamp};
use crate::redact::Redactor;
use crate::route::{Outbox, Router};
use crate::triage::Triage;
use crate::{batch, detect, judge, mine, parse, route, triage};

use explosion::Exploded;
use kinds::Kinds;
use ledger::Ledger;
use lines::{Entry, SourceState};
use memory::Memory;
use silence::Silence;
use twins::Twins;

/// How long counters of kinds may differ from the store. Losing them costs counts, never lines or verdicts.
const COUNTERS_EVERY: Duration = Duration::from_secs(30);

/// Everything that config decides about the pipeline.
#[derive(Clone)]
pub struct Settings {
    /// This host, for lines that name none.
    pub host: Arc<str>,
    /// Zone of stamps that carry none.
    pub zone: jiff::tz::TimeZone,
    /// Our own process: its lines never feed back.
    pub own_pid: u32,
    pub mine: mine::Config,
    pub batch: batch::Config,
    pub detect: detect::Config,
    pub rules: RuleSet,
    pub judge: judge::Config,
    /// The backend's budget for one answer: decides how many questions a request carries.
    pub room: crate::judge::Room,
    /// Why no model is asked at all (`no key`), shown in alerts; `None` when one is.
    pub no_judge: Option<Arc<str>>,
    pub triage: triage::Config,
    pub route: route::Config,
    /// Names of the configured notifiers.
    pub notifiers: Vec<Arc<str>>,
    pub redactor: Arc<Redactor>,
    /// For nonces, random ids and the keyed hash of the shape table.
    pub seed: u64,
}

/// The whole decision path of one host, from line blocks to effects.
pub struct Pipeline {
    context: parse::Context,
    /// Ours, and before it those of the runs before: what they said last is still in files when we start.
    own_pids: Vec<u32>,
    /// By name of origin.
    sources: HashMap<Arc<str>, SourceState>,
    /// What was read of each source, and what was not as it should be.
    ledger: Ledger,
    silence: Silence,
    miner: Miner,
    exploded: Exploded,
    kinds: Kinds,
    memory: Memory,
    twins: Twins,
    /// Keys the hashes of lines in `twins`.
    twin_seed: u64,
    detect: Detect,
    batch: Batch<Entry>,
    judge: Judge,
    /// Open incidents that a model may be asked about, and those it was.
    second: SecondQuestions,
    /// `judge.mode = "lines"`: each line is a question of its own.
    every_line: bool,
    /// The queue of questions is full, and that was said.
    no_room: bool,
    no_judge: Option<Arc<str>>,
    redactor: Arc<Redactor>,
    triage: Triage,
    router: Router,
    outbox: Outbox,
    /// A request token is free and nothing has been sent with it.
    judge_ready: bool,
    /// The process is about to end: nothing new is asked.
    draining: bool,
    /// Novelty and rates are suspended until the baseline is complete.
    learning: bool,
    /// Logs are read as a whole: `now` is what their lines say, and each line is reported.
    tracing: bool,
    learned: Learned,
    counters: Counters,
    /// When counters of kinds were last written.
    counters_at: Timestamp,
    /// Newest event time, for detectors that wait.
    event_time: Timestamp,
    random: SplitMix,
}

/// What happened to lines, for honesty. Since the process started.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    pub lines: u64,
    /// Invalid UTF-8 replaced.
    pub lossy: u64,
    /// Cut at the line cap.
    pub truncated: u64,
    /// Did not match the format of their source.
    pub fallback: u64,
    /// Already counted from another source.
    pub twins: u64,
    /// Our own log lines.
    pub own: u64,
    /// Lines asked about by their kind because too many wait (`judge.mode = "lines"`).
    pub collapsed: u64,
    /// Places where lines were or may have been lost.
    pub gaps: u64,
    pub findings: u64,
    pub alerts: u64,
    pub questions: u64,
}

impl Pipeline {
    /// An empty pipeline; `restore` fills it.
    pub fn new(settings: Settings) -> Pipeline {
        let Settings {
            host,
            zone,
            own_pid,
            mine,
            batch,
            detect,
            rules,
            judge,
            room,
            no_judge,
            triage,
            route,
            notifiers,
            redactor,
            seed,
        } = settings;
        let threshold = judge.confidence_threshold;
        Pipeline {
            context: parse::Context { zone, host },
            own_pids: vec![own_pid],
            sources: HashMap::new(),
            ledger: Ledger::default(),
            silence: Silence::default(),
            miner: Miner::new(&mine, seed),
            exploded: Exploded::default(),
            kinds: Kinds::default(),
            memory: Memory::new(seed),
            twins: Twins::default(),
            twin_seed: SplitMix(!seed).next(),
            detect: Detect::new(&detect, rules),
            batch: Batch::new(batch),
            judge: Judge::new(&judge, room),
            second: SecondQuestions::default(),
            every_line: judge.mode == judge::Mode::Lines,
            no_room: false,
            no_judge,
            redactor,
            triage: Triage::new(&triage, threshold),
            router: Router::new(&route, &notifiers),
            outbox: Outbox::default(),
            judge_ready: false,
            draining: false,
            learning: true,
            tracing: false,
            learned: Learned::default(),
            counters: Counters::default(),
            counters_at: Timestamp::EPOCH,
            event_time: Timestamp::EPOCH,
            random: SplitMix(seed),
        }
    }

    /// Takes one input and appends what should be done about it. `now` never runs backwards by more than clocks do.
    pub fn handle(&mut self, input: Input<'_>, now: Timestamp, out: &mut Effects) {
        match input {
            Input::Lines(block) => {
                let now = self.lines(block, now, out);
                return self.settle(now, out);
            }
            Input::Source(event) => self.source_event(event, now, out),
            Input::Learned => self.finish_learning(now, out),
            Input::Tick => {}
            Input::JudgeReady => self.judge_ready = true,
            Input::Judged(judged) => self.judged(judged, now, out),
            Input::Answered(said) => self.answered(&said, now, out),
            Input::Delivered(delivery) => self.delivered(&delivery, now, out),
            Input::Reload(settings) => self.reload(*settings),
            Input::Drain => {
                // A reply would come too late: leave the questions to the next start.
                self.draining = true;
                let entries = self.batch.flush();
                self.ask(entries, now, out);
                self.detect.closing();
                self.write_counters(now, out);
            }
        }
        self.settle(now, out);
    }

    /// When `handle(Tick)` has something to do although nothing else happens.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let counters =
            (self.kinds.any_dirty() && !self.tracing).then(|| self.counters_at.saturating_add(COUNTERS_EVERY));
        [
            self.batch.deadline(),
            self.judge.next_deadline(),
            self.second.next_deadline(),
            self.triage.next_deadline(),
            self.router.next_deadline(),
            self.outbox.next_deadline(),
            self.silence.next_deadline().filter(|_| !self.learning),
            self.listen_at(),
            counters,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// What became of the lines of each source since the process started, by name.
    pub fn sources(&self) -> Vec<(Arc<str>, SourceCounts)> {
        self.ledger.each()
    }

    /// The same over all sources.
    pub fn losses(&self) -> SourceCounts {
        self.ledger.total()
    }

    /// Sources that spoke regularly and are silent now.
    pub fn silent_sources(&self) -> usize {
        self.silence.missed()
    }

    /// To be called when the effects of every input so far are durable.
    pub fn committed(&mut self) {
        self.ledger.committed();
    }

    /// To be called while no lines are taken from anybody: nobody is missed then.
    pub fn deaf(&mut self, now: Timestamp) {
        self.silence.deaf(now);
    }

    pub fn learning(&self) -> bool {
        self.learning
    }

    /// Templates known now.
    pub fn templates(&self) -> usize {
        self.miner.len()
    }

    /// Questions that wait for the judge, and why nothing is asked now.
    pub fn waiting_questions(&self, now: Timestamp) -> (usize, Option<String>) {
        let why = self.no_judge.as_deref().map(str::to_owned).or_else(|| self.judge.paused(now).map(str::to_owned));
        (self.judge.waiting(now), why)
    }

    /// The model is being asked right now.
    pub fn asking(&self) -> bool {
        self.judge.in_flight() > 0
    }

    /// Attempts to deliver that have not ended.
    pub fn deliveries_under_way(&self) -> usize {
        self.outbox.in_flight()
    }

    /// Alerts not yet delivered.
    pub fn undelivered(&self) -> usize {
        self.outbox.len()
    }

    fn reload(&mut self, settings: Settings) {
        let threshold = settings.judge.confidence_threshold;
        self.context = parse::Context { zone: settings.zone, host: settings.host };
        self.batch.reload(settings.batch);
        self.detect.reload(&settings.detect, settings.rules);
        self.judge.reload(&settings.judge, settings.room);
        self.every_line = settings.judge.mode == judge::Mode::Lines;
        self.no_judge = settings.no_judge;
        self.redactor = settings.redactor;
        self.triage.reload(&settings.triage, threshold);
        self.router.reload(&settings.route, &settings.notifiers);
        // New rules look at each kind once more, with its next line.
        self.kinds.begin_again();
    }

    fn source_event(&mut self, event: SourceEvent, now: Timestamp, out: &mut Effects) {
        match event {
            SourceEvent::Gap { origin, reason, lost } => {
                self.counters.gaps += 1;
                self.ledger.add(&origin, &SourceCounts { gaps: 1, ..SourceCounts::default() });
                self.gap(&origin, &reason, lost, now, out);
                out.notices.push(Notice::Gap { origin, reason, lost });
            }
            SourceEvent::Unreadable { origin, error, fix } => {
                self.ledger.add(&origin, &SourceCounts { unreadable: 1, ..SourceCounts::default() });
                out.notices.push(Notice::Unreadable { origin, error, fix })
            }
            SourceEvent::Readable { origin } => out.notices.push(Notice::Readable { origin }),
            SourceEvent::Skipped { origin, bytes } => {
                self.ledger.add(&origin, &SourceCounts { skipped_bytes: bytes, ..SourceCounts::default() });
                out.notices.push(Notice::Skipped { origin, bytes });
            }
            // The driver adds these up over all sources and says `Input::Learned`.
            SourceEvent::Learned { .. } | SourceEvent::Ended { .. } => {}
        }
    }

    /// Counters of kinds and state of detectors, on the way to the store.
    fn write_counters(&mut self, now: Timestamp, out: &mut Effects) {
        self.counters_at = now;
        out.facts.extend(self.kinds.take_dirty().into_iter().map(Fact::Kind));
        if let Some(json) = self.silence.save() {
            out.facts.push(Fact::State { name: "silence".into(), json });
        }
        for (name, json) in self.detect.states() {
            out.facts.push(Fact::State { name, json });
        }
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): enough for nonces and jitter, and replayable from its seed.
#[derive(Clone, Debug)]
pub(crate) struct SplitMix(u64);

impl SplitMix {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
