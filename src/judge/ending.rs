//! How a request ends. Each of its questions is afterwards in exactly one place: answered, undecided for a day, or
//! waiting again. A failure makes nothing normal.

use std::time::Duration;

use super::belief::{self, Distrust};
use super::budget::day_name;
use super::clean;
use super::config::Mode;
use super::outcome::{Answer, TroubleKind};
use super::prompt::PROMPT_VERSION;
use super::reader::Item;
use super::state::{Cause, Flight, Group, Judge, undecided};
use crate::model::{Completion, Fact, JudgeFailure, Judged, KindId, Severity, Timestamp, Verdict, VerdictRow};
use crate::redact::Restore;

/// A single question that a backend failed on is asked once more after this.
const FAILED_FOR: Duration = Duration::from_secs(3600);
/// A question that stayed undecided this often is closed; it comes back when its kind does.
const MOST_MISSED: u32 = 4;
/// An outage is worth a word when it lasts.
const OUTAGE_FAILURES: u32 = 3;
const OUTAGE_LENGTH: Duration = Duration::from_secs(600);

impl Judge {
    /// Takes the end of a request. One that was given up only counts as spent.
    pub fn answer(&mut self, judged: Judged, now: Timestamp) -> Answer {
        let mut answer = Answer::default();
        self.budget.spend(&judged.usage, judged.cost_usd, now);
        if judged.usage.requests > 0 {
            let model = judged.result.as_ref().map_or(&self.config.backend, |completion| &completion.model).clone();
            answer.facts.push(Fact::Spend { day: day_name(now), model, usage: judged.usage });
        }
        match self.flight.take_if(|flight| flight.id == judged.request) {
            None => match self.second.landed(judged.request) {
                None => self.counts.late += 1,
                Some(flight) => self.answer_about(flight, judged.result, now, &mut answer),
            },
            Some(flight) => match judged.result {
                Ok(completion) => self.read(flight, &completion, now, &mut answer),
                Err(failure) => self.fail(flight, failure, now, &mut answer),
            },
        }
        answer.facts.push(Fact::State { name: Judge::STATE.into(), json: self.saved() });
        answer.troubles = self.take_troubles();
        answer
    }

    fn read(&mut self, flight: Flight, completion: &Completion, now: Timestamp, answer: &mut Answer) {
        self.answered();
        let mut belief = match belief::believe(&completion.text, &flight.expected) {
            Ok(belief) => belief,
            Err(distrust) => return self.disbelieve(flight, distrust, now, answer),
        };
        self.counts.unknown_ids += belief.unknown;
        self.counts.duplicate_ids += belief.duplicate;
        self.counts.malformed += belief.malformed;
        for (id, kind) in flight.expected.ids.iter().zip(&flight.kinds) {
            match belief.verdicts.remove(id) {
                Some(item) if item.verdict == Verdict::Normal && !self.may_be_normal(*kind) => {
                    let reason = "the text may talk to its judge, so it is not believed to be normal";
                    self.undecide(*kind, reason, "not-believed", false, now, answer);
                }
                Some(item) => {
                    let row = row(*kind, item, &flight.restore, &completion.model, now);
                    self.close(*kind, row, answer);
                }
                None => self.missing(*kind, now, answer),
            }
        }
    }

    /// A request was carried to an answer.
    pub(super) fn answered(&mut self) {
        self.pauses.answered();
        self.over(&[TroubleKind::Stopped, TroubleKind::Unreachable, TroubleKind::BudgetSpent]);
    }

    /// A whole answer that is not believed: each half gets one more chance, with other ids and canaries.
    fn disbelieve(&mut self, flight: Flight, distrust: Distrust, now: Timestamp, answer: &mut Answer) {
        self.counts.untrusted += 1;
        if flight.cause == Cause::Distrust {
            self.tell(TroubleKind::Untrusted, format!("{distrust}; {} kinds stay undecided", flight.kinds.len()));
            for kind in flight.kinds {
                self.undecide(kind, &format!("not believed: {distrust}"), "untrusted", true, now, answer);
            }
        } else {
            self.split(flight.kinds, Cause::Distrust);
        }
    }

    fn fail(&mut self, flight: Flight, failure: JudgeFailure, now: Timestamp, answer: &mut Answer) {
        self.note_failure(&failure, now);
        match failure {
            JudgeFailure::Stop { .. } | JudgeFailure::Later { .. } => self.put_back(flight.kinds, flight.cause),
            JudgeFailure::Split { reason } => match flight.kinds.as_slice() {
                [kind] => self.failed_alone(*kind, &reason, now, answer),
                _ => self.split(flight.kinds, Cause::Size),
            },
            JudgeFailure::Blocked { reason } => match flight.kinds.as_slice() {
                [kind] => self.undecide(*kind, &reason, "blocked", false, now, answer),
                _ => self.split(flight.kinds, Cause::Blocked),
            },
        }
    }

