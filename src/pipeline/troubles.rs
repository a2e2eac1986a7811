//! Findings about ourselves and our sources: lost lines, a log gone silent, a judge in trouble. They travel like any other
//! finding.

use std::sync::Arc;
use std::time::Duration;

use crate::judge::Trouble;
use crate::model::{Category, Fact, Finding, JudgedBy, Level, Period, Severity, SourceCounts, Timestamp};

use super::silence::Heard as SourceHeard;
use super::{Effects, Notice, Pipeline};

/// Who says that a source is silent, in `judged_by` and severity rules.
const SILENCE: &str = "source-silence";

impl Pipeline {
    /// Lines were or may have been lost.
    pub(super) fn gap(
        &mut self,
        origin: &Arc<str>,
        reason: &str,
        lost: Option<u64>,
        now: Timestamp,
        out: &mut Effects,
    ) {
        let how_many = match lost {
            Some(0) => "Nothing that was seen was".to_owned(),
            Some(1) => "1 entry was".to_owned(),
            Some(lost) => format!("{lost} entries were"),
            None => "Lines may have been".to_owned(),
        };
        let finding = self.about_ourselves(
            "Log lines may be missing",
            format!("{how_many} lost from {origin}: {reason}"),
            vec![
                format!("Look at {origin} around this time by hand."),
                "If it is rotated with copytruncate, prefer rename and create.".to_owned(),
            ],
            // What every rotation of this kind may cost is no reason to wake anybody.
            if lost == Some(0) { Severity::Low } else { Severity::Medium },
            origin.to_string(),
            now,
        );
        self.tell(vec![finding], now, out);
    }

    /// A source fell silent, or is back: said once each, and kept over a restart.
    pub(super) fn source_heard(&mut self, heard: SourceHeard, now: Timestamp, out: &mut Effects) {
        let finding = match &heard {
            SourceHeard::Silent { name, since, usual, patience } => {
                self.ledger.add(name, &SourceCounts { silences: 1, ..SourceCounts::default() });
                Finding {
                    judged_by: JudgedBy::Detector(SILENCE.into()),
                    category: Category::Availability,
                    first_seen: *since,
                    ..self.about_ourselves(
                        "A log has gone silent",
                        format!(
                            "{name} has said nothing for {}; it paused for up to {} before, and silence beyond {} is odd",
                            Period(whole(now.since(*since))),
                            Period(whole(*usual)),
                            Period(whole(*patience))
                        ),
                        vec![
                            format!("Check that the program that writes to {name} still runs, and what it last said."),
                            "If the log was moved or removed on purpose, nothing is to be done.".to_owned(),
                        ],
                        Severity::Medium,
                        name.to_string(),
                        now,
                    )
                }
            }
            SourceHeard::Back { name, after } => Finding {
                judged_by: JudgedBy::Detector(SILENCE.into()),
                category: Category::Availability,
                ..self.about_ourselves(
                    "A log speaks again",
                    format!("{name} speaks again after {} of silence", Period(whole(*after))),
                    vec![format!("Find out why {name} was silent: what was not written cannot be watched.")],
                    Severity::Medium,
                    format!("{name} is back"),
                    now,
                )
            },
        };
        out.notices
            .push(Notice::Silence { told: finding.reason.clone(), back: matches!(heard, SourceHeard::Back { .. }) });
        self.tell(vec![finding], now, out);
        out.facts.extend(self.silence.save().map(|json| Fact::State { name: "silence".into(), json }));
    }

    /// The model cannot be asked or cannot be believed.
    pub(super) fn trouble(&self, trouble: &Trouble, now: Timestamp, out: &mut Effects) -> Finding {
        out.notices.push(Notice::Judge { trouble: trouble.reason.clone() });
        trouble.finding(Arc::clone(&self.context.host), now)
    }

    pub(super) fn about_ourselves(
        &self,
        title: &str,
        reason: String,
        remediation: Vec<String>,
        proposed: Severity,
        group: String,
        now: Timestamp,
    ) -> Finding {
        Finding {
            judged_by: JudgedBy::Detector("self".into()),
            category: Category::Other,
            proposed,
            confidence: 1.0,
            verdict: None,
            title: title.to_owned(),
            reason,
            remediation,
            host: Arc::clone(&self.context.host),
            program: "logwren".into(),
            unit: None,
            level: Level::Warning,
            kind: None,
            template: None,
            template_text: String::new(),
            group,
            count: 1,
            first_seen: now,
            last_seen: now,
            evidence: Vec::new(),
            learning: false,
        }
    }
}

/// Fractions of a second tell a person nothing here; less than one is one.
fn whole(length: Duration) -> Duration {
    Duration::from_secs(length.as_secs().max(1))
}
