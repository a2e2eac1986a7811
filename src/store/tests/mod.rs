//! The promises of the room: atomic over any kill, whole over a full disk, alive over damage, readable by everybody.

mod answers;
mod damage;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};

use super::open::FILE;
use super::*;
use crate::model::*;

const HOSTILE: &str = "'); DROP TABLE positions; -- \0 \u{202e} \" \\ é\u{1F4A9}";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_800_000_000 + seconds)
}

fn open(dir: &Path) -> Opened {
    Store::open(dir, at(0)).expect("the state opens")
}

fn kind(program: &str) -> Kind {
    Kind { program: program.into(), level: Level::Err, template: TemplateId::of("failed <*>") }
}

fn evidence() -> Evidence {
    Evidence {
        time: at(1),
        host: "h1".into(),
        program: "sshd".into(),
        level: Level::Err,
        origin: "/var/log/auth.log".into(),
        offset: 7,
        line: HOSTILE.to_owned(),
    }
}

fn finding(program: &str, seconds: i64) -> Finding {
    Finding {
        judged_by: JudgedBy::Rule("ssh-brute-force".into()),
        category: Category::Security,
        proposed: Severity::High,
        confidence: 0.9,
        verdict: Some(Verdict::Anomalous),
        title: "Brute force".to_owned(),
        reason: HOSTILE.to_owned(),
        remediation: vec!["block it".to_owned()],
        host: "h1".into(),
        program: program.into(),
        unit: Some("ssh.service".into()),
        level: Level::Err,
        kind: Some(kind(program).id()),
        template: Some(TemplateId::of("failed <*>")),
        template_text: "failed <*>".to_owned(),
        group: "203.0.113.9".to_owned(),
        count: 5,
        first_seen: at(0),
        last_seen: at(seconds),
        evidence: vec![evidence()],
        learning: false,
    }
}

fn incident(id: u64, state: IncidentState, severity: Severity, seconds: i64) -> Incident {
    Incident {
        id: Fingerprint(id),
        state,
        severity,
        category: Category::Security,
        confidence: 0.9,
        host: "h1".into(),
        program: "sshd".into(),
        title: "Brute force".to_owned(),
        reason: HOSTILE.to_owned(),
        remediation: vec!["block it".to_owned()],
        judged_by: JudgedBy::Model("gemini".into()),
        not_judged: String::new(),
        template: Some(TemplateId::of("failed <*>")),
        template_text: "failed <*>".to_owned(),
        kinds: vec![kind("sshd").id()],
        count: 5,
        first_seen: at(0),
        last_seen: at(seconds),
        evidence: vec![evidence()],
        about_self: false,
    }
}

fn alert(id: &str) -> Alert {
    Alert {
        id: id.into(),
        notifier: "ops-slack".into(),
        state: IncidentState::New,
        incident: incident(7, IncidentState::New, Severity::High, 0),
        created_at: at(0),
        attempts: 0,
        next_attempt: at(0),
        last_error: String::new(),
    }
}

fn position(stream: &str, offset: u64) -> Position {
    Position { stream: stream.into(), at: Place::StdinV1 { offset } }
}

fn sealed(stream: &str, seen_at: Timestamp) -> Position {
    let place = FilePlace {
        path: "/var/log/a.log".to_owned(),
        device: 1,
        inode: u64::MAX,
        birth_ns: -1,
        head_len: 3,
        head_hash: u64::MAX,
        tail: vec![0, 255],
        offset: u64::MAX,
        skip_to_newline: false,
        live_from: 0,
        sealed: true,
        seen_at,
        looked_at: None,
    };
    Position { stream: stream.into(), at: Place::FileV1(place) }
}

fn facts() -> Vec<Fact> {
    facts_of(HOSTILE)
}

