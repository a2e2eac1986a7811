//! Going on where the last process stopped. Rebuilds rooms from their rows; asks and tells nothing.

use std::collections::HashMap;

use crate::judge::Judge;
use crate::mine::Merge;
use crate::model::{Fact, KindId, Snapshot, TemplateRow, Timestamp};
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
        let merges = self.miner.restore(&templates);
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
        self.read_alike(&merges, &templates, now, out);
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

    /// Templates that an older version told apart and this one reads alike: their kinds are one from now on, as where a
    /// line merges two.
    fn read_alike(&mut self, merges: &[Merge], rows: &[TemplateRow], now: Timestamp, out: &mut Effects) {
        if merges.is_empty() {
            return;
        }
        let mut rows: HashMap<_, _> = rows.iter().map(|row| (row.id, row.clone())).collect();
        for Merge { gone, into } in merges {
            for (gone, into) in self.kinds.merge(*gone, *into) {
                self.detect.merged(&gone, &into);
            }
            self.template_changed(*gone, now, out);
            self.template_changed(*into, now, out);
            let text = self.miner.text(*into).unwrap_or_default();
            let Some(mut row) = rows.remove(gone) else { continue };
            if let Some(known) = rows.get_mut(into) {
                known.text = text.to_owned();
                known.first_seen = known.first_seen.min(row.first_seen);
                known.last_seen = known.last_seen.max(row.last_seen);
                out.facts.push(Fact::Template(known.clone()));
            }
            row.text = text.to_owned();
            row.merged_into = Some(*into);
            out.facts.push(Fact::Template(row));
        }
        tracing::info!(
            templates = merges.len(),
            "templates of an older version read alike now and became part of others"
        );
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Kind, KindRow, Level, TemplateId};
    use crate::pipeline::tests::{NOW, settings, syslog};
    use crate::pipeline::{Input, Pipeline};

    fn template(id: u64, text: &str) -> TemplateRow {
        let (first_seen, last_seen) = (Timestamp::from_seconds(NOW - 900), Timestamp::from_seconds(NOW - 9));
        TemplateRow { id: TemplateId(id), text: text.to_owned(), count: 1, first_seen, last_seen, merged_into: None }
    }

    fn kind(template: u64) -> KindRow {
        let kind = Kind { program: "app".into(), level: Level::default(), template: TemplateId(template) };
        let (first_seen, last_seen) = (Timestamp::from_seconds(NOW - 900), Timestamp::from_seconds(NOW - 9));
        KindRow { kind, learned: true, count: 7, first_seen, last_seen }
    }

    /// What a process that goes on writes first, and what it writes of a line.
    fn goes_on(templates: Vec<TemplateRow>, line: &str) -> (Vec<TemplateRow>, Vec<Fact>) {
        let now = Timestamp::from_seconds(NOW);
        let mut pipeline = Pipeline::new(settings(1));
        let (mut first, mut then) = (Effects::default(), Effects::default());
        let states = vec![("learned".into(), String::new())];
        let kinds = templates.iter().map(|row| kind(row.id.0)).collect();
        pipeline.restore(Snapshot { templates, kinds, states, ..Snapshot::default() }, now, &mut first);
        pipeline.handle(Input::Lines(&syslog("app", line)), now, &mut then);
        let rows = first.facts.into_iter().filter_map(|fact| match fact {
            Fact::Template(row) => Some(row),
            _ => None,
        });
        (rows.collect(), then.facts)
    }

    #[test]
    fn templates_that_read_alike_become_one_for_good() {
        let old = [template(1, "done a=true b=true c=true"), template(2, "done a=true b=false c=true")];
        let line = "done a=false b=false c=false";
        let (rows, facts) = goes_on(old.to_vec(), line);
        let said = |row: &TemplateRow| (row.id.0, row.text.clone(), row.merged_into);
        let text = "done a=<BOOL> b=<BOOL> c=<BOOL>".to_owned();
        assert_eq!(
            rows.iter().map(said).collect::<Vec<_>>(),
            [(1, text.clone(), None), (2, text, Some(TemplateId(1)))]
        );
        assert!(!facts.iter().any(|fact| matches!(fact, Fact::Incident(_) | Fact::Template(_))), "{facts:?}");
        // The next start finds nothing left to do.
        let (again, facts) = goes_on(rows, line);
        assert!(again.is_empty(), "{again:?}");
        assert!(!facts.iter().any(|fact| matches!(fact, Fact::Incident(_) | Fact::Template(_))), "{facts:?}");
    }
}
