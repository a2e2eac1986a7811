//! One detector's or the judge's claim about records.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Category, Evidence, KindId, Level, Severity, TemplateId, Timestamp, Verdict};

/// Who says so. Every alert carries it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum JudgedBy {
    Rule(Arc<str>),
    Detector(Arc<str>),
    Model(Arc<str>),
}

impl fmt::Display for JudgedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JudgedBy::Rule(name) => write!(f, "rule:{name}"),
            JudgedBy::Detector(name) => write!(f, "detector:{name}"),
            JudgedBy::Model(name) => write!(f, "model:{name}"),
        }
    }
}

impl From<JudgedBy> for String {
    fn from(judged_by: JudgedBy) -> String {
        judged_by.to_string()
    }
}

impl TryFrom<String> for JudgedBy {
    type Error = String;

    fn try_from(text: String) -> Result<JudgedBy, String> {
        match text.split_once(':') {
            Some(("rule", name)) => Ok(JudgedBy::Rule(name.into())),
            Some(("detector", name)) => Ok(JudgedBy::Detector(name.into())),
            Some(("model", name)) => Ok(JudgedBy::Model(name.into())),
            _ => Err(format!("`{text}` is not rule:NAME, detector:NAME or model:NAME")),
        }
    }
}

/// A claim with its evidence. Carries a *proposed* severity; `triage` has the last word.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Finding {
    pub judged_by: JudgedBy,
    pub category: Category,
    /// What the rule, detector or model proposes. Severity rules decide.
    pub proposed: Severity,
    /// 0..=1.
    pub confidence: f32,
    /// The model's word, when a model judged.
    pub verdict: Option<Verdict>,
    /// One line, no log text: `Out-of-memory kill`, `New kind of line from sshd`.
    pub title: String,
    /// Why, with numbers.
    pub reason: String,
    /// What to do, one step an item. Never empty.
    pub remediation: Vec<String>,
    pub host: Arc<str>,
    /// Empty when not about one program.
    pub program: Arc<str>,
    pub unit: Option<Arc<str>>,
    pub level: Level,
    /// The kind it is about, when it is about one.
    pub kind: Option<KindId>,
    pub template: Option<TemplateId>,
    /// Template text for people and for severity rules that match on it.
    pub template_text: String,
    /// What else separates incidents of the same rule: the address of a brute force, the unit that failed. May be empty.
    pub group: String,
    /// Lines this finding speaks of (1 for a single line).
    pub count: u64,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    /// Up to [`Finding::MAX_EVIDENCE`] lines.
    pub evidence: Vec<Evidence>,
    /// Said during learning: goes into the one "already there" notice, not into an alert.
    pub learning: bool,
}

impl Finding {
    pub const MAX_EVIDENCE: usize = 5;
}
