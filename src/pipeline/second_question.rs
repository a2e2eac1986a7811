//! Open incidents and their second question: which are asked about, when, and what is remembered so that none is asked
//! about twice, not even over a restart. How it is asked is the judge's business; the answer is prose and moves nothing.
//!
//! An incident of `medium` and up is asked about a little after it opened, when its first lines are in and its alert is on
//! the way. One that is about ourselves, muted, quiet, or found for speaking to a model is not; nor is one that a model
//! alone spoke of, unless something else joined it: its reason is known. That it is asked about is written before the
//! request leaves, so that after a crash in between it is not asked about again.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::judge::{IncidentQuestion, Prose, words_of};
use crate::model::{Fact, Fingerprint, Incident, IncidentState, JudgeRequest, JudgedBy, Level, Severity, Timestamp};
use crate::triage::{SETTLEABLE, Triage};

use super::{Effects, Pipeline};

/// What follows the first line of an incident says more than that line: it is waited for.
const SETTLES_IN: Duration = Duration::from_secs(5);
/// Answers remembered. Older ones go first, but never those of open incidents.
const MAX_ASKED: usize = 500;
/// Kinds that spoke so close to the beginning of an incident stand around it.
const AROUND: Duration = Duration::from_secs(60);
/// Kinds around an incident that are offered to the judge, which may leave some out.
const MAX_AROUND: usize = 14;

/// Incidents that were, are or will be asked about.
#[derive(Default)]
pub struct SecondQuestions {
    /// To be asked about, and not before this.
    due: BTreeSet<(Timestamp, Fingerprint)>,
    /// Those in `due`.
    waiting: HashMap<Fingerprint, Timestamp>,
    asked: HashMap<Fingerprint, AskedOnce>,
    /// When somebody last looked for what is due.
    looked_at: Timestamp,
}

/// One incident that is not asked about again. Versioned with [`Saved`].
#[derive(Clone, Debug, Serialize, Deserialize)]
struct AskedOnce {
    incident: Fingerprint,
    /// When the incident was, as far as was known: one of the same name at another time is another one.
    first_seen: Timestamp,
    last_seen: Timestamp,
    asked_at: Timestamp,
    /// None while no answer came, or none that was believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    said: Option<Said>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Said {
    model: String,
    reason: String,
    remediation: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    v: u32,
    asked: Vec<AskedOnce>,
}

impl SecondQuestions {
    /// Name of the state in `Fact::State`.
    pub const STATE: &'static str = "second-questions";

    /// # Errors
    /// When the text is not ours; incidents may then be asked about once more.
    pub fn restore(&mut self, json: &str) -> Result<(), serde_json::Error> {
        let saved: Saved = serde_json::from_str(json)?;
        self.asked = saved.asked.into_iter().map(|asked| (asked.incident, asked)).collect();
        Ok(())
    }

    /// It is `now`: what is due by then needs no deadline any more.
    pub fn look(&mut self, now: Timestamp) {
        self.looked_at = now;
    }

