//! The second question: open incidents are asked about at most once each, for reason and remediation alone. An answer is
//! prose and nothing else: it moves no severity and no state. Which incidents, and that none is asked about twice: the
//! caller's business.
//!
//! Verdicts go first, and so does their money: incidents are asked about while no question waits and half of the day's
//! budget is left. A request that fails for what it holds is asked again in halves; one incident that fails by itself is
//! given up, as is one that an answer leaves out. An answer that is not believed is no answer.

use super::belief::{self, Distrust, Expected};
use super::budget::next_day;
use super::config::Mode;
use super::incident::{self, IncidentQuestion};
use super::outcome::{Answer, AskedAbout, Prose, TroubleKind};
use super::state::{Judge, LOST_AFTER};
use super::{clean, prompt};
use crate::model::{Completion, Fingerprint, JudgeFailure, JudgeRequest, Prompt, Timestamp};
use crate::redact::{Redactor, Restore};

/// Where the second question stands.
#[derive(Default)]
pub(super) struct Second {
    flight: Option<AboutIncidents>,
    /// How many a request may carry, after one failed for what it held; none until then.
    most: Option<usize>,
    /// Half of the day's budget is spent until then.
    not_before: Option<Timestamp>,
}

/// A request about incidents that is out.
pub(super) struct AboutIncidents {
    id: u64,
    since: Timestamp,
    /// In the order of `expected.incidents`.
    incidents: Vec<Fingerprint>,
    expected: Expected,
    restore: Restore,
}

impl Second {
    pub fn in_flight(&self) -> usize {
        self.flight.as_ref().map_or(0, |flight| flight.incidents.len())
    }

    /// The request with this number, when it is out.
    pub fn landed(&mut self, request: u64) -> Option<AboutIncidents> {
        self.flight.take_if(|flight| flight.id == request)
    }

    /// Gives up what never ended.
    pub fn tick(&mut self, now: Timestamp) {
        self.flight.take_if(|flight| now.since(flight.since) >= LOST_AFTER);
        self.not_before = self.not_before.filter(|until| *until > now);
    }

    pub fn next_deadline(&self) -> Option<Timestamp> {
        let lost = self.flight.as_ref().map(|flight| flight.since.saturating_add(LOST_AFTER));
        lost.into_iter().chain(self.not_before).min()
    }
}

impl Judge {
    /// Nothing stands against asking about incidents: no verdict waits, and there is budget for prose.
    pub fn may_ask_about_incidents(&mut self, now: Timestamp) -> bool {
        self.tick(now);
        if self.in_flight() > 0
            || self.paused(now).is_some()
            || self.waiting(now) > 0
            || self.second.not_before.is_some()
        {
            return false;
        }
        let has_room = self.budget.has_room(0, self.config.daily_tokens, self.config.daily_usd, true, now);
        if !has_room {
            self.second.not_before = Some(next_day(now));
        }
        has_room
    }

    /// How many incidents the next request can carry.
    pub fn most_incidents(&self) -> usize {
        let most = incident::capacity(self.room.max_output_tokens);
        self.second.most.map_or(most, |limit| most.min(limit))
    }

