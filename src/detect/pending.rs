//! Findings that wait for the end of learning: live lines whose kind the baseline may yet turn out to contain. Bounded;
//! what found no room is counted and said.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{Finding, KindId, Phase};

/// Most findings held at a time.
const CAPACITY: usize = 1_000;

/// What one detector has to say about new kinds, and whether it may.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Pending {
    /// The baseline is complete.
    learned: bool,
    waiting: BTreeMap<KindId, Finding>,
    /// Findings that found no room.
    dropped: u64,
    #[serde(skip)]
    changed: bool,
}

impl Pending {
    pub fn learned(&self) -> bool {
        self.learned
    }

    /// Holds a live finding about a new kind until learning is over.
    pub fn hold(&mut self, kind: KindId, finding: Finding) {
        if self.waiting.len() >= CAPACITY && !self.waiting.contains_key(&kind) {
            self.dropped += 1;
        } else {
            self.waiting.insert(kind, finding);
        }
        self.changed = true;
    }

    /// A finding about this kind is waiting.
    pub fn holds(&self, kind: KindId) -> bool {
        self.waiting.contains_key(&kind)
    }

    /// One more line of a kind: a taught one shows that the baseline knows it. Returns whether it still waits.
    pub fn line(&mut self, kind: KindId, phase: Phase) -> bool {
        match phase {
            Phase::Learn => {
                self.changed |= self.waiting.remove(&kind).is_some();
                false
            }
            Phase::Live => self.holds(kind),
        }
    }

    /// Learning is over: what the baseline does not contain, and how many more there were.
    pub fn release(&mut self) -> (impl Iterator<Item = Finding> + use<>, u64) {
        self.learned = true;
        self.changed = true;
        let mut findings: Vec<Finding> = std::mem::take(&mut self.waiting).into_values().collect();
        findings.sort_by_key(|finding| (finding.first_seen, finding.kind));
        (findings.into_iter(), std::mem::take(&mut self.dropped))
    }

    /// As JSON, when it changed.
    pub fn save(&mut self) -> Option<String> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        serde_json::to_string(self).ok()
    }
}