/// One fact of every variety, with ids and counts at the edges and `text` wherever text may stand.
fn facts_of(text: &str) -> Vec<Fact> {
    let usage = Usage { requests: 1, input_tokens: u64::MAX, cached_tokens: 0, output_tokens: 9 };
    vec![
        Fact::Template(TemplateRow {
            id: TemplateId(u64::MAX),
            text: text.to_owned(),
            count: u64::MAX >> 1,
            first_seen: at(0),
            last_seen: at(1),
            merged_into: Some(TemplateId(1 << 63)),
        }),
        Fact::Kind(KindRow { kind: kind(text), learned: true, count: 3, first_seen: at(0), last_seen: at(1) }),
        Fact::Verdict(VerdictRow {
            kind: kind(text).id(),
            verdict: Verdict::Undecided,
            severity: Severity::Low,
            category: Category::Other,
            confidence: 0.1,
            reason: text.to_owned(),
            remediation: vec![],
            model: "m".to_owned(),
            prompt_version: 1,
            judged_at: at(0),
            not_before: Some(at(9)),
        }),
        Fact::Question(Question {
            id: kind("a").id(),
            kind: kind("a"),
            template: text.to_owned(),
            host: "h1".to_owned(),
            count: 1,
            first_seen: at(0),
            last_seen: at(0),
            samples: vec![evidence()],
            odd: String::new(),
            low_priority: true,
            missed: 1,
            not_before: None,
        }),
        Fact::QuestionClosed(kind("b").id()),
        Fact::Finding(Box::new(finding("sshd", 1))),
        Fact::Joined { incident: Fingerprint(7), finding: Box::new(finding("sshd", 2)) },
        Fact::Incident(Box::new(incident(7, IncidentState::New, Severity::High, 0))),
        Fact::Outbox(Box::new(alert("a1"))),
        Fact::Outbox(Box::new(alert("a2"))),
        Fact::Outbox(Box::new(alert("a3"))),
        Fact::Delivered { alert: "a1".into(), at: at(3) },
        Fact::DeadLetter { alert: "a2".into(), at: at(4), error: text.to_owned() },
        Fact::Spend { day: "2026-11-22".to_owned(), model: text.to_owned(), usage },
        Fact::State { name: text.into(), json: text.to_owned() },
    ]
}

/// Copies the state as a kill would leave it on disk at this moment.
fn killed(dir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().expect("a directory");
    for entry in fs::read_dir(dir).expect("the directory lists") {
        let entry = entry.expect("an entry");
        // The shared-memory index does not outlive a reboot; without it the log alone must do.
        if !entry.file_name().to_string_lossy().ends_with("-shm") {
            fs::copy(entry.path(), copy.path().join(entry.file_name())).expect("it copies");
        }
    }
    copy
}

#[test]
fn gives_back_what_was_committed() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = open(dir.path()).store;
    assert_eq!(store.load().expect("loads"), Snapshot::default());
    let positions = [position(HOSTILE, 3), sealed("file:1", at(0))];
    store.commit(&facts(), &positions).expect("commits");
    drop(store);
    let opened = open(dir.path());
    assert_eq!(opened.recovered, None);
    let snapshot = opened.snapshot;
    let facts = facts();
    let [Fact::Template(template), Fact::Kind(kind_row), Fact::Verdict(verdict), Fact::Question(question), ..] =
        &facts[..]
    else {
        panic!("the order of facts() changed")
    };
    assert_eq!(snapshot.templates, std::slice::from_ref(template));
    assert_eq!(snapshot.kinds, std::slice::from_ref(kind_row));
    assert_eq!(snapshot.verdicts, std::slice::from_ref(verdict));
    assert_eq!(snapshot.questions, std::slice::from_ref(question));
    assert_eq!(snapshot.incidents, [incident(7, IncidentState::New, Severity::High, 0)]);
    assert_eq!(snapshot.outbox, [alert("a3")]);
    assert_eq!(snapshot.states, [(Arc::from(HOSTILE), HOSTILE.to_owned())]);
    assert_eq!(snapshot.positions, positions);
}

#[test]
fn replaces_by_id_and_sums_the_spend() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = open(dir.path()).store;
    for _ in 0..3 {
        store.commit(&facts(), &[position("s", 1)]).expect("commits");
    }
    store.commit(&[Fact::QuestionClosed(kind("a").id())], &[position("s", 2)]).expect("commits");
    let snapshot = store.load().expect("loads");
    assert_eq!(snapshot.positions, [position("s", 2)]);
    assert_eq!(snapshot.questions, []);
    let counts = store.reader().counts().expect("counts");
    let expected = Counts {
        templates: 1,
        kinds: 1,
        verdicts: 1,
        questions: 0,
        incidents: 1,
        open_incidents: 1,
        findings: 6,
        outbox: 1,
        dead_letters: 1,
        streams: 1,
    };
    assert_eq!(counts, expected);
    let spend = store.reader().spend(None).expect("spend");
    let usage = Usage { requests: 3, input_tokens: 1 << 53, cached_tokens: 0, output_tokens: 27 };
    assert_eq!(spend, [DaySpend { day: "2026-11-22".to_owned(), model: HOSTILE.to_owned(), usage }]);
    assert_eq!(store.reader().spend(Some("2026-11-23")).expect("spend"), []);
}

