//! Every line is counted here: by kind, by source and, at err or worse, by program. Nearly every line costs a compare and
//! an increment; the first of a second or of a minute, and the one that reaches a limit, is a *beat* that detectors are
//! shown. Counts only: what is odd about a count is the detectors' business.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::{KindId, Level, Phase, Timestamp};

/// Meters at most: as many as there are kinds. What comes beyond is not counted apart, and that is counted.
const MAX_METERS: usize = 20_000;
const SECOND: i64 = 1_000_000;
/// Lines of one meter that step back by more than this come from a clock that was set back, or from another file.
const SET_BACK: i64 = 3_600 * SECOND;
const NONE: u32 = u32::MAX;

/// A meter's place: dense, the same after a restart. The pipeline keeps it with the kind or source and hands it back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MeterId(pub u32);

impl MeterId {
    /// Not counted apart.
    pub const NONE: MeterId = MeterId(NONE);

    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a meter counts.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Of {
    Kind(KindId),
    /// All lines of one source, by name: a path, `journal`.
    Source(Arc<str>),
    /// Lines of one program at err or worse, all its kinds together.
    Errors(Arc<str>),
}

/// The meters of one kind of line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Meters {
    pub kind: MeterId,
    /// [`MeterId::NONE`] for kinds milder than err.
    pub errors: MeterId,
}

impl Default for Meters {
    fn default() -> Meters {
        Meters { kind: MeterId::NONE, errors: MeterId::NONE }
    }
}

/// One line, as far as counting goes.
#[derive(Clone, Copy, Debug)]
pub struct Counted {
    pub meters: Meters,
    /// Meter of the source it came from.
    pub source: MeterId,
    /// Event time, monotone per source.
    pub time: Timestamp,
    pub phase: Phase,
}

/// The line that moves a meter on: the first in its second (so also in its minute), or the one that reaches the limit.
#[derive(Clone, PartialEq, Debug)]
pub struct Beat {
    pub meter: MeterId,
    pub of: Of,
    /// Meter of the source the line came from.
    pub source: MeterId,
    /// Whole second.
    pub time: Timestamp,
    /// Time since the beat before, in whole seconds; `None` for the first one and after a clock was set back.
    pub gap_seconds: Option<u64>,
    /// The meter's minutes that are over since the beat before.
    pub closed: Option<Closed>,
    /// Lines in the current minute, this one included.
    pub count: u32,
    /// Lines of the meter since the start of the process.
    pub total: u64,
    /// Detectors lower it to be shown the line at which `count` reaches it. Holds until the next beat.
    pub limit: u32,
}

/// Minutes of one meter that are over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Closed {
    /// Start of the minute that had lines.
    pub minute: Timestamp,
    /// Lines in it.
    pub count: u32,
    /// Minutes without a line between it and the current one.
    pub empty: u64,
}

/// A minute of event time that is over, over all live lines.
#[derive(Clone, Debug)]
pub struct Minute<'a> {
    pub start: Timestamp,
    /// Every meter that had lines in it, in order of first line.
    pub spoke: &'a [Spoke],
}

/// One meter in one minute.
#[derive(Clone, PartialEq, Debug)]
pub struct Spoke {
    pub meter: MeterId,
    pub of: Of,
    /// The kind's level; info for sources.
    pub level: Level,
    pub count: u32,
}

/// Until when everything that was written has been read, source by source.
#[derive(Clone, Copy, Debug)]
pub struct Horizon<'a> {
    /// For sources that are not listed: they said nothing in this process.
    pub now: Timestamp,
    /// `None` for a source that is catching up: its silence means nothing.
    pub sources: &'a [(MeterId, Option<Timestamp>)],
}

impl Horizon<'_> {
    pub fn of(&self, source: MeterId) -> Option<Timestamp> {
        self.sources.iter().find(|(id, _)| *id == source).map_or(Some(self.now), |(_, until)| *until)
    }
}

/// All meters.
#[derive(Debug, Default)]
pub struct Tally {
    meters: Vec<Meter>,
    by_key: HashMap<Of, MeterId>,
    /// The baseline is complete: live lines count, taught ones do not.
    learned: bool,
    /// Live lines teach as long as the baseline is not complete.
    live_teaches: bool,
    /// Beats of the last line, for [`Tally::take_beats`].
    beats: Vec<Beat>,
    /// Minute of event time, and the meters that had a line in it.
    minute: i64,
    spoke: Vec<MeterId>,
    /// Minutes that are over, for [`Tally::take_minute`].
    over: VecDeque<(Timestamp, Vec<Spoke>)>,
    /// Kinds, sources and programs that found no room.
    overflowed: u64,
    /// Differs from what was saved.
    changed: bool,
}

