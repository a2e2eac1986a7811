//! The source against a scripted journalctl that does all that a real one does on a bad day.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::model::{LineBlock, Timestamp};
use crate::source::FromSource;

/// What every fake begins with: which of the four uses it is, the how manieth time, and a way to write entries.
/// `journal A B` writes entries A to B, `from` is the number of the entry that the cursor names. Cursors are read as
/// hexadecimal, so entry 12 comes back as 0x12.
const PRELUDE: &str = r#"
case "$*" in *--follow*) mode=follow;; *"-n 0") mode=hint;; *"-n 1") mode=newest;; *) mode=learn;; esac
echo "$*" >> calls-$mode
runs=$(grep -c . calls-$mode)
from=$(printf '%s' "$*" | sed -n 's/.*--cursor=s=1;i=\([0-9]*\).*/\1/p')
entry() { printf '{"__CURSOR":"s=1;i=%s","__REALTIME_TIMESTAMP":"17%s000000","_BOOT_ID":"b","MESSAGE":"%s"%s}\n' "$1" "$1" "$1" "$2"; }
journal() { i=$1; while [ $i -le $2 ]; do entry $i; i=$((i + 1)); done; }
wait_for_the_end() { exec sleep 60; }
"#;

/// A directory with a fake journalctl in it.
struct Fake {
    dir: tempfile::TempDir,
}

impl Fake {
    fn new(script: &str) -> Fake {
        let fake = Fake { dir: tempfile::tempdir().expect("a directory") };
        fake.write(script);
        fake
    }

    fn write(&self, script: &str) {
        let text = format!("cd '{}'\n{PRELUDE}\n{script}\n", self.dir.path().display());
        fs::write(self.dir.path().join("journalctl"), text).expect("writes");
    }

    /// One that looks after so many milliseconds of silence.
    fn impatient(&self, quiet_ms: u64) -> Journal {
        let mut journal = self.journal("");
        journal.limits.quiet = Duration::from_millis(quiet_ms);
        journal
    }

    fn journal(&self, config: &str) -> Journal {
        let config = toml::from_str(config).expect("a good table");
        let mut journal = Journal::new(config);
        // Through the shell: running a file that was just written fails while another thread forks (ETXTBSY).
        journal.journalctl.program = "/bin/sh".into();
        journal.journalctl.leading = vec![self.dir.path().join("journalctl").into()];
        journal.limits = Limits {
            quiet: Duration::from_secs(60),
            grace: Duration::from_millis(200),
            probe: Duration::from_secs(15),
            restart_first: Duration::from_millis(5),
            restart_most: Duration::from_millis(20),
            missing: Duration::from_millis(20),
            settled: Duration::from_millis(200),
            coalesce: Duration::from_millis(20),
            idle_position: Duration::from_millis(50),
            learn: 1_000,
            entry_bytes: 100_000,
            block_bytes: 10_000,
        };
        journal
    }