    /// A request about the first of `questions`, when there may be one. Those that are neither asked nor held back are to
    /// be offered again. The caller must bring the end of the request back by [`Judge::answer`].
    pub fn request_about(
        &mut self,
        questions: Vec<IncidentQuestion>,
        now: Timestamp,
        random: &mut dyn FnMut() -> u64,
        redactor: &Redactor,
    ) -> AskedAbout {
        let mut about = AskedAbout::default();
        if !self.may_ask_about_incidents(now) || self.config.mode == Mode::Off {
            return about;
        }
        let mut fit: Vec<IncidentQuestion> = Vec::new();
        for question in questions {
            let id = question.incident.id;
            match question.checked() {
                Some(question) => fit.push(question),
                None => {
                    self.counts.held_back += 1;
                    about.held_back.push(id);
                }
            }
        }
        let is_foreign = |question: &IncidentQuestion| question.is_foreign(&self.config);
        let (foreign, mut plain): (Vec<_>, Vec<_>) = fit.into_iter().partition(is_foreign);
        if plain.is_empty() {
            plain.extend(foreign.into_iter().take(1));
        }
        plain.truncate(self.most_incidents());
        let (config, room) = (&self.config, self.room);
        if plain.is_empty() {
            return about;
        }
        let ids = |questions: &[IncidentQuestion]| questions.iter().map(|question| question.incident.id).collect();
        let Ok(document) = incident::build(config, room.max_input_tokens, &plain, random, redactor) else {
            // Fails closed. What redaction broke once it breaks again: these are not asked about at all.
            self.counts.held_back += plain.len() as u64;
            about.held_back.extend::<Vec<Fingerprint>>(ids(&plain));
            return about;
        };
        plain.truncate(document.taken);
        let tokens = u64::from(document.estimated_input_tokens) + incident::answer_tokens(plain.len());
        if !self.budget.has_room(tokens, config.daily_tokens, config.daily_usd, true, now) {
            self.second.not_before = Some(next_day(now));
            return about;
        }
        about.asked = ids(&plain);
        let id = random();
        self.counts.requests += 1;
        about.request = Some(JudgeRequest {
            id,
            kinds: Vec::new(),
            prompt: Prompt {
                system: prompt::INCIDENTS_SYSTEM,
                user: document.user,
                schema: prompt::incidents_schema(),
                max_output_tokens: room.max_output_tokens,
                estimated_input_tokens: document.estimated_input_tokens,
            },
        });
        self.second.flight = Some(AboutIncidents {
            id,
            since: now,
            incidents: about.asked.clone(),
            expected: document.expected,
            restore: document.restore,
        });
        about
    }

    /// Takes the end of a request about incidents.
    pub(super) fn answer_about(
        &mut self,
        flight: AboutIncidents,
        result: Result<Completion, JudgeFailure>,
        now: Timestamp,
        answer: &mut Answer,
    ) {
        let completion = match result {
            Ok(completion) => completion,
            Err(failure) => {
                self.note_failure(&failure, now);
                match failure {
                    JudgeFailure::Stop { .. } | JudgeFailure::Later { .. } => answer.ask_again = flight.incidents,
                    JudgeFailure::Split { .. } | JudgeFailure::Blocked { .. } => self.halve(flight.incidents, answer),
                }
                return;
            }
        };
        self.answered();
        match belief::believe(&completion.text, &flight.expected) {
            Ok(mut belief) => {
                self.second.most = None;
                self.counts.unknown_ids += belief.unknown;
                self.counts.duplicate_ids += belief.duplicate;
                self.counts.malformed += belief.malformed;
                for (id, incident) in flight.expected.incidents.iter().zip(flight.incidents) {
                    let Some(said) = belief.incidents.remove(id) else {
                        self.counts.missing_ids += 1;
                        continue;
                    };
                    let prose = |text: &str| clean::model_prose(text, &flight.restore);
                    let reason = prose(&said.reason);
                    if reason.is_empty() {
                        self.counts.malformed += 1;
                        continue;
                    }
                    let steps = said.remediation.iter().take(clean::MAX_STEPS).map(|step| prose(step));
                    let remediation = steps.filter(|step| !step.is_empty()).collect();
                    let model = clean::prose(&completion.model);
                    answer.prose.push(Prose { incident, model, reason, remediation });
                }
            }
            Err(distrust) => {
                self.counts.untrusted += 1;
                let is_canary = match distrust {
                    Distrust::CanaryMissing | Distrust::CanaryWrong => true,
                    Distrust::Unreadable | Distrust::Nonce => false,
                };
                if is_canary && flight.incidents.len() == 1 {
                    let reason = format!("{distrust}; what it said of an incident is dropped");
                    self.tell(TroubleKind::Untrusted, reason);
                }
                self.halve(flight.incidents, answer);
            }
        }
    }

    /// Asks again about fewer at once; one by itself is given up.
    fn halve(&mut self, incidents: Vec<Fingerprint>, answer: &mut Answer) {
        if incidents.len() > 1 {
            self.second.most = Some(incidents.len().div_ceil(2));
            answer.ask_again = incidents;
        }
    }
}
