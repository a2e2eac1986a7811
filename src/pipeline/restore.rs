//! Going on where the last process stopped. Rebuilds rooms from their rows; asks and tells nothing.

use std::collections::HashMap;

use crate::judge::Judge;
use crate::model::{Fact, KindId, Snapshot, Timestamp};
use crate::route::Outbox;

use super::explosion::Exploded;
use super::kinds::{Answer, answer_to};
use super::second_question::SecondQuestions;
use super::{Effects, Pipeline};

/// Runs whose lines are known as our own.
const MAX_PIDS: usize = 16;

impl Pipeline {
    /// Fills an empty pipeline from the store. Returns whether the baseline was complete. What a newer version holds back
    /// that an older one would have asked goes to `out`.
    pub fn restore(&mut self, snapshot: Snapshot, now: Timestamp, out: &mut Effects) -> bool {
        let Snapshot { templates, kinds, verdicts, questions, incidents, outbox, answers, states, positions: _ } =
            snapshot;
        self.miner.restore(&templates);
        self.kinds.restore(kinds);
        let queued: HashMap<KindId, Answer> = questions
            .iter()
            .map(|question| (question.id, if question.low_priority { Answer::QueuedLow } else { Answer::Queued }))
            .collect();
        let judge_state = states.iter().find(|(name, _)| **name == *Judge::STATE).map(|(_, json)| json.as_str());
        let held = self.judge.restore(questions, verdicts, judge_state, now);
        for state in self.kinds.iter_mut() {
            let known = self.judge.verdict(state.id).map(answer_to);
            state.answer = match queued.get(&state.id) {
                Some(queued) if !matches!(known, Some(Answer::Anomalous | Answer::Settled)) => *queued,
                Some(_) | None => known.unwrap_or(Answer::None),
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
                "silence" => readable("silence", self.silence.restore(json, now)),
                SecondQuestions::STATE => readable("second questions", self.second.restore(json)),
                Exploded::STATE => readable("exploded", self.exploded.restore(json)),
                "learned" => self.learning = false,
                "pids" => readable("pids", serde_json::from_str(json).map(|pids| self.runs_before(pids))),
                _ => {}
            }
        }
        let miner = &self.miner;
        let text = |template| miner.text(template).map(str::to_owned);
        self.triage.restore_answers(answers, text, now);
        self.answers_over(now, out);
        self.offer_what_is_open(now);
        if let Ok(json) = serde_json::to_string(&self.own_pids) {
            out.facts.push(Fact::State { name: "pids".into(), json });
        }
        if !self.learning {
            self.detect.goes_on();
        }
        let mut findings = Vec::new();
        for held in held {
            self.held_back(held, &mut findings, out);
        }
        self.tell(findings, now, out);
        !self.learning
    }

    /// Lines of these processes are our own, too.
    fn runs_before(&mut self, mut pids: Vec<u32>) {
        pids.retain(|pid| !self.own_pids.contains(pid));
        pids.append(&mut self.own_pids);
        let first = pids.len().saturating_sub(MAX_PIDS);
        self.own_pids = pids.split_off(first);
    }
}

fn readable(room: &str, result: Result<(), serde_json::Error>) {
    if let Err(error) = result {
        tracing::warn!(%error, "the saved state of {room} cannot be read; it starts anew");
    }
}
