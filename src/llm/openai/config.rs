//! `[llm.openai]`: checked while it is read, so that `check-config` and `watch` accept the same. No I/O.

use std::path::PathBuf;

use reqwest::Url;
use serde::Deserialize;

use super::super::Limits;
use super::super::settings;
use crate::model::{Period, SecretRef};

/// `[llm.openai]`. The defaults fit a small model on this machine.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// As the server names it. Has no default: `judge.backend = "openai"` needs one.
    #[serde(deserialize_with = "settings::model")]
    pub model: String,
    /// Asked instead, in this order, while the one before is gone, out of quota or overloaded.
    #[serde(deserialize_with = "settings::models")]
    pub models: Vec<String>,
    /// Environment variable that holds the key. A server on this machine is asked without one when it is not set.
    pub api_key_env: String,
    /// systemd credential that holds the key.
    pub api_key_credential: Option<String>,
    /// File, readable by its owner only, that holds the key.
    pub api_key_file: Option<PathBuf>,
    /// What `/chat/completions` is added to. Plain `http://` to loopback only.
    #[serde(deserialize_with = "settings::base_url")]
    pub base_url: String,
    /// Most of one request, by our estimate. With `max_output_tokens` it has to fit into the model's context.
    #[serde(deserialize_with = "settings::max_input_tokens")]
    pub max_input_tokens: u32,
    /// Budget for thoughts and answer together; always sent.
    #[serde(deserialize_with = "settings::max_output_tokens")]
    pub max_output_tokens: u32,
    /// Sent only if set.
    #[serde(deserialize_with = "settings::temperature")]
    pub temperature: Option<f32>,
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
            model: String::new(),
            models: Vec::new(),
            api_key_env: "OPENAI_API_KEY".to_owned(),
            api_key_credential: None,
            api_key_file: None,
            base_url: "http://127.0.0.1:11434/v1".to_owned(),
            // Together what Ollama gives a model unless told otherwise.
            max_input_tokens: 3_000,
            max_output_tokens: 2_048,
            temperature: None,
            max_retries: 3,
            retry_delay: Period::from_secs(1),
            requests_per_minute: 60,
            tokens_per_minute: 0,
            // A model without a graphics card writes ten tokens a second.
            timeout: Period::from_secs(300),
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

    /// True when the server is on this machine: it needs no key, and a model whose price nobody knows costs nothing.
    pub fn is_local(&self) -> bool {
        settings::is_local(&self.base_url)
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
        settings::url(&self.base_url, "/chat/completions")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(toml: &str, expected: Result<&str, &str>) {
        match (toml::from_str::<Config>(toml), expected) {
            (Ok(config), Ok(url)) => assert_eq!(config.url().as_str(), url, "{toml}"),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{toml}: {error}"),
            (got, _) => panic!("{toml}: {got:?}"),
        }
    }

    #[test]
    fn where_requests_go() {
        check("", Ok("http://127.0.0.1:11434/v1/chat/completions"));
        check("base_url = 'https://api.openai.com/v1/'", Ok("https://api.openai.com/v1/chat/completions"));
        check(
            "model = 'meta-llama/Llama-3.1-8B:q4'\nmodels = ['llama3.2:3b']",
            Ok("http://127.0.0.1:11434/v1/chat/completions"),
        );
    }

    #[test]
    fn mistakes_say_what_is_allowed() {
        check("base_url = 'http://10.0.0.1:8000/v1'", Err("clear text"));
        check("model = 'a b'", Err("not a model name"));
        check("models = ['']", Err("not a model name"));
        check("models = ['a','b','c','d','e','f','g','h','i','j']", Err("up to 9"));
        check("api_version = 'v1'", Err("unknown field `api_version`"));
    }

    #[test]
    fn only_this_machine_is_local() {
        let local = |url: &str| Config { base_url: url.to_owned(), ..Config::default() }.is_local();
        assert!(Config::default().is_local() && local("https://[::1]:1/v1") && local("http://localhost/v1"));
        assert!(!local("https://api.openai.com/v1") && !local("nonsense"));
    }
}