    /// The command lines of one use, in order.
    fn calls(&self, mode: &str) -> Vec<String> {
        let text = fs::read_to_string(self.dir.path().join(format!("calls-{mode}"))).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

/// What a run handed over.
#[derive(Debug, Default)]
struct Seen {
    /// Entry numbers.
    learnt: Vec<u64>,
    live: Vec<u64>,
    /// Number in the cursor of the last position.
    position: Option<String>,
    events: Vec<SourceEvent>,
}

impl Seen {
    fn take(&mut self, message: FromSource) {
        match message {
            FromSource::Event(event) => self.events.push(event),
            FromSource::Lines(block) => self.take_block(&block),
        }
    }

    fn take_block(&mut self, block: &LineBlock) {
        let numbers = block.lines().map(|(line, span)| {
            assert!(serde_json::from_slice::<serde_json::Value>(line).is_ok(), "{:?}", String::from_utf8_lossy(line));
            span.offset
        });
        match block.phase {
            Phase::Learn => {
                self.learnt.extend(numbers);
                assert_eq!(block.position, None);
            }
            Phase::Live => {
                self.live.extend(numbers);
                let position = block.position.as_ref().expect("a live block has a position");
                assert_eq!(&*position.stream, "journal:system");
                let Place::JournalV1(place) = &position.at else { panic!("{position:?}") };
                self.position = Some(place.cursor.clone());
            }
        }
    }

    fn count(&self, wanted: fn(&SourceEvent) -> bool) -> usize {
        self.events.iter().filter(|event| wanted(event)).count()
    }

    fn learned(&self) -> usize {
        self.count(|event| matches!(event, SourceEvent::Learned { .. }))
    }

    fn unreadable(&self) -> usize {
        self.count(|event| matches!(event, SourceEvent::Unreadable { .. }))
    }

    fn readable(&self) -> usize {
        self.count(|event| matches!(event, SourceEvent::Readable { .. }))
    }

    fn gaps(&self) -> Vec<Option<u64>> {
        let lost = |event: &SourceEvent| if let SourceEvent::Gap { lost, .. } = event { Some(*lost) } else { None };
        self.events.iter().filter_map(lost).collect()
    }
}

fn known(number: u64) -> Position {
    let realtime = Timestamp::from_seconds(format!("17{number}").parse().expect("a number"));
    let place = JournalPlace { cursor: format!("s=1;i={number}"), realtime, boot_id: "b".to_owned() };
    Position { stream: "journal:system".into(), at: Place::JournalV1(place) }
}

/// Opens and runs until `enough`, then stops it and waits for its end.
#[track_caller]
fn run(mut journal: Journal, known: &[Position], enough: impl Fn(&Seen) -> bool) -> Seen {
    journal.open(known, false);
    run_opened(journal, enough)
}

#[track_caller]
fn run_opened(journal: Journal, enough: impl Fn(&Seen) -> bool) -> Seen {
    let (sender, mut receiver) = mpsc::channel(4);
    let stop = CancellationToken::new();
    let outlet = Outlet::new(sender, stop.clone());
    let source = thread::spawn(move || Box::new(journal).run(outlet));
    let mut seen = Seen::default();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !enough(&seen) {
        assert!(Instant::now() < deadline, "still not enough: {seen:?}");
        match receiver.try_recv() {
            Ok(message) => seen.take(message),
            Err(mpsc::error::TryRecvError::Empty) => thread::sleep(Duration::from_millis(2)),
            Err(mpsc::error::TryRecvError::Disconnected) => panic!("the source ended by itself: {seen:?}"),
        }
    }
    stop.cancel();
    // Room for whoever waits in the outlet.
    while let Ok(message) = receiver.try_recv() {
        seen.take(message);
    }
    drop(receiver);
    let stopping = Instant::now();
    while !source.is_finished() {
        assert!(stopping.elapsed() < Duration::from_secs(10), "does not stop");
        thread::sleep(Duration::from_millis(2));
    }
    source.join().expect("no panic");
    seen
}

#[test]
fn goes_on_behind_the_stored_cursor() {
    let fake = Fake::new("case $mode in newest) entry 14;; follow) journal $from 14; wait_for_the_end;; esac");
    let seen = run(fake.journal(""), &[known(11)], |seen| seen.live.len() >= 3);
    assert_eq!(seen.live, [0x12, 0x13, 0x14]);
    assert_eq!(seen.position.as_deref(), Some("s=1;i=14"));
    assert_eq!((seen.learned(), seen.events.len()), (1, 1));
    assert_eq!(fake.calls("learn"), [""; 0]);
    let expected = "--merge --no-pager --output=json --quiet --all --follow --no-tail --cursor=s=1;i=11";
    assert_eq!(fake.calls("follow"), [expected]);
}

#[test]
fn what_was_there_teaches_and_the_rest_is_live() {
    let fake = Fake::new(
        "case $mode in newest) entry 13;; learn) journal 10 15;; follow) journal $from 15; wait_for_the_end;; esac",
    );
    let mut journal = fake.journal("");
    let mut fixed = known(13);
    if let Place::JournalV1(place) = &mut fixed.at {
        place.realtime = Timestamp::from_seconds(1713);
    }
    assert_eq!(journal.open(&[], false), [fixed]);
    let seen = run_opened(journal, |seen| seen.live.len() >= 2 && seen.learned() > 0);
    assert_eq!(seen.learnt, [0x10, 0x11, 0x12, 0x13]);
    assert_eq!(seen.live, [0x14, 0x15]);
    assert_eq!(seen.learned(), 1);
    assert_eq!(fake.calls("learn"), ["--merge --no-pager --output=json --quiet --all -n 1000"]);
}

#[test]
fn reads_from_the_beginning_if_told() {
    let fake = Fake::new("case $mode in newest) entry 12;; follow) journal 10 12; wait_for_the_end;; esac");
    let journal = fake.journal("read_from = 'beginning'\nunits = []");
    let seen = run(journal, &[], |seen| seen.live.len() >= 3);
    assert_eq!((seen.live, seen.learnt.len()), (vec![0x10, 0x11, 0x12], 0));
    assert!(!fake.calls("follow").concat().contains("--cursor"));
}

#[test]
fn an_empty_journal_is_live_from_its_first_entry() {
    let fake = Fake::new("case $mode in follow) journal 10 11; wait_for_the_end;; esac");
    let seen = run(fake.journal(""), &[], |seen| seen.live.len() >= 2);
    assert_eq!((seen.live.as_slice(), seen.learned()), (&[0x10, 0x11][..], 1));
}

#[test]
fn says_what_a_vacuum_took() {
    let fake = Fake::new("case $mode in newest) entry 16;; follow) journal 15 16; wait_for_the_end;; esac");
    let seen = run(fake.journal(""), &[known(11)], |seen| seen.live.len() >= 2);
    assert_eq!(seen.live, [0x15, 0x16]);
    assert_eq!(seen.gaps(), [Some(3)]);
}

#[test]
fn a_vacuum_that_took_only_what_was_read_is_no_gap() {
    let fake = Fake::new("case $mode in newest) entry 12;; follow) journal 12 12; wait_for_the_end;; esac");
    let seen = run(fake.journal(""), &[known(11)], |seen| !seen.live.is_empty());
    assert_eq!((seen.live.as_slice(), seen.gaps().len()), (&[0x12][..], 0));
}

#[test]
fn a_bad_cursor_goes_on_by_time() {
    let fake = Fake::new(
        r#"case "$*" in
           *--cursor=s=1\;i=11*) echo 'Failed to seek to cursor: Invalid argument' >&2; exit 1;;
           *--since*) journal 11 13; wait_for_the_end;;
        esac"#,
    );
    let seen = run(fake.journal(""), &[known(11)], |seen| seen.live.len() >= 2);
    assert_eq!(seen.live, [0x12, 0x13]);
    assert_eq!(seen.gaps(), [None]);
    assert_eq!(seen.unreadable(), 0);
    let calls = fake.calls("follow");
    assert!(calls.len() == 2 && calls[1].ends_with("--since=@1710"), "{calls:?}");
}

