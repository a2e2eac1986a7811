//! Findings about ourselves: lost lines, a judge in trouble. They travel like any other finding.

use std::sync::Arc;

use crate::judge::Trouble;
use crate::model::{Category, Finding, JudgedBy, Level, Severity, Timestamp};

use super::{Effects, Notice, Pipeline};

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
            Severity::Medium,
            origin.to_string(),
            now,
        );
        self.tell(vec![finding], now, out);
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
