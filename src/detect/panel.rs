//! All detectors behind one door: asks each in turn, remembers who wants which lines, keeps their state together. Decides
//! nothing itself.

use std::sync::Arc;

use super::change::Changes;
use super::novelty;
use super::rules::RuleDetector;
use super::tally::Tally;
use super::{
    Config, Counted, Detector, Horizon, Mark, MeterId, Meters, Minute, Of, RuleSet, Seen, View, Watch, detectors,
};
use crate::model::{Finding, JudgedBy, Kind, KindId, Level, Phase, Timestamp};

/// Which detectors want every line of a kind. The pipeline keeps it with the kind and hands it back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Interest(pub u32);

impl Interest {
    /// The rules' bit: they are asked first.
    const RULES: u32 = 1;
    /// Set beside the detectors' bits when a rule knows what the kind is.
    const CLAIMED: u32 = 1 << 31;

    /// Nobody wants the lines: do not even build a [`Seen`].
    pub fn is_none(self) -> bool {
        self.0 & !Interest::CLAIMED == 0
    }

    /// A rule knows what the kind is: nobody else need be asked about it.
    pub fn claimed(self) -> bool {
        self.0 & Interest::CLAIMED != 0
    }
}

/// The detectors of this host.
pub struct Detect {
    /// Asked first (bit 0): what a rule explains is no news to the others.
    rules: RuleDetector,
    /// Asked second (bit 1): what changed on the host is said with what the others find.
    changes: Changes,
    /// In the order of `COMPONENTS` (bits 2..).
    others: Vec<Box<dyn Detector>>,
    /// Bits of those that count lines.
    counting: u32,
    /// How many lines of each kind, source and failing program.
    tally: Tally,
}

impl Detect {
    pub fn new(config: &Config, rules: RuleSet) -> Detect {
        let mut detect = Detect {
            rules: RuleDetector::new(rules, config.repeat),
            changes: Changes::new(&config.change),
            others: detectors(config),
            counting: 0,
            tally: Tally::default(),
        };
        detect.counting =
            detect.all_mut().filter(|(_, detector)| detector.counts()).fold(0, |bits, (bit, _)| bits | bit);
        detect
    }

    /// For a kind's first line in this run, a new shape of it, and its first line after the template generalized. Handles
    /// the line whole: do not call [`Detect::line`] for it too. The answer replaces the kind's earlier interest.
    pub fn begin(&mut self, seen: &Seen<'_>, out: &mut Vec<Finding>) -> Interest {
        let mut claimed = false;
        let mut interest = Interest::default();
        let mut ruled = false;
        let before = out.len();
        for (bit, detector) in self.all_mut() {
            if ruled {
                detector.ruled(seen.kind_id);
            }
            let want = detector.begin(seen, claimed, out);
            claimed |= want.claim;
            ruled |= bit == Interest::RULES && want.lines;
            // That a line is new or bad says nothing about what it is: only a rule does.
            if want.claim && bit == Interest::RULES {
                interest.0 |= Interest::CLAIMED;
            }
            if want.lines && detector.line(seen, out) {
                interest.0 |= bit;
            }
        }
        self.after_changes(before, out);
        interest
    }

    /// For every other line of a kind whose interest is not none. The answer replaces the kind's interest.
    pub fn line(&mut self, interest: Interest, seen: &Seen<'_>, out: &mut Vec<Finding>) -> Interest {
        let mut still = Interest(interest.0 & Interest::CLAIMED);
        let before = out.len();
        let mut left = interest.0 & !Interest::CLAIMED;
        while let Some(bit) = lowest(&mut left) {
            if self.at(bit).is_some_and(|detector| detector.line(seen, out)) {
                still.0 |= bit;
            }
        }
        self.after_changes(before, out);
        still
    }

    /// Where lines of a kind are counted; ask once for each kind and keep it.
    pub fn meters(&mut self, kind: &Kind) -> Meters {
        let errors = match kind.level <= Level::Err {
            true => self.tally.enroll(Of::Errors(Arc::clone(&kind.program)), Level::Err),
            false => MeterId::NONE,
        };
        Meters { kind: self.tally.enroll(Of::Kind(kind.id()), kind.level), errors }
    }

    /// Where the lines of a source are counted; ask once for each source and keep it.
    pub fn source(&mut self, name: &Arc<str>) -> MeterId {
        self.tally.enroll(Of::Source(Arc::clone(name)), Level::Info)
    }