    /// What a failure means for all that is asked afterwards.
    pub(super) fn note_failure(&mut self, failure: &JudgeFailure, now: Timestamp) {
        match failure {
            JudgeFailure::Stop { reason } => {
                self.pauses.stopped(now, reason);
                self.tell(TroubleKind::Stopped, reason.clone());
            }
            JudgeFailure::Later { reason, after } => {
                let failures = self.pauses.later(now, *after, reason);
                if failures >= OUTAGE_FAILURES || *after >= OUTAGE_LENGTH {
                    self.tell(TroubleKind::Unreachable, reason.clone());
                }
            }
            JudgeFailure::Split { reason } => {
                self.pauses.content_failed(now, reason);
                if self.pauses.reason(now).is_some() {
                    self.tell(TroubleKind::Unreachable, reason.clone());
                }
            }
            JudgeFailure::Blocked { reason } => self.pauses.content_failed(now, reason),
        }
    }

    /// Puts both halves in front, the first one foremost.
    fn split(&mut self, mut kinds: Vec<KindId>, cause: Cause) {
        let second = kinds.split_off(kinds.len().div_ceil(2));
        if !second.is_empty() {
            self.groups.push_front(Group { kinds: second, cause });
        }
        self.groups.push_front(Group { kinds, cause });
    }

    /// A reply left this kind out: asked again once, then left to local detection for a day.
    fn missing(&mut self, kind: KindId, now: Timestamp, answer: &mut Answer) {
        self.counts.missing_ids += 1;
        match self.queue.get_mut(kind) {
            Some(question) if question.missed == 0 => {
                question.missed = 1;
                question.not_before = None;
                answer.facts.push(Fact::Question(question.clone()));
                self.queue.wait(kind);
            }
            Some(_) => self.undecide(kind, "the model left it out twice", "unanswered", true, now, answer),
            None => {}
        }
    }

    /// Nothing smaller to split off: once more in an hour, when it may have been the backend's fault.
    fn failed_alone(&mut self, kind: KindId, reason: &str, now: Timestamp, answer: &mut Answer) {
        match self.queue.get_mut(kind) {
            Some(question) if question.missed == 0 => {
                question.missed = 1;
                question.not_before = Some(now.saturating_add(FAILED_FOR));
                answer.facts.push(Fact::Question(question.clone()));
                self.queue.wait(kind);
            }
            Some(_) => self.undecide(kind, reason, "failed", true, now, answer),
            None => {}
        }
    }

    /// Never normal: local detection stands, and nothing asks again for a day. A kept question asks itself then.
    fn undecide(&mut self, kind: KindId, reason: &str, by: &str, keep: bool, now: Timestamp, answer: &mut Answer) {
        let row = undecided(kind, reason, by, now);
        self.counts.undecided += 1;
        let kept = match self.queue.get_mut(kind) {
            Some(question) if keep && question.missed < MOST_MISSED => {
                question.missed += 1;
                question.not_before = row.not_before;
                Some(question.clone())
            }
            Some(_) | None => None,
        };
        let Some(question) = kept else { return self.close(kind, row, answer) };
        self.queue.wait(kind);
        if self.config.mode != Mode::Lines {
            answer.facts.push(Fact::Verdict(row.clone()));
            self.verdicts.insert(kind, row.clone());
        }
        answer.facts.push(Fact::Question(question.clone()));
        answer.verdicts.push((question, row));
    }

    /// The kind has its answer. Single lines are answered but not remembered: there is no end to them.
    fn close(&mut self, kind: KindId, row: VerdictRow, answer: &mut Answer) {
        if self.is_decided(kind) {
            self.queue.remove(kind);
            return;
        }
        if row.verdict != Verdict::Undecided {
            self.counts.verdicts += 1;
        }
        if self.config.mode != Mode::Lines {
            answer.facts.push(Fact::Verdict(row.clone()));
            self.verdicts.insert(kind, row.clone());
        }
        answer.facts.push(Fact::QuestionClosed(kind));
        if let Some(question) = self.queue.remove(kind) {
            answer.verdicts.push((question, row));
        }
    }
}

/// One believed item as a verdict.
fn row(kind: KindId, item: Item, restore: &Restore, model: &str, now: Timestamp) -> VerdictRow {
    let prose = |text: &str| clean::model_prose(text, restore);
    let default = if item.verdict == Verdict::Anomalous { Severity::Medium } else { Severity::Low };
    VerdictRow {
        kind,
        verdict: item.verdict,
        severity: item.severity.unwrap_or(default),
        category: item.category,
        confidence: item.confidence,
        reason: prose(&item.reason),
        remediation: item
            .remediation
            .iter()
            .take(clean::MAX_STEPS)
            .map(|step| prose(step))
            .filter(|step| !step.is_empty())
            .collect(),
        model: model.to_owned(),
        prompt_version: PROMPT_VERSION,
        judged_at: now,
        not_before: None,
    }
}
