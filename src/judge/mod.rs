//! What do we ask a language model, and what do we believe of its answer?
//!
//! Each kind of line is asked about once, in requests of up to 40 with two canaries among them; an answer counts only
//! when both canaries are right and the ids are ours. Nothing is ever made normal by a failure: what could not be
//! judged is `undecided` and local detection stands. An open incident gets one question more, for words alone (`second`).
//! Pure: the reply comes back as an input. `now` is the time of the wall here, also when old logs are analyzed: budgets,
//! quotas and outages happen today.
//! *Not here:* HTTP, retries within a request (llm); what becomes of a verdict (triage).

mod config;
mod prompt;
mod canary;
mod sample;
mod document;
mod reader;
mod belief;
mod clean;
mod queue;
mod budget;
mod pause;
mod outcome;
mod finding;
mod apart;
mod state;
mod doubt;
mod incident;
mod second;
mod ending;
#[cfg(test)]
mod bed;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod second_test;

pub use budget::{day_name, next_day};
pub use config::{Config, Mode, Samples};
pub use document::Room;
pub use finding::finding;
pub use incident::{IncidentQuestion, words_of};
pub use outcome::{Answer, Asked, AskedAbout, Counts, HeldBack, Prose, Trouble, TroubleKind};
pub use prompt::PROMPT_VERSION;
pub use sample::line_id;
pub use state::{Judge, OPERATOR};
