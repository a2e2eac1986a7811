//! All detectors together on scripted lines: what is found, when, how often, and what a restart or a reload keeps.

use std::collections::HashMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::rules::shipped;
use super::*;
use crate::model::{Finding, Kind, KindId, Level, Phase, Severity, TemplateId, Timestamp};

/// A small stand-in for the pipeline: a template is the message with its numbers masked.
struct Host {
    detect: Detect,
    kinds: HashMap<KindId, Interest>,
    time: Timestamp,
    phase: Phase,
    /// What all detectors thought of the last line.
    views: Vec<View>,
}

impl Host {
    fn new(config: &Config, rules: Vec<(Arc<str>, RuleSpec)>) -> Host {
        let rules = RuleSet::new(rules).expect("no problems");
        let time = Timestamp::from_seconds(1_700_000_000);
        Host { detect: Detect::new(config, rules), kinds: HashMap::new(), time, phase: Phase::Live, views: Vec::new() }
    }

    /// With rules written in TOML, learning over.
    fn with(rules: &str) -> Host {
        let mut host = Host::new(&Config::default(), specs(rules));
        assert!(host.learned().is_empty());
        host
    }

    fn learned(&mut self) -> Vec<Finding> {
        let mut out = Vec::new();
        self.detect.learned(self.time, &mut out);
        out
    }

    fn settle(&mut self) -> Vec<Finding> {
        let mut out = Vec::new();
        self.detect.settle(self.time, &mut out);
        out
    }

    fn wait(&mut self, seconds: u64) {
        self.time = self.time.saturating_add(Period::from_secs(seconds).0);
    }

    /// `PROGRAM: MESSAGE` at `info`.
    fn say(&mut self, line: &str) -> Vec<Finding> {
        self.say_at(Level::Info, line)
    }

    fn say_at(&mut self, level: Level, line: &str) -> Vec<Finding> {
        let (program, message) = line.split_once(": ").expect("PROGRAM: MESSAGE");
        let template: String = message.chars().filter(|letter| !letter.is_ascii_digit()).collect();
        let kind = Kind { program: program.into(), level, template: TemplateId::of(&template) };
        let known_level =
            Level::ALL.into_iter().find(|level| self.kinds.contains_key(&Kind { level: *level, ..kind.clone() }.id()));
        let interest = self.kinds.get(&kind.id()).copied();
        let seen = Seen {
            kind: &kind,
            kind_id: kind.id(),
            template_text: &template,
            message,
            words: &Words::default(),
            unit: None,
            pid: None,
            host: &"h".into(),
            time: self.time,
            origin: &"journal".into(),
            offset: 0,
            phase: self.phase,
            new_template: interest.is_none() && known_level.is_none(),
            new_kind: interest.is_none(),
            known_level: known_level.filter(|_| interest.is_none()),
            count: 1,
            nearest: Some("a known template"),
        };
        if self.kinds.len() < 10 {
            self.views = self.detect.explain(&seen);
        }
        let mut out = Vec::new();
        let interest = match interest {
            None => self.detect.begin(&seen, &mut out),
            Some(interest) => self.detect.line(interest, &seen, &mut out),
        };
        self.kinds.insert(kind.id(), interest);
        out
    }

    /// The same host after a restart: kinds and detector state are kept.
    fn restarted(mut self, rules: &str) -> Host {
        let states = self.detect.states();
        assert!(self.detect.states().is_empty(), "nothing changed since");
        let mut host = Host { time: self.time, kinds: self.kinds, ..Host::new(&Config::default(), specs(rules)) };
        assert_eq!(host.detect.restore(&states), Vec::<String>::new());
        host
    }
}

/// For detectors on their own.
pub(super) fn no_rules() -> RuleSet {
    RuleSet::new(Vec::new()).expect("no rules are right")
}

fn specs(rules: &str) -> Vec<(Arc<str>, RuleSpec)> {
    let file: RuleFile = toml::from_str(rules).expect("rules");
    file.rules.into_iter().map(|rule| ("test".into(), rule)).collect()
}

const BRUTE_FORCE: &str = r#"
[[rules]]
name = "brute-force"
category = "security"
severity = "high"
title = "Failed logins"
reason = "{count} failed logins from {key} within {within}"
remediation = ["block {key}"]
match = { program = ["sshd"], message = 'Failed password for .* from (?P<key>\S+)' }
count = 5
within = "10m"
"#;

