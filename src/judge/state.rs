//! The judge's state: what waits, what is asked, what was answered, and why nothing is asked right now.
//!
//! One request is in flight at a time. How requests end is in `ending`.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::apart::Alone;
use super::belief::Expected;
use super::budget::{Budget, next_day};
use super::clean::{self, visible};
use super::config::{Config, Mode};
use super::document::{self, Room};
use super::doubt::Doubts;
use super::finding;
use super::outcome::{Asked, Counts, HeldBack, Trouble, TroubleKind};
use super::pause::Pauses;
use super::prompt::{self, PROMPT_VERSION};
use super::queue::Queue;
use super::second::Second;
use crate::model::{Category, JudgeRequest, KindId, Prompt, Question, Severity, Timestamp, Verdict, VerdictRow};
use crate::redact::{self, Redactor, Restore};

/// An undecided kind is not asked about again before this.
const UNDECIDED_FOR: Duration = Duration::from_secs(24 * 3600);
/// A request without an end is given up after this. Longer than all tries with the longest deadline and the slowest
/// rate limit, so only a caller that lost the reply gets here.
pub(super) const LOST_AFTER: Duration = Duration::from_secs(3600);

/// Who judged where a person did.
pub const OPERATOR: &str = "operator";

/// Asks about kinds of lines and keeps what was answered.
pub struct Judge {
    pub(super) config: Config,
    /// What one request may hold, from the backend's config.
    pub(super) room: Room,
    pub(super) queue: Queue,
    pub(super) verdicts: HashMap<KindId, VerdictRow>,
    /// Halves of failed requests, asked before anything new.
    pub(super) groups: VecDeque<Group>,
    pub(super) flight: Option<Flight>,
    pub(super) budget: Budget,
    pub(super) pauses: Pauses,
    /// Learned kinds have used up their half of the day; they wait until then.
    pub(super) low_until: Option<Timestamp>,
    pub(super) counts: Counts,
    pub(super) alone: Alone,
    /// Harmless kinds that were asked about again today.
    pub(super) doubts: Doubts,
    /// Questions about incidents.
    pub(super) second: Second,
    /// Troubles said and not over yet: each is said once.
    pub(super) told: Vec<TroubleKind>,
    /// Troubles nobody has taken yet.
    pub(super) troubles: Vec<Trouble>,
}

/// Questions that must be asked again, apart from the others.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Group {
    pub(super) kinds: Vec<KindId>,
    pub(super) cause: Cause,
}

/// Why a group was split off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Cause {
    /// Not split off: the first try.
    Fresh,
    /// The first try too, kept away from others for what it says.
    Apart,
    /// Too large or too hard for the backend.
    Size,
    /// The provider refuses something in it.
    Blocked,
    /// The answer was not believed.
    Distrust,
}

/// The request that is out.
pub(super) struct Flight {
    pub(super) id: u64,
    pub(super) since: Timestamp,
    /// In the order of `expected.ids`.
    pub(super) kinds: Vec<KindId>,
    pub(super) expected: Expected,
    pub(super) restore: Restore,
    pub(super) cause: Cause,
}

/// What survives a restart besides questions and verdicts.
#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
struct Saved {
    budget: Budget,
    /// An outage or the provider's quota; anything else may be over with the restart.
    pause: Option<(Timestamp, String)>,
    /// Harmless kinds that were asked about again, and when.
    doubts: Vec<(KindId, Timestamp)>,
}

impl Judge {
    /// Name of the judge's own state in `Fact::State`.
    pub const STATE: &'static str = "judge";

    /// `room` is the backend's: it decides how many questions a request carries.
    pub fn new(config: &Config, room: Room) -> Judge {
        Judge {
            config: config.clone(),
            room,
            queue: Queue::default(),
            verdicts: HashMap::new(),
            groups: VecDeque::new(),
            flight: None,
            budget: Budget::default(),
            pauses: Pauses::default(),
            low_until: None,
            counts: Counts::default(),
            alone: Alone::default(),
            doubts: Doubts::default(),
            second: Second::default(),
            told: Vec::new(),
            troubles: Vec::new(),
        }
    }