#[test]
fn a_child_that_dies_loses_and_repeats_nothing() {
    // Each run writes one new entry, half of the next, and dies.
    let fake = Fake::new(
        r#"case $mode in
            newest) entry 10;;
            follow) journal $from $((from + 1)); printf '{"__CURSOR":"s=1;i=%s","MESS' $((from + 2)); kill -9 $$;;
        esac"#,
    );
    let seen = run(fake.journal(""), &[known(10)], |seen| seen.live.len() >= 6);
    let first = &seen.live[..6];
    assert_eq!(first, [0x11, 0x12, 0x13, 0x14, 0x15, 0x16]);
    assert_eq!((seen.gaps().len(), seen.unreadable()), (0, 0));
}

#[test]
fn garbage_is_counted_and_passed_by() {
    let fake = Fake::new(
        r#"case $mode in
            newest) entry 11;;
            follow) entry 10; printf 'garbage\n{}\n[1]\n\377\376\000\n\n{"__CURSOR":\n'; entry 11; wait_for_the_end;;
        esac"#,
    );
    let seen = run(fake.journal(""), &[known(10)], |seen| !seen.live.is_empty() && !seen.gaps().is_empty());
    assert_eq!((seen.live.as_slice(), seen.gaps()), (&[0x11][..], vec![Some(5)]));
}

