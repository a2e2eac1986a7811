//! A line that came again and again and comes no more: the heartbeat of a program. One finding, and a word when it speaks
//! again. Judges only what recurs: a job that logs for a while and ends is not silent, it is done. That a whole source is
//! silent is not said here, but its kinds are not missed one by one then.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::gaps::Gaps;
use super::keyed::{ById, Ids};
use super::wording;
use super::{Beat, Detector, Horizon, MeterId, Of, Seen, View, Want};
use crate::model::{
    Category, Finding, JudgedBy, KindId, Level, Period, Phase, Severity, TemplateId, Timestamp, clip, clip_words,
};

pub const NAME: &str = "silence";

/// Lines before a kind or source is said to recur.
const LINES: u64 = 30;
/// And beats: thirty lines in one second are one.
const BEATS: u32 = 10;
/// Silence is at least so long, in seconds,
const LEAST: u64 = 20;
/// and so many times the 99th percentile of its gaps.
const FACTOR: u64 = 10;
/// A pause that came twice may come again, half as long again.
const USUAL: (u64, u64) = (3, 2);
/// What does not come like clockwork must have been watched for a day and night, and
const HISTORY: u64 = 86_400;
/// is never silent sooner than this.
const LEAST_IRREGULAR: u64 = 600;
/// A jump of time, a suspended host: whatever was silent meanwhile gets its time from here.
const JUMP: u64 = 300;
/// How often armed kinds are looked at, at least.
const LOOK: u64 = 60;
/// Template text kept for the finding, in bytes.
const TEXT_BYTES: usize = 300;
/// State is written when something is said, and otherwise so often, in seconds of event time.
const SAVE_EVERY: u64 = 300;

/// `[detect.silence]` of the config.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub enabled: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config { enabled: true }
    }
}

pub struct Silence {
    enabled: bool,
    /// By meter.
    meters: Vec<Option<Box<State>>>,
    by_kind: ById<KindId, MeterId>,
    /// Kinds a rule speaks of: that they stop is good news.
    bad: Ids<KindId>,
    /// When to look at whom, in event time. Each meter is in it at most once.
    due: BinaryHeap<Reverse<(Timestamp, MeterId)>>,
    /// Up to here time was followed.
    heard: Timestamp,
    /// Nothing is silent because of the time before this: a reboot, a jump of time, our own absence.
    base: Timestamp,
    over: Vec<Finding>,
    changed: bool,
    /// Something was said, or the process ends: do not put saving off.
    urgent: bool,
    saved_at: Timestamp,
}

/// What is known of one meter.
#[derive(Debug, Serialize, Deserialize)]
struct State {
    gaps: Gaps,
    lines: u64,
    /// Lines the tally had counted at the last beat.
    #[serde(skip)]
    seen: u64,
    first: Timestamp,
    last: Timestamp,
    source: MeterId,
    /// It has a place in `due`.
    #[serde(skip)]
    waits: bool,
    /// Not judged before it has spoken once more: a reboot came between.
    away: bool,
    /// What was said of its silence.
    said: Option<Said>,
    about: Option<About>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
enum Said {
    /// By a finding.
    Alone,
    /// Its whole source is silent.
    WithSource,
}

/// What a finding needs when no line is there to ask.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct About {
    host: Arc<str>,
    /// Empty for a source.
    program: Arc<str>,
    unit: Option<Arc<str>>,
    level: Level,
    /// `None` for a source.
    template: Option<TemplateId>,
    /// The template, or the name of the source.
    text: Box<str>,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    v: u32,
    at: Timestamp,
    meters: Vec<(MeterId, Box<State>, Option<KindId>)>,
}

/// How a meter recurs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Rhythm {
    /// Seconds without a line that are too many.
    patience: u64,
    clockwork: bool,
}