    /// Counts one line of a source, also when it is a copy of another source's. True when [`Detect::source_beat`] must be
    /// told.
    #[inline]
    pub fn count_source(&mut self, source: MeterId, time: Timestamp, phase: Phase) -> bool {
        let meters = Meters { kind: source, errors: MeterId::NONE };
        self.tally.count(&Counted { meters, source, time, phase })
    }

    /// Tells all detectors of the line of a source that was just counted.
    pub fn source_beat(&mut self, host: &Arc<str>, time: Timestamp, phase: Phase, out: &mut Vec<Finding>) {
        let mut beats = self.tally.take_beats();
        let phase = self.teaching(phase);
        self.minutes(time, out);
        for beat in &mut beats {
            let mut left = self.counting;
            while let Some(bit) = lowest(&mut left) {
                if let Some(detector) = self.at(bit) {
                    detector.source_beat(host, phase, beat, out);
                }
            }
        }
        self.tally.shown(beats);
    }

    /// Counts one line that is no copy, by kind. For every line; a few instructions. True when [`Detect::beat`] must see it.
    #[inline]
    pub fn count(&mut self, line: &Counted) -> bool {
        self.tally.count(line)
    }

    /// Shows the line just counted to all detectors.
    pub fn beat(&mut self, seen: &Seen<'_>, out: &mut Vec<Finding>) {
        let mut beats = self.tally.take_beats();
        let before = out.len();
        self.minutes(seen.time, out);
        let seen = &Seen { phase: self.teaching(seen.phase), ..*seen };
        for beat in &mut beats {
            let mut left = self.counting;
            while let Some(bit) = lowest(&mut left) {
                if let Some(detector) = self.at(bit) {
                    detector.beat(seen, beat, out);
                }
            }
        }
        self.tally.shown(beats);
        self.after_changes(before, out);
    }

    /// The lines of `gone` belong to `into` from now on: their templates became one.
    pub fn merged(&mut self, gone: &Kind, into: &Kind) {
        let (Some(gone), into) = (self.tally.find(&Of::Kind(gone.id())), self.meters(into).kind) else { return };
        for (_, detector) in self.all_mut() {
            detector.merged(gone, into);
        }
    }

    /// The model calls a kind odd when frequent, or somebody knows better by now. The kind must go through
    /// [`Detect::begin`] again.
    pub fn watch(&mut self, kind: KindId, watch: Option<&Watch>) {
        for (_, detector) in self.all_mut() {
            detector.watch(kind, watch);
        }
    }

    /// Old logs are read: until [`Detect::learned`] their live lines are counted as baseline.
    pub fn learn_from_live(&mut self) {
        self.tally.learn_from_live();
    }

    /// The baseline was complete before this process began.
    pub fn goes_on(&mut self) {
        self.tally.learned();
    }

    /// What was written until the horizon was read: silence may be judged.
    pub fn quiet(&mut self, horizon: &Horizon<'_>, out: &mut Vec<Finding>) {
        let before = out.len();
        for (_, detector) in self.all_mut() {
            detector.quiet(horizon, out);
        }
        self.after_changes(before, out);
    }

