//! The `config.json` of the original system as a config of ours, with what became of every key. Text in, text out; no secret
//! passes.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::Config;

/// What became of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Translated {
    /// A config that `check-config` accepts.
    pub toml: String,
    /// Every key by name: its path, and what became of it.
    pub fates: Vec<(String, String)>,
}

/// One line of the new config, and the key it comes from.
struct Line {
    /// `[judge]`, or `[[notifiers.email]]` of which there may be several.
    table: &'static str,
    key: &'static str,
    value: String,
    /// Place of the old key among the fates.
    from: usize,
}

/// Translation under way.
#[derive(Default)]
struct Translation {
    fates: Vec<(String, String)>,
    lines: Vec<Line>,
    has_batch_size: bool,
}

/// Translates the text of a `config.json`. Keys are known wherever they stand: the original takes some of them from
/// sections of any name.
///
/// # Errors
/// When it is no JSON object; says where.
pub fn translate(json: &str) -> Result<Translated, String> {
    let root: Value = serde_json::from_str(json).map_err(|error| format!("this is no JSON: {error}"))?;
    let Value::Object(root) = root else {
        return Err("a config.json is one JSON object, with keys like chunk_size".to_owned());
    };
    let mut translation = Translation { has_batch_size: has_key(&root, "batch_size"), ..Translation::default() };
    translation.section("", &root);
    Ok(translation.finish())
}

fn has_key(section: &Map<String, Value>, wanted: &str) -> bool {
    section.iter().any(|(key, value)| key == wanted || value.as_object().is_some_and(|inner| has_key(inner, wanted)))
}

impl Translation {
    fn section(&mut self, path: &str, section: &Map<String, Value>) {
        for (key, value) in section {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            self.key(path, key, value);
        }
    }

    fn key(&mut self, path: String, key: &str, value: &Value) {
        let text = || value.as_str().map(str::to_owned).unwrap_or_else(|| value.to_string());
        match key {
            "input_csv_path" => self.gone(path, format!("an argument now: logwren analyze {}", text())),
            "output_csv_path" => self.gone(path, format!("an argument now: logwren analyze INPUT --csv {}", text())),
            "chunk_size" if self.has_batch_size => {
                self.gone(path, "left out: batch_size decides how many lines are asked about at once".to_owned());
            }
            "chunk_size" | "batch_size" => self.number(path, "[batch]", "size", value),
            "batch_timeout" => self.seconds(path, "[batch]", "timeout", value),
            "max_retries" => self.number(path, "[llm.gemini]", "max_retries", value),
            "rate_limit_delay" => match value.as_f64() {
                Some(delay) if delay >= 0.0 => {
                    let rate = if delay == 0.0 { 0.0 } else { (60.0 / delay).floor().max(1.0) };
                    self.kept(path, "[llm.gemini]", "requests_per_minute", format!("{rate}"));
                }
                Some(_) | None => self.wrong(path, value, "a number of seconds"),
            },
            "model" | "model_name" => self.kept(path, "[llm.gemini]", "model", quoted(text())),
            "temperature" => self.number(path, "[llm.gemini]", "temperature", value),
            "max_tokens" => self.number(path, "[llm.gemini]", "max_output_tokens", value),
            "confidence_threshold" => self.number(path, "[judge]", "confidence_threshold", value),
            "log_level" => match text().to_ascii_uppercase().as_str() {
                "DEBUG" => self.kept(path, "[log]", "level", quoted("debug")),
                "INFO" | "NOTSET" => self.kept(path, "[log]", "level", quoted("info")),
                "WARNING" | "WARN" => self.kept(path, "[log]", "level", quoted("warn")),
                "ERROR" | "CRITICAL" | "FATAL" => self.kept(path, "[log]", "level", quoted("error")),
                _ => self.wrong(path, value, "DEBUG, INFO, WARNING, ERROR or CRITICAL"),
            },
            "watch_directories" => self.directories(path, value),
            "severity_thresholds" => self.severities(&path, value),
            "email" => self.email(&path, value),
            "webhook" | "slack" => self.webhook(&path, value),
            _ if is_secret(key) => {
                self.gone(
                    path,
                    "not taken: secrets stay out of the config; set GOOGLE_API_KEY for the service".to_owned(),
                );
            }
            _ => match value {
                Value::Object(section) => self.section(&path, section),
                _ => self.gone(path, "unknown: nothing of the original system reads it".to_owned()),
            },
        }
    }

