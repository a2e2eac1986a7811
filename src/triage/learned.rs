//! What was already in the logs when we came: counted and told once, never alerted one by one. Bounded.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::model::{Category, Evidence, Finding, Fingerprint, Incident, IncidentState, JudgedBy, Severity, Timestamp};

/// Distinct incidents told apart; beyond it they still count as findings.
const MAX_INCIDENTS: usize = 10_000;
const MAX_TITLES: usize = 200;
const NAMED_TITLES: usize = 5;

#[derive(Default, Debug)]
pub(super) struct Learned {
    findings: u64,
    /// Incidents that would have reached a person: medium or worse.
    would_have_alerted: HashSet<Fingerprint>,
    titles: HashMap<String, u64>,
    /// Worst first.
    evidence: Vec<(Severity, Evidence)>,
    span: Option<(Timestamp, Timestamp)>,
    host: Option<Arc<str>>,
}

impl Learned {
    pub fn add(&mut self, id: Fingerprint, finding: &Finding, severity: Severity) {
        self.findings += 1;
        self.host.get_or_insert_with(|| Arc::clone(&finding.host));
        let (first, last) = self.span.unwrap_or((finding.first_seen, finding.last_seen));
        self.span = Some((first.min(finding.first_seen), last.max(finding.last_seen)));
        if severity >= Severity::Medium && self.would_have_alerted.len() < MAX_INCIDENTS {
            self.would_have_alerted.insert(id);
        }
        if self.titles.len() < MAX_TITLES || self.titles.contains_key(&finding.title) {
            *self.titles.entry(finding.title.clone()).or_default() += 1;
        }
        if let Some(line) = finding.evidence.first() {
            let at = self.evidence.partition_point(|(known, _)| *known >= severity);
            if at < Finding::MAX_EVIDENCE {
                self.evidence.insert(at, (severity, line.clone()));
                self.evidence.truncate(Finding::MAX_EVIDENCE);
            }
        }
    }

    /// The one notice, or `None` when nothing was found. `count` is how many alerts there would have been.
    pub fn incident(self) -> Option<Incident> {
        let (first_seen, last_seen) = self.span?;
        let host = self.host?;
        let alerts = self.would_have_alerted.len();
        let mut titles: Vec<(&String, &u64)> = self.titles.iter().collect();
        titles.sort_by(|one, other| other.1.cmp(one.1).then(one.0.cmp(other.0)));
        let named: Vec<String> =
            titles.iter().take(NAMED_TITLES).map(|(title, count)| format!("{title} ({count})")).collect();
        let more = if titles.len() > NAMED_TITLES { ", ..." } else { "" };
        let times = if alerts == 1 { "once" } else { &format!("{alerts} times") };
        let (number, verb) = if self.findings == 1 {
            ("1 finding".to_owned(), "was")
        } else {
            (format!("{} findings", self.findings), "were")
        };
        Some(Incident {
            id: Fingerprint::of(&["already there", &host, &first_seen.to_string(), &last_seen.to_string()]),
            state: IncidentState::New,
            severity: Severity::Low,
            category: Category::Other,
            confidence: 1.0,
            host,
            program: "".into(),
            title: format!("{number} {verb} already in the logs"),
            reason: format!("would have alerted {times}: {}{more}", named.join(", ")),
            remediation: vec![
                "Look through them once: `logwren incidents list`; from now on only what is new is told".to_owned(),
            ],
            judged_by: JudgedBy::Detector("already-there".into()),
            not_judged: String::new(),
            template: None,
            template_text: String::new(),
            kinds: Vec::new(),
            count: alerts as u64,
            first_seen,
            last_seen,
            evidence: self.evidence.into_iter().map(|(_, line)| line).collect(),
            about_self: false,
        })
    }
}
