//! The life of incidents on a scripted clock: seconds since the epoch, no sleep.

use std::sync::Arc;

use super::*;
use crate::model::{
    About, Answer, Category, Change, Evidence, Finding, IncidentState, JudgedBy, Kind, KindId, Level, Pinned, Severity,
    TemplateId, Timestamp, Verdict, VerdictRow, Word,
};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn kind(template: &str) -> KindId {
    Kind { program: "app".into(), level: Level::Info, template: TemplateId::of(template) }.id()
}

/// `who` is `rule:NAME`, `detector:NAME` or `model:NAME`; `template` may be empty.
pub(super) fn finding(who: &str, template: &str, proposed: Severity, second: i64) -> Finding {
    let judged_by = JudgedBy::try_from(who.to_owned()).expect("a good name");
    let about = (!template.is_empty()).then(|| TemplateId::of(template));
    Finding {
        verdict: matches!(judged_by, JudgedBy::Model(_)).then_some(Verdict::Anomalous),
        judged_by,
        category: Category::Application,
        proposed,
        confidence: 0.9,
        title: format!("title of {who}"),
        reason: format!("reason of {who}"),
        remediation: vec![format!("step of {who}")],
        host: "h1".into(),
        program: "app".into(),
        unit: None,
        level: Level::Info,
        kind: about.map(|_| kind(template)),
        template: about,
        template_text: template.to_owned(),
        group: String::new(),
        count: 1,
        first_seen: at(second),
        last_seen: at(second),
        evidence: vec![Evidence {
            time: at(second),
            host: "h1".into(),
            program: "app".into(),
            level: Level::Info,
            origin: "app.log".into(),
            offset: u64::try_from(second).unwrap_or(0),
            line: template.to_owned(),
        }],
        learning: false,
    }
}

fn triage() -> Triage {
    Triage::new(&Config::default(), 0.6)
}

fn with_rules(rules: &str) -> Triage {
    Triage::new(&toml::from_str(&format!("severity_rules = [{rules}]")).expect("good rules"), 0.6)
}

/// Takes the findings at their own time and returns the last change.
#[track_caller]
fn check_severity(rules: &str, finding: Finding, expected: Severity) {
    let outcome = with_rules(rules).take(finding, at(0));
    assert_eq!(outcome.incident.severity, expected, "{rules}");
}

/// What a model says of the lines of a template.
fn normal(template: &str, confidence: f32) -> VerdictRow {
    VerdictRow {
        kind: kind(template),
        verdict: Verdict::Normal,
        severity: Severity::Low,
        category: Category::Other,
        confidence,
        reason: "an ordinary retry".to_owned(),
        remediation: Vec::new(),
        model: "m".to_owned(),
        prompt_version: 1,
        judged_at: at(0),
        not_before: None,
    }
}

/// A claim at `level`, and a verdict before or after it: how bad is the incident then?
#[track_caller]
fn check_settled(rules: &str, who: &str, level: Level, verdict: &VerdictRow, expected: Severity) {
    let claim = Finding { level, ..finding(who, "t", Severity::High, 0) };
    let before = with_rules(rules).take_judged(claim.clone(), Some(verdict), at(0)).incident;
    let mut triage = with_rules(rules);
    let told = triage.take(claim, at(0)).incident;
    let settled = triage.settle(verdict);
    let after = settled.first().unwrap_or(&told);
    assert_eq!((before.severity, after.severity), (expected, expected), "{who} {level}");
    assert_eq!(before.reason.contains("model:m: takes it for normal"), expected == Severity::Low, "{}", before.reason);
    assert_eq!(before.reason, after.reason);
    let lines = triage.lines(&"h1".into(), kind("t"), 500, at(9), None, at(9)).map(|outcome| outcome.incident.severity);
    assert!(lines.is_none_or(|severity| severity == expected), "{lines:?}");
}

#[test]
fn a_confident_normal_settles_words_and_no_facts() {
    use Severity::{High, Low};
    let sure = normal("t", 0.9);
    for word in SETTLEABLE {
        check_settled("", &format!("detector:{word}"), Level::Err, &sure, Low);
    }
    check_settled("", "detector:level", Level::Alert, &sure, Low);
    check_settled("", "detector:level", Level::Emerg, &sure, High);
    for fact in ["rule:oom", "detector:rate", "detector:silence", "detector:scan", "detector:injection", "model:other"]
    {
        check_settled("", fact, Level::Err, &sure, High);
    }
    check_settled("", "detector:level", Level::Err, &normal("t", 0.59), High);
    check_settled("", "detector:level", Level::Err, &normal("other", 0.9), High);
    for verdict in [Verdict::Watch, Verdict::Undecided, Verdict::Anomalous] {
        check_settled("", "detector:level", Level::Err, &VerdictRow { verdict, ..sure.clone() }, High);
    }
    check_settled("{ match = { level = 'err' }, severity = 'high' }", "detector:level", Level::Err, &sure, High);
}