#[test]
fn a_huge_entry_is_skipped_and_said() {
    let fake = Fake::new(
        r#"case $mode in
            newest) entry 12;;
            follow) entry 10; entry 11 ",\"BLOB\":\"$(head -c 300000 /dev/zero | tr '\0' x)\""; entry 12; wait_for_the_end;;
        esac"#,
    );
    let seen = run(fake.journal(""), &[known(10)], |seen| !seen.live.is_empty());
    assert_eq!(seen.live, [0x12]);
    let skipped: Vec<u64> = seen
        .events
        .iter()
        .filter_map(|event| if let SourceEvent::Skipped { bytes, .. } = event { Some(*bytes) } else { None })
        .collect();
    assert!(matches!(skipped[..], [bytes] if bytes > 300_000), "{skipped:?}");
}

#[test]
fn a_child_that_hangs_is_started_again() {
    let fake = Fake::new(
        r#"case $mode in
            newest) entry 13;;
            follow) if [ $runs = 1 ]; then journal $from 11; printf '{"__CUR'; else journal 10 13; fi; wait_for_the_end;;
        esac"#,
    );
    let seen = run(fake.impatient(300), &[known(10)], |seen| seen.live.len() >= 3);
    assert_eq!(seen.live, [0x11, 0x12, 0x13]);
    assert_eq!((seen.gaps().len(), seen.unreadable()), (0, 0));
    assert!(fake.calls("follow")[1].contains("--since=@17"), "{:?}", fake.calls("follow"));
}

#[test]
fn a_quiet_journal_is_left_alone() {
    let fake = Fake::new("case $mode in newest) entry 11;; follow) journal $from 11; wait_for_the_end;; esac");
    let seen = run(fake.impatient(100), &[known(11)], |seen| seen.learned() > 0 && fake.calls("newest").len() >= 3);
    assert_eq!((seen.live.len(), seen.events.len()), (0, 1));
    assert_eq!(fake.calls("follow").len(), 1);
}

#[test]
fn a_clock_set_back_is_followed() {
    let back = r#"printf '{"__CURSOR":"s=2;i=1","__REALTIME_TIMESTAMP":"5000000","_BOOT_ID":"b"}\n'"#;
    let fake = Fake::new(&format!(
        r#"case $mode in
            newest) {back};;
            follow) if [ $runs -ge 2 ]; then {back}; fi; wait_for_the_end;;
        esac"#
    ));
    let seen = run(fake.impatient(100), &[known(10)], |seen| !seen.live.is_empty());
    assert_eq!((seen.live.as_slice(), seen.gaps().first()), (&[1][..], Some(&None)));
    assert_eq!(seen.position.as_deref(), Some("s=2;i=1"));
}

