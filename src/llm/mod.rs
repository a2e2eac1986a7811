//! How is a model reached? One backend a file, one request at a time, over HTTPS, with limits, retries and a deadline.
//!
//! A backend turns one `Prompt` into one `Completion` or says what to do about the failure. [`Client`] adds the rate
//! limit and the retries. *Not here:* what to ask and what to believe (judge), where the key comes from (config).

mod backend;
mod client;
mod retry;
mod limit;
mod http;
mod gemini;

pub use backend::{Again, Failure, LlmBackend};
pub use client::{BuildError, Client, Limits};
pub use gemini::Config as GeminiConfig;

use serde::Deserialize;

use crate::registry::Component;

/// Every backend there is: `judge.backend` names one of them.
pub const BACKENDS: &[Component] = &[gemini::COMPONENT];

/// `[llm]`: one table for each backend.
#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub gemini: GeminiConfig,
}