/// One thing that is counted.
#[derive(Debug)]
struct Meter {
    /// Second of the last beat, in microseconds.
    last: i64,
    /// Minute of the last beat.
    minute: i64,
    /// Lines in that minute.
    count: u32,
    limit: u32,
    /// Meter of the source of the last beat.
    source: u32,
    level: Level,
    /// The minute for which it is on the list `Tally::spoke`.
    listed: i64,
    /// Lines before the current minute.
    total: u64,
    of: Of,
}

/// What is kept: the keys in the order of their places.
#[derive(Serialize, Deserialize)]
struct Saved {
    v: u32,
    learned: bool,
    meters: Vec<(Of, Level)>,
}

impl Tally {
    /// The place of a kind, source or program; the same each time. [`MeterId::NONE`] when there is no room.
    pub fn enroll(&mut self, of: Of, level: Level) -> MeterId {
        if let Some(id) = self.by_key.get(&of) {
            return *id;
        }
        if self.meters.len() >= MAX_METERS {
            self.overflowed += 1;
            return MeterId::NONE;
        }
        let id = MeterId(u32::try_from(self.meters.len()).unwrap_or(NONE));
        self.by_key.insert(of.clone(), id);
        self.meters.push(Meter::new(of, level));
        self.changed = true;
        id
    }

    /// One line; true when there are beats to take.
    #[inline]
    pub fn count(&mut self, line: &Counted) -> bool {
        let counts = match line.phase {
            Phase::Learn => !self.learned,
            Phase::Live => self.learned || self.live_teaches,
        };
        if !counts {
            return false;
        }
        let mut beats = self.one(line.meters.kind, line);
        if line.meters.errors != MeterId::NONE {
            beats |= self.one(line.meters.errors, line);
        }
        beats
    }

    /// Beats of the last line counted. Give the list back with [`Tally::shown`].
    pub fn take_beats(&mut self) -> Vec<Beat> {
        std::mem::take(&mut self.beats)
    }

    /// The detectors saw these beats: takes their limits.
    pub fn shown(&mut self, mut beats: Vec<Beat>) {
        for beat in beats.drain(..) {
            self.set_limit(beat.meter, beat.limit);
        }
        self.beats = beats;
    }

    fn set_limit(&mut self, id: MeterId, limit: u32) {
        if let Some(meter) = self.meters.get_mut(id.index()) {
            meter.limit = if limit > meter.count { limit } else { u32::MAX };
        }
    }

    /// The next minute of event time that is over at `now` and had lines. Each once.
    pub fn take_minute(&mut self, now: Timestamp) -> Option<(Timestamp, Vec<Spoke>)> {
        if self.minute < now.as_seconds().div_euclid(60) {
            self.close_minute();
        }
        self.over.pop_front()
    }

    /// Place of a kind, source or program that is counted.
    pub fn find(&self, of: &Of) -> Option<MeterId> {
        self.by_key.get(of).copied()
    }

    /// Old logs are read: until the baseline is complete, their live lines are it.
    pub fn learn_from_live(&mut self) {
        self.live_teaches = true;
    }

    pub fn is_learned(&self) -> bool {
        self.learned
    }

    /// Live lines count from now on.
    pub fn learned(&mut self) {
        self.learned = true;
        self.changed = true;
        if self.live_teaches {
            return;
        }
        for meter in &mut self.meters {
            // What was taught ends here: the first live line begins a minute of its own.
            meter.minute = i64::MIN;
            meter.limit = u32::MAX;
        }
    }

    pub fn overflowed(&self) -> u64 {
        self.overflowed
    }