#[test]
fn a_kill_between_any_two_statements_leaves_the_last_commit() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = open(dir.path()).store;
    // So small that SQLite spills uncommitted pages into the log while the transaction runs.
    store.reader.connection.execute_batch("PRAGMA cache_size = 1").expect("a small cache");
    let padding = "x".repeat(20_000);
    let state = |n: u32| Fact::State { name: "s".into(), json: format!("{n} {padding}") };
    store.commit(&[state(0)], &[position("s", 0)]).expect("commits");
    let before = store.load().expect("loads");
    let mut facts = facts();
    facts.insert(0, state(1));
    for done in 0..=facts.len() {
        let transaction = store
            .reader
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .expect("a transaction begins");
        writer::apply(&transaction, &facts[..done], &[]).expect("the facts apply");
        if done == facts.len() {
            writer::apply(&transaction, &[], &[position("s", 1)]).expect("the position applies");
        }
        let copy = killed(dir.path());
        drop(transaction);
        let opened = open(copy.path());
        assert_eq!(opened.recovered, None, "after {done} facts");
        assert_eq!(opened.snapshot, before, "after {done} facts");
    }
    store.commit(&facts, &[position("s", 1)]).expect("and the store still works");
    let copy = killed(dir.path());
    assert_eq!(open(copy.path()).snapshot.positions, [position("s", 1)]);
}

#[test]
fn two_daemons_cannot_share_a_state() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = open(dir.path());
    let error = Store::open(dir.path(), at(0)).expect_err("held");
    let path = dir.path().join("lock");
    let expected = format!("{}: the state is in use by another logwren (pid {})", path.display(), std::process::id());
    assert_eq!(error.to_string(), expected);
    drop(first);
    assert_eq!(fs::read_to_string(&path).expect("it stays").trim(), "clean");
    open(dir.path());
}

#[test]
fn only_the_owner_can_look() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().expect("a directory");
    let state_dir = dir.path().join("deep/state");
    let mut store = open(&state_dir).store;
    store.commit(&facts(), &[]).expect("commits");
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&state_dir), 0o700);
    for name in [FILE, "state.db-wal", "state.db-shm", "lock"] {
        assert_eq!(mode(&state_dir.join(name)), 0o600, "{name}");
    }
}

#[test]
fn forgets_what_is_too_old() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = open(dir.path()).store;
    let mut facts = facts();
    facts.push(Fact::Incident(Box::new(incident(1, IncidentState::Quiet, Severity::High, 0))));
    facts.push(Fact::Incident(Box::new(incident(2, IncidentState::Muted, Severity::High, 0))));
    facts.push(Fact::Incident(Box::new(incident(3, IncidentState::Ongoing, Severity::High, 0))));
    store.commit(&facts, &[sealed("file:1", at(0)), position("s", 1)]).expect("commits");
    let days = |days: u64| at(10).saturating_add(Duration::from_secs(days * 86_400));
    assert_eq!(store.prune(days(6)).expect("prunes"), Pruned::default());
    assert_eq!(store.prune(days(7)).expect("prunes"), Pruned { positions: 1, ..Pruned::default() });
    let letters = Pruned { dead_letters: 1, delivered: 1, ..Pruned::default() };
    assert_eq!(store.prune(days(30)).expect("prunes"), letters);
    assert_eq!(store.prune(days(90)).expect("prunes"), Pruned { incidents: 1, ..Pruned::default() });
    assert_eq!(store.prune(days(9_000)).expect("prunes"), Pruned::default());
    let counts = store.reader().counts().expect("counts");
    assert_eq!((counts.incidents, counts.outbox, counts.questions, counts.streams), (3, 1, 1, 1));
}

#[test]
fn keeps_the_newest_findings() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = open(dir.path()).store;
    let one = Finding { evidence: vec![], ..finding("sshd", 0) };
    let many = vec![Fact::Finding(Box::new(one)); 2_000];
    store.commit(&many, &[]).expect("commits");
    // As if 49,000 more had come after the first half.
    let shift = "UPDATE findings SET sequence = sequence + 49000 WHERE sequence > 1000";
    store.reader.connection.execute(shift, []).expect("writes");
    store.commit(&[Fact::Finding(Box::new(finding("last", 1)))], &[]).expect("commits");
    assert_eq!(store.reader().counts().expect("counts").findings, 1_001);
    let newest = FindingFilter { limit: Some(1), since: None };
    assert_eq!(store.reader().findings(newest).expect("lists"), [finding("last", 1)]);
}

#[test]
fn one_senseless_row_does_not_hide_the_others() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = open(dir.path()).store;
    store.commit(&facts(), &[position("a", 1), position("b", 2)]).expect("commits");
    store.reader.connection.execute("UPDATE positions SET json = '{\"v\":' WHERE stream = 'a'", []).expect("writes");
    store.reader.connection.execute("UPDATE kinds SET level = 99", []).expect("writes");
    let snapshot = store.load().expect("loads");
    assert_eq!(snapshot.positions, [position("b", 2)]);
    assert_eq!(snapshot.kinds, []);
}