    /// When the next one becomes due.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let later = (Bound::Excluded((self.looked_at, Fingerprint(u64::MAX))), Bound::Unbounded);
        self.due.range(later).next().map(|(time, _)| *time)
    }

    /// An incident has changed, and may be worth a question from `time` on.
    fn offer(&mut self, incident: &Incident, time: Timestamp) {
        if is_worth(incident) && !self.waiting.contains_key(&incident.id) && self.asked_before(incident).is_none() {
            self.waiting.insert(incident.id, time);
            self.due.insert((time, incident.id));
        }
    }

    fn withdraw(&mut self, id: Fingerprint) {
        if let Some(time) = self.waiting.remove(&id) {
            self.due.remove(&(time, id));
        }
    }

    /// The gravest of those that are due. What is no longer worth it leaves.
    fn due(&mut self, triage: &Triage, now: Timestamp, most: usize) -> Vec<Incident> {
        let due = self.due.range(..=(now, Fingerprint(u64::MAX))).map(|(_, id)| *id);
        let due: Vec<(Fingerprint, Option<&Incident>)> = due.map(|id| (id, triage.get(id))).collect();
        let mut found: Vec<&Incident> = Vec::new();
        for (id, incident) in due {
            match incident.filter(|one| one.id == id && is_worth(one) && self.asked_before(one).is_none()) {
                Some(incident) => found.push(incident),
                None => self.withdraw(id),
            }
        }
        found.sort_by_key(|incident| (std::cmp::Reverse(incident.severity), incident.first_seen, incident.id));
        found.into_iter().take(most).cloned().collect()
    }

    fn mark(&mut self, incident: &Incident, now: Timestamp) {
        self.withdraw(incident.id);
        let Incident { id, first_seen, last_seen, .. } = *incident;
        self.asked.insert(id, AskedOnce { incident: id, first_seen, last_seen, asked_at: now, said: None });
    }

    /// Nobody answered, and it is not the incident's fault.
    fn unmark(&mut self, incident: &Incident, now: Timestamp) {
        self.asked.remove(&incident.id);
        self.offer(incident, now);
    }

    fn asked_before(&self, incident: &Incident) -> Option<&AskedOnce> {
        let asked = self.asked.get(&incident.id)?;
        (incident.first_seen <= asked.last_seen && incident.last_seen >= asked.first_seen).then_some(asked)
    }

    fn make_room(&mut self, triage: &Triage) {
        if self.asked.len() <= MAX_ASKED {
            return;
        }
        let mut gone: Vec<(Timestamp, Fingerprint)> = (self.asked.values())
            .filter(|asked| triage.get(asked.incident).is_none())
            .map(|asked| (asked.asked_at, asked.incident))
            .collect();
        gone.sort_unstable();
        for (_, id) in gone.iter().take(self.asked.len() - MAX_ASKED) {
            self.asked.remove(id);
        }
    }

    fn fact(&self) -> Fact {
        let mut asked: Vec<AskedOnce> = self.asked.values().cloned().collect();
        asked.sort_by_key(|asked| (asked.asked_at, asked.incident));
        // Plain data: it cannot fail, and an empty state would only ask once more.
        let json = serde_json::to_string(&Saved { v: 1, asked }).unwrap_or_default();
        Fact::State { name: SecondQuestions::STATE.into(), json }
    }
}

/// Whether a model's words could help a person with it.
fn is_worth(incident: &Incident) -> bool {
    let open = match incident.state {
        IncidentState::New | IncidentState::Ongoing | IncidentState::Escalating | IncidentState::Regressed => true,
        IncidentState::Quiet | IncidentState::Muted => false,
    };
    let adds = match &incident.judged_by {
        JudgedBy::Rule(_) => true,
        // Its text speaks to a model.
        JudgedBy::Detector(name) => **name != *"injection",
        JudgedBy::Model(_) => incident.kinds.len() > 1 || incident.reason.lines().skip(1).any(says_more),
    };
    // A log that says nothing any more shows nothing to a model.
    let shows = !incident.evidence.is_empty() || !incident.template_text.is_empty();
    open && adds && shows && incident.severity >= Severity::Medium && !incident.about_self
}

/// A further claim in the reason of an incident that says more than that its lines are new, seldom or errors.
fn says_more(line: &str) -> bool {
    match line.split_once(": ").and_then(|(who, _)| JudgedBy::try_from(who.to_owned()).ok()) {
        Some(JudgedBy::Rule(_)) => true,
        Some(JudgedBy::Detector(name)) => !SETTLEABLE.contains(&&*name),
        Some(JudgedBy::Model(_)) | None => false,
    }
}

impl Pipeline {
    /// Of logs read as a whole: asks about the gravest incidents, at most so many, now that everything is known of them.
    /// Those that an earlier run asked about have their answer at once.
    pub fn ask_about_incidents(&mut self, most: usize, now: Timestamp, out: &mut Effects) {
        let mut worth: Vec<Incident> =
            self.triage.ids().filter_map(|id| self.triage.get(id)).filter(|one| is_worth(one)).cloned().collect();
        worth.sort_by_key(|incident| (std::cmp::Reverse(incident.severity), incident.first_seen, incident.id));
        for incident in worth.iter().take(most) {
            match self.retell(incident) {
                Some(incident) => out.facts.push(Fact::Incident(Box::new(incident))),
                None => self.second.offer(incident, now),
            }
        }
    }

    /// Incidents that are to be asked about.
    pub fn incidents_to_ask_about(&self) -> usize {
        self.second.due.len()
    }

    /// An incident was told of, or has more lines. Logs that are read as a whole are asked about at their end.
    pub(super) fn worth_a_question(&mut self, incident: &Incident, now: Timestamp) {
        if !self.tracing && self.no_judge.is_none() {
            self.second.offer(incident, now.saturating_add(SETTLES_IN));
        }
    }