const CRASH: &str = r#"
[[rules]]
name = "crash"
category = "application"
severity = "medium"
title = "A program crashed"
reason = "{key} crashed ({count} so far)"
remediation = ["look"]
match = { program = ["kernel"], message = '(?P<key>\S+) crashed' }
"#;

fn failed(address: &str) -> String {
    format!("sshd: Failed password for root from {address} port 22")
}

#[test]
fn five_failures_are_one_incident_that_goes_on() {
    let mut host = Host::with(BRUTE_FORCE);
    for _ in 0..4 {
        assert_eq!(host.say(&failed("192.0.2.1")), []);
        assert_eq!(host.say(&failed("192.0.2.2")), []);
        host.wait(30);
    }
    let found = host.say(&failed("192.0.2.1"));
    let [finding] = &*found else { panic!("{found:?}") };
    assert_eq!((&*finding.group, finding.count, finding.proposed), ("192.0.2.1", 5, Severity::High));
    assert_eq!(finding.reason, "5 failed logins from 192.0.2.1 within 10m");
    assert_eq!(finding.judged_by.to_string(), "rule:brute-force");
    assert_eq!(finding.evidence.len(), 5);
    assert!(finding.evidence.iter().all(|evidence| evidence.line.contains("192.0.2.1")));
    assert_eq!(finding.last_seen.since(finding.first_seen).as_secs(), 120);
    // Said again when the lines have doubled.
    let later: Vec<(u64, String)> = (0..5)
        .flat_map(|_| {
            host.wait(1);
            host.say(&failed("192.0.2.1"))
        })
        .map(|finding| (finding.count, finding.reason))
        .collect();
    assert_eq!(later, [(5, "10 failed logins from 192.0.2.1 within 2m 5s".to_owned())]);
    // After a pause it takes five again.
    host.wait(601);
    assert_eq!((0..4).flat_map(|_| host.say(&failed("192.0.2.1"))).count(), 0);
    assert_eq!(host.say(&failed("192.0.2.1")).len(), 1);
}

#[test]
fn what_was_already_there_keeps_no_live_line_quiet() {
    let mut host = Host::with(CRASH);
    host.phase = Phase::Learn;
    assert!(matches!(&*host.say("kernel: app crashed"), [finding] if finding.learning));
    assert!(matches!(&*host.say("kernel: app crashed"), [finding] if finding.learning));
    assert_eq!(host.say("kernel: app crashed"), []);
    let mut host = host.restarted(CRASH);
    host.phase = Phase::Live;
    let found = host.say("kernel: app crashed");
    let told: Vec<(bool, u64)> = found.iter().map(|finding| (finding.learning, finding.count)).collect();
    assert_eq!(told, [(true, 1), (false, 1)], "what waited belongs to the baseline");

    let mut host = Host::with(BRUTE_FORCE);
    host.phase = Phase::Learn;
    assert_eq!((0..7).flat_map(|_| host.say(&failed("192.0.2.1"))).count(), 1);
    host.phase = Phase::Live;
    let found: Vec<Finding> = (0..5).flat_map(|_| host.say(&failed("192.0.2.1"))).collect();
    let told: Vec<(bool, u64)> = found.iter().map(|finding| (finding.learning, finding.count)).collect();
    assert_eq!(told, [(true, 2), (false, 5)]);
}

/// Findings of 20 addresses that fail five times each: by group, how many lines.
fn failures_of_many(rules: &str) -> Vec<(String, u64)> {
    let mut host = Host::with(rules);
    let mut groups: std::collections::BTreeMap<String, u64> = std::collections::BTreeMap::new();
    for address in 1..=20 {
        for _ in 0..5 {
            for finding in host.say(&failed(&format!("192.0.2.{address}"))) {
                *groups.entry(finding.group).or_default() += finding.count;
            }
        }
    }
    groups.into_iter().collect()
}

