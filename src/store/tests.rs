//! The promises of the room: atomic over any kill, whole over a full disk, alive over damage, readable by everybody.

use std::fs;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use proptest::prelude::*;
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

/// The directory of a store that was killed after twenty commits.
fn twenty_commits() -> &'static tempfile::TempDir {
    static DIR: OnceLock<tempfile::TempDir> = OnceLock::new();
    DIR.get_or_init(|| {
        let dir = tempfile::tempdir().expect("a directory");
        let mut store = open(dir.path()).store;
        for n in 0..20u64 {
            let state = Fact::State { name: "s".into(), json: format!("{n} {}", "x".repeat(3_000)) };
            store.commit(&[state], &[position("s", n)]).expect("commits");
        }
        killed(dir.path())
    })
}

/// A whole state file with a few hundred rows.
fn whole_file() -> &'static [u8] {
    static FILE_BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    FILE_BYTES.get_or_init(|| {
        let dir = tempfile::tempdir().expect("a directory");
        let mut store = open(dir.path()).store;
        store.commit(&incidents(200), &[position("s", 1)]).expect("commits");
        drop(store);
        fs::read(dir.path().join(FILE)).expect("reads")
    })
}

fn incidents(count: u64) -> Vec<Fact> {
    let new = |id| Fact::Incident(Box::new(incident(id, IncidentState::New, Severity::High, 0)));
    (0..count).map(new).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// A power cut may leave any beginning of the log: what is read back is one commit, whole, never a mixture.
    #[test]
    fn a_torn_log_gives_a_whole_older_commit(cut in 0.0..1.0f64) {
        let copy = killed(twenty_commits().path());
        let log = fs::OpenOptions::new().write(true).open(copy.path().join("state.db-wal")).expect("a log");
        let length = log.metadata().expect("a length").len();
        log.set_len((length as f64 * cut) as u64).expect("cuts");
        let opened = open(copy.path());
        prop_assert_eq!(opened.recovered, None);
        let offset = opened.snapshot.positions.first().map(|position| position.at.clone());
        let states = &opened.snapshot.states;
        let state = states.first().map(|(_, json)| json.split(' ').next().unwrap_or_default().to_owned());
        let expected = state.map(|n| Place::StdinV1 { offset: n.parse().expect("a number") });
        prop_assert_eq!(offset, expected);
    }

    /// Whatever the disk made of the file, the daemon starts and can write.
    #[test]
    fn starts_on_any_damage(place in 0.0..1.0f64, length in 1usize..3_000, fill: u8, truncate: bool) {
        let dir = tempfile::tempdir().expect("a directory");
        let mut bytes = whole_file().to_vec();
        let start = (bytes.len() as f64 * place) as usize;
        let end = (start + length).min(bytes.len());
        if truncate { bytes.truncate(start) } else { bytes[start..end].fill(fill) }
        fs::write(dir.path().join(FILE), bytes).expect("writes");
        let mut opened = open(dir.path());
        opened.store.commit(&facts(), &[position("s", 2)]).expect("commits");
        drop(opened.store);
        prop_assert_eq!(open(dir.path()).recovered, None);
    }
}

#[test]
fn a_damaged_file_is_set_aside_and_what_can_be_read_comes_over() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = open(dir.path()).store;
    let many: Vec<Fact> =
        (0..500).map(|id| Fact::Incident(Box::new(incident(id, IncidentState::New, Severity::High, 0)))).collect();
    store.commit(&many, &[]).expect("commits");
    store.commit(&facts(), &[position("s", 1)]).expect("commits");
    let root: u64 = store
        .reader
        .connection
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'incidents'", [], |row| row.get::<_, i64>(0))
        .expect("a page")
        .cast_unsigned();
    drop(store);
    let path = dir.path().join(FILE);
    let mut bytes = fs::read(&path).expect("reads");
    let start = usize::try_from(root - 1).expect("small") * 4096;
    bytes[start..start + 4096].fill(0xff);
    fs::write(&path, &bytes).expect("writes");
    let opened = open(dir.path());
    let said = opened.recovered.expect("it is said");
    let aside = dir.path().join("state.corrupt-20270115T080000Z.db");
    assert!(said.contains(&aside.display().to_string()), "{said}");
    assert!(said.contains("carried over 1 positions") && said.contains("the rest could not be read"), "{said}");
    assert_eq!(fs::read(&aside).expect("kept for a person"), bytes);
    assert_eq!(opened.snapshot.positions, [position("s", 1)]);
    assert_eq!(opened.snapshot.outbox, [alert("a3")]);
    assert_eq!(opened.snapshot.verdicts.len(), 1);
    assert_eq!(opened.store.reader().spend(None).expect("spend").len(), 1);
    drop(opened.store);
    assert_eq!(open(dir.path()).recovered, None);
}

