//! What is known to be bad, and how often? Rules in TOML, shipped and the user's, evaluated once per kind and counted per
//! key on event time. *Not here:* reading rule files (config), severity of the incident (triage).

mod literals;
mod pattern;
mod name;
mod fields;
mod spec;
mod set;
mod window;
mod series;
mod awaited;
mod claim;
mod place;
mod engine;
mod text;
mod examples;
mod shipped;

pub use engine::{NAME, RuleDetector};
pub use fields::Fields;
pub use name::NamePattern;
pub use pattern::Pattern;
pub use set::{RuleProblem, RuleSet};
pub use shipped::{SHIPPED, shipped};
pub use spec::{After, Examples, Expect, Match, Rule, RuleFile, RuleSpec};

#[cfg(test)]
mod tests;
#[cfg(test)]
mod absence_test;
