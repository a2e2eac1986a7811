//! More nasty cases: deaths while learning, links, permissions, clocks, encodings. One test each, on a scripted clock.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use crate::model::SourceEvent;

use super::bed::Bed;
use super::tailer::Wake;

/// A bed with `app.log` followed from its first lines on.
fn following() -> Bed {
    let mut bed = Bed::new(&["*.log"]);
    bed.append("app.log", "old\n");
    bed.start();
    bed.append("app.log", "one\n");
    bed.then(&["one"]);
    bed
}

/// How often it was said that something cannot be read, and that it can again.
fn said(bed: &Bed) -> (usize, usize) {
    let count = |is: fn(&SourceEvent) -> bool| bed.events.iter().filter(|event| is(event)).count();
    (
        count(|event| matches!(event, SourceEvent::Unreadable { .. })),
        count(|event| matches!(event, SourceEvent::Readable { .. })),
    )
}

fn set_age(bed: &Bed, name: &str, seconds: i64) {
    let now = SystemTime::now();
    let age = Duration::from_secs(seconds.unsigned_abs());
    let time = if seconds < 0 { now + age } else { now - age };
    let file = OpenOptions::new().append(true).open(bed.path(name)).expect("to open it");
    file.set_modified(time).expect("to set it");
}

/// A bed that learned three generations of `app.log`, one of them packed, and was killed before that was durable.
fn killed_while_learning() -> Bed {
    let mut bed = Bed::new(&["app.log"]);
    bed.append("x", "oldest\n");
    bed.gzip("x", "app.log.2.gz");
    bed.append("app.log.1", "older\n");
    bed.append("app.log", "old\n");
    set_age(&bed, "app.log.2.gz", 2_000);
    set_age(&bed, "app.log.1", 1_000);
    bed.start();
    assert_eq!(std::mem::take(&mut bed.learned), ["oldest", "older", "old"]);
    bed.append("app.log", "one\n");
    bed.then(&["one"]);
    bed.stop();
    bed
}

#[test]
fn killed_while_learning_it_learns_all_again() {
    let mut bed = killed_while_learning();
    bed.append("app.log", "two\n");
    bed.start_relearning();
    assert_eq!(bed.learned, ["oldest", "older", "old"]);
    bed.then(&["two"]);
}

#[test]
fn killed_while_learning_and_rotated_before_it_came_back() {
    let mut bed = killed_while_learning();
    bed.rename("app.log.2.gz", "app.log.3.gz");
    bed.gzip("app.log.1", "app.log.2.gz");
    bed.append("app.log", "two\n");
    bed.rename("app.log", "app.log.1");
    bed.append("app.log", "three\n");
    bed.start_relearning();
    bed.learned.sort();
    assert_eq!(bed.learned, ["old", "older", "oldest"]);
    bed.then(&["two", "three"]);
    bed.stop();
    bed.learned.clear();
    bed.start();
    assert_eq!(bed.learned, [""; 0], "once is enough");
    bed.then(&[]);
}

#[test]
fn killed_while_learning_and_packed_before_it_came_back() {
    let mut bed = killed_while_learning();
    bed.append("app.log", "two\n");
    bed.gzip("app.log", "app.log.0.gz");
    bed.append("app.log", "three\n");
    bed.start_relearning();
    bed.learned.sort();
    assert_eq!(bed.learned, ["old", "older", "oldest"]);
    bed.then(&["two", "three"]);
}

#[test]
fn a_link_is_followed_over_a_restart() {
    let mut bed = Bed::new(&["current.log"]);
    bed.append("data/f0", "old\n");
    symlink("data/f0", bed.path("current.log")).expect("to link it");
    bed.start();
    bed.append("data/f0", "one\n");
    bed.then(&["one"]);
    bed.stop();
    bed.append("data/f0", "two\n");
    bed.start();
    bed.then(&["two"]);
    assert_eq!(bed.learned, ["old"]);
    bed.stop();
    bed.append("data/f0", "three\n");
    bed.append("data/f1", "four\n");
    bed.remove("current.log");
    symlink("data/f1", bed.path("current.log")).expect("to link it");
    bed.start();
    bed.then(&["three", "four"]);
    assert_eq!(bed.gaps(), []);
}