impl Silence {
    pub fn new(config: &Config) -> Silence {
        Silence {
            enabled: config.enabled,
            meters: Vec::new(),
            by_kind: ById::default(),
            bad: Ids::default(),
            due: BinaryHeap::new(),
            heard: Timestamp::EPOCH,
            base: Timestamp::EPOCH,
            over: Vec::new(),
            changed: false,
            urgent: false,
            saved_at: Timestamp::EPOCH,
        }
    }

    fn get(&self, id: MeterId) -> Option<&State> {
        self.meters.get(id.index())?.as_deref()
    }

    fn get_mut(&mut self, id: MeterId) -> Option<&mut State> {
        self.meters.get_mut(id.index())?.as_deref_mut()
    }

    /// One beat, whatever it is of. `about` makes the words, once it recurs.
    fn step(&mut self, beat: &Beat, phase: Phase, about: impl FnOnce() -> About) {
        if self.meters.len() <= beat.meter.index() {
            self.meters.resize_with(beat.meter.index() + 1, || None);
        }
        let Some(slot) = self.meters.get_mut(beat.meter.index()) else { return };
        let state = slot.get_or_insert_with(|| Box::new(State::new(beat)));
        let lines = beat.total.saturating_sub(state.seen);
        if let Some(gap) = beat.gap_seconds
            && !state.away
        {
            state.gaps.add(gap, lines);
        }
        state.seen = beat.total;
        state.lines = state.lines.saturating_add(lines);
        // The clock was set back: what came before was later than now.
        state.first = state.first.min(beat.time);
        state.last = beat.time;
        state.source = beat.source;
        state.away = false;
        self.changed = true;
        if let Some(said) = state.said.take() {
            self.urgent = true;
            let wake = Reverse((beat.time, beat.meter));
            if let (Said::Alone, Some(about)) = (said, &state.about) {
                let reason = format!(
                    "spoke again at {} after {} without a line",
                    beat.time,
                    Period::from_secs(beat.gap_seconds.unwrap_or(0))
                );
                self.over.push(finding(about, Severity::Medium, reason, beat.time, beat.time));
            }
            if !state.waits {
                state.waits = true;
                self.due.push(wake);
            }
            if matches!(beat.of, Of::Source(_)) {
                self.source_is_back(beat.meter, beat.time);
            }
            return;
        }
        if !state.waits && state.lines >= LINES && phase == Phase::Live && state.gaps.count() >= BEATS {
            state.about.get_or_insert_with(about);
            state.waits = true;
            self.due.push(Reverse((beat.time.saturating_add(Period::from_secs(LEAST).0), beat.meter)));
        }
    }

    /// Its kinds are judged for themselves again, from here on.
    fn source_is_back(&mut self, source: MeterId, at: Timestamp) {
        for state in self.meters.iter_mut().flatten() {
            if state.source == source && state.said == Some(Said::WithSource) {
                state.said = None;
                state.last = state.last.max(at);
            }
        }
    }

    /// Nothing heard before `at` counts as silence any more.
    fn begin_anew(&mut self, at: Timestamp) {
        self.base = self.base.max(at);
    }

    /// The host started anew: who does not speak after it may have been switched off.
    fn reboot(&mut self, at: Timestamp) {
        self.begin_anew(at);
        for state in self.meters.iter_mut().flatten() {
            state.away = true;
        }
    }

    /// The line would be silent after so long, or does not recur enough to say so.
    fn rhythm(state: &State) -> Option<Rhythm> {
        if state.lines < LINES || state.gaps.count() < BEATS {
            return None;
        }
        let p99 = u64::from(state.gaps.quantile(0.99));
        let usual = u64::from(state.gaps.longest_usual()).saturating_mul(USUAL.0) / USUAL.1;
        let patience = LEAST.max(p99.saturating_mul(FACTOR)).max(if usual > p99 * FACTOR { usual } else { 0 });
        let lived = state.last.since(state.first).as_secs();
        if state.gaps.is_clockwork() {
            return (lived >= patience / 2).then_some(Rhythm { patience, clockwork: true });
        }
        (lived >= HISTORY).then_some(Rhythm { patience: patience.max(LEAST_IRREGULAR), clockwork: false })
    }