#[track_caller]
fn check_damage(damage: fn(&Path)) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = open(dir.path()).store;
    store.commit(&facts(), &[position("s", 1)]).expect("commits");
    drop(store);
    damage(&dir.path().join(FILE));
    let opened = open(dir.path());
    assert!(opened.recovered.is_some());
    assert_eq!(opened.snapshot, Snapshot::default());
    drop(opened.store);
    assert_eq!(open(dir.path()).recovered, None);
}

#[test]
fn starts_afresh_from_nothing_readable() {
    check_damage(|path| fs::write(path, "").expect("writes"));
    check_damage(|path| fs::write(path, "no database at all, but long enough to look at ".repeat(99)).expect("writes"));
    check_damage(|path| fs::write(path, [0; 8192]).expect("writes"));
}

#[test]
fn an_emptied_file_with_a_log_is_damage() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = open(dir.path()).store;
    store.commit(&facts(), &[]).expect("commits");
    let copy = killed(dir.path());
    fs::write(copy.path().join(FILE), "").expect("writes");
    assert!(open(copy.path()).recovered.is_some());
    assert!(copy.path().join("state.corrupt-20270115T080000Z.db-wal").exists());
}

#[test]
fn keeps_three_damaged_files() {
    let dir = tempfile::tempdir().expect("a directory");
    // The last two in the same second.
    for second in [0, 1, 2, 3, 4, 4] {
        fs::write(dir.path().join(FILE), "rubbish ".repeat(999)).expect("writes");
        assert!(Store::open(dir.path(), at(second)).expect("opens").recovered.is_some());
    }
    let mut names: Vec<String> = fs::read_dir(dir.path())
        .expect("lists")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with("state.corrupt-"))
        .collect();
    names.sort();
    let name = |ending: &str| format!("state.corrupt-20270115T0800{ending}.db");
    assert_eq!(names, [name("03Z"), name("04Z-1"), name("04Z")]);
}

#[test]
fn a_full_disk_fails_whole_and_passes() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = open(dir.path()).store;
    store.commit(&[], &[position("s", 1)]).expect("commits");
    let before = store.load().expect("loads");
    let pages: i64 =
        store.reader.connection.query_row("PRAGMA page_count", [], |row| row.get(0)).expect("a number of pages");
    let limit = |store: &Store, pages: i64| {
        store
            .reader
            .connection
            .query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))
            .expect("a limit");
    };
    limit(&store, pages);
    let mut facts = facts();
    facts.push(Fact::State { name: "big".into(), json: "x".repeat(100_000) });
    for _ in 0..2 {
        let error = store.commit(&facts, &[position("s", 2)]).expect_err("no room");
        assert!(matches!(error, StoreError::Full { .. }) && error.is_transient(), "{error:?}");
        assert_eq!(error.to_string(), format!("{}: no space left to write the state", store.path().display()));
        assert_eq!(store.load().expect("loads"), before);
    }
    limit(&store, 1_000_000);
    store.commit(&facts, &[position("s", 2)]).expect("commits now");
    assert_eq!(store.load().expect("loads").positions, [position("s", 2)]);
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
    assert_eq!(fs::read(&path).expect("a clean end"), b"");
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
    let many = vec![Fact::Finding(Box::new(one)); 10_000];
    store.commit(&many, &[]).expect("commits");
    // As if 45,000 more had come after the first half.
    let shift = "UPDATE findings SET sequence = sequence + 45000 WHERE sequence > 5000";
    store.reader.connection.execute(shift, []).expect("writes");
    store.commit(&[Fact::Finding(Box::new(finding("last", 1)))], &[]).expect("commits");
    assert_eq!(store.reader().counts().expect("counts").findings, 5_001);
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
    assert_eq!(hashes, ["b7834a8b242f7c23"]);
}

/// A file as version 1 wrote it, rows and all, opens today.
#[test]
fn opens_version_1() {
    let dir = tempfile::tempdir().expect("a directory");
    let connection = Connection::open(dir.path().join(FILE)).expect("opens");
    connection.execute_batch(include_str!("v1.sql")).expect("the schema of version 1");
    connection.execute_batch(include_str!("v1_rows.sql")).expect("rows of version 1");
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
