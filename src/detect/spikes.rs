//! The life of a spike: it begins with the line that passes the limit, is said again each time its lines double, and is
//! over when the count falls back or when it has lasted so long that it is the new normal. Keeps the baselines of all
//! meters; the detectors that use it choose the meters and the words.

use serde::{Deserialize, Serialize};

use super::baseline::{Baseline, Hour, Limits};
use super::{Beat, MeterId};
use crate::model::{Finding, Phase, Severity, Timestamp};

/// So many times the usual are bad enough to tell somebody, when there are many lines too.
const FAR: f32 = 10.0;
/// Minutes below half the limit that end a spike.
const CALM: i64 = 5;
/// Series whose hours of the week are kept.
const SEASONAL: usize = 4_000;
/// An hour brings so many lines before it can bring too few, and
const DROP_LEAST: f32 = 60.0;
/// less than such a share of the least usual is too few.
const DROP_SHARE: f32 = 0.2;
/// State is written when something is said, and otherwise so often, in seconds of event time.
const SAVE_EVERY: u64 = 300;
/// Lines before a baseline is kept over a restart.
const KEPT_LINES: u64 = 4;
/// No state file makes us take more memory than the tally has meters.
const MOST: usize = 1 << 16;

pub struct Spikes {
    /// A spike that lasts so long is the new normal, in minutes.
    adapt_minutes: u64,
    meters: Vec<Option<Box<State>>>,
    /// Meters with a spike.
    open: Vec<MeterId>,
    seasonal: usize,
    changed: bool,
    urgent: bool,
    saved_at: Timestamp,
    now: Timestamp,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    baseline: Baseline,
    /// Of the current minute; asked once a minute.
    #[serde(skip)]
    limit: u32,
    #[serde(skip)]
    limit_minute: i64,
    spike: Option<Spike>,
    /// The last hour that had too few lines: said once.
    dropped: bool,
    /// The current hour was not watched from its beginning.
    #[serde(skip)]
    whole: bool,
}

/// One spike, while it lasts.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Spike {
    pub since: Timestamp,
    /// Lines a minute that were usual, and too many.
    pub expected: f32,
    pub limit: u32,
    /// Lines of the minutes that are over, and the fullest of them.
    pub lines: u64,
    pub most: u32,
    pub minutes: u64,
    /// Lines of calm minutes since: they belong to it only if it goes on.
    #[serde(default)]
    calm: u64,
    /// Lines said so far.
    said: u64,
    /// Last minute that was over half the limit.
    hot: i64,
    /// The finding that opened it.
    pub finding: Option<Box<Finding>>,
}

/// What a line did.
#[derive(Clone, PartialEq, Debug)]
pub enum Said {
    /// The limit is passed: lines so far this minute are in `most`.
    Begins(Spike),
    /// So many more lines since it was said last.
    GoesOn(Spike, u64),
    /// The hour before had too few lines.
    Drops(Hour),
}

/// How a spike ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// Counts are usual again since.
    Calm(Timestamp),
    /// It is usual now.
    Normal,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    v: u32,
    meters: Vec<(MeterId, Box<State>)>,
}

#[derive(Serialize)]
struct SavedRef<'a> {
    v: u32,
    meters: Vec<(MeterId, &'a State)>,
}

impl Spike {
    /// Medium from `lines` on, when they are also far more than usual; low before.
    pub fn severity(&self, lines: u64) -> Severity {
        let so_far = self.lines.max(u64::from(self.most));
        let far = self.most as f32 >= self.expected * FAR;
        if so_far >= lines && far { Severity::Medium } else { Severity::Low }
    }
}

impl Spikes {
    pub fn new(adapt_minutes: u64) -> Spikes {
        Spikes {
            adapt_minutes,
            meters: Vec::new(),
            open: Vec::new(),
            seasonal: 0,
            changed: false,
            urgent: false,
            saved_at: Timestamp::EPOCH,
            now: Timestamp::EPOCH,
        }
    }