    /// After a restart: what was open and not asked about.
    pub(super) fn offer_what_is_open(&mut self, now: Timestamp) {
        let open: Vec<Incident> = self.triage.ids().filter_map(|id| self.triage.get(id)).cloned().collect();
        for incident in open {
            self.worth_a_question(&incident, now);
        }
    }

    /// A request about the gravest incidents that are due, when nothing else is to be asked. The alerts about them do not
    /// wait for it.
    pub(super) fn second_question(&mut self, now: Timestamp, out: &mut Effects) -> Option<JudgeRequest> {
        if self.second.due.first().is_none_or(|(time, _)| *time > now) || !self.judge.may_ask_about_incidents(now) {
            return None;
        }
        let incidents = self.second.due(&self.triage, now, self.judge.most_incidents());
        if incidents.is_empty() {
            return None;
        }
        let questions = incidents.iter().map(|incident| self.about(incident)).collect();
        let random = &mut self.random;
        let about = self.judge.request_about(questions, now, &mut || random.next(), &self.redactor);
        for id in about.asked.iter().chain(&about.held_back) {
            if let Some(incident) = incidents.iter().find(|incident| incident.id == *id) {
                self.second.mark(incident, now);
            }
        }
        if !about.asked.is_empty() || !about.held_back.is_empty() {
            self.second.make_room(&self.triage);
            out.facts.push(self.second.fact());
        }
        about.request
    }

    /// What a model said of incidents, and which it did not get to see.
    pub(super) fn second_answer(
        &mut self,
        said: Vec<Prose>,
        ask_again: Vec<Fingerprint>,
        now: Timestamp,
        out: &mut Effects,
    ) {
        if said.is_empty() && ask_again.is_empty() {
            return;
        }
        for Prose { incident, model, reason, remediation } in said {
            let explained = self.triage.explained(incident, &model, &reason, &remediation);
            out.facts.extend(explained.map(|incident| Fact::Incident(Box::new(incident))));
            if let Some(asked) = self.second.asked.get_mut(&incident) {
                asked.said = Some(Said { model, reason, remediation });
            }
        }
        for id in ask_again {
            match self.triage.get(id) {
                Some(incident) => self.second.unmark(incident, now),
                None => drop(self.second.asked.remove(&id)),
            }
        }
        out.facts.push(self.second.fact());
    }

    /// The answer again, where the words of an incident were written anew. `None` when there is none.
    pub(super) fn retell(&mut self, incident: &Incident) -> Option<Incident> {
        let Said { model, reason, remediation } = self.second.asked_before(incident)?.said.as_ref()?;
        self.triage.explained(incident.id, model, reason, remediation)
    }

    /// The incident, the templates of its lines, and what else was logged when it began.
    fn about(&self, incident: &Incident) -> IncidentQuestion {
        let mut templates: Vec<String> = Vec::new();
        let mut add = |text: Option<&str>| {
            if let Some(text) = text.filter(|text| !text.is_empty() && !templates.iter().any(|known| known == text)) {
                templates.push(text.to_owned());
            }
        };
        add(Some(&incident.template_text));
        add(incident.template.and_then(|template| self.miner.text(template)));
        let mut around = Vec::new();
        for state in self.kinds.iter() {
            if incident.kinds.contains(&state.id) {
                add(self.miner.text(state.kind.template));
            } else if is_near(state.first_seen, incident.first_seen) || is_near(state.last_seen, incident.first_seen) {
                // The worst and the rarest say most.
                around.push((state.kind.level > Level::Warning, state.count, state.id, state));
            }
        }
        around.sort_unstable_by_key(|(calm, count, id, _)| (*calm, *count, *id));
        let mut context: Vec<String> = Vec::new();
        for (_, count, _, state) in around {
            let Some(text) = self.miner.text(state.kind.template) else { continue };
            let known = incident.template_text == text || templates.iter().any(|template| template == text);
            if context.len() < MAX_AROUND && !known {
                let (program, level) = (&state.kind.program, state.kind.level.as_str());
                context.push(format!("{program}: {} ({level}, {count} times)", words_of(text)));
            }
        }
        IncidentQuestion { incident: incident.clone(), templates, context }
    }
}

fn is_near(time: Timestamp, begin: Timestamp) -> bool {
    time.since(begin).max(begin.since(time)) <= AROUND
}
