//! What a person's word does to incidents: which become muted, which speak again. What is covered is decided in `answers`.

use std::sync::Arc;

use super::Triage;
use super::answers::Over;
use super::join;
use crate::model::{
    About, Answer, Fingerprint, Incident, IncidentState, JudgedBy, KindId, Severity, TemplateId, Timestamp,
};

/// What is known of something a person is about to speak of.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Known {
    /// Where it was seen.
    pub hosts: Vec<Arc<str>>,
    pub kinds: Vec<KindId>,
    pub claims: Vec<JudgedBy>,
    pub groups: Vec<String>,
    pub severity: Option<Severity>,
    /// Lines in its busiest hour.
    pub rate: u64,
    /// Title of the incident, when it is about one.
    pub title: String,
}

impl Triage {
    /// Ids of all incidents in memory.
    pub fn ids(&self) -> impl Iterator<Item = Fingerprint> {
        self.cases.keys().copied()
    }

    /// What people said and holds.
    pub fn answers(&self) -> impl Iterator<Item = &Answer> {
        self.answers.iter()
    }

    /// No more answers can be kept.
    pub fn no_more_answers(&self) -> bool {
        self.answers.is_full()
    }

    /// Everything that incidents know of `about` now; of a kind or template, by its `kinds`, on `host` or all.
    pub fn known(&self, about: About, kinds: &[KindId], host: Option<&str>) -> Known {
        let mut known = Known { kinds: kinds.to_vec(), ..Known::default() };
        for id in self.spoken_of(about, kinds, host) {
            let Some(case) = self.cases.get(&id) else { continue };
            push(&mut known.hosts, &case.incident.host);
            case.claims.iter().for_each(|claim| push(&mut known.claims, claim));
            case.groups.iter().for_each(|group| push(&mut known.groups, group));
            known.severity = known.severity.max(Some(case.incident.severity));
            known.rate = known.rate.saturating_add(case.rate());
            if let About::Incident(_) = about {
                known.kinds.clone_from(&case.incident.kinds);
                known.title.clone_from(&case.incident.title);
            }
        }
        known
    }

    /// A person has spoken. Gives the incidents that are muted by it from now on.
    pub fn answer(&mut self, answer: Answer) -> Vec<Incident> {
        let (id, hushes) = (answer.id, answer.word.hushes());
        let ids = self.spoken_of(answer.about, &answer.kinds, answer.host.as_deref());
        let covered: Vec<Fingerprint> = ids
            .into_iter()
            .filter(|id| {
                self.cases.get(id).is_some_and(|case| case.groups.iter().all(|one| answer.groups.contains(one)))
            })
            .collect();
        self.answers.insert(answer);
        if !hushes {
            return Vec::new();
        }
        let mut muted = Vec::new();
        for one in covered {
            let Some(case) = self.cases.get_mut(&one) else { continue };
            case.speaks = false;
            case.muted_by = Some(id);
            case.incident.state = IncidentState::Muted;
            muted.push(case.incident.clone());
            self.schedule(one);
        }
        self.dirty = true;
        muted
    }

    /// Takes back what was said of `about`, by itself or by a wider word. Gives the incidents that speak again, and
    /// whether there was anything.
    pub fn unmute(&mut self, about: About, host: Option<&str>, now: Timestamp) -> (Vec<Incident>, bool) {
        let mut gone: Vec<Fingerprint> = (self.answers.iter())
            .filter(|answer| answer.about == about && host.is_none_or(|host| answer.holds_on(host)))
            .map(|answer| answer.id)
            .collect();
        if let About::Incident(id) = about {
            gone.extend(self.cases.get(&id).and_then(|case| case.muted_by));
        }
        gone.retain(|id| self.answers.end(*id, "taken back"));
        let found = !gone.is_empty();
        (self.reopen(&gone, None, now), found)
    }

    /// A template takes other lines than before: what was said of it was said of something else.
    pub fn template_changed(&mut self, template: TemplateId, why: &str, now: Timestamp) -> Vec<Incident> {
        if self.answers.is_empty() {
            return Vec::new();
        }
        let gone = self.answers.template_changed(template, why);
        self.reopen(&gone, Some(why), now)
    }

