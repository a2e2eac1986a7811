//! Scans, sessions, values and windows on scripted lines: found when odd, silent when not, the same after a restart.

use std::collections::HashMap;
use std::sync::Arc;

use super::tests::no_rules;
use super::*;
use crate::model::{Finding, Kind, KindId, Level, Phase, Severity, TemplateId, Timestamp};

const START: i64 = 1_700_000_100;

/// One host; templates are given with their lines.
struct Bed {
    detect: Detect,
    kinds: HashMap<KindId, (Interest, Meters)>,
    at: i64,
    offset: u64,
}

impl Bed {
    /// Learning is over.
    fn new() -> Bed {
        let mut detect = Detect::new(&Config::default(), no_rules());
        detect.learned(Timestamp::from_seconds(START), &mut Vec::new());
        Bed { detect, kinds: HashMap::new(), at: START, offset: 0 }
    }

    /// What `detector` says of a line.
    fn say(&mut self, detector: &str, level: Level, template: &str, message: &str) -> Vec<Finding> {
        let (program, template) = template.split_once(": ").expect("PROGRAM: TEMPLATE");
        let kind = Kind { program: program.into(), level, template: TemplateId::of(template) };
        let (time, known) = (Timestamp::from_seconds(self.at), self.kinds.get(&kind.id()).copied());
        let (host, origin): (Arc<str>, Arc<str>) = ("h".into(), "log".into());
        self.offset += 1;
        let seen = Seen {
            kind: &kind,
            kind_id: kind.id(),
            template_text: template,
            message,
            words: &Words::default(),
            unit: None,
            pid: None,
            host: &host,
            time,
            origin: &origin,
            offset: self.offset,
            phase: Phase::Live,
            new_template: known.is_none(),
            new_kind: known.is_none(),
            known_level: None,
            count: 1,
            nearest: None,
        };
        let mut out = Vec::new();
        let (interest, meters) = match known {
            None => (self.detect.begin(&seen, &mut out), self.detect.meters(&kind)),
            Some((interest, meters)) => (self.detect.line(interest, &seen, &mut out), meters),
        };
        let source = self.detect.source(&origin);
        self.detect.count(&Counted { meters, source, time, phase: Phase::Live });
        self.kinds.insert(kind.id(), (interest, meters));
        of(detector, out)
    }

    fn settle(&mut self, detector: &str, at: i64) -> Vec<Finding> {
        let mut out = Vec::new();
        self.detect.settle(Timestamp::from_seconds(at), &mut out);
        of(detector, out)
    }

    fn restarted(mut self) -> Bed {
        let states = self.detect.states();
        let mut bed = Bed { at: self.at, offset: self.offset, ..Bed::new() };
        assert_eq!(bed.detect.restore(&states), Vec::<String>::new());
        bed
    }
}

fn of(detector: &str, found: Vec<Finding>) -> Vec<Finding> {
    found.into_iter().filter(|finding| finding.judged_by.to_string() == format!("detector:{detector}")).collect()
}

/// Severity and reason.
#[track_caller]
fn check(found: &[Finding], severity: Severity, words: &str) {
    let [finding] = found else { panic!("{found:?}") };
    assert_eq!(finding.proposed, severity);
    assert!(finding.reason.contains(words), "{}", finding.reason);
    assert!(!finding.remediation.is_empty());
}

const REFUSED: &str = "web: GET <PATH> <NUM> client <IP>";

#[test]
fn a_scan_is_many_different_refusals_of_one_client() {
    let mut bed = Bed::new();
    let ask = |bed: &mut Bed, path: &str, client: &str| {
        bed.say("scan", Level::Warning, REFUSED, &format!("GET /{path} 404 client {client}"))
    };
    for letter in 'a'..='s' {
        assert_eq!(ask(&mut bed, &letter.to_string(), "192.0.2.1"), []);
        // The same again, or counted up, is no variety.
        assert_eq!(ask(&mut bed, "favicon", "192.0.2.2"), []);
        assert_eq!(ask(&mut bed, &format!("page{}", letter as u32), "192.0.2.3"), []);
    }
    check(&ask(&mut bed, "t", "192.0.2.1"), Severity::Medium, "192.0.2.1: 20 refused lines, at least 20 different");
    assert_eq!(bed.detect.take_marks().len(), 20);
    assert_eq!(bed.say("scan", Level::Info, REFUSED, "GET /x 200 client 192.0.2.1"), []);
    assert_eq!(bed.detect.take_marks().len(), 1, "what the scanner gets is part of the scan");
    let mut bed = bed.restarted();
    assert_eq!(ask(&mut bed, "u", "192.0.2.1"), [], "told already");
    assert_eq!(bed.detect.take_marks().len(), 1);
    bed.at += 3_600;
    bed.settle("scan", START + 3_600);
    assert_eq!(bed.say("scan", Level::Info, REFUSED, "GET /x 200 client 192.0.2.1"), []);
    assert_eq!(bed.detect.take_marks(), [], "it is over");
}

/// A session of three steps; `steps` of them are taken.
fn session(bed: &mut Bed, number: u64, steps: usize) {
    for step in ["begin", "work", "end"].iter().take(steps) {
        let message = format!("{step} job_{}", 100_000 + number);
        assert_eq!(bed.say("sessions", Level::Info, &format!("app: {step} job_<NUM>"), &message), []);
        bed.at += 1;
    }
}