    /// Takes a new config, and gives a stopped backend another chance: its key may be new.
    pub fn reload(&mut self, config: &Config, room: Room) {
        self.config = config.clone();
        self.room = room;
        self.pauses.clear();
        self.told.clear();
    }

    /// Goes on where the last run stopped. `state` is the JSON of [`Judge::STATE`], if there was any. Questions that
    /// would be held back by now come back as such.
    pub fn restore(
        &mut self,
        questions: Vec<Question>,
        verdicts: Vec<VerdictRow>,
        state: Option<&str>,
        now: Timestamp,
    ) -> Vec<HeldBack> {
        self.verdicts = verdicts.into_iter().map(|row| (row.kind, row)).collect();
        if let Some(saved) = state.and_then(|json| serde_json::from_str::<Saved>(json).ok()) {
            self.budget = saved.budget;
            self.doubts = Doubts::of(saved.doubts);
            if let Some((until, reason)) = saved.pause {
                self.pauses.later_until(until, &reason);
            }
        }
        let mut held = Vec::new();
        for question in questions {
            match injection(&question) {
                Some(pattern) => held.push(self.hold_back(question, pattern, now)),
                None => self.queue.insert(question),
            }
        }
        held
    }

    /// What is known of a kind. An undecided one leaves local detection alone to speak.
    pub fn verdict(&self, kind: KindId) -> Option<&VerdictRow> {
        self.verdicts.get(&kind)
    }

    /// A person has decided: no model is asked, and an answer under way changes nothing.
    pub fn decided(&mut self, row: VerdictRow) {
        self.queue.remove(row.kind);
        self.verdicts.insert(row.kind, row);
    }

    /// A person decided about this kind.
    pub fn is_decided(&self, kind: KindId) -> bool {
        self.verdicts.get(&kind).is_some_and(|row| row.model == OPERATOR && row.verdict != Verdict::Undecided)
    }

    /// Puts a question in line, once a kind and never while a verdict stands.
    pub fn ask(&mut self, question: Question, now: Timestamp) -> Asked {
        if self.config.mode == Mode::Off {
            return Asked::Off;
        }
        if let Some(row) = self.verdicts.get(&question.id) {
            let again = match row.verdict {
                // One from the future: the clock was set back, and its day is not waited for twice.
                Verdict::Undecided => row.not_before.is_none_or(|time| time <= now) || row.judged_at > now,
                Verdict::Normal | Verdict::Watch => row.not_before.is_some_and(|time| time <= now),
                Verdict::Anomalous => false,
            };
            if !again {
                return Asked::Standing;
            }
        }
        if let Some(known) = self.queue.get(question.id) {
            if !known.low_priority || question.low_priority || self.is_out(question.id) {
                return Asked::Known;
            }
            if let Some(known) = self.queue.get_mut(question.id) {
                known.low_priority = false;
            }
            self.queue.wait(question.id);
            return Asked::Queued;
        }
        if let Some(pattern) = injection(&question) {
            return Asked::HeldBack(Box::new(self.hold_back(question, pattern, now)));
        }
        if self.queue.push(question) {
            Asked::Queued
        } else {
            self.counts.refused += 1;
            Asked::Full
        }
    }

    /// The question as it waits, for `Fact::Question` after [`Asked::Queued`].
    pub fn question(&self, kind: KindId) -> Option<&Question> {
        self.queue.get(kind)
    }

    /// How many questions could be asked now, the ones in flight excluded, and learned ones that must leave the rest of
    /// today's budget to what is new.
    pub fn waiting(&self, now: Timestamp) -> usize {
        let with_low = self.low_until.is_none_or(|until| until <= now);
        self.queue.waiting(now, with_low) + self.groups.iter().map(|group| group.kinds.len()).sum::<usize>()
    }

