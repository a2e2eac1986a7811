//! Routes, waits and retries on a scripted clock: seconds since the epoch, no sleep.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::model::{
    Alert, Category, Change, Delivery, DeliveryOutcome, Fact, Fingerprint, Incident, IncidentState, JudgedBy, Severity,
    Timestamp,
};

const HOUR: i64 = 3_600;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn incident(id: u64, severity: Severity) -> Incident {
    Incident {
        id: Fingerprint(id),
        state: IncidentState::New,
        severity,
        category: Category::Security,
        confidence: 1.0,
        host: "h1".into(),
        program: "sshd".into(),
        title: "t".into(),
        reason: "r".into(),
        remediation: vec!["s".into()],
        judged_by: JudgedBy::Rule("brute".into()),
        not_judged: String::new(),
        template: None,
        template_text: "Failed password for <*>".into(),
        kinds: Vec::new(),
        count: 1,
        first_seen: at(0),
        last_seen: at(0),
        evidence: Vec::new(),
        about_self: false,
    }
}

/// A router with its incidents, as the pipeline has them.
struct Bench {
    router: Router,
    incidents: HashMap<Fingerprint, Incident>,
}

impl Bench {
    fn new(routes: &str, notifiers: &[&str]) -> Bench {
        let config: Config = toml::from_str(&format!("routes = [{routes}]")).expect("good routes");
        let notifiers: Vec<Arc<str>> = notifiers.iter().map(|name| Arc::from(*name)).collect();
        assert_eq!(Router::unknown_notifiers(&config, &notifiers), Vec::<Arc<str>>::new());
        Bench { router: Router::new(&config, &notifiers), incidents: HashMap::new() }
    }

    /// Something happens at `second`; returns what is due then, as `notifier state`.
    fn happens(&mut self, incident: &Incident, change: Change, second: i64) -> Vec<String> {
        self.incidents.insert(incident.id, incident.clone());
        self.router.incident(incident, change, at(second));
        self.due(second)
    }

    fn due(&mut self, second: i64) -> Vec<String> {
        self.alerts(second).iter().map(|alert| format!("{} {}", alert.notifier, alert.state.as_str())).collect()
    }

    fn alerts(&mut self, second: i64) -> Vec<Alert> {
        self.router.due(at(second), |id| self.incidents.get(&id).cloned())
    }

    fn next(&self) -> Option<i64> {
        self.router.next_deadline().map(Timestamp::as_seconds)
    }
}

#[track_caller]
fn check_routes(routes: &str, incident: Incident, expected: &[&str]) {
    let mut bench = Bench::new(routes, &["mail", "slack"]);
    assert_eq!(bench.happens(&incident, Change::New, 0), expected, "{routes}");
}

#[test]
fn every_matching_route_sends_each_notifier_once() {
    use Severity::{High, Low, Medium};
    let high = || incident(1, High);
    check_routes("", incident(1, Medium), &["mail new", "slack new"]);
    check_routes("", incident(1, Low), &[]);
    check_routes(
        "{ notifiers = ['mail', 'slack'] }, { notifiers = ['slack'] }",
        incident(1, Low),
        &["mail new", "slack new"],
    );
    check_routes(
        "{ match = { severity_at_least = 'high' }, notifiers = ['slack'] }",
        high(),
        &["mail new", "slack new"],
    );
    check_routes("{ match = { severity_at_least = 'critical' }, notifiers = ['slack'] }", high(), &["mail new"]);
    check_routes("{ match = { category = 'storage' }, notifiers = ['slack'] }", high(), &["mail new"]);
    check_routes(
        "{ match = { category = ['storage', 'security'] }, notifiers = ['slack'] }",
        high(),
        &["mail new", "slack new"],
    );
    check_routes("{ match = { program = 'nginx' }, notifiers = ['slack'] }", high(), &["mail new"]);
    check_routes(
        "{ match = { host = 'h1', program = ['sshd'] }, notifiers = ['slack'] }",
        high(),
        &["mail new", "slack new"],
    );
    check_routes("{ match = { template = 'password' }, notifiers = ['slack'] }", high(), &["mail new", "slack new"]);
    check_routes("{ match = { judged_by = 'model' }, notifiers = ['slack'] }", high(), &["mail new"]);
    check_routes("{ match = { judged_by = 'rule:brute' }, notifiers = ['slack'] }", high(), &["mail new", "slack new"]);
    check_routes("{ match = { about_self = true }, notifiers = ['slack'] }", high(), &["mail new"]);
}