#[test]
fn a_missing_journalctl_is_said_once_and_found_later() {
    let fake = Fake::new(
        "case $mode in newest) entry 11;; learn) journal 10 11;; follow) journal $from 12; wait_for_the_end;; esac",
    );
    let mut journal = fake.journal("");
    let shell = fake.dir.path().join("shell");
    journal.journalctl.program.clone_from(&shell);
    assert_eq!(journal.open(&[], false), []);
    let made = std::cell::Cell::new(false);
    let seen = run_opened(journal, |seen| {
        if seen.learned() > 0 && seen.unreadable() > 0 && !made.replace(true) {
            thread::sleep(Duration::from_millis(100));
            std::os::unix::fs::symlink("/bin/sh", &shell).expect("links");
        }
        !seen.live.is_empty() && seen.learnt.len() >= 2
    });
    assert_eq!((seen.live.as_slice(), seen.learnt.as_slice()), (&[0x12][..], &[0x10, 0x11][..]));
    assert_eq!((seen.learned(), seen.unreadable(), seen.readable()), (1, 1, 1));
    let Some(SourceEvent::Unreadable { error, fix, .. }) =
        seen.events.iter().find(|event| matches!(event, SourceEvent::Unreadable { .. }))
    else {
        panic!("{seen:?}")
    };
    assert!(error.contains(&shell.display().to_string()) && fix.contains("install systemd"), "{error}: {fix}");
}

const REFUSED: &str = "echo 'No journal files were opened due to insufficient permissions.' >&2; exit 1";

#[test]
fn a_missing_permission_is_said_once_with_the_fix() {
    let fake = Fake::new(REFUSED);
    let mut journal = fake.journal("");
    journal.open(&[], false);
    let seen = run_opened(journal, |seen| seen.unreadable() > 0 && fake.calls("newest").len() >= 5);
    assert_eq!((seen.learned(), seen.unreadable()), (1, 1));
    let said = format!("{:?}", seen.events);
    assert!(
        said.contains("usermod -aG systemd-journal logwren") && said.contains("insufficient permissions"),
        "{said}"
    );
}

#[test]
fn a_permission_that_comes_back_is_said() {
    let fake = Fake::new(&format!(
        "case $mode$runs in newest*) entry 11;; follow[12]) {REFUSED};; follow*) journal $from 11; wait_for_the_end;; esac"
    ));
    let seen = run(fake.journal(""), &[known(10)], |seen| !seen.live.is_empty());
    assert_eq!((seen.unreadable(), seen.readable(), seen.live.as_slice()), (1, 1, &[0x11][..]));
}

#[test]
fn a_partial_view_is_said() {
    let fake = Fake::new(
        r#"case $mode in
            hint) echo 'Hint: You are currently not seeing messages from other users and the system.' >&2;;
            newest) entry 11;;
            follow) journal $from 11; wait_for_the_end;;
        esac"#,
    );
    let seen = run(fake.journal(""), &[known(10)], |seen| !seen.live.is_empty());
    assert_eq!((seen.unreadable(), seen.readable(), seen.live.as_slice()), (1, 0, &[0x11][..]));
}

#[test]
fn dies_at_once_three_times_and_is_told() {
    let fake = Fake::new(
        "case $mode in newest) entry 11;; follow) echo 'Failed to open files: Bad message' >&2; exit 1;; esac",
    );
    let mut journal = fake.journal("");
    journal.limits.settled = Duration::from_secs(60);
    let seen = run(journal, &[known(10)], |seen| seen.unreadable() > 0 && fake.calls("follow").len() >= 5);
    assert_eq!(seen.unreadable(), 1);
    assert!(format!("{:?}", seen.events).contains("exit status 1: Failed to open files: Bad message"), "{seen:?}");
}

#[test]
fn a_journalctl_that_never_answers_is_told() {
    let fake = Fake::new("case $mode in follow) wait_for_the_end;; newest) sleep 60;; esac");
    let mut journal = fake.impatient(100);
    journal.limits.probe = Duration::from_millis(150);
    let seen = run(journal, &[known(10)], |seen| seen.unreadable() > 0);
    assert!(format!("{:?}", seen.events).contains("no answer"), "{seen:?}");
}