#[test]
fn what_is_settled_stays_so_and_a_fact_raises_it_again() {
    let mut triage = triage();
    let claim = |who: &str, second| Finding { level: Level::Err, ..finding(who, "t", Severity::High, second) };
    triage.take(claim("detector:level", 0), at(0));
    let settled = triage.settle(&normal("t", 0.9)).remove(0);
    assert_eq!((settled.severity, settled.state), (Severity::Low, IncidentState::New));
    assert_eq!(triage.settle(&normal("t", 0.9)), [], "said once");
    let mut again = Triage::new(&Config::default(), 0.6);
    again.restore(vec![settled]);
    again.restore_state(&triage.save().expect("it changed")).expect("what was written");
    for triage in [&mut triage, &mut again] {
        let outcome = triage.take(claim("detector:rare", 60), at(60));
        assert_eq!((outcome.incident.severity, outcome.change), (Severity::Low, Change::Joined));
        let outcome = triage.take(claim("detector:rate", 61), at(61));
        assert_eq!((outcome.incident.severity, outcome.change), (Severity::High, Change::Escalated));
    }
}

/// What `logwren mute` makes of what is known, for 100 seconds.
fn muting(triage: &Triage, about: About, kinds: &[KindId]) -> Answer {
    let known = triage.known(about, kinds, Some("h1"));
    Answer {
        id: Answer::name(about, Some("h1")),
        word: Word::Mute,
        about,
        host: Some("h1".into()),
        title: known.title,
        kinds: known.kinds,
        templates: vec![Pinned { id: TemplateId::of("u"), text: "u".to_owned() }],
        claims: known.claims,
        groups: known.groups,
        severity: known.severity.unwrap_or(Severity::Medium),
        rate: known.rate,
        ceiling: 10,
        since: at(0),
        until: Some(at(100)),
        reason: String::new(),
        by: "tester".to_owned(),
    }
}

#[test]
fn shipped_severity() {
    use Severity::{Critical, High, Low, Medium};
    let novel = |level| Finding { level, ..finding("detector:novelty", "t", Low, 0) };
    let said = |confidence, severity| Finding { confidence, ..finding("model:m", "t", severity, 0) };
    check_severity("", finding("rule:oom", "t", Critical, 0), Critical);
    check_severity("", novel(Level::Info), Low);
    check_severity("", novel(Level::Err), Medium);
    check_severity("", novel(Level::Crit), High);
    check_severity("", novel(Level::Emerg), High);
    check_severity("", said(0.6, Medium), Medium);
    check_severity("", said(0.6, Critical), High);
    check_severity("", said(0.59, Critical), Low);
    check_severity("", Finding { verdict: Some(Verdict::Watch), ..said(0.9, High) }, Low);
    check_severity("", finding("detector:rate", "t", Critical, 0), High);
    check_severity("", finding("detector:self", "", Critical, 0), Critical);
}

#[test]
fn the_operators_rules_come_first() {
    use Severity::{Critical, High, Low, Medium};
    let err = Finding { level: Level::Err, ..finding("rule:oom", "disk <NUM> full", Medium, 0) };
    let check = |rules: &str, expected| check_severity(rules, err.clone(), expected);
    check("{ match = { category = 'application' }, severity = 'critical' }", Critical);
    check("{ match = { category = ['security', 'storage'] }, severity = 'critical' }", Medium);
    check("{ match = { level = 'warning' }, severity = 'high' }", High);
    check("{ match = { level = 'crit' }, severity = 'high' }", Medium);
    check("{ match = { program = 'app', host = 'h1' }, severity = 'high' }", High);
    check("{ match = { program = 'app', host = 'h2' }, severity = 'high' }", Medium);
    check("{ match = { template = 'disk .* full' }, severity = 'high' }", High);
    check("{ match = { detector = 'rule:oom' }, severity = 'high' }", High);
    check("{ match = { detector = 'oom' }, severity = 'high' }", High);
    check("{ match = { detector = ['model', 'detector'] }, severity = 'high' }", Medium);
    check("{ match = { verdict = 'anomalous' }, severity = 'high' }", Medium);
    check("{ match = { confidence_at_least = 0.9 }, severity = 'high' }", High);
    check("{ match = { confidence_at_least = 0.95 }, severity = 'high' }", Medium);
    check("{ severity = 'low' }, { severity = 'critical' }", Low);
    check("{ match = { program = 'x' }, severity = 'low' }, { severity = 'critical' }", Critical);
}

