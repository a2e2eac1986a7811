//! What may leave the host? The only maker of the two texts that can: [`ForModel`] and [`ForPeople`].
//!
//! Text for a model loses secrets and personal data; text for people loses secrets. A [`Redactor`] is made once; a
//! [`Batch`] is one request to a model, with pseudonyms that mean the same all through it; [`Lines`] is one stream of
//! lines. Fails closed: what cannot be judged is replaced as a whole. *Not here:* sending anything.

mod secret;
mod config;
mod clean;
mod rule;
mod rules;
#[rustfmt::skip]
mod words;
mod condition;
mod keyblock;
mod scan;
mod redactor;
mod batch;
mod fold;
mod disguise;
mod injection;
#[rustfmt::skip]
mod company;
#[cfg(test)]
mod tests;

pub use batch::{Batch, Restore};
pub use company::{Company, company};
pub use config::{Config, CustomPattern, HideFrom, Pattern, PatternName};
pub use injection::injection_like;
pub use redactor::{Explained, Found, Known, Lines, Redactor};
pub use rule::Class;
pub use secret::Secret;

use std::fmt;

/// Text a language model may see: secrets and personal data replaced. Only this room can make one.
#[derive(Clone, PartialEq, Eq)]
pub struct ForModel(String);

/// Text a person may see in an alert: secrets replaced. Only this room can make one.
#[derive(Clone, PartialEq, Eq)]
pub struct ForPeople(String);

impl ForModel {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ForPeople {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ForModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for ForPeople {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
