//! The one way to a model: rate limit, tries, deadline, and the sum of what it cost. Decides nothing about the answer.

use std::fmt;

use secrecy::SecretString;

use super::anthropic::Anthropic;
use super::cassette::Head;
use super::gemini::Gemini;
use super::limit::Limit;
use super::openai::OpenAi;
use super::replay::{Recorder, Replay};
use super::retry::{self, Policy};
use super::turns::Turns;
use super::{Backend, Config, LlmBackend};
use crate::egress::Ledger;
use crate::model::{JudgeRequest, Judged, Period, Timestamp};

/// A configured backend with its limits.
pub struct Client {
    backend: Box<dyn LlmBackend>,
    limit: Limit,
    policy: Policy,
    turns: Turns,
    ledger: Ledger,
    frame: Option<Frame>,
}

/// What a run must keep to so that a recording of it can be replayed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame {
    /// Of all random choices in requests.
    pub seed: u64,
    pub max_input_tokens: u32,
    pub max_output_tokens: u32,
}

/// How often, how fast and how long a backend is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// 0 = no limit.
    pub requests_per_minute: u32,
    /// Input tokens. 0 = no limit.
    pub tokens_per_minute: u32,
    /// Tries after the first.
    pub max_retries: u32,
    /// First wait before trying again.
    pub retry_delay: Period,
    /// Deadline of one try.
    pub timeout: Period,
}

/// Why no client could be made. Never holds the key.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error("the API key holds characters that an HTTP header cannot carry")]
    Key,
    #[error("cannot set up HTTPS: {0}")]
    Tls(String),
    #[error("{0}")]
    Cassette(String),
}

impl Client {
    /// The client of `backend`, or none without a key where one is needed. Does not touch the network and never judges
    /// the shape of a key. White space around the key is dropped: key files end in a newline.
    ///
    /// # Errors
    /// When the key cannot be sent at all, TLS cannot be set up, or a recording cannot be read or written.
    pub fn new(config: &Config, backend: Backend, key: Option<SecretString>) -> Result<Option<Client>, BuildError> {
        let Some((made, limits, replayed)) = make(config, backend, key)? else { return Ok(None) };
        let (made, head) = match (&config.record, replayed) {
            (Some(file), None) => {
                let (recorder, head) = Recorder::new(made, file, config.room(backend))?;
                (Box::new(recorder) as Box<dyn LlmBackend>, Some(head))
            }
            (_, head) => (made, head),
        };
        let frame = head.map(|head| Frame {
            seed: head.seed,
            max_input_tokens: head.max_input_tokens,
            max_output_tokens: head.max_output_tokens,
        });
        Ok(Some(Client { frame, ..Client::of(made, limits) }))
    }

    /// A client of any backend.
    pub fn of(backend: Box<dyn LlmBackend>, limits: Limits) -> Client {
        Client {
            turns: Turns::new(backend.models().len()),
            frame: None,
            backend,
            limit: Limit::new(limits.requests_per_minute, limits.tokens_per_minute),
            policy: Policy::new(limits.max_retries, limits.retry_delay.0, limits.timeout.0),
            ledger: Ledger::memory(),
        }
    }

    /// Records what leaves in `ledger`; without this, in one that is gone with the client.
    pub fn recorded_in(mut self, ledger: Ledger) -> Client {
        self.ledger = ledger;
        self
    }

    /// The backend's name.
    pub fn name(&self) -> &'static str {
        self.backend.name()
    }

    /// What the run has to keep to, when it is recorded or replayed.
    pub fn frame(&self) -> Option<Frame> {
        self.frame
    }

    /// Waits until a request may leave and holds that place for the next [`Client::ask`]. Cancel-safe; calling it
    /// again before asking waits for nothing.
    pub async fn ready(&self) {
        self.limit.ready().await;
    }

    /// Carries one request to its end: an answer, or a failure that says what to do. Always returns, at the latest
    /// after the retry budget and one deadline (plus the waits for the rate limit).
    pub async fn ask(&self, request: JudgeRequest) -> Judged {
        let tries = retry::run(&*self.backend, &request.prompt, &self.limit, &self.policy, &self.turns);
        let end = self.ledger.during(format!("model {}", self.name()), tries).await;
        tracing::debug!(
            request = request.id,
            kinds = request.kinds.len(),
            tries = end.usage.requests,
            input_tokens = end.usage.input_tokens,
            output_tokens = end.usage.output_tokens,
            "{}: {}",
            self.name(),
            end.result
                .as_ref()
                .map_or_else(|failure| failure.to_string(), |answer| format!("answer of {}", answer.model)),
        );
        Judged {
            request: request.id,
            kinds: request.kinds,
            result: end.result,
            usage: end.usage,
            cost_usd: end.cost_usd,
            finished_at: Timestamp::from(jiff::Timestamp::now()),
        }
    }
}

type Made = (Box<dyn LlmBackend>, Limits, Option<Head>);

/// The backend itself, and the head of its recording if it is one.
fn make(config: &Config, backend: Backend, key: Option<SecretString>) -> Result<Option<Made>, BuildError> {
    let rows = &config.models;
    Ok(match (backend, key) {
        (Backend::Gemini, Some(key)) => Gemini::new(&config.gemini, rows, &key)?
            .map(|gemini| (Box::new(gemini) as Box<dyn LlmBackend>, config.gemini.limits(), None)),
        (Backend::Anthropic, Some(key)) => Anthropic::new(&config.anthropic, rows, &key)?
            .map(|anthropic| (Box::new(anthropic) as Box<dyn LlmBackend>, config.anthropic.limits(), None)),
        (Backend::Openai, key) => OpenAi::new(&config.openai, rows, key.as_ref())?
            .map(|openai| (Box::new(openai) as Box<dyn LlmBackend>, config.openai.limits(), None)),
        (Backend::Replay, _) => match &config.replay.file {
            Some(file) => {
                let (replay, head) = Replay::new(file)?;
                // Nobody is there to be spared.
                let limits = Limits { requests_per_minute: 0, tokens_per_minute: 0, ..config.gemini.limits() };
                Some((Box::new(replay), Limits { retry_delay: Period::from_secs(0), ..limits }, Some(head)))
            }
            None => None,
        },
        (Backend::Gemini | Backend::Anthropic, None) => None,
    })
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("backend", &self.backend.name()).finish_non_exhaustive()
    }
}
