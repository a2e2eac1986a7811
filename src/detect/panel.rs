//! All detectors behind one door: asks each in turn, remembers who wants which lines, keeps their state together. Decides
//! nothing itself.

use std::sync::Arc;

use super::rules::RuleDetector;
use super::{Config, Detector, Mark, RuleSet, Seen, View, detectors};
use crate::model::{Finding, Timestamp};

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
    /// In the order of `COMPONENTS` (bits 1..).
    others: Vec<Box<dyn Detector>>,
}

impl Detect {
    pub fn new(config: &Config, rules: RuleSet) -> Detect {
        Detect { rules: RuleDetector::new(rules, config.repeat), others: detectors(config) }
    }

    /// For a kind's first line in this run, a new shape of it, and its first line after the template generalized. Handles
    /// the line whole: do not call [`Detect::line`] for it too. The answer replaces the kind's earlier interest.
    pub fn begin(&mut self, seen: &Seen<'_>, out: &mut Vec<Finding>) -> Interest {
        let mut claimed = false;
        let mut interest = Interest::default();
        for (bit, detector) in self.all_mut() {
            let want = detector.begin(seen, claimed, out);
            claimed |= want.claim;
            // That a line is new or bad says nothing about what it is: only a rule does.
            if want.claim && bit == Interest::RULES {
                interest.0 |= Interest::CLAIMED;
            }
            if want.lines && detector.line(seen, out) {
                interest.0 |= bit;
            }
        }
        interest
    }

    /// For every other line of a kind whose interest is not none. The answer replaces the kind's interest.
    pub fn line(&mut self, interest: Interest, seen: &Seen<'_>, out: &mut Vec<Finding>) -> Interest {
        let mut still = Interest(interest.0 & Interest::CLAIMED);
        for (bit, detector) in self.all_mut() {
            if interest.0 & bit != 0 && detector.line(seen, out) {
                still.0 |= bit;
            }
        }
        still
    }

    /// The baseline is complete: news held back until now is said.
    pub fn learned(&mut self, at: Timestamp, out: &mut Vec<Finding>) {
        for (_, detector) in self.all_mut() {
            detector.learned(at, out);
        }
    }

    /// Says what was counted but not yet said and is due at `now` (event time). Call it on ticks, and at the end of input
    /// with the largest time there is.
    pub fn settle(&mut self, now: Timestamp, out: &mut Vec<Finding>) {
        for (_, detector) in self.all_mut() {
            detector.settle(now, out);
        }
    }

    /// Lines of incidents that do not speak of whole kinds, since the last call.
    pub fn take_marks(&mut self) -> Vec<Mark> {
        self.all_mut().flat_map(|(_, detector)| detector.take_marks()).collect()
    }

    /// State that changed since the last call, for the transaction that moves the positions.
    pub fn states(&mut self) -> Vec<(Arc<str>, String)> {
        self.all_mut()
            .filter_map(|(_, detector)| {
                detector.save().map(|json| (Arc::from(format!("{STATE_PREFIX}{}", detector.name())), json))
            })
            .collect()
    }

    /// Takes back what [`Detect::states`] gave. Rows of others are left alone. Returns what could not be read, a
    /// sentence each; such a detector starts empty.
    pub fn restore(&mut self, states: &[(Arc<str>, String)]) -> Vec<String> {
        let mut problems = Vec::new();
        for (_, detector) in self.all_mut() {
            let name = detector.name();
            let row = states.iter().find(|(key, _)| key.strip_prefix(STATE_PREFIX) == Some(name));
            if let Some(Err(error)) = row.map(|(_, json)| detector.restore(json)) {
                problems.push(format!("state of detector {name} cannot be read and is dropped: {error}"));
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
        for detector in &self.others {
            views.extend(detector.explain(seen));
        }
        views
    }

    /// Keys and counters dropped for room since the start, for our own-loss counters.
    pub fn forgotten(&self) -> u64 {
        self.rules.forgotten()
    }

    fn all_mut(&mut self) -> impl Iterator<Item = (u32, &mut dyn Detector)> {
        let rules: &mut dyn Detector = &mut self.rules;
        std::iter::once(rules)
            .chain(self.others.iter_mut().map(|detector| detector.as_mut() as &mut dyn Detector))
            .zip(0u32..32)
            .map(|(detector, place)| (1u32 << place, detector))
    }
}

/// In front of a detector's name in the state table.
const STATE_PREFIX: &str = "detect/";
