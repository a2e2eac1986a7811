//! `[llm]`: one table for each backend, and what callers may ask of whichever is chosen.

use serde::Deserialize;

use super::models::ModelRow;
use super::{GeminiConfig, OpenAiConfig};
use crate::model::SecretRef;

/// `[llm]`.
#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub gemini: GeminiConfig,
    pub openai: OpenAiConfig,
    /// `[[llm.models]]`: prices and rules that come before the shipped table.
    pub models: Vec<ModelRow>,
}

/// Who is asked: `judge.backend`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Backend {
    Gemini,
    Openai,
}

impl Backend {
    pub const ALL: [Backend; 2] = [Backend::Gemini, Backend::Openai];

    pub fn name(self) -> &'static str {
        match self {
            Backend::Gemini => "gemini",
            Backend::Openai => "openai",
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
            Backend::Openai => None,
        }
    }

    /// Most of one request and of one answer, in tokens.
    pub fn room(&self, backend: Backend) -> (u32, u32) {
        match backend {
            Backend::Gemini => (self.gemini.max_input_tokens, self.gemini.max_output_tokens),
            Backend::Openai => (self.openai.max_input_tokens, self.openai.max_output_tokens),
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
        }
    }

    /// Whether nothing can be asked without a key.
    pub fn needs_key(&self, backend: Backend) -> bool {
        match backend {
            Backend::Gemini => true,
            Backend::Openai => !self.openai.is_local(),
        }
    }
}
