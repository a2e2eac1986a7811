//! Verdicts, held-back text and the judge's own troubles as findings. Proposes a severity; triage decides.

use std::sync::Arc;

use super::outcome::{Trouble, TroubleKind};
use crate::model::{Category, Finding, JudgedBy, Level, Question, Severity, Timestamp, Verdict, VerdictRow};

/// The finding of an anomalous verdict; none for the other verdicts.
pub fn finding(question: &Question, row: &VerdictRow) -> Option<Finding> {
    if row.verdict != Verdict::Anomalous {
        return None;
    }
    let mut finding = about(question, JudgedBy::Model(row.model.as_str().into()));
    finding.category = row.category;
    finding.proposed = row.severity;
    finding.confidence = row.confidence;
    finding.verdict = Some(row.verdict);
    finding.title = match &*question.kind.program {
        "" => "Anomalous kind of line".to_owned(),
        program => format!("Anomalous kind of line from {program}"),
    };
    finding.reason = match row.reason.as_str() {
        "" => "the model gave no reason".to_owned(),
        reason => reason.to_owned(),
    };
    finding.remediation = match row.remediation.as_slice() {
        [] => vec!["look at the line and at what was logged around it".to_owned()],
        steps => steps.to_vec(),
    };
    Some(finding)
}

/// Text that looks like instructions to a model. `pattern` says what it looks like.
pub fn held_back(question: &Question, pattern: &str) -> Finding {
    let mut finding = about(question, JudgedBy::Detector("injection".into()));
    finding.category = Category::Security;
    finding.proposed = Severity::Medium;
    finding.confidence = 0.8;
    finding.verdict = Some(Verdict::Undecided);
    finding.title = "Log text that looks like instructions to a language model".to_owned();
    finding.reason = format!("the text looks like an instruction ({pattern}); it was not sent to the model");
    finding.remediation = vec![
        "find out who can write this text: a user name, a URL, a user agent, a host name".to_owned(),
        "if it is harmless here, write a [[severity_rules]] entry that makes it low".to_owned(),
    ];
    finding
}

impl Trouble {
    /// The finding about ourselves.
    pub fn finding(&self, host: Arc<str>, now: Timestamp) -> Finding {
        let (severity, title, step) = match self.kind {
            TroubleKind::Stopped => (
                Severity::Medium,
                "The language model refuses to work for us",
                "mend the key, the model name or the billing, then reload; it is tried again every hour",
            ),
            TroubleKind::Unreachable => (
                Severity::Low,
                "The language model cannot be reached",
                "nothing to do if it passes; questions wait and local detection goes on",
            ),
            TroubleKind::BudgetSpent => (
                Severity::Low,
                "The daily budget for the language model is spent",
                "raise judge.daily_tokens or judge.daily_usd if this happens often; questions wait for the next day",
            ),
            TroubleKind::Untrusted => (
                Severity::Medium,
                "An answer of the language model was not believed",
                "look for log text that speaks to a model; what was asked is left to local detection",
            ),
        };
        Finding {
            // The name by which triage knows that it is about ourselves.
            judged_by: JudgedBy::Detector("self".into()),
            category: Category::Configuration,
            proposed: severity,
            confidence: 1.0,
            verdict: None,
            title: title.to_owned(),
            reason: self.reason.clone(),
            remediation: vec![step.to_owned()],
            host,
            program: "logwren".into(),
            unit: None,
            level: Level::Warning,
            kind: None,
            template: None,
            template_text: String::new(),
            group: self.kind.name().to_owned(),
            count: 1,
            first_seen: now,
            last_seen: now,
            evidence: Vec::new(),
            learning: false,
        }
    }
}

impl TroubleKind {
    /// For grouping: one incident for each.
    pub fn name(self) -> &'static str {
        match self {
            TroubleKind::Stopped => "judge-stopped",
            TroubleKind::Unreachable => "judge-unreachable",
            TroubleKind::BudgetSpent => "judge-budget",
            TroubleKind::Untrusted => "judge-untrusted",
        }
    }
}

/// Everything of a finding that the question already says.
fn about(question: &Question, judged_by: JudgedBy) -> Finding {
    let mut evidence = question.samples.clone();
    evidence.truncate(Finding::MAX_EVIDENCE);
    Finding {
        judged_by,
        category: Category::Other,
        proposed: Severity::Low,
        confidence: 0.0,
        verdict: None,
        title: String::new(),
        reason: String::new(),
        remediation: Vec::new(),
        host: question.host.as_str().into(),
        program: Arc::clone(&question.kind.program),
        unit: None,
        level: question.kind.level,
        kind: Some(question.kind.id()),
        template: Some(question.kind.template),
        template_text: question.template.clone(),
        group: String::new(),
        count: question.count,
        first_seen: question.first_seen,
        last_seen: question.last_seen,
        evidence,
        learning: question.low_priority,
    }
}
