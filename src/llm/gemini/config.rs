//! `[llm.gemini]`: checked while it is read, so that `check-config` and `watch` accept the same. No I/O.

use std::path::PathBuf;

use reqwest::Url;
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::super::Limits;
use super::super::settings::{self, is_plain};
use crate::model::{Period, SecretRef};

/// `[llm.gemini]`.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// As Google names it, without `models/`.
    #[serde(deserialize_with = "model")]
    pub model: String,
    /// Asked instead, in this order, while the one before is gone, out of quota or overloaded.
    #[serde(deserialize_with = "models")]
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
    /// `v1beta` or `v1`.
    #[serde(deserialize_with = "api_version")]
    pub api_version: String,
    /// Most of one request, by our estimate.
    #[serde(deserialize_with = "settings::max_input_tokens")]
    pub max_input_tokens: u32,
    /// Budget for thoughts and answer together; always sent.
    #[serde(deserialize_with = "settings::max_output_tokens")]
    pub max_output_tokens: u32,
    /// Sent only if set: models since 3.x ignore it, later ones may refuse it.
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
            model: "gemini-3.5-flash-lite".to_owned(),
            models: Vec::new(),
            api_key_env: "GOOGLE_API_KEY".to_owned(),
            api_key_credential: None,
            api_key_file: None,
            base_url: "https://generativelanguage.googleapis.com".to_owned(),
            api_version: "v1beta".to_owned(),
            max_input_tokens: 16_000,
            max_output_tokens: 8192,
            temperature: None,
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

    /// `{base_url}/{api_version}/models/{model}:generateContent`.
    pub(super) fn url(&self, model: &str) -> Url {
        settings::url(&self.base_url, &format!("/{}/models/{model}:generateContent", self.api_version))
    }
}

fn model<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    one_model(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

fn models<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let list = Vec::<String>::deserialize(deserializer)?;
    settings::few(&list).map_err(D::Error::custom)?;
    list.iter().map(|text| one_model(text).map_err(D::Error::custom)).collect()
}

/// The name goes into the URL.
fn one_model(text: &str) -> Result<String, String> {
    let name = text.strip_prefix("models/").unwrap_or(text);
    if name.is_empty() || !is_plain(name) {
        return Err(format!(
            "`{}` is not a model name; allowed: letters, digits, `-`, `.`, `_`, as in \"gemini-3.5-flash-lite\"",
            text.escape_debug()
        ));
    }
    Ok(name.to_owned())
}

fn api_version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if !text.starts_with('v') || !is_plain(&text) {
        return Err(D::Error::custom(format!(
            "`{}` is not an API version; allowed: \"v1beta\" or \"v1\"",
            text.escape_debug()
        )));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(toml: &str, expected: Result<&str, &str>) {
        match (toml::from_str::<Config>(toml), expected) {
            (Ok(config), Ok(url)) => assert_eq!(config.url(&config.model).as_str(), url, "{toml}"),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{toml}: {error}"),
            (got, _) => panic!("{toml}: {got:?}"),
        }
    }

    #[test]
    fn where_requests_go() {
        const GOOGLE: &str = "https://generativelanguage.googleapis.com";
        check("", Ok(&format!("{GOOGLE}/v1beta/models/gemini-3.5-flash-lite:generateContent")));
        check(
            "model = 'models/gemini-3.8-flash'\napi_version = 'v1'",
            Ok(&format!("{GOOGLE}/v1/models/gemini-3.8-flash:generateContent")),
        );
        check(
            "base_url = 'http://127.0.0.1:8080/proxy/'",
            Ok("http://127.0.0.1:8080/proxy/v1beta/models/gemini-3.5-flash-lite:generateContent"),
        );
        check("base_url = 'http://[::1]:80'", Ok("http://[::1]/v1beta/models/gemini-3.5-flash-lite:generateContent"));
    }

    #[test]
    fn mistakes_say_what_is_allowed() {
        check("base_url = 'http://example.com'", Err("clear text"));
        check("base_url = 'ftp://example.com'", Err("allowed: \"https://"));
        check("base_url = 'https://user:pass@example.com'", Err("user name or password"));
        check("base_url = 'https://example.com/?key=1'", Err("query"));
        check("base_url = 'gemini'", Err("not a URL"));
        check("model = ''", Err("not a model name"));
        check("model = '../../secret'", Err("not a model name"));
        check("model = 'a b'", Err("not a model name"));
        check("models = ['gemini-3.8-flash', 'a/b']", Err("not a model name"));
        check("max_input_tokens = 10", Err("2000 to 1000000"));
        check("api_version = '1'", Err("not an API version"));
        check("max_output_tokens = 10", Err("256 to 65536"));
        check("temperature = 3.0", Err("0.0 to 2.0"));
        check("max_retries = 21", Err("0 to 20"));
        check("timeout = '1h'", Err("100ms"));
        check("timeout = 60", Err("invalid type"));
        check("modle = 'x'", Err("unknown field `modle`"));
    }

    #[track_caller]
    fn check_key(toml: &str, expected: &str) {
        let config: Config = toml::from_str(toml).unwrap();
        let shown = match config.key() {
            Ok(place) => place.map(|place| place.to_string()).unwrap_or_default(),
            Err(error) => error,
        };
        assert_eq!(shown, expected, "{toml}");
    }

    #[test]
    fn where_the_key_is() {
        check_key("", "environment variable GOOGLE_API_KEY");
        check_key("api_key_env = 'GEMINI'", "environment variable GEMINI");
        check_key("api_key_credential = 'gemini'", "credential gemini");
        check_key("api_key_file = '/etc/logwren/key'", "file /etc/logwren/key");
        check_key("api_key_env = ''", "");
    }

    #[test]
    fn an_unread_config_cannot_send_the_key_in_clear_text() {
        let config = Config { base_url: "http://example.com".to_owned(), ..Config::default() };
        assert_eq!(config.url(&config.model).host_str(), Some("invalid.invalid"));
    }
}
