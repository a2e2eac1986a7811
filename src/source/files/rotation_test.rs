//! The nasty cases of rotation, one test each, on real files and a scripted clock.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::symlink;
use std::time::Duration;

use super::bed::Bed;
use super::tailer::Wake;

fn bed(include: &[&str]) -> Bed {
    Bed::new(include)
}

/// A bed with `app.log` followed from its first lines on.
fn following() -> Bed {
    let mut bed = bed(&["*.log"]);
    bed.append("app.log", "old\n");
    bed.start();
    bed.append("app.log", "one\n");
    bed.then(&["one"]);
    bed
}

#[test]
fn rename_and_create_drains_the_old_file_first() {
    let mut bed = following();
    bed.append("app.log", "two\n");
    bed.rename("app.log", "app.log.1");
    bed.append("app.log", "three\n");
    bed.then(&["two", "three"]);
    bed.append("app.log.1", "late\n");
    bed.then(&["late"]);
    assert_eq!(bed.gaps(), []);
}

#[test]
fn a_renamed_file_is_closed_when_quiet_and_taken_up_again_when_not() {
    let mut bed = following();
    bed.rename("app.log", "app.log.1");
    bed.append("app.log", "two\n");
    bed.then(&["two"]);
    bed.pass(70_000);
    assert_eq!(bed.store.values().filter(|position| format!("{position:?}").contains("sealed: true")).count(), 1);
    bed.append("app.log.1", "very late\n");
    bed.then(&["very late"]);
}

#[test]
fn rename_while_down_once_and_twice() {
    let mut bed = following();
    bed.append("app.log", "two\n");
    bed.stop();
    bed.rename("app.log", "app.log.1");
    bed.append("app.log", "three\n");
    bed.start();
    bed.then(&["two", "three"]);
    bed.append("app.log", "four\n");
    bed.stop();
    bed.rename("app.log.1", "app.log.3");
    bed.rename("app.log", "app.log.2");
    bed.append("app.log.1", "five\n");
    bed.append("app.log", "six\n");
    bed.start();
    bed.then(&["four", "five", "six"]);
    assert_eq!(bed.gaps(), []);
}

#[test]
fn generations_born_and_packed_while_down() {
    let mut bed = following();
    bed.append("app.log", "two\n");
    bed.stop();
    bed.gzip("app.log", "app.log.3.gz");
    bed.append("x", "three\n");
    bed.gzip("x", "app.log.2.gz");
    bed.append("app.log.1", "four\n");
    bed.append("app.log", "five\n");
    bed.start();
    bed.then(&["two", "three", "four", "five"]);
    bed.stop();
    bed.start();
    bed.then(&[]);
    assert_eq!(bed.gaps(), []);
}

#[test]
fn compressed_after_rotation_is_not_read_again() {
    let mut bed = following();
    bed.rename("app.log", "app.log.1");
    bed.append("app.log", "two\n");
    bed.then(&["two"]);
    bed.gzip("app.log.1", "app.log.1.gz");
    bed.then(&[]);
    bed.pass(100_000);
    bed.stop();
    bed.start();
    bed.then(&[]);
    assert_eq!(bed.gaps(), []);
}

#[test]
fn compressed_at_once_while_unread() {
    let mut bed = following();
    bed.append("app.log", "two\n");
    bed.gzip("app.log", "app.log.1.gz");
    bed.append("app.log", "three\n");
    bed.then(&["two", "three"]);
    bed.then(&[]);
}

/// An unfinished line may be how the next generation begins.
#[test]
fn packed_files_that_start_like_an_unfinished_line() {
    for quiet in [0, 65_000] {
        let mut bed = following();
        bed.rename("app.log", "app.log.1");
        bed.append("app.log", "line 1");
        bed.rename("app.log.1", "app.log.2");
        bed.rename("app.log", "app.log.1");
        bed.pass(quiet);
        bed.append("app.log", "line 10\nline 11\n");
        bed.rename("app.log.1", "app.log.2");
        bed.rename("app.log", "app.log.1");
        bed.gzip("app.log.1", "app.log.1.gz");
        bed.gzip("app.log.2", "app.log.2.gz");
        bed.append("app.log", "line 12\n");
        bed.pass(100_000);
        let mut lines = bed.take();
        lines.sort_unstable();
        assert_eq!(lines, ["line 1 (partial)", "line 10", "line 11", "line 12"], "{quiet}");
    }
}

