//! `[llm]`: one table for each backend, and what callers may ask of whichever is chosen.

use std::path::PathBuf;

use serde::Deserialize;

use super::models::ModelRow;
use super::{AnthropicConfig, GeminiConfig, OpenAiConfig, ReplayConfig};
use crate::model::SecretRef;

/// `[llm]`.
#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub gemini: GeminiConfig,
    pub openai: OpenAiConfig,
    pub anthropic: AnthropicConfig,
    pub replay: ReplayConfig,
    /// Every request and its answer are added to this file; `[llm.replay]` answers from it.
    pub record: Option<PathBuf>,
    /// `[[llm.models]]`: prices and rules that come before the shipped table.
    pub models: Vec<ModelRow>,
}

/// Who is asked: `judge.backend`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Backend {
    Gemini,
    Openai,
    Anthropic,
    /// A recorded run.
    Replay,
}

impl Backend {
    pub const ALL: [Backend; 4] = [Backend::Gemini, Backend::Openai, Backend::Anthropic, Backend::Replay];

    pub fn name(self) -> &'static str {
        match self {
            Backend::Gemini => "gemini",
            Backend::Openai => "openai",
            Backend::Anthropic => "anthropic",
            Backend::Replay => "replay",
        }
    }

    /// None for a name that no backend has.
    pub fn named(name: &str) -> Option<Backend> {
        Backend::ALL.into_iter().find(|backend| backend.name() == name)
    }
}

impl Config {
    /// The model asked first, as configured. Empty when none was named.
    pub fn model(&self, backend: Backend) -> &str {
        match backend {
            Backend::Gemini => &self.gemini.model,
            Backend::Openai => &self.openai.model,
            Backend::Anthropic => &self.anthropic.model,
            Backend::Replay => Backend::Replay.name(),
        }
    }

    /// A key without which this backend cannot be used, and what to write there.
    pub fn missing(&self, backend: Backend) -> Option<(&'static str, &'static str)> {
        match backend {
            Backend::Gemini => None,
            Backend::Openai if self.openai.model.is_empty() => Some((
                "llm.openai.model",
                "backend `openai` needs a model; write it like [llm.openai] model = \"llama3.2:3b\"",
            )),
            Backend::Anthropic if self.anthropic.model.is_empty() => Some((
                "llm.anthropic.model",
                "backend `anthropic` needs a model; write it like [llm.anthropic] model = \"claude-haiku-4-5\"",
            )),
            Backend::Replay if self.replay.file.is_none() => Some((
                "llm.replay.file",
                "backend `replay` needs a recording; write it like [llm.replay] file = \"/path/recorded.jsonl\"",
            )),
            Backend::Openai | Backend::Anthropic | Backend::Replay => None,
        }
    }

    /// Most of one request and of one answer, in tokens.
    pub fn room(&self, backend: Backend) -> (u32, u32) {
        match backend {
            Backend::Gemini => (self.gemini.max_input_tokens, self.gemini.max_output_tokens),
            Backend::Openai => (self.openai.max_input_tokens, self.openai.max_output_tokens),
            Backend::Anthropic => (self.anthropic.max_input_tokens, self.anthropic.max_output_tokens),
            // Until the recording has said its own.
            Backend::Replay => (self.gemini.max_input_tokens, self.gemini.max_output_tokens),
        }
    }

    /// Where the key is.
    ///
    /// # Errors
    /// When the config names more than one place.
    pub fn key(&self, backend: Backend) -> Result<Option<SecretRef>, String> {
        match backend {
            Backend::Gemini => self.gemini.key(),
            Backend::Openai => self.openai.key(),
            Backend::Anthropic => self.anthropic.key(),
            Backend::Replay => Ok(None),
        }
    }

    /// Whether nothing can be asked without a key.
    pub fn needs_key(&self, backend: Backend) -> bool {
        match backend {
            Backend::Gemini | Backend::Anthropic => true,
            Backend::Replay => false,
            Backend::Openai => !self.openai.is_local(),
        }
    }
}