#[test]
fn config_says_what_is_allowed() {
    for (routes, error) in [
        ("{ notifiers = [] }", "name at least one"),
        ("{ match = {} }", "missing field `notifiers`"),
        ("{ match = { severity = 'high' }, notifiers = ['x'] }", "unknown field `severity`"),
        ("{ notifiers = ['x'], group_wait = '5 fortnights' }", "not a length of time"),
        ("{ match = { template = '(' }, notifiers = ['x'] }", "not a regular expression"),
    ] {
        let got = toml::from_str::<Config>(&format!("routes = [{routes}]")).expect_err(routes).to_string();
        assert!(got.contains(error), "{got}");
    }
    let config: Config = toml::from_str("routes = [{ notifiers = ['a', 'b'] }, { notifiers = ['b'] }]").expect("good");
    assert_eq!(Router::unknown_notifiers(&config, &["a".into()]), ["b".into()]);
}

#[test]
fn waits_intervals_and_repeats() {
    let mut bench = Bench::new("{ notifiers = ['s'], group_wait = '30s' }", &["s"]);
    let mut fault = incident(1, Severity::Medium);
    assert_eq!(bench.happens(&fault, Change::New, 0), Vec::<String>::new());
    assert_eq!(bench.next(), Some(30));
    fault.count = 5;
    assert_eq!(bench.happens(&fault, Change::Joined, 10), Vec::<String>::new());
    let alerts = bench.alerts(30);
    assert_eq!((alerts.len(), alerts[0].incident.count, alerts[0].state), (1, 5, IncidentState::New), "as it is now");
    assert_eq!(bench.next(), None, "nothing new since");
    fault.count = 6;
    fault.state = IncidentState::Ongoing;
    assert_eq!(bench.happens(&fault, Change::Joined, 40), Vec::<String>::new());
    assert_eq!(bench.next(), Some(30 + 4 * HOUR));
    fault.count = 60;
    assert_eq!(bench.happens(&fault, Change::Escalated, 50), Vec::<String>::new());
    assert_eq!(bench.next(), Some(330), "ten times the lines: at the next interval");
    assert_eq!(bench.due(330), ["s escalating"]);
    fault.severity = Severity::High;
    assert_eq!(
        bench.happens(&fault, Change::Escalated, 331),
        ["s escalating"],
        "a higher severity breaks the interval"
    );
    fault.count = 61;
    bench.happens(&fault, Change::Joined, 400);
    assert_eq!(bench.due(331 + 4 * HOUR), ["s ongoing"]);
    assert_eq!(bench.next(), None, "it stopped: no reminder");
}

#[test]
fn critical_waits_for_nothing() {
    let mut bench = Bench::new("{ notifiers = ['s'], group_wait = '30s' }", &["s"]);
    assert_eq!(bench.happens(&incident(1, Severity::Critical), Change::New, 0), ["s new"]);
    let mut fault = incident(2, Severity::Medium);
    bench.happens(&fault, Change::New, 0);
    fault.severity = Severity::Critical;
    assert_eq!(bench.happens(&fault, Change::Escalated, 1), ["s new"], "told for the first time");
    assert_eq!(bench.next(), None);
}

#[test]
fn an_incident_reaches_a_route_by_rising() {
    let mut bench = Bench::new("{ match = { severity_at_least = 'high' }, notifiers = ['s'] }", &["s"]);
    let mut fault = incident(1, Severity::Medium);
    assert_eq!(bench.happens(&fault, Change::New, 0), Vec::<String>::new());
    fault.severity = Severity::High;
    assert_eq!(bench.happens(&fault, Change::Escalated, 9), ["s new"]);
}