    fn directories(&mut self, path: String, value: &Value) {
        let all = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
        let absolute: Vec<String> =
            all.iter().filter_map(Value::as_str).filter(|folder| folder.starts_with('/')).map(quoted).collect();
        if absolute.is_empty() {
            return self.wrong(path, value, "a list of absolute paths");
        }
        let left_out = all.len() - absolute.len();
        self.kept(path, "[[sources.files]]", "include", format!("[{}]", absolute.join(", ")));
        if let Some((_, fate)) = self.fates.last_mut().filter(|_| left_out > 0) {
            let _ = write!(fate, "; {left_out} that are no absolute path were left out");
        }
    }

    /// Numbers are confidences from which a severity holds; words are looked for in the template.
    fn severities(&mut self, path: &str, value: &Value) {
        let Value::Object(section) = value else { return self.wrong(path.to_owned(), value, "an object") };
        let rank = |name: &str| ["critical", "high", "medium", "low"].iter().position(|known| *known == name);
        let mut rules: Vec<(Option<usize>, &String, &Value)> =
            section.iter().map(|(name, what)| (rank(&name.to_lowercase()), name, what)).collect();
        // The first rule that matches decides.
        rules.sort_by_key(|(rank, ..)| *rank);
        for (rank, name, what) in rules {
            let path = format!("{path}.{name}");
            let words: Option<Vec<String>> =
                what.as_array().map(|words| words.iter().filter_map(Value::as_str).map(regex_syntax::escape).collect());
            let matching = match (what.as_f64(), words) {
                (Some(least), _) => format!("verdict = \"anomalous\", confidence_at_least = {least:?}"),
                (None, Some(words)) if !words.is_empty() => {
                    format!("template = {}", quoted(format!("(?i){}", words.join("|"))))
                }
                (None, _) => {
                    self.wrong(path, what, "a confidence from 0 to 1, or a list of words");
                    continue;
                }
            };
            if rank.is_none() {
                self.wrong(path, what, "named low, medium, high or critical");
                continue;
            }
            self.kept(path, "[[severity_rules]]", "match", format!("{{ {matching} }}"));
            self.more("[[severity_rules]]", "severity", quoted(name.to_lowercase()));
        }
    }