#[test]
fn stops_what_does_not_want_to_stop() {
    let fake = Fake::new(
        r#"trap '' TERM INT HUP
           case $mode in
            newest) entry 11;;
            follow) journal $from 11; sh -c 'trap "" TERM; echo $$ > helper; sleep 60' & echo $$ > self; while :; do sleep 0.05; done;;
           esac"#,
    );
    let pid = |name: &str| {
        fs::read_to_string(fake.dir.path().join(name)).ok().and_then(|text| text.trim().parse::<u32>().ok())
    };
    run(fake.journal(""), &[known(10)], |seen| {
        !seen.live.is_empty() && pid("self").is_some() && pid("helper").is_some()
    });
    let gone = |pid: u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.is_empty() || stat.contains(") Z ")
    };
    let deadline = Instant::now() + Duration::from_secs(10);
    // Ours is reaped before the source returns; its helper is some other process's child by now.
    assert!(!Path::new(&format!("/proc/{}", pid("self").expect("a pid"))).exists());
    while !gone(pid("helper").expect("a pid")) {
        assert!(Instant::now() < deadline, "the helper lives");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn complaints_do_not_stop_the_lines() {
    let fake = Fake::new(
        r#"case $mode in
            newest) entry 12;;
            follow) journal $from 11; yes 'Journal file x.journal is truncated, ignoring file.' | head -n 50000 >&2; entry 12; wait_for_the_end;;
        esac"#,
    );
    let seen = run(fake.journal(""), &[known(10)], |seen| seen.live.len() >= 2);
    assert_eq!((seen.live.as_slice(), seen.unreadable()), (&[0x11, 0x12][..], 0));
}

#[test]
fn own_entries_are_dropped_and_still_move_the_position() {
    let fake = Fake::new(
        r#"own=',"_SYSTEMD_UNIT":"logwren.service"'
           case $mode in newest) entry 13;; follow) entry $from; entry 11 "$own"; entry 12; entry 13 "$own"; wait_for_the_end;; esac"#,
    );
    let seen = run(fake.journal(""), &[known(10)], |seen| seen.position.as_deref() == Some("s=1;i=13"));
    assert_eq!(seen.live, [0x12]);
    let fake = Fake::new(
        r#"case $mode in newest) entry 11;; follow) entry $from; entry 11 ',"_SYSTEMD_UNIT":"logwren.service"'; wait_for_the_end;; esac"#,
    );
    let seen = run(fake.journal(""), &[known(10)], |seen| seen.position.as_deref() == Some("s=1;i=11"));
    assert_eq!(seen.live, [0; 0]);
}

#[test]
fn a_slow_pipeline_is_no_silent_journal() {
    let fake = Fake::new("case $mode in newest) entry 2999;; follow) journal 1000 2999; wait_for_the_end;; esac");
    let mut journal = fake.journal("read_from = 'beginning'");
    journal.limits.quiet = Duration::from_millis(50);
    journal.limits.grace = Duration::from_secs(10);
    journal.open(&[], false);
    let (sender, mut receiver) = mpsc::channel(1);
    let stop = CancellationToken::new();
    let outlet = Outlet::new(sender, stop.clone());
    let source = thread::spawn(move || Box::new(journal).run(outlet));
    let mut seen = Seen::default();
    while seen.live.len() < 2_000 {
        thread::sleep(Duration::from_millis(20));
        seen.take(receiver.blocking_recv().expect("the source lives"));
    }
    stop.cancel();
    drop(receiver);
    source.join().expect("no panic");
    assert_eq!((seen.live.len(), fake.calls("follow").len()), (2_000, 1));
}

