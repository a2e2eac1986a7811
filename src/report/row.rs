//! One anomalous line with everything said about it. Shapes only.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Serialize;

use crate::model::{Category, Incident, Severity, TemplateId, Timestamp};

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
pub struct Row<'a> {
    /// The log's own columns, in their order.
    #[serde(serialize_with = "as_map")]
    pub record: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// `None` for what no single line shows: silence, a gap.
    pub line_number: Option<u64>,
    pub input: Cow<'a, str>,
    /// Empty for what is of no kind.
    #[serde(serialize_with = "or_empty")]
    pub template_id: Option<TemplateId>,
    #[serde(flatten)]
    pub remark: Arc<Remark>,
}

/// What is said of an incident: all its rows have that in common.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Remark {
    pub anomaly_reason: String,
    /// One sentence after the other; never empty.
    pub remediation_steps: String,
    pub detection_timestamp: Timestamp,
    pub confidence_score: f32,
    pub severity: Severity,
    pub category: Category,
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
    pub fn of(&mut self, time: Timestamp) -> &str {
        if self.last.as_ref().is_none_or(|(last, _)| *last != time) {
            let zoned = jiff::Timestamp::from(time).to_zoned(self.zone.clone());
            self.last = Some((time, zoned.strftime("%Y-%m-%dT%H:%M:%S%.f%:z").to_string()));
        }
        self.last.as_ref().map_or("", |(_, text)| text)
    }
}

impl Remark {
    pub fn of(incident: &Incident, now: Timestamp) -> Remark {
        let steps = incident.remediation.join("; ");
        Remark {
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
            detector: incident.judged_by.to_string(),
            incident: incident.id.to_string(),
        }
    }
}

impl<'a> Row<'a> {
    /// The columns of a log that has none of its own, in the order of [`PLAIN_COLUMNS`].
    pub fn plain(cells: [impl Into<Cow<'a, str>>; 4]) -> Vec<(Cow<'a, str>, Cow<'a, str>)> {
        PLAIN_COLUMNS.iter().map(|name| Cow::Borrowed(*name)).zip(cells.map(Into::into)).collect()
    }

    /// The row of an incident that no single line shows.
    pub fn without_line(incident: &'a Incident, remark: Arc<Remark>, stamps: &mut Stamps) -> Row<'a> {
        let time = stamps.of(incident.last_seen).to_owned();
        let cells = [Cow::Owned(time), Cow::Borrowed(""), Cow::Borrowed(""), Cow::Borrowed(&*incident.program)];
        let input = Cow::Borrowed("");
        Row { record: Row::plain(cells), line_number: None, input, template_id: incident.template, remark }
    }

    /// The row, of nobody else's text.
    pub fn into_owned(self) -> Row<'static> {
        let owned = |text: Cow<'a, str>| Cow::Owned(text.into_owned());
        Row {
            record: self.record.into_iter().map(|(name, value)| (owned(name), owned(value))).collect(),
            input: owned(self.input),
            ..self
        }
    }
}

fn as_map<S: serde::Serializer>(record: &[(Cow<'_, str>, Cow<'_, str>)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(record.iter().map(|(name, value)| (name, value)))
}

fn or_empty<S: serde::Serializer>(id: &Option<TemplateId>, serializer: S) -> Result<S::Ok, S::Error> {
    match id {
        Some(id) => serializer.collect_str(id),
        None => serializer.serialize_str(""),
    }
}