#[test]
fn quiet_and_back() {
    let mut bench = Bench::new("{ notifiers = ['hook'], tell_quiet = true }", &["hook", "mail"]);
    let mut fault = incident(1, Severity::Medium);
    assert_eq!(bench.happens(&fault, Change::New, 0), ["hook new", "mail new"]);
    fault.count = 2;
    fault.state = IncidentState::Ongoing;
    bench.happens(&fault, Change::Joined, 10);
    fault.state = IncidentState::Quiet;
    assert_eq!(bench.happens(&fault, Change::Quieted, HOUR), ["hook quiet"]);
    assert_eq!(bench.next(), None, "no reminder of what has stopped");
    fault.state = IncidentState::Regressed;
    assert_eq!(bench.happens(&fault, Change::Regressed, HOUR + 100), ["mail regressed"]);
    assert_eq!(bench.due(HOUR + 300), ["hook regressed"], "its interval");
}

#[test]
fn what_is_settled_is_not_told_but_its_end_is() {
    let routes =
        "{ match = { severity_at_least = 'medium' }, notifiers = ['s'], group_wait = '30s', tell_quiet = true }";
    let mut bench = Bench::new(routes, &["s"]);
    let mut fault = incident(1, Severity::Medium);
    bench.happens(&fault, Change::New, 0);
    fault.severity = Severity::Low;
    assert_eq!(bench.happens(&fault, Change::Joined, 5), Vec::<String>::new());
    assert_eq!(bench.next(), None, "before anybody was told");
    let mut fault = incident(2, Severity::Medium);
    bench.happens(&fault, Change::New, 0);
    assert_eq!(bench.due(30), ["s new"]);
    fault.severity = Severity::Low;
    fault.count = 9;
    assert_eq!(bench.happens(&fault, Change::Joined, 40), Vec::<String>::new());
    assert_eq!(bench.next(), None, "no reminder of it");
    fault.state = IncidentState::Quiet;
    assert_eq!(bench.happens(&fault, Change::Quieted, HOUR), ["s quiet"]);
}

#[test]
fn a_mute_stops_what_is_due() {
    let mut bench = Bench::new("{ notifiers = ['s'], group_wait = '30s' }", &["s"]);
    let mut fault = incident(1, Severity::Medium);
    bench.happens(&fault, Change::New, 0);
    fault.state = IncidentState::Muted;
    bench.happens(&fault, Change::Muted, 1);
    assert_eq!(bench.next(), None);
    let mut other = incident(2, Severity::Medium);
    bench.happens(&other, Change::New, 2);
    other.state = IncidentState::Muted;
    bench.incidents.insert(other.id, other);
    assert_eq!(bench.due(100), Vec::<String>::new());
}

#[test]
fn forgotten_before_it_was_told_is_told_all_the_same() {
    let mut bench = Bench::new("{ notifiers = ['s'], group_wait = '30s' }", &["s"]);
    bench.happens(&incident(1, Severity::Medium), Change::New, 0);
    bench.incidents.clear();
    assert_eq!(bench.due(30), ["s new"]);
}

#[test]
fn a_restart_neither_repeats_nor_forgets() {
    let routes = "{ notifiers = ['s'] }, { notifiers = ['slow'], group_wait = '30s' }";
    let mut bench = Bench::new(routes, &["s", "slow"]);
    let mut fault = incident(1, Severity::Medium);
    assert_eq!(bench.happens(&fault, Change::New, 0), ["s new"]);
    let state = bench.router.save().expect("changed");
    assert_eq!(bench.router.save(), None, "unchanged");

    let mut after = Bench::new(routes, &["s", "slow"]);
    after.router.restore(&state).expect("our own state");
    fault.count = 2;
    fault.state = IncidentState::Ongoing;
    assert_eq!(after.happens(&fault, Change::Joined, 10), Vec::<String>::new(), "told before");
    assert_eq!(after.due(30), ["slow new"], "promised before");
    let again = after.alerts(4 * HOUR);
    assert_eq!(again.len(), 1);
    assert!(again[0].id.ends_with("-2"), "{}", again[0].id);
    assert!(after.router.restore("[]").is_err());

    let mut fewer = Bench::new("", &["s"]);
    fewer.router.restore(&state).expect("our own state");
    assert_eq!(fewer.due(30), Vec::<String>::new(), "a notifier that is gone is not told");
}