    fn email(&mut self, path: &str, value: &Value) {
        let Some(section) = self.enabled(path, value) else { return };
        let field = |names: &[&str]| names.iter().find_map(|name| section.get(*name));
        let word = |names: &[&str]| field(names).and_then(Value::as_str);
        let host = word(&["smtp_server", "smtp_host", "server", "host"]);
        let user = word(&["username", "user", "login"]);
        let port = field(&["smtp_port", "port"]).and_then(Value::as_u64).unwrap_or(587);
        let from = word(&["from", "sender", "from_email", "from_address"]).or(user.filter(|user| user.contains('@')));
        let to: Vec<String> = match field(&["recipients", "to", "to_emails"]) {
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).map(quoted).collect(),
            Some(Value::String(one)) => vec![quoted(one)],
            Some(_) | None => Vec::new(),
        };
        if to.is_empty() {
            return self.wrong(path.to_owned(), value, "an object with recipients");
        }
        const MAIL: &str = "[[notifiers.email]]";
        let user = user.map_or_else(String::new, |user| format!("{}@", user.replace('@', "%40")));
        let scheme = if port == 465 { "smtps" } else { "smtp" };
        let server = format!("{scheme}://{user}{}:{port}", host.unwrap_or("localhost"));
        self.kept(path.to_owned(), MAIL, "to", format!("[{}]", to.join(", ")));
        self.more(MAIL, "name", quoted("email"));
        self.more(MAIL, "smtp", quoted(&server));
        self.more(MAIL, "from", quoted(from.unwrap_or("logwren@localhost")));
        let mut fate = "[[notifiers.email]]".to_owned();
        if !user.is_empty() {
            self.more(MAIL, "password_credential", quoted("smtp-password"));
            fate += "; put the password into /etc/logwren/credentials/smtp-password (mode 0600)";
        }
        if host.is_none() {
            fate += "; no mail server was named: localhost is a guess";
        }
        self.say(fate);
    }

    fn webhook(&mut self, path: &str, value: &Value) {
        let Some(section) = self.enabled(path, value) else { return };
        let Some(url) = ["url", "webhook_url"].iter().find_map(|name| section.get(*name)).and_then(Value::as_str)
        else {
            return self.wrong(path.to_owned(), value, "an object with an url");
        };
        if url.starts_with("https://hooks.slack.com/") || path.ends_with("slack") {
            self.kept(path.to_owned(), "[[notifiers.slack]]", "name", quoted("slack"));
            self.more("[[notifiers.slack]]", "url_credential", quoted("slack-url"));
            let fate =
                "[[notifiers.slack]]; its URL is a secret: put it into /etc/logwren/credentials/slack-url (mode 0600)";
            return self.say(fate.to_owned());
        }
        self.kept(path.to_owned(), "[[notifiers.webhook]]", "name", quoted("webhook"));
        self.more("[[notifiers.webhook]]", "url", quoted(url));
        let mut fate = "[[notifiers.webhook]]".to_owned();
        if ["headers", "auth", "authentication", "token", "auth_token"].iter().any(|name| section.contains_key(*name)) {
            self.more("[[notifiers.webhook]]", "authorization_credential", quoted("webhook-authorization"));
            fate += "; put the value of the Authorization header into /etc/logwren/credentials/webhook-authorization \
                     (mode 0600)";
        }
        self.say(fate);
    }

    /// A section that is an object and not switched off.
    fn enabled<'v>(&mut self, path: &str, value: &'v Value) -> Option<&'v Map<String, Value>> {
        let Value::Object(section) = value else {
            self.wrong(path.to_owned(), value, "an object");
            return None;
        };
        if section.get("enabled") == Some(&Value::Bool(false)) {
            self.gone(path.to_owned(), "left out: it is not enabled".to_owned());
            return None;
        }
        Some(section)
    }

    fn number(&mut self, path: String, table: &'static str, key: &'static str, value: &Value) {
        match value.as_f64() {
            Some(_) => self.kept(path, table, key, value.to_string()),
            None => self.wrong(path, value, "a number"),
        }
    }

    fn seconds(&mut self, path: String, table: &'static str, key: &'static str, value: &Value) {
        match value.as_f64() {
            Some(seconds) if seconds > 0.0 => {
                self.kept(path, table, key, quoted(format!("{}ms", (seconds * 1e3).round())));
            }
            Some(_) | None => self.wrong(path, value, "a number of seconds"),
        }
    }

    fn kept(&mut self, path: String, table: &'static str, key: &'static str, value: String) {
        let name = table.trim_matches(['[', ']']);
        self.fates.push((path, format!("{name}.{key} = {value}")));
        self.more(table, key, value);
    }

    /// One more line of the key that was kept last.
    fn more(&mut self, table: &'static str, key: &'static str, value: String) {
        self.lines.push(Line { table, key, value, from: self.fates.len().saturating_sub(1) });
    }

    /// Another word about the key that was kept last.
    fn say(&mut self, fate: String) {
        if let Some((_, known)) = self.fates.last_mut() {
            *known = fate;
        }
    }

    fn gone(&mut self, path: String, fate: String) {
        self.fates.push((path, fate));
    }

    fn wrong(&mut self, path: String, value: &Value, allowed: &str) {
        let shown = if value.is_object() || value.is_array() { "this".to_owned() } else { value.to_string() };
        self.gone(path, format!("left out: {shown} is not {allowed}"));
    }

    /// Leaves out what our own config refuses, and says why.
    fn finish(mut self) -> Translated {
        // Each round takes one key at least.
        for _ in 0..=self.lines.len() {
            let (toml, places) = self.toml();
            let Err(problems) = Config::parse("config.json", &toml) else {
                return Translated { toml, fates: self.fates };
            };
            let Some((from, why)) = problems.iter().find_map(|problem| {
                let from = places.get(problem.line.checked_sub(1)?).copied().flatten()?;
                Some((from, problem.message.clone()))
            }) else {
                break;
            };
            self.lines.retain(|line| line.from != from);
            if let Some((_, fate)) = self.fates.get_mut(from) {
                *fate = format!("left out: {why}");
            }
        }
        self.lines.clear();
        let (toml, _) = self.toml();
        Translated { toml, fates: self.fates }
    }

    /// The text, and for each of its lines the key it comes from.
    fn toml(&self) -> (String, Vec<Option<usize>>) {
        let mut text =
            "# Made by `logwren config import`. Every other key is at its default: see config/logwren.toml.\n"
                .to_owned();
        let mut places = vec![None];
        let mut tables: Vec<&str> = Vec::new();
        for line in &self.lines {
            if !tables.contains(&line.table) {
                tables.push(line.table);
            }
        }
        for table in tables {
            let is_list = table.starts_with("[[");
            let mut last = None;
            for line in self.lines.iter().filter(|line| line.table == table) {
                // Each old key is an entry of its own in a list, and all share one table.
                if last.is_none() || (is_list && last != Some(line.from)) {
                    let _ = write!(text, "\n{table}\n");
                    places.extend([None, Some(line.from)]);
                }
                last = Some(line.from);
                let _ = writeln!(text, "{} = {}", line.key, line.value);
                places.push(Some(line.from));
            }
        }
        (text, places)
    }
}

