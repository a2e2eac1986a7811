//! Answers from a recorded run in place of a model, and the recording of one. Asks nobody, costs nothing.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use futures_util::future::BoxFuture;
use serde::Deserialize;

use super::cassette::{Cassette, Head, Recorded, Recording};
use super::failing::refused;
use super::{Again, BuildError, Failure, LlmBackend};
use crate::model::{Completion, JudgeFailure, Prompt, Usage};
use crate::registry::Component;

pub const COMPONENT: Component = Component {
    role: "backend",
    name: "replay",
    does: "answers as a recorded run was answered (llm.record), and asks nobody",
};

/// `[llm.replay]`.
#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// What `llm.record` wrote. Has no default: `judge.backend = "replay"` needs one.
    pub file: Option<PathBuf>,
}

/// The backend.
pub struct Replay {
    models: Vec<String>,
    file: PathBuf,
    /// std Mutex: never held across an await.
    cassette: Mutex<Cassette>,
}

/// Any backend, with every request and its end written down.
pub struct Recorder {
    inner: Box<dyn LlmBackend>,
    file: PathBuf,
    /// std Mutex: never held across an await.
    recording: Mutex<Recording>,
}

impl Replay {
    /// Reads the file; the head says what the run must have in common with the recorded one.
    ///
    /// # Errors
    /// When it cannot be read or is no recording.
    pub fn new(file: &Path) -> Result<(Replay, Head), BuildError> {
        let cassette = Cassette::read(file).map_err(BuildError::Cassette)?;
        let head = cassette.head.clone();
        let models = if head.models.is_empty() { vec![COMPONENT.name.to_owned()] } else { head.models.clone() };
        Ok((Replay { models, file: file.to_owned(), cassette: Mutex::new(cassette) }, head))
    }
}

impl LlmBackend for Replay {
    fn name(&self) -> &'static str {
        COMPONENT.name
    }

    fn models(&self) -> &[String] {
        &self.models
    }

    fn complete<'a>(&'a self, prompt: &'a Prompt, model: &'a str) -> BoxFuture<'a, Result<Completion, Failure>> {
        let end = self.cassette.lock().unwrap_or_else(PoisonError::into_inner).take(prompt, model);
        let unknown = || {
            let file = self.file.display();
            let reason = format!("replay: {file} holds no answer to this request: other lines, or another config");
            Err(refused(Again::No, None, JudgeFailure::Stop { reason }))
        };
        Box::pin(std::future::ready(end.unwrap_or_else(unknown)))
    }

    fn cost_usd(&self, _model: &str, _usage: &Usage) -> f64 {
        0.0
    }
}

impl Recorder {
    /// Writes to `file` what `inner` is asked and answers. The head is that of the file, when there was one.
    ///
    /// # Errors
    /// When the file cannot be written, or belongs to another backend.
    pub fn new(inner: Box<dyn LlmBackend>, file: &Path, room: (u32, u32)) -> Result<(Recorder, Head), BuildError> {
        let head = Head::new(inner.name(), inner.models(), room, fastrand::u64(..));
        let recording = Recording::open(file, head).map_err(BuildError::Cassette)?;
        let head = recording.head.clone();
        Ok((Recorder { inner, file: file.to_owned(), recording: Mutex::new(recording) }, head))
    }

    async fn send(&self, prompt: &Prompt, model: &str) -> Result<Completion, Failure> {
        let end = self.inner.complete(prompt, model).await;
        let added = self.recording.lock().unwrap_or_else(PoisonError::into_inner).add(prompt, model, &end);
        match added {
            Ok(Recorded::Written) => {}
            // Said at the first, the tenth, the hundredth: what is missing must be seen to grow, not fill the log.
            Ok(Recorded::LeftOut(count)) if is_power_of_ten(count) => tracing::warn!(
                "{} is full: {count} answers were not recorded to it; record to another file, or take llm.record out",
                self.file.display()
            ),
            Ok(Recorded::LeftOut(_)) => {}
            Err(error) => tracing::warn!("an answer was not recorded to {}: {error}", self.file.display()),
        }
        end
    }
}

fn is_power_of_ten(count: u64) -> bool {
    count.checked_ilog10().is_some_and(|digits| 10u64.checked_pow(digits) == Some(count))
}

impl LlmBackend for Recorder {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn models(&self) -> &[String] {
        self.inner.models()
    }

    fn complete<'a>(&'a self, prompt: &'a Prompt, model: &'a str) -> BoxFuture<'a, Result<Completion, Failure>> {
        Box::pin(self.send(prompt, model))
    }

    fn cost_usd(&self, model: &str, usage: &Usage) -> f64 {
        self.inner.cost_usd(model, usage)
    }
}
