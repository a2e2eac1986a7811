//! One anomalous line with everything said about it. Shapes only.

use std::borrow::Cow;

use serde::Serialize;

use crate::model::{Category, Severity, Timestamp};

/// The columns of logs that have none of their own.
pub const PLAIN_COLUMNS: [&str; 4] = ["timestamp", "level", "message", "source"];
/// What stands behind the columns of the log.
pub const EXTRA_COLUMNS: [&str; 10] = [
    "line_number",
    "input",
    "anomaly_reason",
    "remediation_steps",
    "detection_timestamp",
    "confidence_score",
    "severity",
    "category",
    "template_id",
    "detector",
];

/// One row of `anomalies.csv`, one line of the JSON lines.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Row {
    /// The log's own columns, in their order.
    #[serde(serialize_with = "as_map")]
    pub record: Vec<(Cow<'static, str>, String)>,
    /// `None` for what no single line shows: silence, a gap.
    pub line_number: Option<u64>,
    pub input: String,
    pub anomaly_reason: String,
    /// One sentence after the other; never empty.
    pub remediation_steps: String,
    pub detection_timestamp: Timestamp,
    pub confidence_score: f32,
    pub severity: Severity,
    pub category: Category,
    pub template_id: String,
    /// `rule:NAME`, `detector:NAME` or `model:NAME`.
    pub detector: String,
    pub incident: String,
}

fn as_map<S: serde::Serializer>(record: &[(Cow<'static, str>, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(record.iter().map(|(name, value)| (name, value)))
}
