//! `[llm.anthropic]`: checked while it is read, so that `check-config` and `watch` accept the same. No I/O.

use std::path::PathBuf;

use reqwest::Url;
use serde::Deserialize;

use super::super::Limits;
use super::super::settings;
use crate::model::{Period, SecretRef};

/// `[llm.anthropic]`.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    #[serde(deserialize_with = "settings::model")]
    pub model: String,
    /// Asked instead, in this order, while the one before is gone, out of quota or overloaded.
    #[serde(deserialize_with = "settings::models")]
    pub models: Vec<String>,
    /// Environment variable that holds the key. Counts only while neither of the two below is set.
    pub api_key_env: String,
    /// systemd credential that holds the key.
    pub api_key_credential: Option<String>,
    /// File, readable by its owner only, that holds the key.
    pub api_key_file: Option<PathBuf>,
    /// Where the API is. Plain `http://` to loopback only.
    #[serde(deserialize_with = "settings::base_url")]
    pub base_url: String,
    /// Most of one request, by our estimate.
    #[serde(deserialize_with = "settings::max_input_tokens")]
    pub max_input_tokens: u32,
    /// Budget for thoughts and answer together; always sent.
    #[serde(deserialize_with = "settings::max_output_tokens")]
    pub max_output_tokens: u32,
    /// Tries after the first.
    #[serde(deserialize_with = "settings::max_retries")]
    pub max_retries: u32,
    /// First wait before trying again; it doubles up to 30 s.
    pub retry_delay: Period,
    /// 0 = no limit.
    pub requests_per_minute: u32,
    /// Input tokens. 0 = no limit.
    pub tokens_per_minute: u32,
    /// Deadline of one try, body included.
    #[serde(deserialize_with = "settings::timeout")]
    pub timeout: Period,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            model: "claude-haiku-4-5".to_owned(),
            models: Vec::new(),
            api_key_env: "ANTHROPIC_API_KEY".to_owned(),
            api_key_credential: None,
            api_key_file: None,
            base_url: "https://api.anthropic.com".to_owned(),
            max_input_tokens: 16_000,
            max_output_tokens: 8_192,
            max_retries: 3,
            retry_delay: Period::from_secs(1),
            requests_per_minute: 10,
            tokens_per_minute: 0,
            timeout: Period::from_secs(60),
        }
    }
}

impl Config {
    /// Where the key is.
    ///
    /// # Errors
    /// When the config names more than one place.
    pub fn key(&self) -> Result<Option<SecretRef>, String> {
        settings::key(&self.api_key_env, self.api_key_credential.as_ref(), self.api_key_file.as_ref())
    }

    /// All models, the preferred one first.
    pub fn models(&self) -> Vec<String> {
        settings::model_list(&self.model, &self.models)
    }

    pub(in crate::llm) fn limits(&self) -> Limits {
        Limits {
            requests_per_minute: self.requests_per_minute,
            tokens_per_minute: self.tokens_per_minute,
            max_retries: self.max_retries,
            retry_delay: self.retry_delay,
            timeout: self.timeout,
        }
    }

    pub(super) fn url(&self) -> Url {
        settings::url(&self.base_url, "/v1/messages")
    }
}
