//! One anomalous line with everything said about it. Shapes only.

use std::borrow::Cow;

use serde::Serialize;

use crate::model::{Category, Incident, Severity, Timestamp};

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

/// Times as they are written into rows. Lines that follow one another mostly have the same.
pub struct Stamps {
    zone: jiff::tz::TimeZone,
    last: Option<(Timestamp, String)>,
}

impl Stamps {
    pub fn new(zone: jiff::tz::TimeZone) -> Stamps {
        Stamps { zone, last: None }
    }

    /// RFC 3339 with the offset of the zone.
    pub fn of(&mut self, time: Timestamp) -> String {
        if let Some((_, text)) = self.last.as_ref().filter(|(last, _)| *last == time) {
            return text.clone();
        }
        let zoned = jiff::Timestamp::from(time).to_zoned(self.zone.clone());
        let text = zoned.strftime("%Y-%m-%dT%H:%M:%S%.f%:z").to_string();
        self.last = Some((time, text.clone()));
        text
    }
}

impl Row {
    /// What is said of an incident, without any line.
    pub fn about(incident: &Incident, now: Timestamp) -> Row {
        let steps = incident.remediation.join("; ");
        Row {
            record: Vec::new(),
            line_number: None,
            input: String::new(),
            anomaly_reason: format!("{}: {}", incident.title, incident.reason.replace('\n', "; ")),
            remediation_steps: if steps.is_empty() {
                "Look at the line and at what was logged around it".to_owned()
            } else {
                steps
            },
            detection_timestamp: now,
            confidence_score: incident.confidence,
            severity: incident.severity,
            category: incident.category,
            template_id: String::new(),
            detector: incident.judged_by.to_string(),
            incident: incident.id.to_string(),
        }
    }

    /// The columns of a log that has none of its own, in the order of [`PLAIN_COLUMNS`].
    pub fn plain(cells: [String; 4]) -> Vec<(Cow<'static, str>, String)> {
        PLAIN_COLUMNS.iter().map(|name| Cow::Borrowed(*name)).zip(cells).collect()
    }

    /// The row of an incident that no single line shows.
    #[must_use]
    pub fn without_line(self, incident: &Incident, stamps: &mut Stamps) -> Row {
        let time = stamps.of(incident.last_seen);
        Row {
            record: Row::plain([time, String::new(), String::new(), incident.program.to_string()]),
            template_id: incident.template.map_or_else(String::new, |id| id.to_string()),
            ..self
        }
    }
}

fn as_map<S: serde::Serializer>(record: &[(Cow<'static, str>, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(record.iter().map(|(name, value)| (name, value)))
}