#[test]
fn counts_over_a_window() {
    let mut triage = with_rules("{ match = { count_over = 5, within = '1m' }, severity = 'critical' }");
    for second in 0..5 {
        let outcome = triage.take(finding("rule:r", "t", Severity::Low, second * 30), at(second * 30));
        assert_eq!(outcome.incident.severity, Severity::Low, "two or three a minute");
    }
    for second in 130..133 {
        triage.take(finding("rule:r", "t", Severity::Low, second), at(second));
    }
    let outcome = triage.take(finding("rule:r", "t", Severity::Low, 133), at(133));
    assert_eq!((outcome.incident.severity, outcome.change), (Severity::Critical, Change::Escalated));
    let mut triage = with_rules("{ match = { count_over = 5, within = '1m' }, severity = 'critical' }");
    triage.take(finding("detector:novelty", "t", Severity::Low, 0), at(0));
    let outcome = triage.lines(&"h1".into(), kind("t"), 9, at(1), None, at(1)).expect("an open incident");
    assert_eq!((outcome.incident.severity, outcome.incident.count), (Severity::Critical, 9));
}

#[test]
fn one_fault_is_one_incident() {
    for order in [
        ["rule:oom", "detector:novelty", "model:gemini"],
        ["detector:novelty", "model:gemini", "rule:oom"],
        ["model:gemini", "rule:oom", "detector:novelty"],
    ] {
        let mut triage = triage();
        let outcomes: Vec<Outcome> =
            order.iter().map(|who| triage.take(finding(who, "t", Severity::Medium, 0), at(0))).collect();
        let last = &outcomes[2].incident;
        assert_eq!(outcomes[0].change, Change::New);
        assert!(outcomes.iter().all(|outcome| outcome.incident.id == last.id), "{order:?}");
        assert_eq!(last.count, 1, "one line");
        assert_eq!(last.evidence.len(), 1);
        assert_eq!(last.judged_by.to_string(), "rule:oom");
        assert_eq!(last.title, "title of rule:oom");
        let mut lines: Vec<&str> = last.reason.split('\n').collect();
        assert_eq!(lines.remove(0), "reason of rule:oom");
        lines.sort_unstable();
        assert_eq!(lines, ["detector:novelty: reason of detector:novelty", "model:gemini: reason of model:gemini"]);
        assert_eq!(last.remediation.len(), 3);
        let again = triage.take(finding("rule:oom", "t", Severity::Medium, 1), at(1));
        assert_eq!((again.incident.id, again.change, again.incident.count), (last.id, Change::Joined, 2));
        assert_eq!(again.incident.reason.split('\n').count(), 3);
    }
}

#[test]
fn two_faults_are_two_incidents() {
    let mut triage = triage();
    let from =
        |address: &str, second| Finding { group: address.into(), ..finding("rule:brute", "t", Severity::High, second) };
    let first = triage.take(from("10.0.0.1", 0), at(0));
    let second = triage.take(from("10.0.0.2", 1), at(1));
    assert_eq!((first.change, second.change), (Change::New, Change::New));
    assert_ne!(first.incident.id, second.incident.id);
    assert_eq!(triage.take(from("10.0.0.1", 2), at(2)).incident.id, first.incident.id);
    assert_eq!(triage.take(finding("detector:novelty", "t", Severity::Low, 2), at(2)).change, Change::Joined);
    assert!(triage.lines(&"h1".into(), kind("t"), 5, at(3), None, at(3)).is_none(), "whose lines, nobody knows");
    let elsewhere = Finding { host: "h2".into(), ..finding("detector:novelty", "t", Severity::Low, 3) };
    assert_eq!(triage.take(elsewhere, at(3)).change, Change::New);
    assert_eq!(triage.take(finding("detector:novelty", "other", Severity::Low, 3), at(3)).change, Change::New);
}