    /// When [`Detect::quiet`] has something to do although no line comes.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.others.iter().filter_map(|detector| detector.next_deadline()).chain(self.rules.next_deadline()).min()
    }

    /// Faults that are over since the last call: each the finding that opened it, with a reason that says so.
    pub fn take_over(&mut self) -> Vec<Finding> {
        self.all_mut().flat_map(|(_, detector)| detector.take_over()).collect()
    }

    /// The baseline is complete: news held back until now is said.
    pub fn learned(&mut self, at: Timestamp, out: &mut Vec<Finding>) {
        self.tally.learned();
        for (_, detector) in self.all_mut() {
            detector.learned(at, out);
        }
    }

    /// Says what was counted but not yet said and is due at `now` (event time). Call it on ticks, and at the end of input
    /// with the largest time there is.
    pub fn settle(&mut self, now: Timestamp, out: &mut Vec<Finding>) {
        let before = out.len();
        self.minutes(now, out);
        for (_, detector) in self.all_mut() {
            detector.settle(now, out);
        }
        self.after_changes(before, out);
    }

    /// Lines of incidents that do not speak of whole kinds, since the last call.
    pub fn take_marks(&mut self) -> Vec<Mark> {
        self.all_mut().flat_map(|(_, detector)| detector.take_marks()).collect()
    }

    /// State that changed since the last call, for the transaction that moves the positions.
    pub fn states(&mut self) -> Vec<(Arc<str>, String)> {
        let tally = self.tally.save().map(|json| (Arc::from(format!("{STATE_PREFIX}{TALLY}")), json));
        self.all_mut()
            .filter_map(|(_, detector)| {
                detector.save().map(|json| (Arc::from(format!("{STATE_PREFIX}{}", detector.name())), json))
            })
            .chain(tally)
            .collect()
    }

    /// The process is about to end: the next [`Detect::states`] puts nothing off.
    pub fn closing(&mut self) {
        for (_, detector) in self.all_mut() {
            detector.closing();
        }
    }

    /// Takes back what [`Detect::states`] gave. Rows of others are left alone. Returns what could not be read, a
    /// sentence each; such a detector starts empty.
    pub fn restore(&mut self, states: &[(Arc<str>, String)]) -> Vec<String> {
        let row = |name: &str| states.iter().find(|(key, _)| key.strip_prefix(STATE_PREFIX) == Some(name));
        let mut problems = Vec::new();
        let mut check = |name: &str, result: Result<(), String>| {
            if let Err(error) = result {
                problems.push(format!("state of detector {name} cannot be read and is dropped: {error}"));
            }
        };
        // The others' rows speak of its meters.
        if let Some((_, json)) = row(TALLY) {
            check(TALLY, self.tally.restore(json));
        }
        for (_, detector) in self.all_mut() {
            if let Some((_, json)) = row(detector.name()) {
                check(detector.name(), detector.restore(json));
            }
        }
        problems
    }

    /// Replaces rules and settings; counters and what waits stay where they still mean the same. Every kind must go
    /// through [`Detect::begin`] again at its next line: forget all interests.
    pub fn reload(&mut self, config: &Config, rules: RuleSet) {
        self.rules.set_rules(rules);
        for (_, detector) in self.all_mut() {
            detector.reload(config);
        }
    }

    pub fn rules(&self) -> &RuleSet {
        self.rules.rules()
    }

    /// What every detector thinks of this line. Changes nothing.
    pub fn explain(&self, seen: &Seen<'_>) -> Vec<View> {
        let mut views = self.rules.explain(seen);
        views.extend(self.changes.explain(seen));
        for detector in &self.others {
            views.extend(detector.explain(seen));
        }
        views
    }

    /// Keys and counters dropped for room since the start, for our own-loss counters.
    pub fn forgotten(&self) -> u64 {
        self.rules.forgotten() + self.tally.overflowed()
    }

    /// Findings from `from` on: new kinds after a change become one notice, the others say what changed before.
    fn after_changes(&mut self, from: usize, out: &mut Vec<Finding>) {
        if out.len() == from {
            return;
        }
        for mut finding in out.split_off(from) {
            let merely_new = matches!(&finding.judged_by, JudgedBy::Detector(name) if **name == *novelty::NAME);
            if merely_new && self.changes.absorb(&finding, out) {
                continue;
            }
            if matches!(finding.judged_by, JudgedBy::Detector(_)) {
                self.changes.annotate(&mut finding);
            }
            out.push(finding);
        }
    }

    /// What is counted before the baseline is complete teaches, whatever it is.
    fn teaching(&self, phase: Phase) -> Phase {
        if self.tally.is_learned() { phase } else { Phase::Learn }
    }

    fn minutes(&mut self, now: Timestamp, out: &mut Vec<Finding>) {
        while let Some((start, spoke)) = self.tally.take_minute(now) {
            let minute = Minute { start, spoke: &spoke };
            for (_, detector) in self.all_mut() {
                detector.minute(&minute, out);
            }
        }
    }

    /// The detector of a bit.
    #[inline]
    fn at(&mut self, bit: u32) -> Option<&mut dyn Detector> {
        match bit.trailing_zeros() {
            0 => Some(&mut self.rules),
            1 => Some(&mut self.changes),
            place => Some(self.others.get_mut(place as usize - 2)?.as_mut()),
        }
    }

    fn all_mut(&mut self) -> impl Iterator<Item = (u32, &mut dyn Detector)> {
        let rules: &mut dyn Detector = &mut self.rules;
        let changes: &mut dyn Detector = &mut self.changes;
        [rules, changes]
            .into_iter()
            .chain(self.others.iter_mut().map(|detector| detector.as_mut() as &mut dyn Detector))
            .zip(0u32..32)
            .map(|(detector, place)| (1u32 << place, detector))
    }
}

/// Takes the lowest bit out: detectors are asked in their order.
#[inline]
fn lowest(bits: &mut u32) -> Option<u32> {
    let bit = *bits & bits.wrapping_neg();
    *bits ^= bit;
    (bit != 0).then_some(bit)
}

/// In front of a detector's name in the state table.
const STATE_PREFIX: &str = "detect/";
/// Name of the tally's row.
const TALLY: &str = "tally";
