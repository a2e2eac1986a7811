//! Who is asked, and with which key: what `[judge]` and `[llm]` say together. Reads secrets only when told to.

use super::{Config, resolve};
use crate::llm::Backend;
use crate::model::SecretRef;
use crate::redact::Secret;

/// Why there is no key.
#[derive(Debug)]
pub struct NoKey {
    /// What is missing and how to put it there.
    pub error: String,
    /// It is missing where it is looked for by default: the normal state of a fresh host, not a problem.
    pub by_default: bool,
}

impl Config {
    /// The backend that `judge.backend` names. A config that was checked names one that exists.
    pub fn backend(&self) -> Backend {
        Backend::named(&self.judge.backend).unwrap_or(Backend::Gemini)
    }

    /// The model that is asked first.
    pub fn model_name(&self) -> String {
        self.llm.model(self.backend()).to_owned()
    }

    /// Where the key of the configured backend is kept, when anywhere.
    pub fn model_key(&self) -> Option<SecretRef> {
        self.llm.key(self.backend()).ok().flatten()
    }

    /// Looks the key up; none where the backend does without.
    ///
    /// # Errors
    /// When it needs one that is not there.
    pub fn find_model_key(&self) -> Result<Option<Secret>, NoKey> {
        let needed = self.llm.needs_key(self.backend());
        let Some(place) = self.model_key() else {
            let error = "the config names no place for its key".to_owned();
            return if needed { Err(NoKey { error, by_default: false }) } else { Ok(None) };
        };
        let by_default = Config::default().llm.key(self.backend()).is_ok_and(|usual| usual.as_ref() == Some(&place));
        match resolve(&place) {
            Ok(key) => Ok(Some(key)),
            Err(_) if by_default && !needed => Ok(None),
            Err(error) => Err(NoKey { error, by_default }),
        }
    }

    /// Mistakes in who is asked: the key at fault, what stands there, and what to do.
    pub(super) fn model_mistakes(&self) -> Vec<(String, String, String)> {
        let mut mistakes = Vec::new();
        for backend in Backend::ALL {
            if let Err(message) = self.llm.key(backend) {
                mistakes.push((format!("llm.{}", backend.name()), "api_key".to_owned(), message));
            }
        }
        let named = &self.judge.backend;
        let Some(backend) = Backend::named(named) else {
            let known = Backend::ALL.map(|backend| format!("`{}`", backend.name())).join(", ");
            let message = format!("unknown backend `{named}`, expected one of {known}");
            mistakes.push(("judge.backend".to_owned(), named.clone(), message));
            return mistakes;
        };
        if let Some((key, message)) = self.llm.missing(backend) {
            mistakes.push((key.to_owned(), named.clone(), message.to_owned()));
        }
        mistakes
    }
}
