//! What people said, and whether it covers what is found now. An answer hides exactly what was known when it was given:
//! another kind of line, rule, group or host, a worse severity, more lines than its ceiling, or a template that reads
//! otherwise is not covered. Tells nobody; moves no incident (`desk`, `hush`).

use std::collections::BTreeMap;

use super::hour::Hour;
use crate::model::{About, Answer, Finding, Fingerprint, Incident, JudgedBy, TemplateId, Timestamp};

/// Most answers that hold at the same time.
pub(super) const MAX_ANSWERS: usize = 1_000;

/// An answer that holds no more, and why. The reason holds no log text.
#[derive(Clone, PartialEq, Debug)]
pub struct Over {
    pub answer: Answer,
    pub why: String,
}

/// What the answers say about a finding and the incident it joined.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Look {
    /// No answer is about it.
    None,
    /// Covered by this one.
    Hushed(Fingerprint),
    /// An answer is about it and does not cover it.
    Speaks(String),
}

#[derive(Debug, Default)]
pub(super) struct Answers {
    all: BTreeMap<Fingerprint, Held>,
    /// Since last taken.
    over: Vec<Over>,
}

#[derive(Debug)]
struct Held {
    answer: Answer,
    /// Lines hushed by it.
    hour: Hour,
}

/// How one answer sees a finding.
enum View {
    /// Not about it.
    Elsewhere,
    Covered,
    /// Not covered; the answer goes on to hide what it hides.
    Different(&'static str),
    /// The answer ends.
    Worse(String),
}

impl Answers {
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub fn is_full(&self) -> bool {
        self.all.len() >= MAX_ANSWERS
    }

    pub fn get(&self, id: Fingerprint) -> Option<&Answer> {
        self.all.get(&id).map(|held| &held.answer)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Answer> {
        self.all.values().map(|held| &held.answer)
    }

    /// A later word about the same thing replaces the earlier one.
    pub fn insert(&mut self, answer: Answer) {
        self.all.insert(answer.id, Held { answer, hour: Hour::default() });
    }

    /// It holds no more.
    pub fn end(&mut self, id: Fingerprint, why: &str) -> bool {
        let ended = self.all.remove(&id);
        let found = ended.is_some();
        self.over.extend(ended.map(|held| Over { answer: held.answer, why: why.to_owned() }));
        found
    }

    /// What ended since the last call.
    pub fn take_over(&mut self) -> Vec<Over> {
        std::mem::take(&mut self.over)
    }

    pub fn next_expiry(&self) -> Option<Timestamp> {
        self.iter().filter_map(|answer| answer.until).min()
    }

    /// Ends what is over by time; gives the names.
    pub fn expire(&mut self, now: Timestamp) -> Vec<Fingerprint> {
        let gone: Vec<Fingerprint> = self.iter().filter(|answer| answer.is_over(now)).map(|answer| answer.id).collect();
        for id in &gone {
            self.end(*id, "its time is over");
        }
        gone
    }

    /// Ends what was said of a template that takes other lines now.
    pub fn template_changed(&mut self, template: TemplateId, why: &str) -> Vec<Fingerprint> {
        let bound = |answer: &&Answer| answer.word.hushes() && answer.templates.iter().any(|pin| pin.id == template);
        let gone: Vec<Fingerprint> = self.iter().filter(bound).map(|answer| answer.id).collect();
        for id in &gone {
            self.end(*id, why);
        }
        gone
    }

    /// Looks at a finding that brought `lines` more to its incident. With `alone`, only at what was said of that very
    /// incident.
    pub fn look(&mut self, incident: &Incident, finding: &Finding, lines: u64, alone: bool, now: Timestamp) -> Look {
        let mut covered = None;
        let mut speaks = None;
        let mut worse = Vec::new();
        for (id, held) in &mut self.all {
            match view(&held.answer, incident, finding, alone, now) {
                View::Elsewhere => {}
                View::Different(why) => speaks = Some(why.to_owned()),
                View::Worse(why) => worse.push((*id, why)),
                View::Covered => match over_ceiling(held, lines, finding.last_seen) {
                    Some(why) => worse.push((*id, why)),
                    None => covered = Some(*id),
                },
            }
        }
        for (id, why) in worse {
            self.end(id, &why);
            speaks = Some(why);
        }
        match (covered, speaks) {
            (Some(id), _) => Look::Hushed(id),
            (None, Some(why)) => Look::Speaks(why),
            (None, None) => Look::None,
        }
    }

    /// `lines` more of an incident that is hushed by `id`: `Some` when it is no more, and why.
    pub fn lines(&mut self, id: Fingerprint, incident: &Incident, lines: u64, time: Timestamp) -> Option<String> {
        let Some(held) = self.all.get_mut(&id) else { return Some("what was said of it holds no more".to_owned()) };
        let why = match worse(&held.answer, incident) {
            Some(why) => why,
            None => over_ceiling(held, lines, time)?,
        };
        self.end(id, &why);
        Some(why)
    }
}

fn view(answer: &Answer, incident: &Incident, finding: &Finding, alone: bool, now: Timestamp) -> View {
    if !answer.word.hushes() || !answer.holds_on(&incident.host) || answer.is_over(now) {
        return View::Elsewhere;
    }
    let known_kind = finding.kind.is_none_or(|kind| answer.kinds.contains(&kind));
    let incident_alone = match answer.about {
        About::Incident(id) if id == incident.id => true,
        About::Incident(_) => return View::Elsewhere,
        // What is about no kind of line is not what somebody said of one.
        About::Kind(_) | About::Template(_) if alone || finding.kind.is_none() || !known_kind => {
            return View::Elsewhere;
        }
        // Nor is an incident that speaks of other kinds, too.
        About::Kind(_) | About::Template(_) if incident.kinds.iter().any(|kind| !answer.kinds.contains(kind)) => {
            return View::Elsewhere;
        }
        About::Kind(_) | About::Template(_) => false,
    };
    let different = |why: &'static str| match incident_alone {
        true => View::Worse(why.to_owned()),
        false => View::Different(why),
    };
    if !known_kind {
        return different("another kind of line joined it");
    }
    if let JudgedBy::Rule(_) = finding.judged_by
        && !answer.claims.contains(&finding.judged_by)
    {
        return different("another rule speaks of it");
    }
    if !finding.group.is_empty() && !answer.groups.contains(&finding.group) {
        return different("it is now about something else (another address, unit or value)");
    }
    worse(answer, incident).map_or(View::Covered, View::Worse)
}

fn worse(answer: &Answer, incident: &Incident) -> Option<String> {
    (incident.severity > answer.severity)
        .then(|| format!("its severity rose from {} to {}", answer.severity, incident.severity))
}

fn over_ceiling(held: &mut Held, lines: u64, time: Timestamp) -> Option<String> {
    let within = held.hour.add(time, lines);
    let Answer { ceiling, rate, .. } = held.answer;
    (within > ceiling).then(|| format!("{within} lines in an hour are more than {ceiling}; {rate} were usual"))
}