#[test]
fn a_session_that_stops_half_way() {
    let mut bed = Bed::new();
    for number in 0..150 {
        session(&mut bed, number, 3);
        let at = bed.at;
        assert_eq!(bed.settle("sessions", at), []);
    }
    bed.at += 3_600;
    let at = bed.at;
    assert_eq!(bed.settle("sessions", at), []);
    let mut bed = bed.restarted();
    session(&mut bed, 777, 1);
    let at = bed.at;
    assert_eq!(bed.settle("sessions", at + 30), [], "it may go on");
    check(&bed.settle("sessions", at + 700), Severity::Medium, "job_100777 has 0 of `");
    assert!(!bed.detect.take_marks().is_empty());
}

#[test]
fn sessions_under_way_survive_a_restart() {
    let mut bed = Bed::new();
    for number in 0..150 {
        session(&mut bed, number, 3);
    }
    bed.at += 3_600;
    let at = bed.at;
    assert_eq!(bed.settle("sessions", at), []);
    session(&mut bed, 777, 1);
    session(&mut bed, 888, 1);
    let mut bed = bed.restarted();
    for step in ["work", "end"] {
        let message = format!("{step} job_{}", 100_777);
        assert_eq!(bed.say("sessions", Level::Info, &format!("app: {step} job_<NUM>"), &message), []);
    }
    let at = bed.at;
    assert_eq!(bed.settle("sessions", at + 700), [], "its log may be read after others");
    check(&bed.settle("sessions", at + 700 + 3_600), Severity::Medium, "job_100888 has 0 of `");
    assert_eq!(bed.settle("sessions", at + 20_000), [], "the other one went on");
}

#[test]
fn words_that_name_no_session_are_given_up() {
    let mut bed = Bed::new();
    for number in 0..30_000 {
        session(&mut bed, number, 1);
        let at = bed.at;
        assert_eq!(bed.settle("sessions", at), []);
    }
    let mut out = Vec::new();
    bed.detect.settle(Timestamp::from_micros(i64::MAX), &mut out);
    assert_eq!(of("sessions", out), []);
}

const SUDO: &str = "sudo: <*> : COMMAND=<PATH>";

#[test]
fn a_new_value_where_few_are_used() {
    let mut bed = Bed::new();
    let run = |bed: &mut Bed, user: &str| {
        bed.at += 1;
        bed.say("new-value", Level::Info, SUDO, &format!("{user} : COMMAND=/bin/ls"))
    };
    for round in 0..300 {
        assert_eq!(run(&mut bed, if round % 3 == 0 { "alice" } else { "bob" }), []);
    }
    check(&run(&mut bed, "mallory"), Severity::Medium, "mallory behind `` is new");
    assert_eq!(run(&mut bed, "mallory"), [], "said once");
    let mut bed = bed.restarted();
    assert_eq!(run(&mut bed, "alice"), []);
    check(&run(&mut bed, "eve"), Severity::Medium, "eve behind");
    // A place that goes on finding values has many.
    for user in ["u1", "u2", "u3", "u4", "u5", "u6"] {
        run(&mut bed, user);
    }
    assert_eq!(run(&mut bed, "u7"), []);
}

#[test]
fn half_an_age_of_learning_survives_a_restart() {
    let mut bed = Bed::new();
    let run = |bed: &mut Bed, user: &str| {
        bed.at += 1;
        bed.say("new-value", Level::Info, SUDO, &format!("{user} : COMMAND=/bin/ls"))
    };
    for _ in 0..5 {
        for _ in 0..50 {
            assert_eq!(run(&mut bed, "alice"), []);
        }
        bed = bed.restarted();
    }
    check(&run(&mut bed, "mallory"), Severity::Medium, "mallory behind");
}

#[test]
fn a_number_far_beyond_the_others() {
    let mut bed = Bed::new();
    let took = |bed: &mut Bed, time: &str| {
        bed.at += 1;
        bed.say("outlier", Level::Info, "db: query took <DUR>", &format!("query took {time}"))
    };
    for round in 0..400 {
        assert_eq!(took(&mut bed, &format!("{}ms", 1_000 + round * 389 % 900)), []);
    }
    assert_eq!(took(&mut bed, "3s"), []);
    check(&took(&mut bed, "600s"), Severity::Low, "600 behind `query took`");
    let mut bed = bed.restarted();
    let mut found: Vec<Finding> = Vec::new();
    (0..6).for_each(|_| found.extend(took(&mut bed, "700s")));
    assert!(found.iter().any(|finding| finding.proposed == Severity::Medium), "{found:?}");
}

#[test]
fn a_busy_kind_is_sampled_and_it_says_so() {
    let mut bed = Bed::new();
    for _ in 0..300 {
        bed.at += 1;
        for _ in 0..20 {
            bed.say("new-value", Level::Info, SUDO, "alice : COMMAND=/bin/ls");
        }
    }
    bed.at += 1;
    check(
        &bed.say("new-value", Level::Info, SUDO, "eve : COMMAND=/bin/ls"),
        Severity::Medium,
        "10 lines of a kind a second",
    );
}

#[test]
fn five_minutes_unlike_the_others() {
    let mut bed = Bed::new();
    let mut found = Vec::new();
    for minute in 0..5 * 200 {
        bed.at = START + minute * 60;
        let at = bed.at;
        found.extend(bed.settle("windows", at));
        let odd = minute / 5 == 180;
        for line in 0..if odd { 400 } else { 20 + minute % 7 } {
            let template = format!("app: step <NUM> of {}", if odd { line % 40 } else { line % 5 });
            bed.say("windows", if odd { Level::Err } else { Level::Info }, &template, "step 1 of it");
        }
    }
    check(&found, Severity::Low, "mostly for: ");
    assert_eq!(found.first().map(|finding| finding.first_seen.as_seconds().rem_euclid(300)), Some(0));
}
