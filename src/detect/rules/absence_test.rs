//! Rules about what did not come and about values in lines, through the panel: who is told, when, and after a restart.

use std::sync::Arc;

use super::{RuleFile, RuleSet};
use crate::detect::Config;
use crate::detect::script::Script;
use crate::model::{Level, Phase, Timestamp};

fn set(rules: &str) -> RuleSet {
    let file: RuleFile = toml::from_str(rules).expect("good rules");
    RuleSet::new(file.rules.into_iter().map(|rule| (Arc::from("own"), rule)).collect()).expect("no problems")
}

fn host(rules: &str) -> Script {
    let mut script = Script::learning();
    script.live = false;
    script.detect.reload(&Config::default(), set(rules));
    script.learned(0);
    script
}

/// What the rules said: second of the beginning, and the reason.
fn said(script: &Script) -> Vec<String> {
    let of_rules = script.found.iter().filter(|finding| finding.judged_by.to_string().starts_with("rule:"));
    of_rules.map(|finding| format!("{} {}", finding.first_seen.as_seconds(), finding.reason)).collect()
}

const JOBS: &str = r#"
[[rules]]
name = "job-unfinished"
category = "availability"
severity = "medium"
title = "A job began and did not end"
reason = "{key}"
remediation = ["look"]
match.program = ["job"]
match.message = '^(?P<key>\w+) started'
expect.message = '^(?P<key>\w+) (?:done|failed)|^all stopped'
within = "10m"
"#;

#[track_caller]
fn check(lines: &[(i64, &str)], expected: &[&str]) {
    let mut script = host(JOBS);
    lines.iter().for_each(|(at, line)| script.line(*at, line));
    assert_eq!(said(&script), expected, "{lines:?}");
    // The same with a restart before each line.
    let mut script = host(JOBS);
    for (at, line) in lines {
        let states = script.detect.states();
        let mut next = host(JOBS);
        assert_eq!(next.detect.restore(&states), Vec::<String>::new());
        next.found = std::mem::take(&mut script.found);
        script = next;
        script.line(*at, line);
    }
    assert_eq!(said(&script), expected, "with restarts: {lines:?}");
}

#[test]
fn what_does_not_end_in_time_is_said() {
    check(&[(0, "job: a started"), (300, "job: a done"), (2_000, "x: y")], &[]);
    check(&[(0, "job: a started"), (600, "x: y")], &[]);
    check(&[(0, "job: a started"), (601, "x: y"), (900, "x: y")], &["0 a"]);
    check(&[(0, "job: a started"), (700, "job: a done")], &["0 a"]);
    check(&[(0, "job: a started"), (5, "job: b started"), (9, "job: b failed"), (700, "x: y")], &["0 a"]);
    check(&[(0, "job: a started"), (5, "job: b started"), (9, "job: all stopped"), (700, "x: y")], &[]);
    check(&[(0, "job: a started"), (500, "job: a started"), (700, "x: y"), (1_200, "x: y")], &["0 a"]);
    check(&[(0, "other: a started"), (700, "x: y")], &[]);
}

#[test]
fn nothing_is_overdue_before_its_own_log_was_read() {
    let mut script = host(JOBS);
    script.say(0, "/var/log/job.log", Level::Info, "job: a started");
    // Another log is ahead.
    script.say(5_000, "/var/log/syslog", Level::Info, "x: y");
    assert_eq!(said(&script), Vec::<String>::new());
    script.say(60, "/var/log/job.log", Level::Info, "job: a done");
    script.say(70, "/var/log/job.log", Level::Info, "job: b started");
    script.say(6_000, "/var/log/syslog", Level::Info, "x: y");
    assert_eq!(said(&script), Vec::<String>::new());
    // Watched live, a log that says nothing more was read all the same.
    let now = Timestamp::from_seconds(6_000);
    script.detect.quiet(&crate::detect::Horizon { now, sources: &[] }, &mut script.found);
    assert_eq!(said(&script), ["70 b"]);
}

#[test]
fn an_end_that_no_longer_comes_is_missed_all_the_same() {
    let mut script = host(JOBS);
    script.live = true;
    for at in 0..1_000 {
        script.line(at, if at < 100 { "job: a done" } else { "other: words" });
    }
    assert_eq!(script.said("silence"), ["medium: A recurring line of job has stopped"]);
}

#[test]
fn what_began_in_old_logs_is_no_alert() {
    let mut script = host(JOBS);
    script.phase = Phase::Learn;
    script.line(0, "job: a started");
    script.phase = Phase::Live;
    script.line(10_000, "x: y");
    let of_rules = script.found.iter().filter(|finding| finding.judged_by.to_string().starts_with("rule:"));
    let learning: Vec<bool> = of_rules.map(|finding| finding.learning).collect();
    assert_eq!(learning, [true]);
}

#[test]
fn values_in_lines_decide() {
    let mut script = host(
        r#"
[[rules]]
name = "server-errors"
category = "availability"
severity = "medium"
title = "Requests fail"
reason = "{count} times, the last with {status} for {path}"
remediation = ["look"]
match.message = '^request (?P<path>\S+)'
match.fields.status = ">=500"
match.fields.method = ["GET", "POST"]
count = 3
within = "5m"
"#,
    );
    for at in 0..20 {
        script.line(at, &format!("app: request /a method=GET status={}", 200 + at));
    }
    script.line(20, "app: request /a method=PUT status=500");
    script.line(21, "app: request /a method=GET status=502");
    script.line(22, "app: request /a method=GET status=503");
    assert_eq!(said(&script), Vec::<String>::new());
    script.line(23, "app: request /b method=GET status=504");
    assert_eq!(said(&script), ["21 3 times, the last with 504 for /b"]);
}
