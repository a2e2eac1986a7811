//! An alert as people get it: built once, by a redactor. The only thing a notifier is given, so nothing unredacted has
//! a path to a socket. Must not know any notifier's markup.

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::settings::Redact;
use crate::model::inert::one_line;
use crate::model::{Alert, Category, Evidence, Fingerprint, IncidentState, JudgedBy, Level, Severity, Timestamp};
use crate::redact::{ForPeople, Redactor};

/// One alert, redacted. Texts may still hold anything a log can: each notifier escapes for its own medium.
#[derive(Clone, Debug)]
pub struct Message {
    /// Idempotency key. Letters, digits, `.`, `_`, `-` and `:` only.
    pub alert_id: String,
    /// Sent by `test-alert`: says so everywhere.
    pub test: bool,
    pub state: IncidentState,
    pub incident: Fingerprint,
    pub severity: Severity,
    pub category: Category,
    /// 0..=1.
    pub confidence: f32,
    pub host: ForPeople,
    /// Empty when not about one program.
    pub program: ForPeople,
    pub title: ForPeople,
    pub reason: ForPeople,
    pub remediation: Vec<ForPeople>,
    pub judge: Judge,
    /// Name of the rule, detector or model.
    pub judge_name: ForPeople,
    /// Why no model judged it, when one could have. Empty otherwise.
    pub not_judged: ForPeople,
    pub template: ForPeople,
    pub count: u64,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    pub evidence: Vec<Sample>,
    /// About logwren itself, not about a log.
    pub about_self: bool,
    pub created_at: Timestamp,
    /// For showing times to people.
    pub zone: TimeZone,
}

/// Who decided, as `judged_by` says it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Judge {
    Rule,
    Detector,
    Model,
}

/// One line of evidence, redacted.
#[derive(Clone, Debug)]
pub struct Sample {
    pub time: Timestamp,
    pub host: ForPeople,
    pub program: ForPeople,
    pub level: Level,
    pub origin: ForPeople,
    pub offset: u64,
    pub line: ForPeople,
}

impl Message {
    /// Redacts every text of `alert`. `zone` is the one people here read times in.
    pub fn new(alert: &Alert, redactor: &Redactor, redact: Redact, zone: TimeZone) -> Message {
        let incident = &alert.incident;
        // What was made of a line, as its template, may hold its secret without the words that give it away.
        let known = redactor.learn(incident.evidence.iter().map(|evidence| evidence.line.as_str()));
        let clean = |text: &str| match redact {
            Redact::Secrets => redactor.lines_knowing(known.clone()).for_people(text),
            Redact::All => redactor.lines_knowing(known.clone()).for_people_all(text),
        };
        let (judge, judge_name) = match &incident.judged_by {
            JudgedBy::Rule(name) => (Judge::Rule, name),
            JudgedBy::Detector(name) => (Judge::Detector, name),
            JudgedBy::Model(name) => (Judge::Model, name),
        };
        // A private key may stretch over several lines of evidence.
        let mut lines = redactor.lines_knowing(known.clone());
        let mut next_line = |text: &str| match redact {
            Redact::Secrets => lines.for_people(text),
            Redact::All => lines.for_people_all(text),
        };
        let sample = |evidence: &Evidence| Sample {
            time: evidence.time,
            host: clean(&evidence.host),
            program: clean(&evidence.program),
            level: evidence.level,
            origin: clean(&evidence.origin),
            offset: evidence.offset,
            line: next_line(&evidence.line),
        };
        Message {
            alert_id: header_safe(&alert.id),
            test: false,
            state: alert.state,
            incident: incident.id,
            severity: incident.severity,
            category: incident.category,
            confidence: incident.confidence,
            host: clean(&incident.host),
            program: clean(&incident.program),
            title: clean(&incident.title),
            reason: clean(&incident.reason),
            remediation: incident.remediation.iter().map(|step| clean(step)).collect(),
            judge,
            judge_name: clean(judge_name),
            not_judged: clean(&incident.not_judged),
            template: clean(&incident.template_text),
            count: incident.count,
            first_seen: incident.first_seen,
            last_seen: incident.last_seen,
            evidence: incident.evidence.iter().map(sample).collect(),
            about_self: incident.about_self,
            created_at: alert.created_at,
            zone,
        }
    }

    /// The same for all messages of an incident: `[HIGH] web-03 nginx: upstream timed out`. One line.
    pub fn subject(&self) -> String {
        let severity = if self.test { "TEST".to_owned() } else { self.severity.as_str().to_uppercase() };
        let (host, program) = (one_line(self.host.as_str()), one_line(self.program.as_str()));
        let whom = match (host.is_empty(), program.is_empty()) {
            (false, false) => format!("{host} {program}"),
            (false, true) => host,
            (true, false) => program,
            (true, true) => "logwren".to_owned(),
        };
        format!("[{severity}] {whom}: {}", one_line(self.title.as_str()))
    }

    /// The subject and what is going on now: `… (new, 214 in 5 m)`. One line.
    pub fn headline(&self) -> String {
        format!("{} ({})", self.subject(), self.status())
    }

