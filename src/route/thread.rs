//! What one notifier was told of one incident, and what it is to be told next. Knows no routes but the times it is given.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::config::Route;
use crate::model::{Change, Fingerprint, Incident, IncidentState, Severity, Timestamp};

/// One conversation.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Thread {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Told>,
    /// When to speak next, if at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// What the next message is about beside more lines.
    #[serde(default)]
    pub news: News,
    /// The incident as it was, in case it is forgotten before it was told even once.
    #[serde(skip)]
    pub latest: Option<Arc<Incident>>,
}

/// The last message.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Told {
    /// Counts messages: part of the alert's id.
    pub sequence: u32,
    pub at: Timestamp,
    pub severity: Severity,
    pub count: u64,
}

/// Ordered: what came later and is greater names the message.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum News {
    #[default]
    None,
    Escalated,
    Regressed,
    Quieted,
}

impl Thread {
    pub fn new() -> Thread {
        Thread { told: None, due: None, news: News::None, latest: None }
    }

    /// Something happened to the incident: when must this notifier hear of it?
    pub fn happened(&mut self, incident: &Arc<Incident>, change: Change, route: &Route, now: Timestamp) {
        let Some(told) = self.told else {
            if change == Change::Quieted && self.due.is_none() {
                return;
            }
            let wait = if incident.severity == Severity::Critical { Duration::ZERO } else { route.group_wait.0 };
            self.sooner(now.saturating_add(wait));
            self.latest = Some(Arc::clone(incident));
            return;
        };
        let spaced = told.at.saturating_add(route.group_interval.0).max(now);
        match change {
            Change::Quieted if route.tell_quiet => {
                self.news = News::Quieted;
                self.due = Some(now);
            }
            // No reminder of what has stopped.
            Change::Quieted => self.hush(),
            Change::Muted | Change::AlreadyThere => self.hush(),
            Change::New | Change::Joined | Change::Escalated | Change::Regressed => {
                if self.news == News::Quieted {
                    self.hush();
                }
                match change {
                    // The same incident as new: it was forgotten in between.
                    Change::Regressed | Change::New => self.news = self.news.max(News::Regressed),
                    Change::Escalated => self.news = self.news.max(News::Escalated),
                    Change::Joined | Change::Quieted | Change::Muted | Change::AlreadyThere => {}
                }
                if incident.severity > told.severity {
                    self.news = self.news.max(News::Escalated);
                    self.due = Some(now);
                } else if self.news != News::None {
                    self.sooner(spaced);
                } else if !route.repeat_interval.0.is_zero() {
                    self.sooner(told.at.saturating_add(route.repeat_interval.0.max(route.group_interval.0)).max(now));
                }
            }
        }
    }

    /// Nothing to say for now.
    pub fn hush(&mut self) {
        self.due = None;
        self.news = News::None;
        self.latest = None;
    }

    /// The state to show in the message that is due, or `None` when there is nothing left to say.
    pub fn says(&self, incident: &Incident) -> Option<IncidentState> {
        let Some(told) = self.told else {
            return (incident.state != IncidentState::Muted).then_some(IncidentState::New);
        };
        match (incident.state, self.news) {
            (IncidentState::Muted, _) => None,
            (IncidentState::Quiet, News::Quieted) => Some(IncidentState::Quiet),
            (IncidentState::Quiet, News::None | News::Escalated | News::Regressed) => None,
            (_, News::Regressed) => Some(IncidentState::Regressed),
            (_, News::Escalated) => Some(IncidentState::Escalating),
            (_, News::None | News::Quieted) => (incident.count > told.count).then_some(IncidentState::Ongoing),
        }
    }

    /// Said now.
    pub fn tell(&mut self, incident: &Incident, now: Timestamp) -> u32 {
        let sequence = self.told.map_or(0, |told| told.sequence).saturating_add(1);
        self.told = Some(Told { sequence, at: now, severity: incident.severity, count: incident.count });
        self.hush();
        sequence
    }

    fn sooner(&mut self, due: Timestamp) {
        self.due = Some(self.due.map_or(due, |old| old.min(due)));
    }
}

/// The same after a crash and a second reading of the same lines: receivers drop what they have seen.
pub(super) fn alert_id(incident: &Incident, notifier: &str, sequence: u32) -> Arc<str> {
    let born = incident.first_seen.as_micros().to_string();
    let thread = Fingerprint::of(&[notifier, &born]);
    format!("{}-{thread}-{sequence}", incident.id).into()
}
