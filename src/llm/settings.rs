//! What the tables `[llm.*]` have in common: checks made while a key is read, so that `check-config` and `watch` accept
//! the same. No I/O.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::http::is_loopback;
use crate::model::{Period, SecretRef};

/// Most models of one backend.
const MAX_MODELS: usize = 10;

/// Where a key is. The variable counts only while neither a credential nor a file is named: it has a default.
///
/// # Errors
/// When both a credential and a file are named, or a name cannot be one.
pub fn key(env: &str, credential: Option<&String>, file: Option<&PathBuf>) -> Result<Option<SecretRef>, String> {
    let env = (credential.is_none() && file.is_none() && !env.is_empty()).then(|| env.to_owned());
    SecretRef::choose("api_key", env, credential.cloned(), file.cloned())
}

/// The preferred model and those that stand in for it, each once.
pub fn model_list(first: &str, more: &[String]) -> Vec<String> {
    let mut list = vec![first.to_owned()];
    for name in more {
        if !list.contains(name) {
            list.push(name.clone());
        }
    }
    list
}

/// `{base}{path}`. A config made in code instead of read could hold anything: such a URL reaches nothing and leaks nothing.
pub fn url(base: &str, path: &str) -> Url {
    let base = base.trim_end_matches('/');
    match Url::parse(&format!("{base}{path}")) {
        Ok(url) if check_base_url(base).is_ok() => url,
        Ok(_) | Err(_) => Url::parse("https://invalid.invalid/").expect("a constant URL parses"),
    }
}

/// True when `base` is on this machine.
pub fn is_local(base: &str) -> bool {
    Url::parse(base).is_ok_and(|url| is_loopback(&url))
}

fn check_base_url(text: &str) -> Result<(), String> {
    let wrong = |why: &str| {
        Err(format!("base_url {why}; allowed: \"https://HOST[:PORT][/PATH]\", or \"http://\" to a loopback address"))
    };
    let Ok(url) = Url::parse(text) else { return wrong("is not a URL") };
    if !url.username().is_empty() || url.password().is_some() {
        return wrong("must not hold a user name or password");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return wrong("must not hold a query or fragment");
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback(&url) => Ok(()),
        "http" => wrong("would send the key and the logs in clear text over the network"),
        _ => wrong("has a scheme that is neither https nor http"),
    }
}

pub fn base_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    check_base_url(&text).map_err(D::Error::custom)?;
    Ok(text)
}

/// A name that becomes part of a URL.
pub fn is_plain(text: &str) -> bool {
    text.len() <= 100
        && !text.contains("..")
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
}

/// A name that travels in a body: also `llama3.2:3b`, `meta-llama/Llama-3.1-8B`, a path of a model file.
fn is_model(text: &str) -> bool {
    !text.is_empty() && text.len() <= 200 && text.bytes().all(|byte| byte.is_ascii_graphic())
}

pub fn model<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    // Empty is "not named yet": what that means depends on whether the backend is used (config).
    if text.is_empty() || is_model(&text) { Ok(text) } else { Err(D::Error::custom(not_a_model(&text))) }
}

pub fn models<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let list = Vec::<String>::deserialize(deserializer)?;
    few(&list).map_err(D::Error::custom)?;
    match list.iter().find(|name| !is_model(name)) {
        Some(name) => Err(D::Error::custom(not_a_model(name))),
        None => Ok(list),
    }
}

/// More would turn one failing request into a storm.
pub fn few(list: &[String]) -> Result<(), String> {
    if list.len() >= MAX_MODELS {
        return Err(format!("{} models are too many; allowed: up to {}", list.len(), MAX_MODELS - 1));
    }
    Ok(())
}

fn not_a_model(text: &str) -> String {
    format!(
        "`{}` is not a model name; allowed: printable characters without blanks, as in \"llama3.2:3b\"",
        text.escape_debug()
    )
}

pub fn max_input_tokens<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    in_range(deserializer, "max_input_tokens", 2_000, 1_000_000)
}

pub fn max_output_tokens<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    in_range(deserializer, "max_output_tokens", 256, 65_536)
}

pub fn max_retries<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    in_range(deserializer, "max_retries", 0, 20)
}

fn in_range<'de, D: Deserializer<'de>>(deserializer: D, name: &str, least: u32, most: u32) -> Result<u32, D::Error> {
    let number = u32::deserialize(deserializer)?;
    if !(least..=most).contains(&number) {
        return Err(D::Error::custom(format!("{name} = {number} is out of range; allowed: {least} to {most}")));
    }
    Ok(number)
}

pub fn temperature<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f32>, D::Error> {
    let number = f32::deserialize(deserializer)?;
    if !(0.0..=2.0).contains(&number) {
        return Err(D::Error::custom(format!("temperature = {number} is out of range; allowed: 0.0 to 2.0")));
    }
    Ok(Some(number))
}

/// As a person wrote it: 0.2 as f32 would print as 0.20000000298023224.
pub fn temperature_value(temperature: f32) -> f64 {
    (f64::from(temperature) * 1e4).round() / 1e4
}

pub fn timeout<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Period, D::Error> {
    let period = Period::deserialize(deserializer)?;
    if !(Duration::from_millis(100)..=Duration::from_secs(600)).contains(&period.0) {
        return Err(D::Error::custom(format!("timeout = \"{period}\" is out of range; allowed: \"100ms\" to \"10m\"")));
    }
    Ok(period)
}