    pub fn reload(&mut self, adapt_minutes: u64) {
        self.adapt_minutes = adapt_minutes;
    }

    /// One beat. Sets the beat's limit, so that the line which passes it is a beat too.
    pub fn beat(&mut self, beat: &mut Beat, phase: Phase, limits: Limits) -> Option<Said> {
        let minute = beat.time.as_seconds().div_euclid(60);
        if self.meters.len() <= beat.meter.index() {
            self.meters.resize_with(beat.meter.index() + 1, || None);
        }
        let seasonal_room = self.seasonal < SEASONAL;
        let slot = self.meters.get_mut(beat.meter.index())?;
        let state = slot.get_or_insert_with(Box::default);
        let mut said = None;
        if let Some(closed) = beat.closed {
            self.changed = true;
            let at = closed.minute.as_seconds().div_euclid(60);
            said = state.close(at, closed.count, closed.empty);
            if phase == Phase::Learn {
                said = None;
            }
            if seasonal_room && state.baseline.wants_hours() {
                self.seasonal += 1;
                state.baseline.learn_hours();
            }
        } else if beat.gap_seconds.is_none() && beat.count == 1 {
            // Its first line, or its first after the clock was set back.
            state.baseline.forget_hour();
            state.whole = false;
            state.limit_minute = i64::MIN;
        }
        if state.limit_minute != minute {
            state.limit_minute = minute;
            state.limit = state.baseline.limit(minute, limits).unwrap_or(u32::MAX);
        }
        if phase == Phase::Learn {
            return None;
        }
        self.now = self.now.max(beat.time);
        match &mut state.spike {
            None if beat.count >= state.limit => {
                let spike = Spike {
                    since: beat.time,
                    expected: state.baseline.expected(minute),
                    limit: state.limit,
                    lines: 0,
                    most: beat.count,
                    minutes: 0,
                    calm: 0,
                    said: u64::from(beat.count),
                    hot: minute,
                    finding: None,
                };
                state.spike = Some(spike.clone());
                self.open.push(beat.meter);
                self.urgent = true;
                Some(Said::Begins(spike))
            }
            None => {
                beat.limit = beat.limit.min(state.limit);
                said
            }
            Some(spike) => {
                spike.most = spike.most.max(beat.count);
                if beat.count >= spike.limit / 2 {
                    spike.hot = minute;
                }
                let lines = spike.lines + u64::from(beat.count);
                if lines >= spike.said.saturating_mul(2) {
                    let more = lines - spike.said;
                    spike.said = lines;
                    self.urgent = true;
                    return Some(Said::GoesOn(Spike { lines, ..spike.clone() }, more));
                }
                let next = spike.said.saturating_mul(2).saturating_sub(spike.lines);
                beat.limit = beat.limit.min(u32::try_from(next).unwrap_or(u32::MAX));
                said
            }
        }
    }

    /// Keeps the finding that opened the spike, for the word when it is over.
    pub fn opened(&mut self, meter: MeterId, finding: &Finding) {
        if let Some(spike) = self.get_mut(meter).and_then(|state| state.spike.as_mut()) {
            spike.finding = Some(Box::new(Finding { evidence: Vec::new(), ..finding.clone() }));
        }
    }

    /// Spikes that are over at `now`.
    pub fn over(&mut self, now: Timestamp) -> Vec<(Spike, End)> {
        if self.open.is_empty() {
            return Vec::new();
        }
        let minute = now.as_seconds().div_euclid(60);
        let (adapt, mut ended, mut still) = (self.adapt_minutes, Vec::new(), Vec::new());
        for id in std::mem::take(&mut self.open) {
            let Some(state) = self.get_mut(id) else { continue };
            let Some(spike) = state.spike.as_ref() else { continue };
            let end = if minute.saturating_sub(spike.hot) > CALM {
                End::Calm(Timestamp::from_seconds((spike.hot + 1).saturating_mul(60)))
            } else if spike.minutes >= adapt {
                state.baseline.adopt(spike.lines, spike.minutes, spike.most);
                state.limit_minute = i64::MIN;
                End::Normal
            } else {
                still.push(id);
                continue;
            };
            ended.extend(state.spike.take().map(|spike| (spike, end)));
        }
        self.open = still;
        self.urgent |= !ended.is_empty();
        ended
    }

