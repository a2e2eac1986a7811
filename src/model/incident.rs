//! Findings with one fingerprint, with a life; and the message about one of them to one notifier.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Category, Evidence, Fingerprint, JudgedBy, KindId, Severity, TemplateId, Timestamp};

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IncidentState {
    New,
    Ongoing,
    /// Severity rose, or ten times as many lines as when last alerted.
    Escalating,
    /// Nothing for the quiet period. Says "quiet since", never "fixed".
    Quiet,
    /// Spoke again after it was quiet.
    Regressed,
    Muted,
}

impl IncidentState {
    pub fn as_str(self) -> &'static str {
        match self {
            IncidentState::New => "new",
            IncidentState::Ongoing => "ongoing",
            IncidentState::Escalating => "escalating",
            IncidentState::Quiet => "quiet",
            IncidentState::Regressed => "regressed",
            IncidentState::Muted => "muted",
        }
    }
}

/// What a finding, or the lack of any, did to an incident. Triage says it, route acts on it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    New,
    /// One more finding about the same fault.
    Joined,
    /// Severity rose, or ten times as many lines.
    Escalated,
    /// Spoke again after it was quiet.
    Regressed,
    /// Nothing for the quiet period.
    Quieted,
    /// Counted, but a person asked not to be told.
    Muted,
    /// Said during learning: nobody is told of it on its own.
    AlreadyThere,
}

/// One fault as a person sees it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Incident {
    pub id: Fingerprint,
    pub state: IncidentState,
    pub severity: Severity,
    pub category: Category,
    /// 0..=1, the highest of its findings.
    pub confidence: f32,
    pub host: Arc<str>,
    pub program: Arc<str>,
    pub title: String,
    pub reason: String,
    pub remediation: Vec<String>,
    pub judged_by: JudgedBy,
    /// Why no model judged it, when one could have: `no key`, `budget spent`, `backend down`. Empty otherwise.
    pub not_judged: String,
    pub template: Option<TemplateId>,
    pub template_text: String,
    /// Kinds that belong to it: a later finding about one of them joins here.
    pub kinds: Vec<KindId>,
    pub count: u64,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    pub evidence: Vec<Evidence>,
    /// Message about logwren itself (bad key, dead letter), not about a log.
    pub about_self: bool,
}

/// One message about an incident to one notifier, as the outbox holds it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Alert {
    /// Stable over retries and restarts: the idempotency key.
    pub id: Arc<str>,
    pub notifier: Arc<str>,
    pub state: IncidentState,
    pub incident: Incident,
    pub created_at: Timestamp,
    pub attempts: u32,
    pub next_attempt: Timestamp,
    /// Error of the last attempt, without secrets.
    pub last_error: String,
}

/// What became of one attempt to deliver.
#[derive(Clone, PartialEq, Debug)]
pub struct Delivery {
    pub alert: Arc<str>,
    pub outcome: DeliveryOutcome,
}

#[derive(Clone, PartialEq, Debug)]
pub enum DeliveryOutcome {
    Delivered,
    /// Try again, not before `after` when the receiver said so (`Retry-After`).
    Retry {
        error: String,
        after: Option<std::time::Duration>,
    },
    /// The receiver will never take it: dead letter at once.
    Refused {
        error: String,
    },
}
