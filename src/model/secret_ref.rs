//! Where a secret is kept. Config holds only this, never the secret; `config` resolves it. Reads nothing itself.

use std::fmt;
use std::path::PathBuf;

/// The place a secret comes from: `NAME_env`, `NAME_credential` or `NAME_file` in the config.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum SecretRef {
    /// An environment variable.
    Env(String),
    /// A systemd credential: a file name under `$CREDENTIALS_DIRECTORY`.
    Credential(String),
    /// A file only its owner may read (0600).
    File(PathBuf),
}

impl SecretRef {
    /// The one that is set of `NAME_env`, `NAME_credential` and `NAME_file`; `None` when none is.
    ///
    /// # Errors
    /// More than one is set, or a name cannot be one. The text never repeats the value: people put the secret itself
    /// there.
    pub fn choose(
        name: &str,
        env: Option<String>,
        credential: Option<String>,
        file: Option<PathBuf>,
    ) -> Result<Option<SecretRef>, String> {
        match (env, credential, file) {
            (None, None, None) => Ok(None),
            (Some(variable), None, None) => {
                let starts = variable.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
                if starts && variable.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
                    Ok(Some(SecretRef::Env(variable)))
                } else {
                    Err(format!(
                        "{name}_env takes the name of an environment variable (letters, digits, _), not the secret"
                    ))
                }
            }
            (None, Some(credential), None) => {
                let plain = credential.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-@".contains(&b));
                if plain && !credential.is_empty() && credential.len() <= 255 && !credential.starts_with('.') {
                    Ok(Some(SecretRef::Credential(credential)))
                } else {
                    Err(format!(
                        "{name}_credential takes the name of a systemd credential (letters, digits, . _ - @), not the \
                         secret"
                    ))
                }
            }
            (None, None, Some(path)) => Ok(Some(SecretRef::File(path))),
            _ => Err(format!("only one of {name}_env, {name}_credential and {name}_file may be set")),
        }
    }
}

/// As people call it: `environment variable SLACK_URL`.
impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretRef::Env(variable) => write!(f, "environment variable {variable}"),
            SecretRef::Credential(credential) => write!(f, "credential {credential}"),
            SecretRef::File(path) => write!(f, "file {}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(env: Option<&str>, credential: Option<&str>, file: Option<&str>, expected: &str) {
        let chosen =
            SecretRef::choose("url", env.map(str::to_owned), credential.map(str::to_owned), file.map(PathBuf::from));
        let shown = match chosen {
            Ok(Some(place)) => place.to_string(),
            Ok(None) => String::new(),
            Err(error) => format!("error: {error}"),
        };
        assert!(shown.starts_with(expected) && shown.is_empty() == expected.is_empty(), "{shown}");
        assert!(!shown.contains("hooks.slack.com"), "{shown}");
    }

    #[test]
    fn one_place_and_never_the_secret_itself() {
        check(None, None, None, "");
        check(Some("SLACK_URL"), None, None, "environment variable SLACK_URL");
        check(None, Some("slack-url"), None, "credential slack-url");
        check(None, None, Some("/etc/logwren/slack"), "file /etc/logwren/slack");
        check(Some("https://hooks.slack.com/services/T0/B0/x"), None, None, "error: url_env takes the name");
        check(None, Some("https://hooks.slack.com/services/T0/B0/x"), None, "error: url_credential takes the name");
        check(None, Some("../shadow"), None, "error: url_credential takes the name");
        check(Some("1ST"), None, None, "error: url_env takes the name");
        check(Some("A"), Some("b"), None, "error: only one of");
    }
}
