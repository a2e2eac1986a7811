//! What sessions of one sort look like: how often each kind of line is in one, and how long it takes to the next line.
//! Counts; judges one session against the others, and words nothing.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{KindId, Level};

/// Kinds told apart in the sessions of one sort.
pub const MAX_KINDS: usize = 64;
/// Counts told apart: 0 to 6, and more.
const COUNTS: usize = 8;
/// Sessions of a sort that must be known before one of them can be odd.
pub const ENOUGH: u32 = 100;
/// A count that this share of sessions has is the rule ...
const SETTLED: f64 = 0.75;
/// ... and one that no more than one session of six has breaks it.
const BREAK: f64 = 1.0 / 6.0;
/// A kind of line that so few sessions have is rare, whatever its level.
const RARE: f64 = 0.02;
/// Gaps seen before they mean anything.
const ENOUGH_GAPS: u32 = 20;
/// A session is given so many times the usual gap.
const PATIENCE: u32 = 10;
const SHORTEST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(7 * 86_400);

/// Sessions of one sort.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Shape {
    /// Sessions counted.
    pub sessions: u32,
    pub kinds: Vec<Step>,
    /// Kinds beyond [`MAX_KINDS`] are not told apart.
    pub more: bool,
}

/// One kind of line in sessions of one sort.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Step {
    pub kind: KindId,
    pub level: Level,
    pub program: Box<str>,
    /// Its template, for people.
    pub text: Box<str>,
    /// How many sessions have it at least once ... by count; none at all is what is left.
    counts: [u32; COUNTS],
    /// How many next lines came within 2^n ms.
    gaps: Vec<u32>,
}

/// How one session breaks the rule of the others.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Break {
    pub what: What,
    /// Which kind.
    pub step: u8,
    pub count: u32,
    /// What most sessions have, and how many of all.
    pub usual: u32,
    pub usual_share: f64,
    /// Share of sessions like this one.
    pub share: f64,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum What {
    /// Lacks a step that nearly all have.
    Lacks,
    /// Has one more often than nearly all.
    Repeats,
    /// Has a line of warning or worse that few have.
    Trouble,
    /// Has a line that hardly any has.
    Rare,
}

impl What {
    pub fn as_str(self) -> &'static str {
        match self {
            What::Lacks => "lacks",
            What::Repeats => "repeats",
            What::Trouble => "trouble",
            What::Rare => "rare",
        }
    }
}

impl Shape {
    /// The number of a kind; `None` when there is no room for one more.
    pub fn step(&mut self, kind: KindId, new: impl FnOnce() -> Step) -> Option<u8> {
        let found = self.kinds.iter().position(|step| step.kind == kind);
        if found.is_none() && self.kinds.len() >= MAX_KINDS {
            self.more = true;
            return None;
        }
        let number = found.unwrap_or_else(|| {
            self.kinds.push(new());
            self.kinds.len() - 1
        });
        u8::try_from(number).ok()
    }

    /// A session is as it is for now.
    pub fn record(&mut self, counts: &[(u8, u32)]) {
        self.sessions = self.sessions.saturating_add(1);
        for (step, count) in counts {
            if let Some(bucket) = self.bucket(*step, *count) {
                *bucket = bucket.saturating_add(1);
            }
        }
    }

    /// A session that was recorded has one more line of a kind.
    pub fn grew(&mut self, step: u8, before: u32) {
        if let Some(bucket) = self.bucket(step, before).filter(|_| before > 0) {
            *bucket = bucket.saturating_sub(1);
        }
        if let Some(bucket) = self.bucket(step, before + 1) {
            *bucket = bucket.saturating_add(1);
        }
    }

    fn bucket(&mut self, step: u8, count: u32) -> Option<&mut u32> {
        self.kinds.get_mut(usize::from(step))?.counts.get_mut((count as usize).min(COUNTS - 1))
    }

    /// The next line of a session came after so long.
    pub fn gap(&mut self, step: u8, gap: Duration) {
        let Some(step) = self.kinds.get_mut(usize::from(step)) else { return };
        let bits = u64::BITS - u64::try_from(gap.as_millis()).unwrap_or(u64::MAX).leading_zeros();
        let place = bits as usize;
        if step.gaps.len() <= place {
            step.gaps.resize(place + 1, 0);
        }
        if let Some(count) = step.gaps.get_mut(place) {
            *count = count.saturating_add(1);
        }
    }