    pub fn save(&mut self) -> Option<String> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        let meters = self.meters.iter().map(|meter| (meter.of.clone(), meter.level)).collect();
        serde_json::to_string(&Saved { v: 1, learned: self.learned, meters }).ok()
    }

    /// # Errors
    /// When the JSON is none of ours.
    pub fn restore(&mut self, json: &str) -> Result<(), String> {
        let saved: Saved = serde_json::from_str(json).map_err(|error| error.to_string())?;
        self.learned = saved.learned;
        for (of, level) in saved.meters {
            self.enroll(of, level);
        }
        self.changed = false;
        Ok(())
    }

    #[inline]
    fn one(&mut self, id: MeterId, line: &Counted) -> bool {
        let Some(meter) = self.meters.get_mut(id.index()) else { return false };
        let ahead = line.time.as_micros().wrapping_sub(meter.last);
        // One compare for both ends: a step back is a huge unsigned number.
        if ahead.cast_unsigned() < SECOND.cast_unsigned() && meter.source == line.source.0 {
            meter.count = meter.count.saturating_add(1);
            if meter.count != meter.limit {
                return false;
            }
        }
        self.beat(id, line)
    }

    /// The rare way: a new second, another source, a step back, or the limit.
    #[cold]
    fn beat(&mut self, id: MeterId, line: &Counted) -> bool {
        let source = line.source;
        let Some(meter) = self.meters.get_mut(id.index()) else { return false };
        let second = line.time.as_seconds().saturating_mul(SECOND);
        let first = meter.last == i64::MIN;
        let behind = !first && second < meter.last;
        let stepped_back = behind && meter.last.saturating_sub(second) > SET_BACK;
        let other_source = meter.source != source.0;
        if other_source && line.phase == Phase::Learn && !first && second <= meter.last {
            // The same log read a second time: the journal holds what syslog holds.
            return false;
        }
        let mut beat = Beat {
            meter: id,
            of: meter.of.clone(),
            source,
            time: Timestamp::from_micros(second),
            gap_seconds: None,
            closed: None,
            count: 0,
            total: 0,
            limit: u32::MAX,
        };
        if behind && !stepped_back {
            // Late: it counts now, and time stands still.
            meter.source = source.0;
            meter.count = meter.count.saturating_add(1);
            if meter.count != meter.limit {
                return false;
            }
            beat.time = Timestamp::from_micros(meter.last);
        } else if second == meter.last {
            if other_source {
                meter.source = source.0;
                meter.count = meter.count.saturating_add(1);
                if meter.count != meter.limit {
                    return false;
                }
            }
        } else {
            let minute = second.div_euclid(60 * SECOND);
            // A source that begins, or whose clock was set back, may lie in the past: minutes go on from there.
            let elsewhere = stepped_back || (first && matches!(beat.of, Of::Source(_)));
            if line.phase == Phase::Live && (minute > self.minute || (minute < self.minute && elsewhere)) {
                self.close_minute();
                self.minute = minute;
            }
            let Some(meter) = self.meters.get_mut(id.index()) else { return false };
            if !first && !stepped_back {
                beat.gap_seconds = Some(second.saturating_sub(meter.last).cast_unsigned() / SECOND.cast_unsigned());
            }
            if minute != meter.minute {
                if meter.minute != i64::MIN && !stepped_back {
                    beat.closed = Some(Closed {
                        minute: Timestamp::from_seconds(meter.minute.saturating_mul(60)),
                        count: meter.count,
                        empty: minute.saturating_sub(meter.minute).saturating_sub(1).max(0).cast_unsigned(),
                    });
                }
                meter.total = meter.total.saturating_add(u64::from(meter.count));
                meter.count = 0;
                meter.minute = minute;
            }
            meter.last = second;
            meter.source = source.0;
            meter.count = meter.count.saturating_add(1);
            if line.phase == Phase::Live && meter.listed != minute && self.minute == minute {
                meter.listed = minute;
                self.spoke.push(id);
            }
        }
        let Some(meter) = self.meters.get_mut(id.index()) else { return false };
        meter.limit = u32::MAX;
        beat.count = meter.count;
        beat.total = meter.total.saturating_add(u64::from(meter.count));
        self.beats.push(beat);
        true
    }

    /// Puts the current minute on the list of those that are over, if it had lines.
    fn close_minute(&mut self) {
        if self.spoke.is_empty() {
            return;
        }
        let over = self.minute;
        let mut spoke = Vec::with_capacity(self.spoke.len());
        for id in std::mem::take(&mut self.spoke) {
            let Some(meter) = self.meters.get_mut(id.index()) else { continue };
            meter.listed = i64::MIN;
            if meter.minute == over {
                spoke.push(Spoke { meter: id, of: meter.of.clone(), level: meter.level, count: meter.count });
            }
        }
        // One line closes at most one minute, and they are taken after each: this only bounds it.
        if self.over.len() < 16 {
            self.over.push_back((Timestamp::from_seconds(over.saturating_mul(60)), spoke));
        }
    }
}