    /// Looks at one that is due: says it, or says when to look again.
    fn look(&mut self, id: MeterId, horizon: &Horizon<'_>, out: &mut Vec<Finding>) -> Option<Timestamp> {
        let base = self.base;
        let is_source = self.get(id)?.source == id;
        let source_said = self.get(self.get(id)?.source).is_some_and(|source| source.said.is_some());
        let later = |seconds: u64| horizon.now.saturating_add(Period::from_secs(seconds).0);
        let state = self.get_mut(id)?;
        let about = state.about.clone()?;
        if state.said.is_some() {
            return None;
        }
        if state.away {
            return Some(later(LOOK));
        }
        let Some(rhythm) = Silence::rhythm(state) else { return Some(later(LOOK)) };
        let silent_at = state.last.max(base).saturating_add(Period::from_secs(rhythm.patience).0);
        match horizon.of(state.source) {
            Some(until) if until >= silent_at => {}
            Some(_) => return Some(silent_at.max(later(1))),
            None => return Some(later(LEAST)),
        }
        if source_said && !is_source {
            state.said = Some(Said::WithSource);
            self.urgent = true;
            return None;
        }
        if is_source {
            // That is said elsewhere, once for all its kinds.
            state.said = Some(Said::WithSource);
            self.changed = true;
            return None;
        }
        state.said = Some(Said::Alone);
        let proposed = if rhythm.clockwork { Severity::Medium } else { Severity::Low };
        let reason = format!(
            "no line since {}; it came every {} (99 of 100 gaps at most {}, {} lines since {}), and {} without one is too long",
            state.last,
            Period::from_secs(u64::from(state.gaps.quantile(0.5))),
            Period::from_secs(u64::from(state.gaps.quantile(0.99))),
            state.lines,
            state.first,
            Period::from_secs(rhythm.patience),
        );
        out.push(finding(&about, proposed, reason, state.last, horizon.now));
        self.changed = true;
        self.urgent = true;
        None
    }
}

impl State {
    fn new(beat: &Beat) -> State {
        State {
            gaps: Gaps::default(),
            lines: 0,
            seen: 0,
            first: beat.time,
            last: beat.time,
            source: beat.source,
            waits: false,
            away: false,
            said: None,
            about: None,
        }
    }
}

