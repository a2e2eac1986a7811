//! What a person said about an incident or a kind of line, and how it is asked for. Shapes only; `triage` obeys it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Fingerprint, JudgedBy, KindId, Severity, TemplateId, Timestamp};

/// What a person says of something.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Word {
    /// It is ordinary: nobody is told of it and no model is asked.
    Normal,
    /// It is not: each of its lines is an incident.
    Anomalous,
    /// It is known: nobody is told for a while.
    Mute,
    /// Takes back whatever was said.
    Unmute,
}

impl Word {
    pub fn as_str(self) -> &'static str {
        match self {
            Word::Normal => "normal",
            Word::Anomalous => "anomalous",
            Word::Mute => "mute",
            Word::Unmute => "unmute",
        }
    }

    /// Nobody is told while it holds.
    pub fn hushes(self) -> bool {
        match self {
            Word::Normal | Word::Mute => true,
            Word::Anomalous | Word::Unmute => false,
        }
    }
}

/// One command, as it crosses the control socket.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    pub word: Word,
    /// Id of an incident, a kind or a template, or the first digits of one.
    pub id: String,
    /// Seconds until it ends by itself; `None`: never by time.
    #[serde(default)]
    pub for_seconds: Option<u64>,
    /// It ends as soon as there are more lines than before.
    #[serde(default)]
    pub until_worse: bool,
    /// `*` is every host. Left out: where it was seen.
    #[serde(default)]
    pub host: Option<String>,
    #[serde(default)]
    pub reason: String,
    /// Who said it, for `logwren mutes`.
    #[serde(default)]
    pub by: String,
}

impl Said {
    /// Longest reason, id, host or name, in bytes. More is refused.
    pub const MAX_TEXT: usize = 1_000;
}

/// What an answer is about.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum About {
    Incident(Fingerprint),
    Kind(KindId),
    Template(TemplateId),
}

impl About {
    /// The id as a person types it.
    pub fn id(self) -> String {
        match self {
            About::Incident(id) => id.to_string(),
            About::Kind(id) => id.to_string(),
            About::Template(id) => id.to_string(),
        }
    }

    pub fn noun(self) -> &'static str {
        match self {
            About::Incident(_) => "incident",
            About::Kind(_) => "kind",
            About::Template(_) => "template",
        }
    }
}

/// A template as it was when somebody spoke of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Pinned {
    pub id: TemplateId,
    pub text: String,
}

/// A person's word that holds. Bound to what was seen when it was given: whatever differs from that is not covered by it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Answer {
    /// The same for the same target and host: a later word replaces an earlier one.
    pub id: Fingerprint,
    pub word: Word,
    pub about: About,
    /// `None` is every host.
    pub host: Option<Arc<str>>,
    /// For people: the incident's title or the template. Log text.
    pub title: String,
    /// Kinds of line it covers.
    pub kinds: Vec<KindId>,
    /// Their templates; one that reads otherwise now ends it.
    pub templates: Vec<Pinned>,
    /// Rules and models that had spoken of it. Another one is another failure.
    pub claims: Vec<JudgedBy>,
    /// Groups (address, unit, value) that had been spoken of. Another one is another failure.
    pub groups: Vec<String>,
    /// The worst severity it had. A worse one ends it.
    pub severity: Severity,
    /// Lines in its busiest hour until then.
    pub rate: u64,
    /// More lines than this within an hour end it.
    pub ceiling: u64,
    pub since: Timestamp,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
    pub reason: String,
    /// Who said it.
    pub by: String,
}

impl Answer {
    /// Its name.
    pub fn name(about: About, host: Option<&str>) -> Fingerprint {
        Fingerprint::of(&[
            "answer",
            about.noun(),
            &about.id(),
            if host.is_some() { "on" } else { "any" },
            host.unwrap_or(""),
        ])
    }

    pub fn is_over(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    /// The part of an answer that is about hosts.
    pub fn holds_on(&self, host: &str) -> bool {
        self.host.as_deref().is_none_or(|wanted| wanted == host)
    }
}

/// What became of a command.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reply {
    /// Durable. What holds now, for people.
    Done(String),
    /// Nothing was changed, and why.
    Refused(String),
}