    /// How many questions are out, those about incidents too.
    pub fn in_flight(&self) -> usize {
        self.flight.as_ref().map_or(0, |flight| flight.kinds.len()) + self.second.in_flight()
    }

    /// Why nothing is asked now, apart from nothing waiting.
    pub fn paused(&self, now: Timestamp) -> Option<&str> {
        match self.config.mode {
            Mode::Off => Some("off"),
            Mode::Templates | Mode::Lines => self.pauses.reason(now),
        }
    }

    /// When [`Judge::tick`] should be called next; none while nothing changes by time alone.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let lost = self.flight.as_ref().map(|flight| flight.since.saturating_add(LOST_AFTER));
        let second = self.second.next_deadline();
        [lost, self.pauses.until(), self.queue.next_time(), self.low_until, second].into_iter().flatten().min()
    }

    /// Ends pauses and delays that are over. Questions of a request that never ended wait again.
    pub fn tick(&mut self, now: Timestamp) {
        self.pauses.tick(now);
        self.queue.tick(now);
        self.low_until = self.low_until.filter(|until| *until > now);
        self.second.tick(now);
        if let Some(flight) = self.flight.take_if(|flight| now.since(flight.since) >= LOST_AFTER) {
            self.put_back(flight.kinds, flight.cause);
        }
    }

    /// Name of the backend that is asked: its settings stand in `[llm.NAME]`.
    pub fn backend(&self) -> &str {
        &self.config.backend
    }

    /// What was dropped or refused since the start.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Tokens and dollars spent today.
    pub fn spent(&mut self, now: Timestamp) -> (u64, f64) {
        self.budget.spent(now)
    }

    /// Troubles that came up outside of an answer.
    pub fn take_troubles(&mut self) -> Vec<Trouble> {
        std::mem::take(&mut self.troubles)
    }

    /// The next request, when there is something to ask and nothing against asking. To be called when the backend has
    /// a free place; the caller must bring its end back by [`Judge::answer`].
    pub fn request(
        &mut self,
        now: Timestamp,
        random: &mut dyn FnMut() -> u64,
        redactor: &Redactor,
    ) -> Option<JudgeRequest> {
        self.tick(now);
        if self.flight.is_some() || self.second.in_flight() > 0 || self.paused(now).is_some() {
            return None;
        }
        let group = self.next_group(now)?;
        let group = self.apart(group, now);
        let questions: Vec<&Question> = group.kinds.iter().filter_map(|kind| self.queue.get(*kind)).collect();
        let kinds: Vec<KindId> = questions.iter().map(|question| question.id).collect();
        let document = match document::build(&self.config, self.room.max_input_tokens, &questions, random, redactor) {
            Ok(document) => document,
            Err(error) => {
                // Fails closed: nothing is sent, and the questions wait.
                self.put_back(kinds, group.cause);
                self.pauses.stopped(now, &error.to_string());
                self.tell(TroubleKind::Stopped, error.to_string());
                return None;
            }
        };
        let mut taken = kinds;
        let left = taken.split_off(document.taken.min(taken.len()));
        let expected_tokens = u64::from(document.estimated_input_tokens) + 60 * taken.len() as u64;
        let config = &self.config;
        if !self.budget.has_room(expected_tokens, config.daily_tokens, config.daily_usd, false, now) {
            taken.extend(left);
            self.put_back(taken, group.cause);
            self.pauses.set(next_day(now), "the daily budget is spent");
            let reason = self.budget_reason(now);
            self.tell(TroubleKind::BudgetSpent, reason);
            return None;
        }
        self.put_back(left, group.cause);
        let id = random();
        self.counts.requests += 1;
        let request = JudgeRequest {
            id,
            kinds: taken.clone(),
            prompt: Prompt {
                system: prompt::SYSTEM,
                user: document.user,
                schema: prompt::schema(),
                max_output_tokens: self.room.max_output_tokens,
                estimated_input_tokens: document.estimated_input_tokens,
            },
        };
        self.flight = Some(Flight {
            id,
            since: now,
            kinds: taken,
            expected: document.expected,
            restore: document.restore,
            cause: group.cause,
        });
        Some(request)
    }

    /// A failed group first; then what waits, learned kinds only while half of the budget is left.
    fn next_group(&mut self, now: Timestamp) -> Option<Group> {
        while let Some(group) = self.groups.pop_front() {
            if group.kinds.iter().any(|kind| self.queue.get(*kind).is_some()) {
                return Some(group);
            }
        }
        let (tokens, usd) = (self.config.daily_tokens, self.config.daily_usd);
        let with_low = self.budget.has_room(0, tokens, usd, true, now);
        if !with_low {
            self.low_until = Some(next_day(now));
        }
        let kinds = self.queue.take(document::capacity(self.room.max_output_tokens), with_low);
        (!kinds.is_empty()).then_some(Group { kinds, cause: Cause::Fresh })
    }

    /// Fresh questions go back in line, where newer and more urgent ones may overtake; split ones stay together.
    pub(super) fn put_back(&mut self, kinds: Vec<KindId>, cause: Cause) {
        if cause == Cause::Fresh {
            kinds.into_iter().for_each(|kind| self.queue.wait(kind));
        } else if !kinds.is_empty() {
            self.groups.push_front(Group { kinds, cause });
        }
    }

    fn hold_back(&mut self, question: Question, pattern: &str, now: Timestamp) -> HeldBack {
        self.counts.held_back += 1;
        let row = undecided(question.id, &format!("held back: {pattern}"), "held-back", now);
        if self.config.mode != Mode::Lines {
            self.verdicts.insert(question.id, row.clone());
        }
        let finding = finding::held_back(&question, pattern);
        HeldBack { question, row, finding }
    }

    fn is_out(&self, kind: KindId) -> bool {
        self.flight.as_ref().is_some_and(|flight| flight.kinds.contains(&kind))
            || self.groups.iter().any(|group| group.kinds.contains(&kind))
    }

    pub(super) fn tell(&mut self, kind: TroubleKind, reason: String) {
        if !self.told.contains(&kind) {
            self.told.push(kind);
            self.troubles.push(Trouble { kind, reason });
        }
    }

    pub(super) fn over(&mut self, kinds: &[TroubleKind]) {
        self.told.retain(|told| !kinds.contains(told));
    }

    fn budget_reason(&mut self, now: Timestamp) -> String {
        let (tokens, usd) = self.budget.spent(now);
        format!("{tokens} tokens and {usd:.2} dollars spent today; {} questions wait", self.waiting(now))
    }

    pub(super) fn saved(&self) -> String {
        let saved = Saved { budget: self.budget, pause: self.pauses.lasting(), doubts: self.doubts.saved() };
        serde_json::to_string(&saved).unwrap_or_default()
    }
}

/// What in a question looks like an instruction, also when it hides behind invisible characters.
fn injection(question: &Question) -> Option<&'static str> {
    document::texts(question)
        .find_map(|text| redact::injection_like(text).or_else(|| redact::injection_like(&visible(text))))
}

pub(super) fn undecided(kind: KindId, reason: &str, by: &str, now: Timestamp) -> VerdictRow {
    VerdictRow {
        kind,
        verdict: Verdict::Undecided,
        severity: Severity::Low,
        category: Category::Other,
        confidence: 0.0,
        reason: clean::prose(reason),
        remediation: Vec::new(),
        model: by.to_owned(),
        prompt_version: PROMPT_VERSION,
        judged_at: now,
        not_before: Some(now.saturating_add(UNDECIDED_FOR)),
    }
}