impl Meter {
    fn new(of: Of, level: Level) -> Meter {
        Meter {
            last: i64::MIN,
            minute: i64::MIN,
            count: 0,
            limit: u32::MAX,
            source: NONE,
            level,
            listed: i64::MIN,
            total: 0,
            of,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally() -> (Tally, MeterId) {
        let mut tally = Tally::default();
        tally.learned();
        let id = tally.enroll(Of::Kind(KindId(1)), Level::Info);
        (tally, id)
    }

    /// Gap, closed minute's lines and empty minutes, lines in this minute.
    type Said = (Option<u64>, Option<(u32, u64)>, u32);

    /// Counts a line; its beat, if it is one.
    fn count(tally: &mut Tally, id: MeterId, millis: i64, source: u32) -> Option<Said> {
        let line = Counted {
            meters: Meters { kind: id, errors: MeterId::NONE },
            source: MeterId(source),
            time: Timestamp::from_micros(millis * 1_000),
            phase: Phase::Live,
        };
        if !tally.count(&line) {
            return None;
        }
        let beats = tally.take_beats();
        let said = beats
            .first()
            .map(|beat| (beat.gap_seconds, beat.closed.map(|closed| (closed.count, closed.empty)), beat.count));
        tally.shown(beats);
        said
    }

    /// Lines as milliseconds; expected: the beats among them.
    #[track_caller]
    fn check(lines: &[i64], expected: &[Said]) {
        let (mut tally, id) = tally();
        let beats: Vec<_> = lines.iter().filter_map(|at| count(&mut tally, id, *at, 9)).collect();
        assert_eq!(beats, expected);
    }

    #[test]
    fn one_beat_a_second() {
        check(&[0, 100, 999, 1_000], &[(None, None, 1), (Some(1), None, 4)]);
        check(&[59_000, 59_500, 60_000], &[(None, None, 1), (Some(1), Some((2, 0)), 1)]);
        check(&[0, 600_000], &[(None, None, 1), (Some(600), Some((1, 9)), 1)]);
        // Late lines count in the minute they come in.
        check(&[61_000, 59_000, 62_000], &[(None, None, 1), (Some(1), None, 3)]);
        // A clock that is set back by more than an hour begins anew.
        check(&[7_200_000, 1_000, 2_000], &[(None, None, 1), (None, None, 1), (Some(1), None, 2)]);
        // A year of silence.
        check(&[0, 31_536_000_000], &[(None, None, 1), (Some(31_536_000), Some((1, 525_599)), 1)]);
    }

    #[test]
    fn the_limit_is_a_beat() {
        let (mut tally, id) = tally();
        count(&mut tally, id, 0, 9);
        tally.set_limit(id, 3);
        assert_eq!(count(&mut tally, id, 1, 9), None);
        assert_eq!(count(&mut tally, id, 2, 9), Some((None, None, 3)));
        assert_eq!(count(&mut tally, id, 3, 9), None);
    }

    #[test]
    fn a_log_that_is_taught_twice_counts_once() {
        let mut tally = Tally::default();
        let id = tally.enroll(Of::Kind(KindId(1)), Level::Info);
        let mut teach = |second: i64, source: u32| {
            let line = Counted {
                meters: Meters { kind: id, errors: MeterId::NONE },
                source: MeterId(source),
                time: Timestamp::from_seconds(second),
                phase: Phase::Learn,
            };
            tally.count(&line).then(|| tally.take_beats().first().map(|beat| beat.total)).flatten()
        };
        let said: Vec<_> = [(10, 1), (20, 1), (10, 2), (20, 2), (30, 2)].map(|(at, source)| teach(at, source)).into();
        assert_eq!(said, [Some(1), Some(2), None, None, Some(3)]);
    }

    #[test]
    fn minutes_hold_what_spoke_in_them() {
        let (mut tally, id) = tally();
        let other = tally.enroll(Of::Kind(KindId(2)), Level::Err);
        for at in [0, 10, 20_000] {
            count(&mut tally, id, at, 9);
        }
        count(&mut tally, other, 30_000, 9);
        assert_eq!(tally.take_minute(Timestamp::from_seconds(59)), None);
        count(&mut tally, other, 61_000, 9);
        let (start, spoke) = tally.take_minute(Timestamp::from_seconds(61)).expect("a minute is over");
        let counts: Vec<_> = spoke.iter().map(|spoke| (spoke.meter, spoke.level, spoke.count)).collect();
        assert_eq!((start, counts), (Timestamp::EPOCH, vec![(id, Level::Info, 3), (other, Level::Err, 1)]));
        let (_, spoke) = tally.take_minute(Timestamp::from_seconds(600)).expect("and the one after it");
        assert_eq!(spoke.len(), 1);
        assert_eq!(tally.take_minute(Timestamp::from_seconds(9_999)), None);
    }

    #[test]
    fn places_survive_a_restart_and_are_bounded() {
        let (mut tally, id) = tally();
        for number in 0..MAX_METERS as u64 + 10 {
            tally.enroll(Of::Kind(KindId(number)), Level::Info);
        }
        assert_eq!(tally.overflowed(), 10);
        let json = tally.save().expect("changed");
        assert_eq!(tally.save(), None);
        let mut again = Tally::default();
        again.restore(&json).expect("ours");
        assert_eq!((again.enroll(Of::Kind(KindId(1)), Level::Info), again.overflowed()), (id, 0));
        assert!(json.len() < 1_000_000, "{}", json.len());
    }
}