#[test]
fn a_life() {
    let mut triage = triage();
    let take = |triage: &mut Triage, severity, second| {
        let outcome = triage.take(finding("rule:r", "t", severity, second), at(second));
        (outcome.change, outcome.incident.state, outcome.incident.severity)
    };
    use Severity::{High, Low, Medium};
    assert_eq!(take(&mut triage, Medium, 0), (Change::New, IncidentState::New, Medium));
    assert_eq!(take(&mut triage, Medium, 10), (Change::Joined, IncidentState::Ongoing, Medium));
    assert_eq!(take(&mut triage, Low, 20), (Change::Joined, IncidentState::Ongoing, Medium), "severity never falls");
    assert_eq!(take(&mut triage, High, 30), (Change::Escalated, IncidentState::Escalating, High));
    assert_eq!(take(&mut triage, High, 40), (Change::Joined, IncidentState::Ongoing, High));
    assert_eq!(triage.next_deadline(), Some(at(3_640)));
    assert!(triage.tick(at(3_639)).is_empty());
    let quiet = triage.tick(at(3_640));
    assert_eq!(quiet.iter().map(|incident| incident.state).collect::<Vec<_>>(), [IncidentState::Quiet]);
    assert!(triage.tick(at(3_641)).is_empty(), "said once");
    assert_eq!(take(&mut triage, Low, 4_000), (Change::Regressed, IncidentState::Regressed, High));
    triage.tick(at(10_000));
    assert_eq!(triage.next_deadline(), Some(at(4_000 + 3_600 + 7 * 86_400)));
    assert!(triage.tick(at(4_000 + 3_600 + 7 * 86_400)).is_empty());
    assert_eq!(take(&mut triage, Low, 700_000).0, Change::New, "forgotten");
}

#[test]
fn ten_times_the_lines_escalate() {
    let mut triage = triage();
    triage.take(Finding { count: 5, ..finding("rule:r", "t", Severity::Medium, 0) }, at(0));
    let more = |triage: &mut Triage, count| {
        triage.take(Finding { count, ..finding("rule:r", "t", Severity::Medium, 1) }, at(1)).change
    };
    assert_eq!(more(&mut triage, 44), Change::Joined);
    assert_eq!(more(&mut triage, 1), Change::Escalated);
    assert_eq!(more(&mut triage, 449), Change::Joined);
    assert_eq!(more(&mut triage, 1), Change::Escalated);
}

#[test]
fn what_was_already_there_is_one_notice() {
    let mut triage = triage();
    assert_eq!(triage.already_there(at(0)), None);
    for second in 0..30 {
        let learning = Finding { learning: true, ..finding("rule:oom", "t", Severity::High, second) };
        assert_eq!(triage.take(learning, at(100)).change, Change::AlreadyThere);
    }
    for second in 30..36 {
        let group = second.to_string();
        triage.take(Finding { learning: true, group, ..finding("rule:brute", "t", Severity::Medium, second) }, at(100));
    }
    triage.take(Finding { learning: true, ..finding("rule:chat", "t", Severity::Low, 99) }, at(100));
    let notice = triage.already_there(at(101)).expect("one notice");
    assert_eq!(notice.title, "37 findings were already in the logs");
    assert_eq!((notice.count, notice.severity, notice.evidence.len()), (7, Severity::Low, 5));
    assert!(notice.reason.starts_with("would have alerted 7 times: title of rule:oom (30), "), "{}", notice.reason);
    assert_eq!(triage.get(notice.id), Some(&notice));
    assert_eq!(triage.already_there(at(102)), None, "once");
    assert_eq!(triage.take(finding("rule:oom", "t", Severity::High, 200), at(200)).change, Change::New);
}