    pub fn baseline(&self, meter: MeterId) -> Option<&Baseline> {
        Some(&self.meters.get(meter.index())?.as_ref()?.baseline)
    }

    /// Fewer lines a minute than this are not too many, at `now`.
    pub fn limit(&self, meter: MeterId, now: Timestamp, limits: Limits) -> Option<u32> {
        self.baseline(meter)?.limit(now.as_seconds().div_euclid(60), limits)
    }

    /// What `gone` counted, `into` counts from now on: nothing is known of both together yet.
    pub fn merged(&mut self, gone: MeterId, into: MeterId) {
        if self.meters.get_mut(gone.index()).and_then(Option::take).is_none() {
            return;
        }
        if let Some(state) = self.get_mut(into) {
            state.baseline = Baseline::default();
            state.limit_minute = i64::MIN;
        }
        self.changed = true;
    }

    pub fn closing(&mut self) {
        self.urgent = true;
    }

    pub fn save(&mut self) -> Option<String> {
        let due = self.urgent || self.now.since(self.saved_at).as_secs() >= SAVE_EVERY;
        if !(self.changed || self.urgent) || !due {
            return None;
        }
        (self.changed, self.urgent, self.saved_at) = (false, false, self.now);
        let meters = self
            .meters
            .iter()
            .zip(0..)
            .filter_map(|(state, id)| Some((MeterId(id), state.as_deref()?)))
            // What came a few times has no rate to remember.
            .filter(|(_, state)| state.baseline.lines() >= KEPT_LINES || state.spike.is_some())
            .collect();
        serde_json::to_string(&SavedRef { v: 1, meters }).ok()
    }

    /// # Errors
    /// When the JSON is none of ours.
    pub fn restore(&mut self, json: &str) -> Result<(), String> {
        let saved: Saved = serde_json::from_str(json).map_err(|error| error.to_string())?;
        for (id, mut state) in saved.meters {
            if id.index() >= MOST {
                continue;
            }
            if self.meters.len() <= id.index() {
                self.meters.resize_with(id.index() + 1, || None);
            }
            state.limit_minute = i64::MIN;
            if state.spike.is_some() {
                self.open.push(id);
            }
            if let Some(slot) = self.meters.get_mut(id.index()) {
                *slot = Some(state);
            }
        }
        Ok(())
    }

    fn get_mut(&mut self, id: MeterId) -> Option<&mut State> {
        self.meters.get_mut(id.index())?.as_deref_mut()
    }
}

impl State {
    /// A minute is over, and empty ones after it.
    fn close(&mut self, minute: i64, count: u32, empty: u64) -> Option<Said> {
        if let Some(spike) = &mut self.spike {
            spike.calm = spike.calm.saturating_add(u64::from(count));
            spike.minutes = spike.minutes.saturating_add(1).saturating_add(empty);
            spike.most = spike.most.max(count);
            if count >= spike.limit / 2 {
                spike.hot = minute;
                spike.lines = spike.lines.saturating_add(std::mem::take(&mut spike.calm));
            }
        }
        let hour = self.baseline.close(minute, count, empty, self.spike.is_some())?;
        if !std::mem::replace(&mut self.whole, true) {
            return None;
        }
        let usual = hour.usual?;
        let few = usual.least >= DROP_LEAST && (hour.lines as f32) < usual.least * DROP_SHARE;
        let news = few && !std::mem::replace(&mut self.dropped, few);
        news.then_some(Said::Drops(hour))
    }
}