    /// `new, 214 in 5 m`; a quiet incident says since when and never "fixed".
    pub fn status(&self) -> String {
        match self.state {
            IncidentState::Quiet => format!("quiet since {}", self.local(self.last_seen)),
            IncidentState::New
            | IncidentState::Ongoing
            | IncidentState::Escalating
            | IncidentState::Regressed
            | IncidentState::Muted => match self.count {
                0 | 1 => self.state.as_str().to_owned(),
                count => {
                    let seconds = self.last_seen.since(self.first_seen).as_secs();
                    format!("{}, {count} in {}", self.state.as_str(), span(seconds))
                }
            },
        }
    }

    /// Who says so, in words: `seen by rule oom-kill; not judged by a model: no key`. One line.
    pub fn judged(&self) -> String {
        let name = one_line(self.judge_name.as_str());
        let mut text = match self.judge {
            Judge::Rule => format!("seen by rule {name}"),
            Judge::Detector => format!("seen by numbers ({name})"),
            // Not a model: what `logwren anomalous` said.
            Judge::Model if name == "operator" => "judged by a person".to_owned(),
            Judge::Model => format!("judged by model {name}"),
        };
        let why_not = one_line(self.not_judged.as_str());
        if !why_not.is_empty() {
            text.push_str("; not judged by a model: ");
            text.push_str(&why_not);
        }
        text
    }

    /// As the webhook body says it: `rule:NAME`, `detector:NAME`, `model:NAME`.
    pub fn judged_by(&self) -> String {
        let name = Arc::from(self.judge_name.as_str());
        match self.judge {
            Judge::Rule => JudgedBy::Rule(name),
            Judge::Detector => JudgedBy::Detector(name),
            Judge::Model => JudgedBy::Model(name),
        }
        .to_string()
    }

    /// A time as people here read it: `2026-11-22 10:20:30 CET`.
    pub fn local(&self, time: Timestamp) -> String {
        jiff::Timestamp::from(time).to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
    }
}

/// One figure and one unit, rounded down, at least a second: enough for a headline.
fn span(seconds: u64) -> String {
    match seconds {
        0..=1 => "1 s".to_owned(),
        2..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} m", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// Alert ids are ours, but they pass through the store: what could break a header is replaced.
fn header_safe(id: &str) -> String {
    id.chars().map(|c| if c.is_ascii_alphanumeric() || "._-:".contains(c) { c } else { '-' }).take(200).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::Incident;

    /// An alert whose every text is `text`, for hostile tests; otherwise an ordinary one.
    pub fn alert(text: Option<&str>) -> Alert {
        let say = |usual: &str| text.unwrap_or(usual).to_owned();
        let time = Timestamp::from_seconds(1_763_806_800);
        let line = Evidence {
            time,
            host: say("web-03").into(),
            program: say("nginx").into(),
            level: Level::Err,
            origin: say("/var/log/nginx/error.log").into(),
            offset: 4_711,
            line: say("upstream timed out (110: Connection timed out) while reading"),
        };
        Alert {
            id: "00000000000000aa:ops:1".into(),
            notifier: "ops".into(),
            state: IncidentState::New,
            incident: Incident {
                id: Fingerprint(0xaa),
                state: IncidentState::New,
                severity: Severity::High,
                category: Category::Availability,
                confidence: 0.9,
                host: say("web-03").into(),
                program: say("nginx").into(),
                title: say("upstream timed out"),
                reason: say("214 lines in 5 minutes where 3 a day are usual"),
                remediation: vec![say("check the upstream"), say("restart php-fpm")],
                judged_by: JudgedBy::Rule(say("web-upstream").into()),
                not_judged: say("no key"),
                template: None,
                template_text: say("upstream timed out (<NUM>: Connection timed out) while reading"),
                kinds: vec![],
                count: 214,
                first_seen: time,
                last_seen: time.saturating_add(std::time::Duration::from_secs(300)),
                evidence: vec![line.clone(), line],
                about_self: false,
            },
            created_at: time,
            attempts: 0,
            next_attempt: time,
            last_error: String::new(),
        }
    }

    pub fn message(text: Option<&str>) -> Message {
        Message::new(&alert(text), &Redactor::new(&Default::default(), [7; 32]), Redact::Secrets, TimeZone::UTC)
    }

    #[test]
    fn says_it_in_one_line() {
        let mut message = message(None);
        assert_eq!(message.headline(), "[HIGH] web-03 nginx: upstream timed out (new, 214 in 5 m)");
        assert_eq!(message.judged(), "seen by rule web-upstream; not judged by a model: no key");
        assert_eq!(message.judged_by(), "rule:web-upstream");
        message.state = IncidentState::Quiet;
        assert_eq!(message.status(), "quiet since 2025-11-22 10:25:00 UTC");
        message.state = IncidentState::Regressed;
        message.count = 1;
        assert_eq!(message.status(), "regressed");
    }

    #[test]
    fn secrets_are_gone_from_every_text() {
        let message = message(Some("login password=hunter2hunter2 failed"));
        assert!(!format!("{message:?}").contains("hunter2"), "{message:?}");
    }

    #[track_caller]
    fn check_span(seconds: u64, expected: &str) {
        assert_eq!(span(seconds), expected);
    }

    #[test]
    fn spans() {
        check_span(0, "1 s");
        check_span(90, "90 s");
        check_span(300, "5 m");
        check_span(7_200, "2 h");
        check_span(200_000, "2 d");
    }

    #[test]
    fn ids_fit_into_headers() {
        assert_eq!(header_safe("aa:ops:1\r\nX: y"), "aa:ops:1--X:-y");
    }
}