#[test]
fn goes_on_after_a_restart() {
    let mut before = triage();
    let novel = before.take(finding("detector:novelty", "t", Severity::Low, 0), at(0)).incident;
    before.take(finding("rule:oom", "t", Severity::High, 1), at(1));
    let grouped = Finding { group: "a".into(), ..finding("rule:brute", "u", Severity::High, 1) };
    let grouped_id = before.take(grouped.clone(), at(1)).incident.id;
    let answer = muting(&before, About::Incident(grouped_id), &[]);
    before.answer(answer.clone());
    let incidents = vec![before.get(novel.id).expect("open").clone(), before.get(grouped_id).expect("open").clone()];
    let state = before.save().expect("changed");
    assert_eq!(before.save(), None, "unchanged");

    let mut after = triage();
    after.restore(incidents);
    after.restore_state(&state).expect("our own state");
    after.restore_answers(vec![answer], |_| Some("u".to_owned()), at(4));
    let again = after.take(finding("rule:oom", "", Severity::High, 5), at(5));
    assert_eq!((again.incident.id, again.change, again.incident.count), (novel.id, Change::Joined, 2));
    assert_eq!(after.take(grouped.clone(), at(6)).change, Change::Muted);
    let other = Finding { group: "b".into(), ..grouped };
    assert_eq!(after.take(other, at(7)).change, Change::New);
    assert!(after.restore_state("{").is_err());
}

#[test]
fn memory_is_bounded() {
    let mut triage = triage();
    for number in 0..5_000 {
        let group = number.to_string();
        let severity = if number == 0 { Severity::Critical } else { Severity::Low };
        triage.take(Finding { group, ..finding("rule:r", &format!("t{number}"), severity, number) }, at(number));
    }
    let first = Finding { group: "0".into(), ..finding("rule:r", "t0", Severity::Critical, 0) };
    assert_eq!(triage.take(first, at(5_000)).change, Change::Joined, "the worst is kept");
    let next = Finding { group: "1".into(), ..finding("rule:r", "t1", Severity::Low, 0) };
    assert_eq!(triage.take(next, at(5_000)).change, Change::New, "the oldest low one went");
    let evidence = (0..20).fold(0, |_, second| {
        triage.take(finding("rule:x", "x", Severity::Low, second), at(6_000)).incident.evidence.len()
    });
    assert_eq!(evidence, Finding::MAX_EVIDENCE);
}

#[test]
fn says_why_no_model_judged() {
    let mut triage = triage();
    let id = triage.take(finding("detector:novelty", "t", Severity::Low, 0), at(0)).incident.id;
    assert_eq!(triage.not_judged(id, "no key").map(|incident| incident.not_judged.as_str()), Some("no key"));
    let judged = triage.take(finding("model:m", "t", Severity::High, 1), at(1));
    assert_eq!((judged.incident.not_judged.as_str(), judged.change), ("", Change::Escalated));
    let own: Arc<str> = SELF_DETECTOR.into();
    let about = Finding { judged_by: JudgedBy::Detector(own), ..finding("rule:x", "", Severity::High, 2) };
    assert!(triage.take(about, at(2)).incident.about_self);
}

/// A medium incident of rule `r` about template `u` and group `a` is muted at second 1; what `then` does to it is told
/// (`true`) or not, and this is why.
#[track_caller]
fn check_mute(by_kind: bool, then: Finding, second: i64, told: bool, why: &str) {
    let mut triage = triage();
    let first = Finding { group: "a".into(), ..finding("rule:r", "u", Severity::Medium, 0) };
    let id = triage.take(first, at(0)).incident.id;
    let about = if by_kind { About::Kind(kind("u")) } else { About::Incident(id) };
    let answer = muting(&triage, about, &[kind("u")]);
    assert_eq!(triage.answer(answer).first().map(|incident| incident.state), Some(IncidentState::Muted));
    let outcome = triage.take(then, at(second));
    assert_eq!(outcome.change != Change::Muted, told, "{outcome:?}");
    let over: Vec<String> = triage.take_over().into_iter().map(|over| over.why).collect();
    assert!(over.iter().any(|one| one.contains(why)) != why.is_empty(), "{over:?}");
}

#[test]
fn a_mute_hides_what_was_known_and_nothing_else() {
    let same =
        |who: &str, template: &str, severity| Finding { group: "a".into(), ..finding(who, template, severity, 2) };
    for by_kind in [false, true] {
        check_mute(by_kind, same("rule:r", "u", Severity::Medium), 2, false, "");
        check_mute(by_kind, finding("detector:rate", "u", Severity::Medium, 2), 2, false, "");
        check_mute(by_kind, same("rule:r", "u", Severity::High), 2, true, "severity rose from medium to high");
        check_mute(
            by_kind,
            Finding { count: 11, ..same("rule:r", "u", Severity::Low) },
            2,
            true,
            "11 lines in an hour",
        );
        check_mute(by_kind, Finding { count: 9, ..same("rule:r", "u", Severity::Low) }, 2, false, "");
        check_mute(by_kind, Finding { host: "h2".into(), ..same("rule:r", "u", Severity::Low) }, 2, true, "");
        check_mute(by_kind, Finding { group: "b".into(), ..same("rule:r", "u", Severity::Low) }, 2, true, "");
        check_mute(by_kind, finding("rule:r", "v", Severity::Low, 2), 2, true, "");
    }
    check_mute(false, same("rule:r", "v", Severity::Low), 2, true, "another kind of line");
    check_mute(false, same("rule:q", "u", Severity::Low), 2, true, "another rule");
    check_mute(true, same("rule:q", "u", Severity::Low), 2, true, "");
    check_mute(false, same("rule:r", "u", Severity::Medium), 100, true, "");
}

