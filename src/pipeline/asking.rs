//! From a batch to questions, from replies to verdicts. Asks each kind once; what a rule knows is not asked.

use crate::detect::{Watch, watch_usual};
use crate::judge::{self, Asked, HeldBack};
use crate::model::{Change, Evidence, Fact, Finding, Judged, Question, Timestamp, Verdict, VerdictRow};
use std::collections::BTreeMap;
use std::sync::Arc;

use super::kinds::{Answer, KindState, answer_to, may_ask};
use super::lines::Entry;
use super::{Effects, Pipeline};

/// Lines of one kind and host inside one batch.
#[derive(Default)]
pub(super) struct Collapsed {
    pub(super) count: u64,
    pub(super) last: Timestamp,
    pub(super) evidence: Vec<Evidence>,
}

impl Pipeline {
    /// A flushed batch: lines collapse to kinds; known ones are answered from the cache, the rest become questions.
    pub(super) fn ask(&mut self, entries: Vec<Entry>, now: Timestamp, out: &mut Effects) {
        let lines = if self.every_line { self.lines_to_ask(&entries) } else { Vec::new() };
        let mut kinds: BTreeMap<(u32, Arc<str>), Collapsed> = BTreeMap::new();
        for entry in entries {
            // Nearly every line: its kind has its answer, and no incident speaks of it.
            if self.kinds.get(entry.kind).is_none_or(KindState::is_silent) {
                continue;
            }
            let collapsed = kinds.entry((entry.kind, entry.host)).or_default();
            collapsed.count += 1;
            collapsed.last = collapsed.last.max(entry.time);
            if collapsed.evidence.len() < Finding::MAX_EVIDENCE {
                collapsed.evidence.extend(entry.evidence.map(|evidence| *evidence));
            }
        }
        let mut findings = Vec::new();
        for ((index, host), collapsed) in kinds {
            let Some(state) = self.kinds.get_mut(index) else { continue };
            if state.told {
                let newest = collapsed.evidence.last();
                match self.triage.lines(&host, state.id, collapsed.count, collapsed.last, newest, now) {
                    Some(outcome) => self.moved_on(outcome.incident, outcome.change, now, out),
                    None => state.told = false,
                }
            }
            let Some(state) = self.kinds.get(index) else { continue };
            match state.answer {
                _ if self.every_line => {}
                Answer::Queued | Answer::Settled => {}
                Answer::Undecided(until) if !may_ask(until, now) => {}
                Answer::Anomalous => {
                    let question = self.question_about(state, collapsed, false);
                    findings.extend(self.judge.verdict(state.id).and_then(|row| judge::finding(&question, row)));
                }
                // A learned kind speaks live: it need not wait behind the baseline any longer.
                Answer::None | Answer::QueuedLow | Answer::Undecided(_) => {
                    self.question(index, collapsed, false, now, &mut findings, out);
                }
            }
        }
        self.ask_lines(lines, now, &mut findings, out);
        self.tell(findings, now, out);
    }

    /// Queues one kind, unless a rule speaks for it or it has its answer.
    pub(super) fn question(
        &mut self,
        index: u32,
        collapsed: Collapsed,
        low_priority: bool,
        now: Timestamp,
        findings: &mut Vec<Finding>,
        out: &mut Effects,
    ) {
        let Some(state) = self.kinds.get(index) else { return };
        let ruled = state.ruled;
        let question = self.question_about(state, collapsed, low_priority);
        let (id, known) = (question.id, state.answer);
        // Known to be anomalous from elsewhere or from before: its first lines are no better than the next.
        let standing = self.judge.verdict(id).filter(|row| row.verdict == Verdict::Anomalous && !ruled);
        findings.extend(standing.and_then(|row| judge::finding(&question, row)));
        let asked = if ruled { Asked::Standing } else { self.judge.ask(question, now) };
        let answer = match asked {
            Asked::Queued => {
                self.counters.questions += u64::from(known != Answer::QueuedLow);
                out.facts.extend(self.judge.question(id).cloned().map(Fact::Question));
                out.urgent |= !low_priority;
                if low_priority { Answer::QueuedLow } else { Answer::Queued }
            }
            Asked::Known => Answer::Queued,
            Asked::Standing => self.judge.verdict(id).map_or(Answer::Settled, answer_to),
            Asked::Off => Answer::Settled,
            // Asked again with a later batch.
            Asked::Full => {
                findings.extend(self.no_room_to_ask(now));
                Answer::None
            }
            Asked::HeldBack(held) => {
                let answer = answer_to(&held.row);
                self.held_back(*held, findings, out);
                answer
            }
        };
        if let Some(state) = self.kinds.get_mut(index) {
            state.answer = answer;
            if answer != Answer::None {
                state.sample = None;
                state.odd = None;
            }
        }
    }