#[test]
fn refuses_a_newer_schema() {
    let dir = tempfile::tempdir().expect("a directory");
    let opened = open(dir.path());
    opened.store.reader.connection.pragma_update(None, "user_version", 99).expect("writes");
    drop(opened);
    for error in [Store::open(dir.path(), at(0)).map(drop), Reader::open(dir.path()).map(drop)] {
        assert!(matches!(error, Err(StoreError::Newer { found: 99, .. })), "{error:?}");
    }
}

/// Published schemas never change: every host has files made by them.
#[test]
fn migrations_are_pinned() {
    let hashes: Vec<String> =
        schema::MIGRATIONS.iter().map(|sql| format!("{:016x}", xxhash_rust::xxh3::xxh3_64(sql.as_bytes()))).collect();
    assert_eq!(hashes, ["b7834a8b242f7c23", "d318117e1ab2d84e"]);
}

fn answer(id: u64) -> Answer {
    Answer {
        id: Fingerprint(id),
        word: Word::Mute,
        about: About::Kind(kind("sshd").id()),
        host: Some("h1".into()),
        title: HOSTILE.to_owned(),
        kinds: vec![kind("sshd").id()],
        templates: vec![Pinned { id: TemplateId::of("failed <*>"), text: "failed <*>".to_owned() }],
        claims: vec![JudgedBy::Rule("r".into())],
        groups: vec![HOSTILE.to_owned()],
        severity: Severity::High,
        rate: 3,
        ceiling: 10,
        since: at(0),
        until: Some(at(9)),
        reason: HOSTILE.to_owned(),
        by: "root".to_owned(),
    }
}

#[test]
fn keeps_what_people_said_until_it_is_over() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = open(dir.path()).store;
    let say = |id| Fact::Answer(Box::new(answer(id)));
    store.commit(&[say(u64::MAX), say(2), say(2), Fact::AnswerOver(Fingerprint(2))], &[]).expect("commits");
    assert_eq!(store.load().expect("loads").answers, [answer(u64::MAX)]);
    assert_eq!(store.reader().answers().expect("lists"), [answer(u64::MAX)]);
}

/// A state that nobody has opened for writing since the upgrade can be read.
#[test]
fn reads_version_1_as_it_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let connection = Connection::open(dir.path().join(FILE)).expect("opens");
    connection.execute_batch(include_str!("../v1.sql")).expect("the schema of version 1");
    connection.execute_batch(include_str!("../v1_rows.sql")).expect("rows of version 1");
    connection.pragma_update(None, "user_version", 1).expect("marks it");
    drop(connection);
    let reader = Reader::open(dir.path()).expect("opens");
    assert_eq!(reader.answers().expect("none"), []);
    assert_eq!(reader.load().expect("loads").incidents.len(), 1);
}

/// A file as version 1 wrote it, rows and all, opens today.
#[test]
fn opens_version_1() {
    let dir = tempfile::tempdir().expect("a directory");
    let connection = Connection::open(dir.path().join(FILE)).expect("opens");
    connection.execute_batch(include_str!("../v1.sql")).expect("the schema of version 1");
    connection.execute_batch(include_str!("../v1_rows.sql")).expect("rows of version 1");
    connection.pragma_update(None, "user_version", 1).expect("marks it");
    drop(connection);
    let opened = open(dir.path());
    assert_eq!(opened.recovered, None);
    let fresh = tempfile::tempdir().expect("a directory");
    let mut store = open(fresh.path()).store;
    store
        .commit(&facts_of("it's \"é\""), &[sealed("file:1", at(0)), position("stdin", 5), journal()])
        .expect("commits");
    assert_eq!(opened.snapshot, store.load().expect("loads"));
    assert_eq!(opened.store.reader().counts().expect("counts"), store.reader().counts().expect("counts"));
    assert_eq!(opened.store.reader().dead_letters().expect("lists"), store.reader().dead_letters().expect("lists"));
    let all = FindingFilter::default();
    assert_eq!(opened.store.reader().findings(all).expect("lists"), store.reader().findings(all).expect("lists"));
    assert_eq!(opened.store.reader().spend(None).expect("lists"), store.reader().spend(None).expect("lists"));
}

fn journal() -> Position {
    let place = JournalPlace { cursor: "s=1;i=2".to_owned(), realtime: at(0), boot_id: "b0".to_owned() };
    Position { stream: "journal:system".into(), at: Place::JournalV1(place) }
}
