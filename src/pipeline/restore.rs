//! Going on where the last process stopped. Rebuilds rooms from their rows; asks and tells nothing.

use crate::judge::Judge;
use crate::model::{KindId, Snapshot, Timestamp, Verdict};
use crate::route::Outbox;

use super::kinds::Answer;
use super::{Effects, Pipeline};

impl Pipeline {
    /// Fills an empty pipeline from the store. Returns whether the baseline was complete. What a newer version holds back
    /// that an older one would have asked goes to `out`.
    pub fn restore(&mut self, snapshot: Snapshot, now: Timestamp, out: &mut Effects) -> bool {
        let Snapshot { templates, kinds, verdicts, questions, incidents, outbox, states, positions: _ } = snapshot;
        self.miner.restore(&templates);
        self.kinds.restore(kinds);
        let queued: std::collections::HashSet<KindId> = questions.iter().map(|question| question.id).collect();
        let judge_state = states.iter().find(|(name, _)| **name == *Judge::STATE).map(|(_, json)| json.as_str());
        let held = self.judge.restore(questions, verdicts, judge_state, now);
        for state in self.kinds.iter_mut() {
            state.answer = match self.judge.verdict(state.id).map(|row| row.verdict) {
                Some(Verdict::Anomalous) => Answer::Anomalous,
                Some(Verdict::Normal | Verdict::Watch | Verdict::Undecided) => Answer::Settled,
                None if queued.contains(&state.id) => Answer::Queued,
                None => Answer::None,
            };
        }
        self.triage.restore(incidents);
        self.outbox = Outbox::new(outbox);
        self.detect.restore(&states);
        for (name, json) in &states {
            match &**name {
                // Written by us; should one be unreadable, the room starts anew: alerts may repeat, none is lost.
                "route" => readable("route", self.router.restore(json)),
                "triage" => readable("triage", self.triage.restore_state(json)),
                "learned" => self.learning = false,
                _ => {}
            }
        }
        let mut findings = Vec::new();
        for held in held {
            self.held_back(held, &mut findings, out);
        }
        self.tell(findings, now, out);
        !self.learning
    }
}

fn readable(room: &str, result: Result<(), serde_json::Error>) {
    if let Err(error) = result {
        tracing::warn!(%error, "the saved state of {room} cannot be read; it starts anew");
    }
}