    /// How long a session whose last line is of this kind may be silent: ten times the gap that `share` of the others
    /// stayed below.
    pub fn patience(&self, step: u8, share: f64) -> Duration {
        let Some(step) = self.kinds.get(usize::from(step)) else { return SHORTEST };
        let all: u32 = step.gaps.iter().fold(0, |sum, count| sum.saturating_add(*count));
        if all < ENOUGH_GAPS {
            return SHORTEST * PATIENCE;
        }
        let mut below = 0;
        let place = step.gaps.iter().position(|count| {
            below += count;
            f64::from(below) >= f64::from(all) * share
        });
        let gap = Duration::from_millis(1u64.checked_shl(place.unwrap_or(0) as u32).unwrap_or(u64::MAX));
        gap.saturating_mul(PATIENCE).clamp(SHORTEST, LONGEST)
    }

    /// Sessions of this sort follow a rule: at least two steps that nearly all of them have.
    pub fn is_settled(&self) -> bool {
        let steps = (0..self.kinds.len())
            .filter(|step| self.usual(*step).is_some_and(|(count, share)| count > 0 && share >= SETTLED));
        self.sessions >= ENOUGH && steps.count() >= 2
    }

    /// What is odd about a session, worst first: `complete` when it is over, so that what it lacks will not come.
    pub fn judge(&self, counts: &[(u8, u32)], complete: bool) -> Option<Break> {
        let breaks = (0..self.kinds.len()).filter_map(|step| {
            let number = u8::try_from(step).ok()?;
            let count = counts.iter().find(|(known, _)| *known == number).map_or(0, |(_, count)| *count);
            self.break_of(step, number, count, complete)
        });
        breaks.min_by(|one, other| {
            let rank = |one: &Break| matches!(one.what, What::Rare);
            rank(one).cmp(&rank(other)).then(one.share.total_cmp(&other.share)).then(one.step.cmp(&other.step))
        })
    }

    fn break_of(&self, step: usize, number: u8, count: u32, complete: bool) -> Option<Break> {
        let (usual, usual_share) = self.usual(step)?;
        let level = self.kinds.get(step)?.level;
        let found = |what, share| Some(Break { what, step: number, count, usual, usual_share, share });
        if usual > 0 && usual_share >= SETTLED {
            let (less, more) = (self.share(step, 0, count), self.share(step, count, u32::MAX));
            return match count.cmp(&usual) {
                std::cmp::Ordering::Less if complete && less <= BREAK => found(What::Lacks, less),
                std::cmp::Ordering::Greater if more <= BREAK => found(What::Repeats, more),
                _ => None,
            };
        }
        let have = self.share(step, 1, u32::MAX);
        match (usual, count) {
            (0, 1..) if have <= BREAK && level <= Level::Warning => found(What::Trouble, have),
            (0, 1..) if have <= RARE => found(What::Rare, have),
            _ => None,
        }
    }

    /// The count most sessions have, and their share.
    fn usual(&self, step: usize) -> Option<(u32, f64)> {
        let counts = &self.kinds.get(step)?.counts;
        let all = f64::from(self.sessions.max(1));
        let none = self.none(counts);
        let most = (1u32..)
            .zip(counts.iter().skip(1))
            .max_by_key(|(count, sessions)| (**sessions, std::cmp::Reverse(*count)))?;
        Some(if *most.1 > none { (most.0, f64::from(*most.1) / all) } else { (0, f64::from(none) / all) })
    }

    /// Sessions without such a line.
    fn none(&self, counts: &[u32; COUNTS]) -> u32 {
        self.sessions.saturating_sub(counts.iter().skip(1).fold(0, |sum, count| sum.saturating_add(*count)))
    }

    /// Share of sessions with so many, both ends included.
    fn share(&self, step: usize, from: u32, to: u32) -> f64 {
        let Some(step) = self.kinds.get(step) else { return 0.0 };
        let within: u32 = (0u32..)
            .zip(&step.counts)
            .filter(|(count, _)| (from.min(COUNTS as u32 - 1)..=to).contains(count))
            .map(|(count, sessions)| if count == 0 { self.none(&step.counts) } else { *sessions })
            .fold(0, u32::saturating_add);
        f64::from(within) / f64::from(self.sessions.max(1))
    }
}

impl Step {
    pub fn new(kind: KindId, level: Level, program: &str, text: &str) -> Step {
        Step { kind, level, program: program.into(), text: text.into(), counts: [0; COUNTS], gaps: Vec::new() }
    }
}
