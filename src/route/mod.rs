//! Who is told, and when? A [`Router`] turns what happens to incidents into alerts by the operator's routes; an
//! [`Outbox`] keeps each alert until it is delivered or given up.
//!
//! Both are pure state machines on the caller's clock. Nothing is sent before its row is durable: the caller writes the
//! facts first. *Not here:* what is one fault (triage), sending (deliver).

mod config;
mod router;
mod thread;
mod outbox;
#[cfg(test)]
mod tests;

pub use config::{Config, Match, Route, TemplatePattern};
pub use outbox::Outbox;
pub use router::Router;
