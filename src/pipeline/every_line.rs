//! `judge.mode = "lines"`: every line of a batch is a question of its own, as the original system asked. Secrets are
//! replaced before a line is kept; what leaves goes through the judge's redaction like everything else.

use crate::judge::{Asked, line_id};
use crate::model::{Evidence, Fact, Finding, Question, Severity, Timestamp};

use super::asking::Collapsed;
use super::lines::Entry;
use super::{Effects, Pipeline};

impl Pipeline {
    /// One question a line, in order, each with the index of its kind.
    pub(super) fn lines_to_ask(&self, entries: &[Entry]) -> Vec<(u32, Question)> {
        let mut questions = Vec::with_capacity(entries.len());
        for entry in entries {
            let (Some(state), Some(evidence)) = (self.kinds.get(entry.kind), &entry.evidence) else { continue };
            let line = Evidence {
                line: self.redactor.for_people(&evidence.line).as_str().to_owned(),
                ..Evidence::clone(evidence)
            };
            let id = line_id(state.id, &line);
            let collapsed = Collapsed { count: 1, last: entry.time, evidence: vec![line] };
            questions.push((entry.kind, Question { id, ..self.question_about(state, collapsed, false) }));
        }
        questions
    }

    /// Queues them. When too many wait already, their kinds are asked about instead: once each, counted and said.
    pub(super) fn ask_lines(
        &mut self,
        questions: Vec<(u32, Question)>,
        now: Timestamp,
        findings: &mut Vec<Finding>,
        out: &mut Effects,
    ) {
        for (kind, question) in questions {
            match self.judge.ask(question.clone(), now) {
                Asked::Queued => {
                    self.counters.questions += 1;
                    out.facts.push(Fact::Question(question));
                    out.urgent = true;
                }
                Asked::Known | Asked::Standing | Asked::Off => {}
                Asked::HeldBack(held) => self.held_back(*held, findings, out),
                Asked::Full => {
                    self.counters.collapsed += 1;
                    findings.extend(self.no_room_to_ask(now));
                    let collapsed = Collapsed { count: 1, last: question.last_seen, evidence: question.samples };
                    self.question(kind, collapsed, false, now, findings, out);
                }
            }
        }
    }

    /// Says once that more wait than can be kept; again after all were answered.
    pub(super) fn no_room_to_ask(&mut self, now: Timestamp) -> Option<Finding> {
        let waiting = self.judge.waiting(now);
        (!std::mem::replace(&mut self.no_room, true)).then(|| {
            self.about_ourselves(
                "More waits for the language model than can be kept",
                format!("{waiting} questions wait; what comes now is asked about by kind, or left to local detection"),
                vec![format!(
                    "Raise llm.{}.requests_per_minute and judge.daily_tokens, or set judge.mode = \"templates\".",
                    self.judge.backend()
                )],
                Severity::Medium,
                "judge-full".to_owned(),
                now,
            )
        })
    }
}