#[test]
fn boots_follow_one_another_in_order_of_arrival() {
    // The clock of the second boot starts in the past, as on hosts without one of their own.
    let second = |number: u32, boot: &str, machine: &str| {
        format!(
            r#"{{"__CURSOR":"s=1;i={number}","__REALTIME_TIMESTAMP":"5000000","_BOOT_ID":"{boot}","_MACHINE_ID":"{machine}"}}"#
        )
    };
    let line = second(13, "c", "m");
    let script =
        format!("case $mode in newest) entry 12;; follow) journal 11 12; echo '{line}'; wait_for_the_end;; esac");
    let fake = Fake::new(&script);
    let mut journal = fake.journal("");
    journal.filter.machine_id = Some("m".to_owned());
    let seen = run(journal, &[known(11)], |seen| seen.live.len() >= 2);
    assert_eq!((seen.live.as_slice(), seen.gaps().len()), (&[0x12, 0x13][..], 0));

    let mut journal = Fake::new("").journal("");
    journal.filter.machine_id = Some("m".to_owned());
    let mut intake = journal.intake(Phase::Live);
    intake.begin(&Start::Head);
    let is_reboot =
        |intake: &intake::Intake, line: &str| intake.is_reboot(&entry::Entry::read(line.as_bytes()).expect("an entry"));
    assert!(!is_reboot(&intake, &second(1, "b", "m")), "the first that we see");
    intake.feed(format!("{}\n", second(1, "b", "m")).as_bytes());
    assert!(!is_reboot(&intake, &second(2, "b", "m")));
    assert!(is_reboot(&intake, &second(2, "c", "m")));
    assert!(!is_reboot(&intake, &second(2, "c", "other")), "another machine's");
}

#[test]
fn a_flood_of_complaints_stops_nothing() {
    let fake = Fake::new(
        "case $mode in newest) entry 12;; follow) yes 'Journal file is corrupted' | head -c 2000000 >&2; journal $from 13; wait_for_the_end;; esac",
    );
    let seen = run(fake.journal(""), &[known(11)], |seen| seen.live.len() >= 2);
    assert_eq!(seen.live, [0x12, 0x13]);
}

#[test]
fn names_follow_the_config() {
    let names = |config: &str| {
        let journal = Journal::new(toml::from_str(config).expect("a good table"));
        (journal.stream.to_string(), journal.origin.name.to_string())
    };
    assert_eq!(names(""), ("journal:system".to_owned(), "journal".to_owned()));
    assert_eq!(names("namespace = 'web'"), ("journal:web".to_owned(), "journal:web".to_owned()));
    let command = |config: &str| {
        let journal = Journal::new(toml::from_str(config).expect("a good table"));
        format!("{:?}", journal.journalctl.follow(&Start::Head))
    };
    assert!(command("namespace = 'web'").contains("\"--namespace=web\""));
    assert!(command("directory = '/srv/j'").contains("\"--directory=/srv/j\""));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// However the pipe cuts the bytes, and whatever is between them, each entry comes once and in order.
    #[test]
    fn entries_survive_any_chunks_and_any_noise(
        noise in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 1..20),
        size in 1usize..500,
    ) {
        let mut bytes = Vec::new();
        for (number, noise) in noise.iter().enumerate() {
            bytes.extend(noise.iter().filter(|byte| **byte != b'\n'));
            bytes.extend_from_slice(format!("\n{{\"__CURSOR\":\"s=1;i={number:x}\"}}\n").as_bytes());
        }
        let mut intake = Fake::new("").journal("").intake(Phase::Live);
        intake.begin(&Start::Head);
        let mut seen = Seen::default();
        for chunk in bytes.chunks(size) {
            intake.feed(chunk);
            if let Some(block) = intake.take_block() {
                seen.take_block(&block);
            }
        }
        prop_assert_eq!(seen.live, (0..noise.len() as u64).collect::<Vec<_>>());
    }

    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let mut intake = Fake::new("").journal("").intake(Phase::Learn).up_to(JournalPlace {
            cursor: String::from_utf8_lossy(&bytes).into_owned(),
            realtime: Timestamp::EPOCH,
            boot_id: String::new(),
        });
        intake.feed(&bytes);
        intake.take_block();
    }
}