impl Detector for Silence {
    fn name(&self) -> &'static str {
        NAME
    }

    fn begin(&mut self, seen: &Seen<'_>, claimed: bool, _: &mut Vec<Finding>) -> Want {
        // A rule that only waits for such a line, or looks at its values, does not say that it is bad.
        if !claimed {
            self.bad.remove(&seen.kind_id);
        }
        Want::default()
    }

    fn line(&mut self, _: &Seen<'_>, _: &mut Vec<Finding>) -> bool {
        false
    }

    fn ruled(&mut self, kind: KindId) {
        self.bad.insert(kind);
    }

    fn counts(&self) -> bool {
        true
    }

    fn beat(&mut self, seen: &Seen<'_>, beat: &mut Beat, _: &mut Vec<Finding>) {
        if !self.enabled {
            return;
        }
        if &*seen.kind.program == "kernel" && seen.message.starts_with("Linux version ") && seen.phase == Phase::Live {
            self.reboot(beat.time);
        }
        let Of::Kind(kind) = &beat.of else { return };
        // That warnings stop is good news.
        if seen.kind.level <= Level::Warning || self.bad.contains(kind) {
            return;
        }
        if !self.by_kind.contains_key(kind) {
            self.by_kind.insert(*kind, beat.meter);
        }
        self.step(beat, seen.phase, || About {
            host: Arc::clone(seen.host),
            program: Arc::clone(&seen.kind.program),
            unit: seen.unit.map(Arc::from),
            level: seen.kind.level,
            template: Some(seen.kind.template),
            text: clip_words(seen.template_text, TEXT_BYTES).into(),
        });
    }

    fn source_beat(&mut self, host: &Arc<str>, phase: Phase, beat: &mut Beat, _: &mut Vec<Finding>) {
        let Of::Source(name) = &beat.of else { return };
        if !self.enabled {
            return;
        }
        if beat.gap_seconds.is_some_and(|gap| gap >= JUMP) {
            // Nobody could be heard meanwhile.
            let own = self.get(beat.meter).and_then(Silence::rhythm).map_or(JUMP, |rhythm| rhythm.patience);
            if beat.gap_seconds >= Some(own) {
                self.rest(beat.meter, beat.time);
            }
        }
        self.step(beat, phase, || About {
            host: Arc::clone(host),
            program: "".into(),
            unit: None,
            level: Level::Info,
            template: None,
            text: clip(name, TEXT_BYTES).into(),
        });
    }

    fn quiet(&mut self, horizon: &Horizon<'_>, out: &mut Vec<Finding>) {
        let now = horizon.now;
        if now.since(self.heard).as_secs() >= JUMP {
            self.begin_anew(now);
        }
        self.heard = self.heard.max(now);
        let mut again = Vec::new();
        let mut due = Vec::new();
        while let Some(Reverse((at, id))) = self.due.peek().copied() {
            if at > now {
                break;
            }
            self.due.pop();
            due.push(id);
        }
        // Sources first: a source that is silent speaks for its kinds.
        due.sort_unstable_by_key(|id| (self.get(*id).is_some_and(|state| state.source != *id), *id));
        for id in due {
            let next = if self.enabled { self.look(id, horizon, out) } else { None };
            if let Some(state) = self.get_mut(id) {
                state.waits = next.is_some();
            }
            again.extend(next.map(|at| Reverse((at, id))));
        }
        self.due.extend(again);
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        let Reverse((at, _)) = self.due.peek()?;
        // At least so often, to tell a jump of time from silence.
        Some((*at).min(self.heard.saturating_add(Period::from_secs(LOOK).0)))
    }

    fn take_over(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.over)
    }

    fn merged(&mut self, gone: MeterId, into: MeterId) {
        let Some(old) = self.meters.get_mut(gone.index()).and_then(Option::take) else { return };
        // The rhythm of both together is yet to be learned; of one alone it is no longer true.
        if let Some(state) = self.get_mut(into) {
            state.gaps = Gaps::default();
            state.first = state.last.max(old.last);
        }
        self.changed = true;
    }

    fn learned(&mut self, at: Timestamp, _: &mut Vec<Finding>) {
        self.begin_anew(at);
        for state in self.meters.iter_mut().flatten() {
            // The gap to the first live line is no gap of its own.
            state.away = true;
        }
    }

    fn settle(&mut self, _: Timestamp, _: &mut Vec<Finding>) {}

    fn closing(&mut self) {
        self.urgent = true;
    }

    fn save(&mut self) -> Option<String> {
        let due = self.urgent || self.heard.since(self.saved_at).as_secs() >= SAVE_EVERY;
        if !self.changed || !due {
            return None;
        }
        (self.changed, self.urgent, self.saved_at) = (false, false, self.heard);
        let kinds: HashMap<MeterId, KindId> = self.by_kind.iter().map(|(kind, id)| (*id, *kind)).collect();
        let meters: Vec<(MeterId, &State, Option<KindId>)> = self
            .meters
            .iter()
            .zip(0..)
            .filter_map(|(state, id)| Some((MeterId(id), state.as_deref()?)))
            .filter(|(_, state)| state.lines >= LINES)
            .map(|(id, state)| (id, state, kinds.get(&id).copied()))
            .collect();
        serde_json::to_string(&SavedRef { v: 1, at: self.heard, meters }).ok()
    }

    fn restore(&mut self, json: &str) -> Result<(), String> {
        let saved: Saved = serde_json::from_str(json).map_err(|error| error.to_string())?;
        for (id, mut state, kind) in saved.meters {
            if id.index() >= MOST {
                continue;
            }
            if self.meters.len() <= id.index() {
                self.meters.resize_with(id.index() + 1, || None);
            }
            if let Some(kind) = kind {
                self.by_kind.insert(kind, id);
            }
            state.waits = state.about.is_some() && state.said.is_none();
            if state.waits {
                self.due.push(Reverse((saved.at, id)));
            }
            if let Some(slot) = self.meters.get_mut(id.index()) {
                *slot = Some(state);
            }
        }
        // Our own absence is a jump of time: everybody gets their time from the first look on.
        self.heard = saved.at.saturating_sub(Period::from_secs(2 * JUMP).0);
        Ok(())
    }

    fn reload(&mut self, config: &super::Config) {
        self.enabled = config.silence.enabled;
    }

    fn explain(&self, seen: &Seen<'_>) -> Vec<View> {
        let says = match self.by_kind.get(&seen.kind_id).and_then(|id| self.get(*id)) {
            _ if !self.enabled => "is switched off".to_owned(),
            None if seen.kind.level <= Level::Warning => "warnings and worse are not missed when they stop".to_owned(),
            None => "this kind has not recurred yet".to_owned(),
            Some(state) => match Silence::rhythm(state) {
                Some(rhythm) => format!(
                    "comes {} every {} (99 of 100 gaps at most {}); is missed after {}",
                    if rhythm.clockwork { "like clockwork" } else { "irregularly, about" },
                    Period::from_secs(u64::from(state.gaps.quantile(0.5))),
                    Period::from_secs(u64::from(state.gaps.quantile(0.99))),
                    Period::from_secs(rhythm.patience)
                ),
                None => format!(
                    "{} lines in {}: too few, or not regular for a day yet, to be missed",
                    state.lines,
                    Period::from_secs(state.last.since(state.first).as_secs())
                ),
            },
        };
        vec![View { detector: NAME, says, finds: false }]
    }
}