#[test]
fn double_links_as_of_containers() {
    let mut bed = Bed::new(&["containers/*.log"]);
    for directory in ["containers", "pods/app"] {
        fs::create_dir_all(bed.path(directory)).expect("to make it");
    }
    bed.start();
    bed.append("docker/id-json.log", "one\n");
    symlink("../../docker/id-json.log", bed.path("pods/app/0.log")).expect("to link it");
    symlink("../pods/app/0.log", bed.path("containers/app.log")).expect("to link it");
    bed.then(&["one"]);
    bed.stop();
    bed.append("docker/id-json.log", "two\n");
    bed.append("docker/other-json.log", "three\n");
    symlink("../../docker/other-json.log", bed.path("pods/app/1.log")).expect("to link it");
    bed.remove("containers/app.log");
    symlink("../pods/app/1.log", bed.path("containers/app.log")).expect("to link it");
    bed.start();
    bed.then(&["two", "three"]);
    bed.rename("docker/other-json.log", "docker/other-json.log.1");
    bed.append("docker/other-json.log.1", "four\n");
    bed.append("docker/other-json.log", "five\n");
    bed.then(&["four", "five"]);
    assert_eq!(bed.gaps(), []);
}

#[test]
fn a_directory_that_is_a_relative_link() {
    let mut bed = Bed::new(&["logs/app.log", "logs/*.txt"]);
    bed.append("real/x", "");
    symlink("real", bed.path("logs")).expect("to link it");
    bed.start();
    bed.append("real/app.log", "one\n");
    bed.append("real/b.txt", "two\n");
    bed.pass(7_000);
    let mut lines = bed.take();
    lines.sort();
    assert_eq!(lines, ["one", "two"]);
    bed.stop();
    bed.append("real/app.log", "three\n");
    bed.rename("real/app.log", "real/app.log.1");
    bed.append("real/app.log", "four\n");
    bed.start();
    bed.then(&["three", "four"]);
}

#[test]
fn a_file_that_may_not_be_read_yet() {
    let mut bed = following();
    bed.append("b.log", "two\n");
    bed.allow("b.log", 0);
    bed.append("app.log", "three\n");
    bed.then(&["three"]);
    bed.pass(60_000);
    assert_eq!(said(&bed), (1, 0));
    bed.allow("b.log", 0o644);
    bed.then(&["two"]);
    assert_eq!(said(&bed), (1, 1));
    // What is open stays open; over a restart it waits.
    bed.allow("b.log", 0);
    bed.append("b.log", "four\n");
    bed.then(&["four"]);
    bed.stop();
    bed.append("b.log", "five\n");
    bed.start();
    bed.then(&[]);
    bed.allow("b.log", 0o644);
    bed.then(&["five"]);
    assert_eq!((said(&bed), bed.gaps()), ((2, 2), vec![]));
}

#[test]
fn a_directory_that_may_not_be_read_for_a_while() {
    let mut bed = Bed::new(&["sub/**/*.log"]);
    bed.append("sub/x/app.log", "old\n");
    bed.start();
    bed.append("sub/x/app.log", "one\n");
    bed.then(&["one"]);
    bed.allow("sub/x", 0);
    bed.append("sub/x/app.log", "two\n");
    bed.then(&["two"]);
    bed.append("sub/x/b.log", "three\n");
    bed.pass(100_000);
    bed.append("sub/x/app.log", "four\n");
    bed.pass(100_000);
    bed.allow("sub/x", 0o755);
    bed.pass(7_000);
    let mut lines = bed.take();
    lines.sort();
    assert_eq!(lines, ["four", "three"]);
    bed.allow("sub/x", 0);
    bed.stop();
    bed.append("sub/x/app.log", "five\n");
    bed.start();
    bed.then(&[]);
    bed.pass(60_000);
    bed.allow("sub/x", 0o755);
    bed.then(&["five"]);
    assert_eq!(bed.gaps(), []);
}

#[test]
fn a_directory_that_is_closed_and_then_removed() {
    let mut bed = Bed::new(&["sub/*.log"]);
    bed.append("sub/app.log", "old\n");
    bed.start();
    bed.allow("sub", 0);
    bed.pass(100_000);
    bed.append("sub/app.log", "one\n");
    bed.allow("sub", 0o755);
    bed.remove("sub/app.log");
    bed.then(&["one"]);
    assert_eq!(bed.gaps(), []);
}

#[test]
fn a_packed_file_that_may_not_be_read_for_a_while() {
    let mut bed = Bed::new(&["sub/*.log"]);
    bed.append("sub/app.log", "");
    bed.start();
    bed.append("sub/app.log", "one\n");
    bed.stop();
    bed.gzip("sub/app.log", "sub/app.log.1.gz");
    bed.start();
    // Found at the start, and not to be opened any more when it is to be read.
    bed.allow("sub", 0);
    bed.then(&[]);
    bed.allow("sub", 0o755);
    bed.then(&["one"]);
    assert_eq!(bed.gaps(), []);
}

#[test]
fn what_was_found_but_never_read_is_not_old_after_a_restart() {
    let mut bed = following();
    bed.append("empty.log", "");
    bed.append("half.log", "ha");
    bed.append("closed.log", "closed\n");
    bed.allow("closed.log", 0);
    bed.then(&[]);
    std::thread::sleep(Duration::from_millis(50));
    bed.append("app.log", "two\n");
    bed.then(&["two"]);
    bed.stop();
    bed.append("empty.log", "filled\n");
    bed.append("half.log", "lf\n");
    bed.start();
    bed.then(&["filled", "half"]);
    bed.allow("closed.log", 0o644);
    bed.then(&["closed"]);
    assert_eq!(bed.learned, ["old"]);
}

