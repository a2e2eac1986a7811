//! How is a model reached? One backend a file or folder, one request at a time, over HTTPS, with limits, retries and a
//! deadline.
//!
//! A backend turns one `Prompt` into one `Completion` or says what to do about the failure. [`Client`] adds the rate
//! limit, the retries and the models that stand in for one another. *Not here:* what to ask and what to believe (judge),
//! where the key comes from (config).

mod backend;
mod client;
mod retry;
mod turns;
mod limit;
mod ladder;
mod http;
mod failing;
mod settings;
mod schema;
mod config;
mod models;
mod gemini;
mod openai;
mod anthropic;
mod cassette;
mod replay;

pub use anthropic::Config as AnthropicConfig;
pub use backend::{Again, Failure, LlmBackend};
pub use client::{BuildError, Client, Frame, Limits};
pub use config::{Backend, Config};
pub use gemini::Config as GeminiConfig;
pub use models::{ModelRow, cost_usd};
pub use openai::Config as OpenAiConfig;
pub use replay::Config as ReplayConfig;

use crate::registry::Component;

/// Every backend there is: `judge.backend` names one of them.
pub const BACKENDS: &[Component] = &[gemini::COMPONENT, openai::COMPONENT, anthropic::COMPONENT, replay::COMPONENT];