    /// Answers of an earlier process, after [`Triage::restore`]. `text` is what a template reads now; where that differs
    /// from what it read when somebody spoke of it, the answer is over.
    pub fn restore_answers(
        &mut self,
        answers: Vec<Answer>,
        text: impl Fn(TemplateId) -> Option<String>,
        now: Timestamp,
    ) {
        for answer in answers {
            self.answers.insert(answer);
        }
        let ids: Vec<Fingerprint> = self.cases.keys().copied().collect();
        for id in ids {
            let Some(case) = self.cases.get_mut(&id).filter(|case| case.incident.state == IncidentState::Muted) else {
                continue;
            };
            let incident = &case.incident;
            let holds = |answer: &&Answer| {
                answer.word.hushes()
                    && answer.holds_on(&incident.host)
                    && match answer.about {
                        About::Incident(about) => about == id,
                        About::Kind(_) | About::Template(_) => {
                            incident.kinds.iter().any(|kind| answer.kinds.contains(kind))
                        }
                    }
            };
            case.muted_by = self.answers.iter().find(holds).map(|answer| answer.id);
            if case.muted_by.is_none() {
                case.incident.state = IncidentState::Ongoing;
            }
            self.schedule(id);
        }
        let changed: Vec<TemplateId> = (self.answers.iter())
            .flat_map(|answer| &answer.templates)
            .filter(|pin| text(pin.id).is_none_or(|now| now != pin.text))
            .map(|pin| pin.id)
            .collect();
        for template in changed {
            self.template_changed(template, CHANGED, now);
        }
    }

    /// What people said that holds no more, since the last call.
    pub fn take_over(&mut self) -> Vec<Over> {
        self.answers.take_over()
    }

    /// Incidents muted by one of `gone` are open again. `why` makes it news.
    pub(super) fn reopen(&mut self, gone: &[Fingerprint], why: Option<&str>, now: Timestamp) -> Vec<Incident> {
        if gone.is_empty() {
            return Vec::new();
        }
        let hushed = self.cases.iter().filter(|(_, case)| case.muted_by.is_some_and(|id| gone.contains(&id)));
        let mut ids: Vec<Fingerprint> = hushed.map(|(id, _)| *id).collect();
        ids.sort_unstable();
        let quiet_after = self.config.quiet_after.0;
        let mut open = Vec::new();
        for id in ids {
            let Some(case) = self.cases.get_mut(&id) else { continue };
            case.muted_by = None;
            let silent = now.since(case.touched) >= quiet_after;
            case.incident.state = match why {
                Some(why) => {
                    case.mark = case.incident.count;
                    join::speaks_again(&mut case.incident, why);
                    IncidentState::Escalating
                }
                None if silent => IncidentState::Quiet,
                None => IncidentState::Ongoing,
            };
            open.push(case.incident.clone());
            self.schedule(id);
        }
        self.dirty = true;
        open
    }

    /// The incidents in memory that are about it, by id.
    fn spoken_of(&self, about: About, kinds: &[KindId], host: Option<&str>) -> Vec<Fingerprint> {
        let mut ids: Vec<Fingerprint> = match about {
            About::Incident(id) => self.cases.contains_key(&id).then_some(id).into_iter().collect(),
            About::Kind(_) | About::Template(_) => (self.cases.iter())
                .filter(|(_, case)| case.incident.kinds.iter().any(|kind| kinds.contains(kind)))
                .filter(|(_, case)| case.incident.kinds.iter().all(|kind| kinds.contains(kind)))
                .map(|(id, _)| *id)
                .collect(),
        };
        ids.retain(|id| self.cases.get(id).is_some_and(|case| host.is_none_or(|host| *case.incident.host == *host)));
        ids.sort_unstable();
        ids
    }
}

/// Why a word about a template ends.
pub const CHANGED: &str = "its template takes other lines now than when it was spoken of";

fn push<T: Clone + PartialEq>(list: &mut Vec<T>, item: &T) {
    if !list.contains(item) {
        list.push(item.clone());
    }
}