#[test]
fn born_and_rotated_while_down_without_a_forerunner() {
    let mut bed = following();
    bed.stop();
    std::thread::sleep(Duration::from_millis(50));
    bed.append("b.log.1", "two\n");
    bed.append("b.log", "three\n");
    bed.start();
    bed.then(&["two", "three"]);
}

#[test]
fn clocks_jump() {
    for hours in [-9_000, 9_000] {
        let mut bed = following();
        bed.wall_error = jiff::SignedDuration::from_hours(hours);
        bed.append("app.log", "two\n");
        bed.then(&["two"]);
        bed.rename("app.log", "app.log.1");
        bed.append("app.log", "three\n");
        bed.append("new.log", "four\n");
        bed.then(&["three", "four"]);
        bed.append("app.log", "five\n");
        bed.stop();
        bed.rename("app.log.1", "app.log.3");
        bed.rename("app.log", "app.log.2");
        bed.append("app.log.1", "six\n");
        bed.append("app.log", "seven\n");
        if hours > 0 {
            bed.wall_error = jiff::SignedDuration::ZERO;
        }
        bed.start();
        bed.pass(7_000);
        let lines = bed.take();
        let (known, born) = (["five", "seven"], "six");
        assert!(known.iter().all(|line| lines.iter().any(|other| other == line)), "{hours}: {lines:?}");
        // Born and rotated while a clock was wrong by a year: read, unless its time says it was there long before.
        assert!(hours > 0 || lines.iter().any(|line| line == born), "{hours}: {lines:?}");
        assert_eq!(bed.gaps(), []);
    }
}

#[test]
fn files_from_the_future_and_from_long_ago() {
    let mut bed = following();
    for (name, age) in [("future.log", -40_000_000), ("past.log", 40_000_000)] {
        bed.append(name, format!("{name}\n"));
        set_age(&bed, name, age);
    }
    bed.then(&["future.log", "past.log"]);
    bed.append("future.log", "two\n");
    set_age(&bed, "future.log", 40_000_000);
    bed.then(&["two"]);
}

/// Its first lines go on in the copy; what is written behind the truncation, as long as they were, is new, also when
/// the link that led to it leads elsewhere by then.
#[test]
fn copied_and_truncated_before_a_crash_and_regrown_before_another() {
    let mut bed = Bed::new(&["cur.log"]);
    bed.append("data/f0", "");
    symlink("data/f0", bed.path("cur.log")).expect("to link it");
    bed.start();
    bed.append("data/f0", "line 0\n");
    bed.then(&["line 0"]);
    bed.copy("data/f0", "data/f0-20260101");
    bed.truncate("data/f0");
    bed.crash(bed.store.clone());
    bed.start();
    bed.pass(0);
    let store = bed.store.clone();
    bed.append("data/f0", "line 1\n");
    bed.then(&["line 1"]);
    bed.remove("cur.log");
    symlink("data/f1", bed.path("cur.log")).expect("to link it");
    bed.crash(store);
    bed.start();
    bed.then(&["line 1"]);
}

/// The other logs were read on between its birth and the next look at the directories.
#[test]
fn born_after_the_last_look_and_before_a_crash() {
    let mut bed = following();
    bed.pass(6_000);
    bed.append("young.log", "first\n");
    bed.wall_error = jiff::SignedDuration::from_secs(60);
    bed.append("app.log", "two\n");
    bed.pass(1_000);
    bed.expect(&["two"]);
    bed.crash(bed.store.clone());
    bed.start();
    bed.append("young.log", "second\n");
    bed.then(&["first", "second"]);
    assert_eq!(bed.gaps(), []);
}

#[test]
fn delayed_compression() {
    let mut bed = following();
    for round in 0..4 {
        bed.append("app.log", format!("round {round}\n"));
        for number in (2..=round).rev() {
            bed.rename(&format!("app.log.{number}.gz"), &format!("app.log.{}.gz", number + 1));
        }
        if round > 0 {
            bed.gzip("app.log.1", "app.log.2.gz");
        }
        bed.rename("app.log", "app.log.1");
        if round % 2 == 0 {
            bed.append("app.log.1", format!("late {round}\n"));
            bed.then(&[&format!("round {round}"), &format!("late {round}")]);
        } else {
            bed.then(&[&format!("round {round}")]);
        }
    }
    assert_eq!(bed.gaps(), []);
}

