//! What passes between the judge (who decides what to ask) and the backends (who carry it). No HTTP here.

use std::ops::AddAssign;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{KindId, Timestamp};
use crate::redact::ForModel;

/// One request to a model. Only redacted text can be inside.
#[derive(Clone, Debug)]
pub struct JudgeRequest {
    /// Random, for matching the reply.
    pub id: u64,
    /// Which kinds it asks about, in item order, canaries excluded.
    pub kinds: Vec<KindId>,
    pub prompt: Prompt,
}

/// Provider-neutral shape of a request.
#[derive(Clone, Debug)]
pub struct Prompt {
    /// Instructions; constant text, never log text.
    pub system: &'static str,
    /// Exactly one JSON document.
    pub user: ForModel,
    /// JSON Schema of the reply, or none after a backend refused it.
    pub schema: serde_json::Value,
    /// Budget for thoughts and answer together.
    pub max_output_tokens: u32,
    /// Our estimate, for budgets.
    pub estimated_input_tokens: u32,
}

/// A usable answer of a backend: text that should be the JSON of the schema.
#[derive(Clone, PartialEq, Debug)]
pub struct Completion {
    pub text: String,
    pub usage: Usage,
    /// Who really answered (`modelVersion`): costs and verdicts go by this.
    pub model: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Usage {
    pub requests: u64,
    pub input_tokens: u64,
    pub cached_tokens: u64,
    /// Answer and thoughts.
    pub output_tokens: u64,
}

impl AddAssign for Usage {
    fn add_assign(&mut self, more: Usage) {
        self.requests = self.requests.saturating_add(more.requests);
        self.input_tokens = self.input_tokens.saturating_add(more.input_tokens);
        self.cached_tokens = self.cached_tokens.saturating_add(more.cached_tokens);
        self.output_tokens = self.output_tokens.saturating_add(more.output_tokens);
    }
}

/// Why there is no usable answer, by what to do about it.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum JudgeFailure {
    /// Needs an operator: bad key, no permission, unknown model, billing. Asking again is pointless until something changes.
    #[error("{reason}")]
    Stop { reason: String },
    /// Quota or outage: ask again later, not before `after`.
    #[error("{reason}")]
    Later { reason: String, after: Duration },
    /// Too large for the model, or its answer did not fit: ask for half.
    #[error("{reason}")]
    Split { reason: String },
    /// The provider refuses this content: bisect, the culprit stays undecided, never normal.
    #[error("{reason}")]
    Blocked { reason: String },
}

/// The end of one request, as an input of the pipeline.
#[derive(Clone, Debug)]
pub struct Judged {
    pub request: u64,
    pub kinds: Vec<KindId>,
    pub result: Result<Completion, JudgeFailure>,
    /// What was spent on all tries, answered or not.
    pub usage: Usage,
    /// What all tries cost by the backend's price list, in US dollars.
    pub cost_usd: f64,
    pub finished_at: Timestamp,
}
