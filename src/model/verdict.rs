//! What the judge says of a kind, and the question that led there.

use serde::{Deserialize, Serialize};

use super::{Category, Evidence, Kind, KindId, Severity, Timestamp};

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Normal,
    Anomalous,
    /// Only odd when its rate or values are.
    Watch,
    /// Asked and not answered usably: blocked, canary failed, text held back. Local detection stands.
    Undecided,
}

impl Verdict {
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Normal => "normal",
            Verdict::Anomalous => "anomalous",
            Verdict::Watch => "watch",
            Verdict::Undecided => "undecided",
        }
    }
}

/// One cached answer. Lives as long as the kind does.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct VerdictRow {
    pub kind: KindId,
    pub verdict: Verdict,
    pub severity: Severity,
    pub category: Category,
    /// 0..=1.
    pub confidence: f32,
    /// The model's prose, cleaned of control characters, markup and links. Untrusted.
    pub reason: String,
    pub remediation: Vec<String>,
    /// The model that answered (`modelVersion`), or who decided otherwise: `held-back`, `operator`.
    pub model: String,
    pub prompt_version: u32,
    pub judged_at: Timestamp,
    /// An undecided kind is not asked again before this; a harmless one with a time here is doubted since.
    pub not_before: Option<Timestamp>,
}

/// A kind waiting for the judge. Durable: asked until answered.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Question {
    pub id: KindId,
    pub kind: Kind,
    /// Template text at the time of asking.
    pub template: String,
    pub host: String,
    pub count: u64,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    /// First lines seen of it, raw; they leave only as `ForModel`.
    pub samples: Vec<Evidence>,
    /// What was found odd about the sample, in words of ours without log text. Empty for a kind that is new.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub odd: String,
    /// Learned kinds wait behind live ones.
    pub low_priority: bool,
    /// How often a reply left it out.
    pub missed: u32,
    pub not_before: Option<Timestamp>,
}