#[test]
fn generations_outside_the_pattern_with_dates_while_down() {
    let mut bed = Bed::new(&["app.log"]);
    bed.append("app.log", "old\n");
    bed.start();
    bed.append("app.log", "one\n");
    bed.then(&["one"]);
    bed.append("app.log", "two\n");
    bed.stop();
    bed.gzip("app.log", "app.log-20260101.gz");
    bed.append("x", "three\n");
    bed.gzip("x", "app.log-20260102.gz");
    bed.append("app.log-20260103", "four\n");
    bed.append("app.log", "five\n");
    bed.start();
    bed.then(&["two", "three", "four", "five"]);
    assert_eq!(bed.gaps(), []);
}

#[test]
fn utf16_in_both_orders_with_a_mark() {
    for big in [false, true] {
        let encode = |text: &str| -> Vec<u8> {
            let unit = |unit: u16| if big { unit.to_be_bytes() } else { unit.to_le_bytes() };
            text.encode_utf16().flat_map(unit).collect()
        };
        let mut bed = following();
        bed.append("b.log", encode("\u{feff}two é 🐦\r\n\u{a0a} three\r\nhalf"));
        bed.then(&["two é 🐦", "\u{a0a} three"]);
        let rest = encode(" way\nfour\n");
        bed.append("b.log", &rest[..5]);
        bed.then(&[]);
        bed.stop();
        bed.append("b.log", &rest[5..]);
        bed.start();
        bed.then(&["half way", "four"]);
        bed.rename("b.log", "b.log.1");
        bed.append("b.log", encode("\u{feff}five\n"));
        bed.then(&["five"]);
    }
}

#[test]
fn utf16_that_was_there_teaches_to_its_end() {
    let encode = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    let mut bed = Bed::new(&["*.log"]);
    bed.append("app.log", encode("\u{feff}old\nolder\nha"));
    bed.start();
    assert_eq!(bed.learned, ["old", "older"]);
    bed.append("app.log", encode("lf\none\n"));
    bed.then(&["half", "one"]);
}

#[test]
fn a_mark_of_utf8_is_no_part_of_the_line() {
    let mut bed = following();
    bed.append("b.log", "\u{feff}two\nthree\n");
    bed.then(&["two", "three"]);
}

#[test]
fn a_packed_file_that_cannot_be_read_stops_nothing() {
    let mut bed = following();
    bed.stop();
    bed.append("app.log.2.gz", b"\x1f\x8b\x08\x00 this is no gzip at all");
    set_age(&bed, "app.log.2.gz", 100);
    bed.append("app.log.1", "two\n");
    bed.append("app.log", "three\n");
    bed.start();
    // Shorter than what was read before, it may be a copy in the making: it waits a moment.
    bed.then(&["three", "two"]);
    bed.pass(60_000);
    let told = bed.events.iter().filter(|event| match event {
        SourceEvent::Unreadable { origin, fix, .. } => origin.contains("app.log.2.gz") && !fix.is_empty(),
        SourceEvent::Gap { reason, .. } => reason.contains("app.log.2.gz"),
        _ => false,
    });
    assert_eq!(told.count(), 1, "{:?}", bed.events);
}

#[test]
fn renamed_with_an_unfinished_line_and_written_on() {
    let mut bed = following();
    bed.append("app.log", "hel");
    bed.rename("app.log", "app.log.1");
    bed.append("app.log", "next\n");
    bed.then(&["next"]);
    bed.append("app.log.1", "lo\n");
    bed.then(&["hello"]);
}

#[test]
fn a_swap_under_our_hands_is_seen_by_the_next_look() {
    let mut bed = following();
    for round in 0..30 {
        bed.append("app.log", format!("a {round}\n"));
        bed.tick(&Wake::default());
        bed.rename("app.log", "app.log.1");
        bed.append("app.log", format!("b {round}\n"));
        bed.tick(&Wake { scan: true, ..Wake::default() });
        bed.rename("app.log", "app.log.1");
    }
    bed.pass(7_000);
    assert_eq!(bed.take().len(), 60);
}

#[test]
fn a_generation_of_which_only_the_banner_was_read_proves_nothing() {
    for banner in ["# one header\n".to_owned(), "# a longer header\n".repeat(80)] {
        let mut bed = Bed::new(&["app.log"]);
        bed.start();
        bed.append("app.log", format!("{banner}hal"));
        bed.pass(7_000);
        bed.rename("app.log", "app.log.1");
        bed.append("app.log", format!("{banner}one\n"));
        bed.pass(7_000);
        assert_eq!(bed.take().last().map(String::as_str), Some("one"));
        bed.stop();
        bed.append("x", format!("{banner}two\n"));
        bed.gzip("x", "app.log.0.gz");
        bed.start();
        bed.pass(7_000);
        assert_eq!(bed.take().last().map(String::as_str), Some("two"));
    }
}
