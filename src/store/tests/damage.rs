//! Torn logs, garbled files, a full disk: the store starts, says so, and loses as little as it can.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use proptest::prelude::*;

use super::super::open::FILE;
use super::super::*;
use super::*;

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
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

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

/// A state with a copy, one commit later; then `damage`. Gives what a start makes of it.
#[track_caller]
fn check_copy(damage: fn(&Path), positions: &[u64]) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = open(dir.path()).store;
    store.commit(&facts(), &[position("s", 1)]).expect("commits");
    assert_eq!(store.copy(at(0)).ok(), Some(true));
    store.commit(&[], &[position("s", 2)]).expect("commits");
    drop(store);
    damage(&dir.path().join(FILE));
    let opened = open(dir.path());
    let said = opened.recovered.expect("it is said");
    assert!(said.contains("from an older copy"), "{said}");
    let expected: Vec<Position> = positions.iter().map(|offset| position("s", *offset)).collect();
    assert_eq!((opened.snapshot.positions, opened.snapshot.outbox.len()), (expected, 1));
    drop(opened.store);
    assert_eq!(open(dir.path()).recovered, None);
}

#[test]
fn what_cannot_be_read_comes_from_the_copy() {
    check_copy(|path| fs::write(path, "").expect("writes"), &[1]);
    check_copy(|path| fs::write(path, "no database at all, but long enough ".repeat(99)).expect("writes"), &[1]);
    check_copy(|path| fs::remove_file(path).expect("removes"), &[1]);
    // The first page holds the schema: without it nothing is found.
    check_copy(
        |path| {
            let mut bytes = fs::read(path).expect("reads");
            bytes[100..4_096].fill(0);
            fs::write(path, bytes).expect("writes");
        },
        &[1],
    );
}

#[test]
fn a_copy_is_made_once_an_hour_and_never_half() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = open(dir.path()).store;
    store.commit(&facts(), &[position("s", 1)]).expect("commits");
    let now = Timestamp::from(jiff::Timestamp::now());
    assert_eq!(store.copy(now).ok(), Some(true));
    let soon = now.saturating_add(std::time::Duration::from_secs(3_000));
    assert_eq!(store.copy(soon).ok(), Some(false));
    let copy = dir.path().join("state.copy.db");
    let before = fs::read(&copy).expect("there");
    // Nobody can write here any more: the old copy stays.
    fs::create_dir(dir.path().join("state.copy.db.new")).expect("in the way");
    let later = now.saturating_add(std::time::Duration::from_secs(4_000));
    assert!(store.copy(later).is_err());
    assert_eq!(fs::read(&copy).expect("still there"), before);
    fs::remove_dir(dir.path().join("state.copy.db.new")).expect("out of the way");
    assert_eq!(store.copy(later).ok(), Some(true));
}