fn is_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    ["key", "token", "password", "secret"].iter().any(|word| key.ends_with(word))
}

/// A TOML string.
fn quoted(text: impl AsRef<str>) -> String {
    toml::Value::String(text.as_ref().to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of the only key of a config, and that ours accepts the rest.
    #[track_caller]
    fn check(json: &str, expected: &str) {
        let Translated { toml, fates } = translate(json).expect("an object");
        Config::parse("new", &toml).unwrap_or_else(|problems| panic!("{problems:?} in {toml}"));
        let fates: Vec<String> = fates.into_iter().map(|(key, fate)| format!("{key}: {fate}")).collect();
        assert_eq!(fates.join(" | "), expected);
    }

    #[test]
    fn every_key_has_a_fate() {
        check(r#"{"chunk_size": 25}"#, "chunk_size: batch.size = 25");
        check(r#"{"rate_limit_delay": 0.5}"#, "rate_limit_delay: llm.gemini.requests_per_minute = 120");
        check(r#"{"rate_limit_delay": 0}"#, "rate_limit_delay: llm.gemini.requests_per_minute = 0");
        check(r#"{"log_level": "WARNING"}"#, r#"log_level: log.level = "warn""#);
        check(r#"{"monitor": {"batch_timeout": 2.5}}"#, r#"monitor.batch_timeout: batch.timeout = "2500ms""#);
        check(
            r#"{"watch_directories": ["/srv/log", "logs"]}"#,
            r#"watch_directories: sources.files.include = ["/srv/log"]; 1 that are no absolute path were left out"#,
        );
        check(
            r#"{"batch_size": 5, "chunk_size": 9}"#,
            "batch_size: batch.size = 5 | chunk_size: left out: batch_size decides how many lines are asked about at once",
        );
        check(r#"{"frobnicate": 1}"#, "frobnicate: unknown: nothing of the original system reads it");
        check(r#"{"max_retries": "many"}"#, r#"max_retries: left out: "many" is not a number"#);
        check(r#"{"email": {"enabled": false}}"#, "email: left out: it is not enabled");
        check("{}", "");
    }

    #[test]
    fn what_our_config_refuses_is_left_out() {
        let Translated { toml, fates } =
            translate(r#"{"confidence_threshold": 7, "chunk_size": 3}"#).expect("an object");
        assert!(!toml.contains("confidence_threshold") && toml.contains("size = 3"), "{toml}");
        let left_out: Vec<&str> =
            fates.iter().filter(|(_, fate)| fate.starts_with("left out: ")).map(|(key, _)| &**key).collect();
        assert_eq!(left_out, ["confidence_threshold"], "{fates:?}");
    }

    #[test]
    fn secrets_do_not_pass() {
        let json = r#"{"GOOGLE_API_KEY": "s3cret1", "alerts": {
            "email": {"recipients": ["a@b.example"], "smtp_server": "mx", "username": "u@x", "password": "s3cret2"},
            "webhook": {"url": "https://hooks.slack.com/services/s3cret3"}, "slack": {"url": "https://x/s3cret4"}},
            "severity_thresholds": {"medium": 0.5, "high": 0.9, "critical": ["kernel panic", "a+b"]}}"#;
        let Translated { toml, fates } = translate(json).expect("an object");
        assert!(!format!("{toml}{fates:?}").contains("s3cret"), "{toml}{fates:?}");
        let config = Config::parse("new", &toml).expect("right");
        assert_eq!(config.severity_rules.len(), 3);
        assert!(toml.contains(r"(?i)kernel panic|a\\+b") || toml.contains(r"(?i)kernel panic|a\+b"), "{toml}");
    }

    #[test]
    fn what_is_no_config_is_said() {
        for json in ["", "[1]", "{\"a\":", "7"] {
            assert!(translate(json).is_err(), "{json}");
        }
    }
}
