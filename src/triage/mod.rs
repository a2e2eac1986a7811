//! Which findings are one fault, and how bad is it? Findings with one fingerprint, or about a kind that an open incident
//! already speaks of, become one incident; severity rules have the last word on how bad it is.
//!
//! Severity never falls below its floor while an incident lives: a model can raise it, and its confident `normal` settles
//! only what is said of a kind for being new, seldom or called an error by its writer (`floor`). No finding and no verdict
//! can mute: only a person can (`answers`).
//! *Not here:* who is told (route), what is odd (detect), what a model says (judge).

mod config;
mod severity;
mod floor;
mod join;
mod learned;
mod hour;
mod case;
mod answers;
mod desk;
mod hush;
mod prose;
#[cfg(test)]
mod tests;

pub use answers::Over;
pub use config::{Config, Match, SeverityRule, TemplatePattern};
pub use desk::{Outcome, Triage};
pub use floor::SETTLEABLE;
pub use hush::{CHANGED, Known};

/// Name of the detector whose findings are about logwren itself (bad key, dead letter, held-back text).
pub const SELF_DETECTOR: &str = "self";
