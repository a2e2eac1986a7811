//! What the pipeline wants made durable, and what it gets back after a restart. The store room knows how.

use std::sync::Arc;

use super::{
    Alert, Answer, Finding, Fingerprint, Incident, KindId, KindRow, Position, Question, TemplateRow, Timestamp, Usage,
    VerdictRow,
};

/// One durable change. All facts of one commit land in one transaction with the positions.
#[derive(Clone, PartialEq, Debug)]
pub enum Fact {
    /// Insert or replace by id.
    Template(TemplateRow),
    /// Insert or replace by id.
    Kind(KindRow),
    /// Insert or replace by kind.
    Verdict(VerdictRow),
    /// Insert or replace by kind.
    Question(Question),
    /// The kind has its answer (or needs none any more).
    QuestionClosed(KindId),
    /// Append; the store prunes the oldest. For findings that joined no incident (learning).
    Finding(Box<Finding>),
    /// Append likewise, and remember which incident it joined, so that the incident can show it.
    Joined { incident: Fingerprint, finding: Box<Finding> },
    /// Insert or replace by fingerprint.
    Incident(Box<Incident>),
    /// Insert or replace in the outbox by alert id.
    Outbox(Box<Alert>),
    /// Confirmed: leaves the outbox.
    Delivered { alert: Arc<str>, at: Timestamp },
    /// Given up: leaves the outbox for the dead letters, with the last error.
    DeadLetter { alert: Arc<str>, at: Timestamp, error: String },
    /// Add to the day's spend of a model.
    Spend { day: String, model: String, usage: Usage },
    /// A person's word: insert or replace by id.
    Answer(Box<Answer>),
    /// It holds no more.
    AnswerOver(Fingerprint),
    /// State of one detector or of triage, opaque, replaced by name.
    State { name: Arc<str>, json: String },
}

/// Everything the pipeline needs to go on where it stopped.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Snapshot {
    pub templates: Vec<TemplateRow>,
    pub kinds: Vec<KindRow>,
    pub verdicts: Vec<VerdictRow>,
    pub questions: Vec<Question>,
    /// Not older than the regression window; quiet ones included.
    pub incidents: Vec<Incident>,
    /// Undelivered alerts, oldest first.
    pub outbox: Vec<Alert>,
    /// What people said and still holds.
    pub answers: Vec<Answer>,
    pub states: Vec<(Arc<str>, String)>,
    pub positions: Vec<Position>,
}
