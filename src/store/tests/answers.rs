//! What readers see, and when.

use std::path::Path;

use super::super::open::FILE;
use super::super::*;
use super::*;

#[test]
fn readers_read_while_the_writer_writes() {
    let dir = tempfile::tempdir().expect("a directory");
    assert!(matches!(Reader::open(dir.path()), Err(StoreError::Missing { .. })));
    let mut store = open(dir.path()).store;
    let reader = Reader::open(dir.path()).expect("opens");
    store.commit(&facts(), &[position("s", 1)]).expect("commits");
    assert_eq!(reader.load().expect("loads"), store.load().expect("loads"));
    let transaction =
        store.reader.connection.transaction_with_behavior(TransactionBehavior::Immediate).expect("begins");
    writer::apply(&transaction, &facts(), &[position("s", 2)]).expect("applies");
    assert_eq!(reader.load().expect("loads").positions, [position("s", 1)]);
    transaction.commit().expect("commits");
    assert_eq!(reader.load().expect("loads").positions, [position("s", 2)]);
    assert_eq!(
        reader.connection.execute("DELETE FROM positions", []).map_err(|error| error.sqlite_error_code()),
        Err(Some(rusqlite::ErrorCode::ReadOnly))
    );
    drop(store);
    assert_eq!(Reader::open(dir.path()).expect("opens").load().expect("loads").positions, [position("s", 2)]);
}

#[test]
fn readers_read_where_they_cannot_write() {
    let dir = tempfile::Builder::new().prefix("odd %41 ?#é").tempdir().expect("a directory");
    let mut store = open(dir.path()).store;
    store.commit(&[], &[position("s", 1)]).expect("commits");
    drop(store);
    let (connection, found) = reader_connect(&dir.path().join(FILE));
    assert_eq!(found, schema::newest());
    let count: i64 = connection.query_row("SELECT count(*) FROM positions", [], |row| row.get(0)).expect("reads");
    assert_eq!(count, 1);
    assert!(!dir.path().join("state.db-shm").exists());
}

/// Tests run as root at times, whom no mode stops: this takes the path that a refused reader takes.
fn reader_connect(path: &Path) -> (Connection, i64) {
    super::reader::connect(path, true).expect("opens")
}

#[test]
fn answers_about_incidents() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = open(dir.path()).store;
    let old = incident(0xa100_0000_0000_0000, IncidentState::Quiet, Severity::Low, 10);
    let new = incident(0xa2ff_ffff_ffff_ffff, IncidentState::New, Severity::Critical, 20);
    let more = vec![
        Fact::Incident(Box::new(old.clone())),
        Fact::Incident(Box::new(new.clone())),
        Fact::Finding(Box::new(finding("sshd", 5))),
        Fact::Joined { incident: new.id, finding: Box::new(finding("cron", 6)) },
        Fact::Joined { incident: new.id, finding: Box::new(finding("cron", 7)) },
        Fact::Outbox(Box::new(Alert { incident: new.clone(), ..alert("a9") })),
        Fact::Delivered { alert: "a9".into(), at: at(8) },
    ];
    store.commit(&more, &[]).expect("commits");
    let reader = store.reader();
    let list = |filter| reader.incidents(filter).expect("lists").iter().map(|found| found.id).collect::<Vec<_>>();
    let all = IncidentFilter::default();
    assert_eq!(list(all), [new.id, old.id]);
    assert_eq!(list(IncidentFilter { limit: Some(1), ..all }), [new.id]);
    assert_eq!(list(IncidentFilter { since: Some(at(11)), ..all }), [new.id]);
    assert_eq!(list(IncidentFilter { severity_at_least: Some(Severity::Low), ..all }), [new.id, old.id]);
    assert_eq!(list(IncidentFilter { severity_at_least: Some(Severity::Critical), ..all }), [new.id]);
    let one = |incident: &Incident, findings: &[Finding], delivered: &[(Arc<str>, Timestamp)]| IncidentLookup::One {
        incident: Box::new(incident.clone()),
        findings: findings.to_vec(),
        delivered: delivered.to_vec(),
    };
    let expected_new = one(&new, &[finding("cron", 7), finding("cron", 6)], &[("ops-slack".into(), at(8))]);
    for prefix in ["a2", "A2", "a2ffffffffffffff"] {
        assert_eq!(reader.incident(prefix).expect("answers"), expected_new, "{prefix}");
    }
    assert_eq!(reader.incident("a1").expect("answers"), one(&old, &[finding("sshd", 5)], &[]));
    assert_eq!(reader.incident("a").expect("answers"), IncidentLookup::Several(vec![new.id, old.id]));
    for prefix in ["", "b", "a3", "a2fffffffffffffff", "zz", "%", "é", "a2' OR 1"] {
        assert_eq!(reader.incident(prefix).expect("answers"), IncidentLookup::None, "{prefix}");
    }
    let since = FindingFilter { since: Some(at(6)), limit: Some(1) };
    assert_eq!(reader.findings(since).expect("lists"), [finding("cron", 7)]);
}

#[test]
fn answers_about_kinds_and_letters() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = open(dir.path()).store;
    store.commit(&facts(), &[]).expect("commits");
    let reader = store.reader();
    let id = kind(HOSTILE).id();
    assert_eq!(reader.kind(id).expect("answers").map(|row| row.kind), Some(kind(HOSTILE)));
    assert_eq!(reader.verdict(id).expect("answers").map(|row| row.verdict), Some(Verdict::Undecided));
    assert_eq!(reader.question(kind("a").id()).expect("answers").map(|question| question.missed), Some(1));
    assert_eq!(reader.question(id).expect("answers"), None);
    let template = reader.template(TemplateId(u64::MAX)).expect("answers").expect("it is there");
    assert_eq!(template.merged_into, Some(TemplateId(1 << 63)));
    assert_eq!(reader.outbox().expect("lists"), [alert("a3")]);
    let letter = DeadLetter { alert: alert("a2"), at: at(4), error: HOSTILE.to_owned() };
    assert_eq!(reader.dead_letters().expect("lists"), [letter]);
}
