//! What readers ask and get. Shapes only.

use std::sync::Arc;

use crate::model::{Alert, Finding, Fingerprint, Incident, Severity, Timestamp, Usage};

/// Which incidents to list. The default is all of them.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct IncidentFilter {
    /// Last seen at or after this.
    pub since: Option<Timestamp>,
    pub severity_at_least: Option<Severity>,
    pub limit: Option<u32>,
}

/// Which findings to list. The default is all that are kept.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct FindingFilter {
    /// Last seen at or after this.
    pub since: Option<Timestamp>,
    pub limit: Option<u32>,
}

/// What an id or the beginning of one leads to.
#[derive(Clone, PartialEq, Debug)]
pub enum IncidentLookup {
    None,
    One {
        incident: Box<Incident>,
        /// Newest first, at most [`Reader::FINDINGS_SHOWN`](super::Reader::FINDINGS_SHOWN).
        findings: Vec<Finding>,
        /// Notifier and time of each confirmed delivery of the last 30 days, newest first.
        delivered: Vec<(Arc<str>, Timestamp)>,
    },
    /// The ids that begin so, at most ten.
    Several(Vec<Fingerprint>),
}

/// An alert that was given up.
#[derive(Clone, PartialEq, Debug)]
pub struct DeadLetter {
    pub alert: Alert,
    pub at: Timestamp,
    pub error: String,
}

/// What one model cost on one day.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DaySpend {
    /// As the pipeline named it: `2026-11-22`.
    pub day: String,
    pub model: String,
    pub usage: Usage,
}

/// Numbers for a status line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    pub templates: u64,
    pub kinds: u64,
    pub verdicts: u64,
    /// Kinds that wait for the judge.
    pub questions: u64,
    /// All that are kept, quiet ones included.
    pub incidents: u64,
    /// Neither quiet nor muted.
    pub open_incidents: u64,
    pub findings: u64,
    /// Alerts that wait for delivery.
    pub outbox: u64,
    pub dead_letters: u64,
    pub streams: u64,
}