    pub(super) fn question_about(&self, state: &KindState, collapsed: Collapsed, low_priority: bool) -> Question {
        let mut samples = collapsed.evidence;
        if samples.is_empty() {
            samples.extend(state.sample.as_deref().cloned());
        }
        let host = samples.first().map_or(&self.context.host, |sample| &sample.host).to_string();
        Question {
            id: state.id,
            kind: state.kind.clone(),
            template: self.miner.text(state.kind.template).unwrap_or_default().to_owned(),
            host,
            count: collapsed.count.max(1),
            first_seen: samples.first().map_or(state.first_seen, |sample| sample.time),
            last_seen: samples.last().map_or(state.last_seen, |sample| sample.time),
            samples,
            odd: state.odd.unwrap_or_default().to_owned(),
            low_priority,
            missed: 0,
            not_before: None,
        }
    }

    /// Text that speaks to a model is not sent; that somebody wrote it is a finding.
    pub(super) fn held_back(&mut self, held: HeldBack, findings: &mut Vec<Finding>, out: &mut Effects) {
        out.facts.push(Fact::QuestionClosed(held.question.id));
        // Single lines are not remembered: there is no end to them.
        if !self.every_line {
            out.facts.push(Fact::Verdict(held.row));
        }
        findings.push(held.finding);
    }

    /// Learning is over: what the baseline holds is asked about too, behind everything live.
    pub(super) fn ask_about_baseline(&mut self, now: Timestamp, out: &mut Effects) {
        if self.every_line {
            return;
        }
        let mut findings = Vec::new();
        for index in 0..self.kinds.len() as u32 {
            let unasked = self.kinds.get(index).is_some_and(|state| state.learned && state.answer == Answer::None);
            if unasked {
                self.question(index, Collapsed::default(), true, now, &mut findings, out);
            }
        }
        self.tell(findings, now, out);
    }

    /// One request to the model has ended, one way or another.
    pub(super) fn judged(&mut self, judged: Judged, now: Timestamp, out: &mut Effects) {
        let reply = self.judge.answer(judged, now);
        self.no_room &= self.judge.waiting(now) > 0;
        out.facts.extend(reply.facts);
        let mut findings = Vec::new();
        for (question, row) in reply.verdicts {
            let mut live = !question.low_priority;
            if !self.every_line {
                for incident in self.triage.settle(&row) {
                    self.moved_on(incident, Change::Joined, now, out);
                }
            }
            if let Some(state) = self.kinds.by_kind_mut(&question.kind) {
                live |= state.live_count > 0;
                if question.id == state.id && !self.every_line {
                    state.answer = answer_to(&row);
                    let watch = (row.verdict == Verdict::Watch).then(|| watch(&row, state));
                    self.detect.watch(state.id, watch.as_ref());
                    state.began &= watch.is_none();
                }
            }
            if let Some(mut finding) = judge::finding(&question, &row) {
                // Only ever seen in the baseline: worth a line in the digest, not an alert.
                finding.learning = !live;
                findings.push(finding);
            }
        }
        self.second_answer(reply.prose, reply.ask_again, now, out);
        for trouble in reply.troubles {
            findings.push(self.trouble(&trouble, now, out));
        }
        self.tell(findings, now, out);
    }

    /// Forms a request when one may go. Its questions are durable: they are in the store or in these very effects.
    pub(super) fn request(&mut self, now: Timestamp, out: &mut Effects) {
        if !self.judge_ready || self.draining || out.judge.is_some() || self.no_judge.is_some() {
            return;
        }
        let random = &mut self.random;
        let request = self.judge.request(now, &mut || random.next(), &self.redactor);
        if let Some(request) = request.or_else(|| self.second_question(now, out)) {
            self.judge_ready = false;
            out.judge = Some(request);
            out.urgent = true;
        }
        let troubles = self.judge.take_troubles();
        let findings = troubles.iter().map(|trouble| self.trouble(trouble, now, out)).collect();
        self.tell(findings, now, out);
    }
}

/// What the verdict asks to be watched for, beside what was usual until now.
fn watch(row: &VerdictRow, state: &KindState) -> Watch {
    Watch {
        severity: row.severity,
        category: row.category,
        confidence: row.confidence,
        model: row.model.clone(),
        reason: row.reason.clone(),
        remediation: row.remediation.clone(),
        usual: watch_usual(state.count, state.first_seen, state.last_seen),
    }
}