#[test]
fn recreated_with_a_line_that_starts_like_the_unfinished_last_one() {
    let mut bed = following();
    bed.append("b.log", "line 1");
    bed.pass(7_000);
    bed.remove("b.log");
    bed.pass(65_000);
    assert_eq!(bed.take(), ["line 1 (partial)"]);
    bed.stop();
    bed.append("b.log", "line 13\n");
    bed.start();
    bed.then(&["line 13"]);
}

#[test]
fn date_named_files() {
    let mut bed = bed(&["app-*.log"]);
    bed.append("app-2026-01-01.log", "old\n");
    bed.start();
    bed.append("app-2026-01-01.log", "one\n");
    bed.append("app-2026-01-02.log", "two\n");
    bed.append("app-2026-01-01.log", "late\n");
    bed.then(&["one", "late", "two"]);
    bed.append("app-2026-01-01.log", "later\n");
    bed.append("app-2026-01-02.log", "three\n");
    bed.then(&["later", "three"]);
}

#[test]
fn copytruncate_reads_the_unread_rest_from_the_copy() {
    for names in [&["*.log"][..], &["app.*"]] {
        let mut bed = bed(names);
        bed.append("app.log", "old\n");
        bed.start();
        bed.append("app.log", "one\n");
        bed.then(&["one"]);
        bed.append("app.log", "two\n");
        bed.copy("app.log", "app.log.1");
        bed.truncate("app.log");
        bed.append("app.log", "three\n");
        bed.then(&["two", "three"]);
        let gaps = bed.gaps();
        assert!(gaps.len() == 1 && gaps[0].1 == Some(0), "what is possibly lost is said: {gaps:?}");
        bed.pass(100_000);
        bed.stop();
        bed.start();
        bed.then(&[]);
    }
}

#[test]
fn copy_seen_before_the_truncation() {
    let mut bed = following();
    bed.append("app.log", "two\n");
    bed.copy("app.log", "app.log.1");
    bed.poke();
    bed.expect(&["two"]);
    bed.append("app.log", "three\n");
    bed.poke();
    bed.expect(&["three"]);
    // The copy grows while we look, as a big one does.
    bed.append("app.log.1", "three\n");
    bed.truncate("app.log");
    bed.append("app.log", "four\n");
    bed.then(&["four"]);
    bed.then(&[]);
}

#[test]
fn an_empty_copy_in_the_making_is_not_a_new_log() {
    let mut bed = following();
    fs::write(bed.path("app.log.1"), "").expect("to write it");
    bed.poke();
    bed.copy("app.log", "app.log.1");
    bed.poke();
    bed.truncate("app.log");
    bed.append("app.log", "two\n");
    bed.then(&["two"]);
}

#[test]
fn copytruncate_with_the_same_header() {
    let mut bed = bed(&["*.log"]);
    let header = "# the same header line every time\n";
    bed.append("app.log", header);
    bed.start();
    bed.append("app.log", "one\n");
    bed.then(&["one"]);
    bed.append("app.log", "two\n");
    bed.copy("app.log", "app.log.1");
    bed.truncate("app.log");
    bed.append("app.log", format!("{header}three, and longer than what was there before\n"));
    bed.then(&["two", header.trim_end(), "three, and longer than what was there before"]);
}

#[test]
fn copytruncate_while_down() {
    let mut bed = following();
    bed.append("app.log", "two\n");
    bed.stop();
    bed.copy("app.log", "app.log.1");
    bed.truncate("app.log");
    bed.append("app.log", "three\n");
    bed.start();
    bed.then(&["two", "three"]);
    bed.stop();
    bed.start();
    bed.then(&[]);
}

#[test]
fn truncate_and_regrow_past_the_place() {
    let mut bed = following();
    bed.truncate("app.log");
    bed.append("app.log", "a line much longer than all that was there before\n");
    bed.then(&["a line much longer than all that was there before"]);
    bed.pass(20_000);
    assert_eq!(bed.gaps().len(), 1);
}