impl Silence {
    /// The source was not heard for long: its kinds get their time from here.
    fn rest(&mut self, source: MeterId, at: Timestamp) {
        for state in self.meters.iter_mut().flatten() {
            if state.source == source && state.said.is_none() {
                state.last = state.last.max(at);
            }
        }
    }
}

/// No state file makes us take more memory than the tally has meters.
const MOST: usize = 1 << 16;

#[derive(Serialize)]
struct SavedRef<'a> {
    v: u32,
    at: Timestamp,
    meters: Vec<(MeterId, &'a State, Option<KindId>)>,
}

fn finding(about: &About, proposed: Severity, reason: String, last: Timestamp, now: Timestamp) -> Finding {
    let program = wording::program(&about.program);
    let step = match &about.unit {
        Some(unit) => format!("See whether it still runs: systemctl status {}", wording::inline(unit, 64)),
        None => format!("See whether {program} still runs, and whether it still writes this line"),
    };
    // Kinds of one program that fall silent together are one fault.
    let group = match about.program.is_empty() {
        true => about.template.map_or_else(String::new, |template| template.to_string()),
        false => String::new(),
    };
    Finding {
        judged_by: JudgedBy::Detector(NAME.into()),
        category: Category::Availability,
        proposed,
        confidence: 0.7,
        verdict: None,
        title: format!("A recurring line of {program} has stopped"),
        reason,
        remediation: vec![step, "If it was stopped on purpose, nothing is to be done: it is said once".to_owned()],
        host: Arc::clone(&about.host),
        program: Arc::clone(&about.program),
        unit: about.unit.clone(),
        level: about.level,
        // No line of the kind may count as one of the incident's: it is about their absence.
        kind: None,
        template: None,
        template_text: about.text.to_string(),
        group,
        count: 1,
        first_seen: last,
        last_seen: now,
        evidence: Vec::new(),
        learning: false,
    }
}

#[cfg(test)]
#[path = "silence_test.rs"]
mod tests;