#[test]
fn many_incidents_of_a_rule_at_once_are_told_together() {
    let groups = failures_of_many(BRUTE_FORCE);
    assert_eq!(groups.len(), 6, "{groups:?}");
    assert_eq!(groups.last(), Some(&("many".to_owned(), 75)));
    let critical = failures_of_many(&BRUTE_FORCE.replace(r#"severity = "high""#, r#"severity = "critical""#));
    assert_eq!(critical.len(), 20, "nobody may miss a critical one");
}

#[test]
fn a_restart_keeps_what_was_counted() {
    let mut host = Host::with(BRUTE_FORCE);
    for _ in 0..4 {
        host.say(&failed("192.0.2.1"));
    }
    let mut host = host.restarted(BRUTE_FORCE);
    // A line of a kind that nobody has looked at in this run.
    host.kinds.clear();
    assert_eq!(host.say(&failed("192.0.2.1")).iter().filter(|finding| finding.count == 5).count(), 1);
}

#[test]
fn a_restart_keeps_lines_that_wait_to_be_said() {
    let mut host = Host::with(CRASH);
    assert_eq!(host.say("kernel: app crashed").len(), 1);
    assert_eq!(host.say("kernel: app crashed").len(), 1);
    assert_eq!(host.say("kernel: app crashed").len(), 0);
    let mut host = host.restarted(CRASH);
    host.wait(600);
    let said: Vec<(u64, String, usize)> =
        host.settle().into_iter().map(|finding| (finding.count, finding.group, finding.evidence.len())).collect();
    assert_eq!(said, [(1, "app".to_owned(), 0)]);
    assert_eq!(host.settle(), []);
}

#[test]
fn a_storm_is_few_findings_and_every_line_counts() {
    let mut host = Host::with(CRASH);
    let mut findings: Vec<Finding> = (0..3_000).flat_map(|_| host.say("kernel: app crashed")).collect();
    host.wait(86_400);
    findings.extend(host.settle());
    assert!(findings.len() <= 14, "{}", findings.len());
    assert_eq!(findings.iter().map(|finding| finding.count).sum::<u64>(), 3_000);
}

#[test]
fn with_no_repeat_every_line_is_a_finding() {
    let config = Config { repeat: Period::from_secs(0), ..Config::default() };
    let mut host = Host::new(&config, specs(CRASH));
    assert_eq!((0..20).flat_map(|_| host.say("kernel: app crashed")).count(), 20);
}

#[test]
fn rules_speak_while_learning_and_say_so() {
    let mut host = Host::new(&Config::default(), specs(CRASH));
    host.phase = Phase::Learn;
    assert!(host.say("kernel: app crashed").iter().all(|finding| finding.learning));
}

#[test]
fn a_login_after_many_failures() {
    let rules = r#"
[[rules]]
name = "guessed"
category = "security"
severity = "critical"
title = "Guessed"
reason = "{user} from {key}"
remediation = ["act"]
match = { program = "sshd", message = 'Accepted password for (?P<user>\S+) from (?P<key>\S+)' }
after = { message = 'Failed password for .* from (?P<key>\S+)', count = 3 }
within = "10m"
"#;
    let mut host = Host::with(rules);
    let accepted = "sshd: Accepted password for root from 192.0.2.1 port 22";
    for _ in 0..3 {
        host.say(&failed("192.0.2.9"));
    }
    host.say(&failed("192.0.2.1"));
    host.say(&failed("192.0.2.1"));
    assert_eq!(host.say(accepted), []);
    host.say(&failed("192.0.2.1"));
    let found = host.say(accepted);
    assert_eq!(found.iter().map(|finding| &*finding.reason).collect::<Vec<_>>(), ["root from 192.0.2.1"]);
    host.wait(700);
    assert_eq!(host.say(accepted), []);
}

#[test]
fn one_line_is_one_finding_the_most_severe() {
    let also = CRASH.replace("\"crash\"", "\"worse\"").replace("medium", "high");
    let mut host = Host::with(&format!("{CRASH}{also}"));
    let found = host.say("kernel: app crashed");
    assert_eq!(found.iter().map(|finding| finding.judged_by.to_string()).collect::<Vec<_>>(), ["rule:worse"]);
}

#[test]
fn values_are_looked_at_on_every_line() {
    let rules = CRASH.replace("crashed'", "crashed [5-9]', template = 'crashed'");
    let mut hidden = Host::with(&rules);
    hidden.say("kernel: app crashed 1");
    assert_eq!(hidden.say("kernel: app crashed 7"), []);
    let mut host = Host::with(&format!("{rules}values = true\n"));
    host.say("kernel: app crashed 1");
    assert_eq!(host.say("kernel: app crashed 7").len(), 1);
}

#[test]
fn a_reload_keeps_the_counters_of_rules_that_did_not_change() {
    let reload = |rules: &str| {
        let mut host = Host::with(BRUTE_FORCE);
        for _ in 0..4 {
            host.say(&failed("192.0.2.1"));
        }
        host.detect.reload(&Config::default(), RuleSet::new(specs(rules)).expect("no problems"));
        host.kinds.values_mut().for_each(|interest| *interest = Interest(1));
        host.say(&failed("192.0.2.1")).len()
    };
    assert_eq!(reload(BRUTE_FORCE), 1);
    assert_eq!(reload(&BRUTE_FORCE.replace("block {key}", "wait")), 1);
    assert_eq!(reload(&BRUTE_FORCE.replace("10m", "5m")), 0);
    assert_eq!(reload(""), 0);
}

#[track_caller]
fn judged(found: &[Finding], expected: &[(&str, Severity)]) {
    let found: Vec<(String, Severity)> =
        found.iter().map(|finding| (finding.judged_by.to_string(), finding.proposed)).collect();
    let expected: Vec<(String, Severity)> =
        expected.iter().map(|(who, severity)| ((*who).to_owned(), *severity)).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_new_kind_is_reported_once_by_who_knows_most() {
    let mut host = Host::with(CRASH);
    judged(&host.say("app: hello"), &[("detector:novelty", Severity::Low)]);
    judged(&host.say("app: hello"), &[]);
    judged(&host.say_at(Level::Err, "app: broken"), &[("detector:level", Severity::Medium)]);
    judged(&host.say_at(Level::Crit, "app: burning"), &[("detector:level", Severity::High)]);
    judged(&host.say_at(Level::Err, "kernel: app crashed"), &[("rule:crash", Severity::Medium)]);
    // A known template at a worse level.
    judged(&host.say_at(Level::Err, "app: hello"), &[("detector:level", Severity::Medium)]);
    judged(&host.say_at(Level::Debug, "app: hello"), &[]);
}

#[test]
fn titles_hold_no_log_text_and_reasons_mark_what_differs() {
    let mut host = Host::with("");
    let found = host.say("app: something never seen");
    let [finding] = &*found else { panic!("{found:?}") };
    assert_eq!(finding.title, "New kind of line from app");
    assert!(finding.reason.contains("[a known template -> something never seen]"), "{}", finding.reason);
    assert!(!finding.remediation.is_empty());
}

#[test]
fn quiet_rules_make_new_kinds_no_news() {
    let quiet = "[[rules]]\nname = \"q\"\nquiet = true\ntitle = \"t\"\nreason = \"r\"\nmatch = { message = 'noise' }\n";
    let mut host = Host::with(quiet);
    judged(&host.say_at(Level::Crit, "app: noise"), &[]);
    judged(&host.say_at(Level::Crit, "app: voice"), &[("detector:level", Severity::High)]);
}

#[test]
fn emerg_lines_are_always_said() {
    let mut host = Host::new(&Config::default(), Vec::new());
    host.phase = Phase::Learn;
    judged(&host.say_at(Level::Emerg, "app: dying"), &[("detector:level", Severity::High)]);
    host.learned();
    host.phase = Phase::Live;
    host.wait(3_600);
    judged(&host.say_at(Level::Emerg, "app: dying"), &[("detector:level", Severity::High)]);
}

#[test]
fn live_kinds_wait_for_the_end_of_learning() {
    let mut host = Host::new(&Config::default(), Vec::new());
    judged(&host.say("app: known after all"), &[]);
    judged(&host.say("app: really new"), &[]);
    judged(&host.say_at(Level::Err, "app: really broken"), &[]);
    host.phase = Phase::Learn;
    judged(&host.say("app: known after all"), &[]);
    judged(&host.say("app: old"), &[]);
    host.phase = Phase::Live;
    // Learning that is cut short by a restart goes on where it was.
    let mut host = host.restarted("");
    let found = host.learned();
    judged(&found, &[("detector:level", Severity::Medium), ("detector:novelty", Severity::Low)]);
    assert_eq!(found.last().and_then(|finding| finding.evidence.first()).map(|line| &*line.line), Some("really new"));
    judged(&host.say("app: new again"), &[("detector:novelty", Severity::Low)]);
    // And stays over.
    let mut host = host.restarted("");
    judged(&host.say("app: newest"), &[("detector:novelty", Severity::Low)]);
}

#[test]
fn a_wave_of_new_kinds_is_folded() {
    let mut host = Host::with("");
    let mut found: Vec<Finding> = Vec::new();
    for letter in 'a'..='z' {
        found.extend(host.say_at(Level::Err, &format!("app: {letter} is new")));
    }
    let alone = found.iter().filter(|finding| finding.kind.is_some()).count();
    assert_eq!(alone, 5);
    host.wait(3_600);
    found.extend(host.settle());
    let folded: u64 = found.iter().filter(|finding| finding.kind.is_none()).map(|finding| finding.count).sum();
    assert_eq!(folded, 21);
    assert!(found.len() < 5 + 7, "{}", found.len());
}

#[test]
fn hostile_keys_are_bounded_and_counted() {
    let mut host = Host::with(BRUTE_FORCE);
    for number in 0..10_100 {
        host.say(&failed(&format!("k{number}")));
    }
    assert!(host.detect.forgotten() >= 5_000);
    let states = host.detect.states();
    let size: usize = states.iter().map(|(_, json)| json.len()).sum();
    assert!(size < 100_000, "{size}");
}

#[test]
fn broken_state_is_dropped_and_said() {
    let mut host = Host::with(BRUTE_FORCE);
    let states: Vec<(Arc<str>, String)> = vec![
        ("detect/rules".into(), "{".into()),
        ("detect/level".into(), "{\"learned\":true}".into()),
        ("detect/novelty".into(), "17".into()),
        ("triage".into(), "not ours".into()),
    ];
    let problems = host.detect.restore(&states);
    assert_eq!(problems.len(), 2, "{problems:?}");
}

#[test]
fn explains_what_every_detector_thinks() {
    let mut host = Host::with(BRUTE_FORCE);
    let says = |host: &Host| host.views.iter().map(|view| (view.detector, view.says.clone())).collect::<Vec<_>>();
    host.say(&failed("192.0.2.1"));
    host.say(&failed("192.0.2.1"));
    let views = says(&host);
    let detectors: Vec<&str> = views.iter().map(|(detector, _)| *detector).collect();
    assert_eq!(detectors.get(..4), Some(&["rules", "change", "level", "novelty"][..]));
    assert_eq!(
        views[0].1,
        "`brute-force` matches; it needs 5 lines of 192.0.2.1 within 10m, has counted 1 now, and would propose high: Failed logins"
    );
    assert!(host.views.iter().all(|view| !view.finds));
    host.say_at(Level::Err, "app: broken");
    assert_eq!(says(&host)[0].1, "none of 1 rules matches");
    assert!(host.views[2].finds, "{:?}", host.views);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_message_of_any_program(message in "\\PC{0,200}|(?s).{0,400}", program in "sshd|kernel|systemd|postgres|\\PC{0,40}", level in 0u8..8) {
        thread_local! {
            static HOST: std::cell::RefCell<Host> = std::cell::RefCell::new(Host::new(&Config::default(), shipped()));
        }
        HOST.with_borrow_mut(|host| {
            let program = program.replace(": ", "");
            let found = host.say_at(Level::from_number(level).unwrap_or_default(), &format!("{program}: {message}"));
            for finding in found {
                assert!(!finding.title.chars().any(char::is_control), "{:?}", finding.title);
                assert!(!finding.remediation.is_empty());
            }
        });
    }
}

#[test]
fn a_million_kinds_are_counted_within_bounds() {
    let mut host = Host::new(&Config::default(), Vec::new());
    host.learned();
    let source = host.detect.source(&"/var/log/syslog".into());
    let mut apart = 0;
    for number in 0..1_000_000u64 {
        let kind = Kind { program: "app".into(), level: Level::Err, template: TemplateId(number) };
        let meters = host.detect.meters(&kind);
        apart += u64::from(meters.kind != MeterId::NONE);
        host.detect.count(&Counted { meters, source, time: host.time, phase: Phase::Live });
    }
    assert!(apart <= 20_000 && host.detect.forgotten() >= 980_000, "{apart}");
}

#[test]
fn components_name_every_detector_in_order() {
    let built: Vec<&str> = [rules::NAME, change::NAME]
        .into_iter()
        .chain(detectors(&Config::default()).iter().map(|detector| detector.name()))
        .collect();
    let listed: Vec<&str> = COMPONENTS.iter().map(|component| component.name).collect();
    assert_eq!(built, listed);
}