#[test]
fn a_mute_ends_by_itself() {
    let mut triage = triage();
    let id = triage.take(finding("rule:r", "u", Severity::Medium, 0), at(0)).incident.id;
    let answer = muting(&triage, About::Incident(id), &[]);
    triage.answer(answer.clone());
    assert_eq!(triage.next_deadline(), Some(at(100)));
    assert_eq!(triage.tick(at(100)).first().map(|incident| incident.state), Some(IncidentState::Ongoing));
    assert_eq!(triage.take_over().len(), 1);
    assert_eq!(triage.take(finding("rule:r", "u", Severity::Medium, 101), at(101)).change, Change::Joined);

    triage.answer(answer.clone());
    let open = triage.template_changed(TemplateId::of("u"), CHANGED, at(50));
    let [incident] = open.as_slice() else { panic!("one incident, not {open:?}") };
    assert_eq!(incident.state, IncidentState::Escalating);
    assert!(incident.reason.ends_with(CHANGED), "{}", incident.reason);

    triage.answer(answer);
    assert_eq!(triage.unmute(About::Incident(id), None, at(51)).0.len(), 1);
    assert!(!triage.unmute(About::Incident(id), None, at(51)).1, "nothing left");
}

#[test]
fn lines_alone_pass_the_ceiling() {
    let mut triage = triage();
    let id = triage.take(finding("detector:novelty", "u", Severity::Medium, 0), at(0)).incident.id;
    let answer = muting(&triage, About::Incident(id), &[]);
    triage.answer(answer);
    let mut lines = |count, second| {
        triage.lines(&"h1".into(), kind("u"), count, at(second), None, at(2)).map(|outcome| outcome.change)
    };
    assert_eq!(lines(8, 2), Some(Change::Muted));
    assert_eq!(lines(8, 4_000), Some(Change::Muted), "another hour");
    assert_eq!(lines(8, 4_001), Some(Change::Escalated));
    assert_eq!(lines(8, 4_002), Some(Change::Joined), "once");
}

#[test]
fn what_names_no_kind_of_line_is_muted_until_it_is_over() {
    let mut triage = triage();
    let about = |second| finding("detector:silence", "", Severity::Medium, second);
    let id = triage.take(about(0), at(0)).incident.id;
    let answer = Answer { until: None, templates: Vec::new(), ..muting(&triage, About::Incident(id), &[]) };
    triage.answer(answer);
    assert_eq!(triage.take(about(1_000), at(1_000)).change, Change::Muted);
    assert!(triage.tick(at(4_599)).is_empty());
    assert_eq!(triage.tick(at(4_600)).first().map(|incident| incident.state), Some(IncidentState::Quiet));
    assert_eq!(triage.take_over().len(), 1);
    assert_eq!(triage.take(about(5_000), at(5_000)).change, Change::Regressed);
}

#[test]
fn a_muted_incident_without_its_answer_is_open() {
    let mut before = triage();
    let id = before.take(finding("rule:r", "u", Severity::Medium, 0), at(0)).incident.id;
    let answer = muting(&before, About::Incident(id), &[]);
    let muted = before.answer(answer.clone());
    for (text, told) in [("u", false), ("u <*>", true)] {
        let mut after = triage();
        after.restore(muted.clone());
        after.restore_answers(vec![answer.clone()], |_| Some(text.to_owned()), at(1));
        let change = after.take(finding("rule:r", "u", Severity::Medium, 2), at(2)).change;
        assert_eq!(change != Change::Muted, told, "{text}");
    }
    let mut after = triage();
    after.restore(muted);
    after.restore_answers(Vec::new(), |_| None, at(1));
    assert_eq!(after.take(finding("rule:r", "u", Severity::Medium, 2), at(2)).change, Change::Joined);
}