#[test]
fn rewritten_in_the_same_size() {
    let mut bed = following();
    fs::write(bed.path("app.log"), "new\ntwo\n").expect("to write it");
    bed.then(&["new", "two"]);
}

#[test]
fn truncated_with_unread_bytes_says_how_many() {
    let mut bed = bed(&["*.log"]);
    bed.limits.max_turn = 1;
    bed.append("app.log", "old\n");
    bed.start();
    bed.append("app.log", "0123456789\n".repeat(20_000));
    bed.tick(&Wake::default());
    let read = bed.take().len();
    assert!((1..20_000).contains(&read));
    bed.truncate("app.log");
    bed.pass(20_000);
    let (at, unread) = (4 + read * 11, (20_000 - read) * 11);
    let reason = format!("truncated with {unread} bytes unread after byte {at}");
    assert_eq!(bed.gaps(), [(reason, Some(unread as u64))]);
}

#[test]
fn a_writer_that_keeps_its_place_leaves_a_hole() {
    for place in [5_000, 100, 10 << 20] {
        let mut bed = bed(&["*.log"]);
        bed.start();
        let mut writer = fs::File::create(bed.path("app.log")).expect("to create it");
        writer.write_all(&b"x".repeat(place - 1)).expect("to write it");
        writer.write_all(b"\n").expect("to write it");
        bed.pass(7_000);
        bed.take();
        writer.set_len(0).expect("to truncate it");
        writer.seek(SeekFrom::Start(place as u64)).expect("to seek");
        writer.write_all(b"after\n").expect("to write it");
        bed.then(&["after"]);
        writer.write_all(b"more\n").expect("to write it");
        bed.then(&["more"]);
        writer.set_len(0).expect("to truncate it");
        bed.pass(7_000);
        writer.write_all(b"again\n").expect("to write it");
        bed.then(&["again"]);
    }
}

#[test]
fn deleted_while_unread() {
    let mut bed = following();
    bed.append("app.log", "two\nthree");
    bed.remove("app.log");
    bed.then(&["two"]);
    bed.pass(70_000);
    bed.expect(&["three (partial)"]);
    assert_eq!(bed.gaps(), []);
}

/// Two deleted files, of which one is read while nobody takes its lines: what becomes of the other.
#[track_caller]
fn check_deleted_hold(min_free_percent: u64, refuse: &[u64], expected: &[&str], lost: &[(&str, Option<u64>)]) {
    let mut bed = bed(&["*.log"]);
    bed.limits.min_free_percent = min_free_percent;
    bed.append("a.log", "old\n");
    bed.append("b.log", "old\n");
    bed.start();
    bed.append("a.log", "one\n");
    bed.append("b.log", "two\nthree");
    bed.remove("a.log");
    bed.remove("b.log");
    bed.refuse = refuse.iter().map(|minutes| Duration::from_secs(minutes * 60)).collect();
    bed.pass(7_000);
    bed.pass(200_000);
    bed.expect(expected);
    let gaps = bed.gaps();
    let told: Vec<(&str, Option<u64>)> = gaps
        .iter()
        .map(|(reason, lost)| (reason.split_once("b.log was deleted ").map_or("another", |(_, why)| why), *lost))
        .collect();
    assert_eq!(told, lost);
    // Said once, for good.
    bed.stop();
    bed.start();
    bed.pass(60_000);
    assert_eq!((bed.take(), bed.gaps().len()), (vec![], lost.len()));
}

#[test]
fn deleted_files_are_let_go_of_when_their_lines_are_not_taken() {
    let (kept, gone): (&[&str], &[&str]) = (&["one", "two", "three (partial)"], &["one"]);
    check_deleted_hold(0, &[], kept, &[]);
    check_deleted_hold(0, &[1, 58], kept, &[]);
    check_deleted_hold(101, &[], kept, &[]);
    let text = "61 minutes ago, while its lines were not taken: bytes 4 to 13 are lost";
    check_deleted_hold(0, &[1, 30, 61], gone, &[(text, Some(9))]);
    let text = "and its disk is nearly full, while its lines were not taken: bytes 4 to 13 are lost";
    check_deleted_hold(101, &[1], gone, &[(text, Some(9))]);
}

#[test]
fn deleted_and_recreated_at_once() {
    let mut bed = following();
    bed.append("app.log", "two\n");
    bed.remove("app.log");
    bed.append("app.log", "three\n");
    bed.then(&["two", "three"]);
}