#[test]
fn alert_ids_are_the_same_after_a_crash() {
    let ids = || {
        let mut bench = Bench::new("", &["a", "b"]);
        bench.incidents.insert(Fingerprint(1), incident(1, Severity::High));
        bench.router.incident(&incident(1, Severity::High), Change::New, at(5));
        bench.alerts(5).into_iter().map(|alert| alert.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(), ids());
    assert_ne!(ids()[0], ids()[1], "one for each notifier");
    let mut later = Bench::new("", &["a", "b"]);
    let reborn = Incident { first_seen: at(9), ..incident(1, Severity::High) };
    later.incidents.insert(reborn.id, reborn.clone());
    later.router.incident(&reborn, Change::New, at(9));
    assert!(later.alerts(9).iter().all(|alert| !ids().contains(&alert.id)), "a later life is no repetition");
}

#[test]
fn reload_changes_who_is_told() {
    let mut bench = Bench::new("{ notifiers = ['s'], group_wait = '30s' }", &["s"]);
    bench.happens(&incident(1, Severity::High), Change::New, 0);
    bench.router.reload(&Config::default(), &["other".into()]);
    assert_eq!(bench.next(), None);
    assert_eq!(bench.happens(&incident(1, Severity::High), Change::Joined, 1), ["other new"]);
}

// ---- the outbox

fn alert(id: &str, notifier: &str, incident_id: u64, second: i64) -> Alert {
    Alert {
        id: id.into(),
        notifier: notifier.into(),
        state: IncidentState::New,
        incident: incident(incident_id, Severity::High),
        created_at: at(second),
        attempts: 0,
        next_attempt: at(second),
        last_error: String::new(),
    }
}

fn retry(id: &str, after: Option<u64>) -> Delivery {
    let outcome = DeliveryOutcome::Retry { error: "500".into(), after: after.map(Duration::from_secs) };
    Delivery { alert: id.into(), outcome }
}

fn ids(alerts: &[Alert]) -> Vec<&str> {
    alerts.iter().map(|alert| &*alert.id).collect()
}

#[test]
fn delivered_or_refused_leaves_the_outbox() {
    let mut outbox = Outbox::default();
    assert!(matches!(outbox.push(alert("a", "s", 1, 0), at(0)).as_slice(), [Fact::Outbox(_)]));
    assert!(outbox.push(alert("a", "s", 1, 0), at(0)).is_empty(), "known");
    outbox.push(alert("b", "s", 2, 0), at(0));
    assert_eq!(outbox.next_deadline(), Some(at(0)));
    assert_eq!(ids(&outbox.due(at(0))), ["a", "b"]);
    assert!(outbox.due(at(0)).is_empty(), "in flight");
    let delivered = Delivery { alert: "a".into(), outcome: DeliveryOutcome::Delivered };
    assert_eq!(outbox.outcome(delivered.clone(), at(1)), [Fact::Delivered { alert: "a".into(), at: at(1) }]);
    assert!(outbox.outcome(delivered, at(1)).is_empty(), "already gone");
    let refused = Delivery { alert: "b".into(), outcome: DeliveryOutcome::Refused { error: "no_service".into() } };
    let dead = Fact::DeadLetter { alert: "b".into(), at: at(2), error: "no_service".into() };
    assert_eq!(outbox.outcome(refused, at(2)), [dead]);
    assert!(outbox.is_empty());
    assert_eq!(outbox.next_deadline(), None);
}

#[test]
fn retries_with_growing_pauses_then_a_dead_letter() {
    let mut outbox = Outbox::new(vec![alert("a", "s", 1, 0)]);
    let mut now = at(0);
    let mut pauses = Vec::new();
    loop {
        assert_eq!(outbox.due(now).len(), 1);
        let facts = outbox.outcome(retry("a", None), now);
        match facts.as_slice() {
            [Fact::Outbox(row)] => {
                let next = outbox.next_deadline().expect("to be retried");
                assert_eq!((row.next_attempt, &*row.last_error), (next, "500"));
                pauses.push(next.since(now).as_secs_f64());
                now = next;
            }
            [Fact::DeadLetter { at, error, .. }] => {
                assert!(at.as_seconds() >= 24 * HOUR && at.as_seconds() < 25 * HOUR, "{at}");
                assert!(error.starts_with("given up after ") && error.ends_with(": 500"), "{error}");
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    for (pause, plain) in pauses.iter().zip([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 600.0, 600.0]) {
        assert!((plain * 0.75..=plain * 1.25).contains(pause), "{pause} for {plain}");
    }
    assert!((100..300).contains(&pauses.len()), "{}", pauses.len());
}

#[test]
fn a_receiver_may_ask_for_patience() {
    for (asked, expected) in [(60, 60), (999_999, 3_600)] {
        let mut outbox = Outbox::new(vec![alert("a", "s", 1, 0)]);
        outbox.due(at(0));
        outbox.outcome(retry("a", Some(asked)), at(0));
        assert_eq!(outbox.next_deadline(), Some(at(expected)));
    }
}

#[test]
fn a_long_sleep_is_no_reason_to_give_up() {
    let mut outbox = Outbox::new(vec![alert("a", "s", 1, 0)]);
    outbox.due(at(100 * HOUR));
    assert!(matches!(outbox.outcome(retry("a", None), at(100 * HOUR)).as_slice(), [Fact::Outbox(_)]));
}

#[test]
fn in_order_and_not_too_many() {
    let mut outbox = Outbox::new(vec![alert("a2", "s", 1, 2), alert("a1", "s", 1, 1), alert("b", "t", 1, 3)]);
    assert_eq!(ids(&outbox.due(at(5))), ["a1", "b"]);
    outbox.outcome(retry("a1", Some(60)), at(5));
    assert!(outbox.due(at(5)).is_empty(), "the second message waits for the first");
    for number in 10..20 {
        outbox.push(alert(&number.to_string(), "t", number, 6), at(6));
    }
    assert_eq!(ids(&outbox.due(at(6))), ["10", "11", "12"], "four in flight");
    assert!(outbox.due(at(6)).is_empty());
    assert!(outbox.next_deadline().is_some_and(|next| next > at(6)), "no busy loop");
    outbox.outcome(Delivery { alert: "10".into(), outcome: DeliveryOutcome::Delivered }, at(7));
    assert_eq!(outbox.next_deadline(), Some(at(6)));
    assert_eq!(ids(&outbox.due(at(7))), ["13"]);
    assert_eq!(ids(&outbox.due(at(65))), ["a1"]);
    outbox.outcome(Delivery { alert: "a1".into(), outcome: DeliveryOutcome::Delivered }, at(66));
    assert_eq!(ids(&outbox.due(at(66))), ["a2"]);
}

#[test]
fn a_lost_delivery_is_tried_again() {
    let mut outbox = Outbox::new(vec![alert("a", "s", 1, 0)]);
    outbox.due(at(0));
    assert_eq!(outbox.next_deadline(), Some(at(600)));
    assert!(outbox.due(at(599)).is_empty());
    assert_eq!(outbox.due(at(600)).len(), 1);
}

#[test]
fn a_flood_gives_way_loudly() {
    let mut outbox = Outbox::default();
    let mut dead = 0;
    for number in 0..2_010u64 {
        let mut one = alert(&format!("{number:05}"), "s", number, 0);
        one.incident.severity = if number == 0 { Severity::Low } else { Severity::High };
        let facts = outbox.push(one, at(0));
        dead += facts.iter().filter(|fact| matches!(fact, Fact::DeadLetter { .. })).count();
    }
    assert_eq!((outbox.len(), dead), (2_000, 10));
}