#[test]
fn deleted_while_down_is_a_gap() {
    let mut bed = following();
    bed.append("app.log", "two\n");
    bed.stop();
    bed.remove("app.log");
    bed.start();
    bed.pass(30_000);
    let gaps = [("gone; lines after byte 8 may be lost".to_owned(), None)];
    assert_eq!(bed.gaps(), gaps);
    bed.stop();
    bed.start();
    bed.pass(30_000);
    assert_eq!(bed.gaps(), gaps, "once is enough");
}

#[test]
fn a_truncation_is_said_once() {
    let mut bed = following();
    bed.append("app.log", "two\n");
    bed.truncate("app.log");
    bed.append("app.log", "three\n");
    bed.then(&["three"]);
    bed.pass(30_000);
    assert_eq!(bed.gaps().len(), 1);
    bed.stop();
    bed.append("app.log", "four\n");
    bed.start();
    bed.pass(30_000);
    assert_eq!((bed.take(), bed.gaps().len()), (vec!["four".to_owned()], 1));
}

#[test]
fn directory_deleted_and_reborn() {
    let mut bed = bed(&["sub/**/*.log"]);
    bed.append("sub/x/app.log", "old\n");
    bed.start();
    bed.append("sub/x/app.log", "one\n");
    bed.then(&["one"]);
    fs::remove_dir_all(bed.path("sub")).expect("to remove it");
    bed.then(&[]);
    bed.append("sub/x/app.log", "two\n");
    bed.then(&["two"]);
}

#[test]
fn symlink_swapped_to_another_file() {
    let mut bed = bed(&["current.log"]);
    bed.append("data/0", "old\n");
    symlink(bed.path("data/0"), bed.path("current.log")).expect("to link it");
    bed.start();
    bed.append("data/0", "one\n");
    bed.then(&["one"]);
    bed.append("data/0", "two\n");
    bed.append("data/1", "three\n");
    bed.remove("current.log");
    symlink(bed.path("data/1"), bed.path("current.log")).expect("to link it");
    bed.then(&["two", "three"]);
    bed.append("data/0", "late\n");
    bed.then(&["late"]);
}

#[test]
fn written_to_once_more_while_down_behind_a_link_that_then_leads_elsewhere() {
    let mut bed = bed(&["cur.log"]);
    bed.append("data/f0", "old\n");
    symlink("data/f0", bed.path("cur.log")).expect("to link it");
    bed.start();
    bed.rename("data/f0", "data/f0.1");
    bed.append("data/f0", "one\n");
    bed.then(&["one"]);
    bed.pass(70_000);
    bed.stop();
    bed.append("data/f0.1", "two\n");
    bed.append("data/f1", "three\n");
    bed.remove("cur.log");
    symlink("data/f1", bed.path("cur.log")).expect("to link it");
    bed.start();
    bed.then(&["two", "three"]);
}

#[test]
fn truncated_behind_a_link_that_then_leads_elsewhere() {
    let mut bed = bed(&["cur.log"]);
    bed.append("data/f0", "old\n");
    symlink("data/f0", bed.path("cur.log")).expect("to link it");
    bed.start();
    bed.append("data/f0", "one\n");
    bed.then(&["one"]);
    bed.copy("data/f0", "data/f0.1");
    bed.truncate("data/f0");
    bed.then(&[]);
    bed.stop();
    bed.append("data/f0", "two\n");
    bed.append("data/f1", "three\n");
    bed.remove("cur.log");
    symlink("data/f1", bed.path("cur.log")).expect("to link it");
    bed.start();
    bed.then(&["two", "three"]);
}

#[test]
fn rotated_file_with_the_same_banner_is_read_whole() {
    let mut bed = bed(&["*.log"]);
    let banner = "the very same banner\n".repeat(60);
    bed.append("app.log", &banner);
    bed.start();
    bed.append("app.log", "one\n");
    bed.then(&["one"]);
    bed.rename("app.log", "app.log.1");
    bed.append("app.log", format!("{banner}two\n"));
    bed.pass(7_000);
    let lines = bed.take();
    assert_eq!((lines.len(), lines.last().map(String::as_str)), (61, Some("two")));
}
