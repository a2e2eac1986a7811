//! What is read of files and what not, whatever is in them: one test a case, on real files and a scripted clock.

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::symlink;

use crate::model::SourceEvent;

use super::bed::Bed;
use crate::source::ReadFrom;

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
fn what_is_there_teaches_and_what_comes_is_live() {
    let mut bed = bed(&["*.log"]);
    bed.append("app.log.1", "older\n");
    bed.append("app.log", "old\nhalf");
    bed.start();
    assert_eq!(bed.learned, ["older", "old"]);
    bed.append("app.log", " way\nnew\n");
    bed.then(&["half way", "new"]);
}

#[test]
fn read_from_beginning_makes_all_live() {
    let mut bed = bed(&["*.log"]);
    bed.config.read_from = ReadFrom::Beginning;
    bed.append("app.log.1", "older\n");
    bed.append("app.log", "old\n");
    bed.start();
    bed.then(&["old"]);
    assert!(bed.learned.is_empty());
}

#[test]
fn learns_packed_generations_oldest_first() {
    let mut bed = bed(&["app.log"]);
    for (name, text) in [("app.log.2", "oldest\n"), ("app.log.1", "older\n"), ("app.log", "old\n")] {
        bed.append(name, text);
        let file = OpenOptions::new().write(true).open(bed.path(name)).expect("to open it");
        let age = if name == "app.log" { 10 } else { name.len() as u64 * 100 + u64::from(name.ends_with('2')) * 50 };
        let time = std::time::SystemTime::now() - std::time::Duration::from_secs(age);
        file.set_modified(time).expect("to set it");
    }
    let modified = fs::metadata(bed.path("app.log.2")).and_then(|metadata| metadata.modified()).expect("has one");
    bed.gzip("app.log.2", "app.log.2.gz");
    let packed = OpenOptions::new().write(true).open(bed.path("app.log.2.gz")).expect("to open it");
    packed.set_modified(modified).expect("to set it");
    bed.start();
    assert_eq!(bed.learned, ["oldest", "older", "old"]);
    bed.then(&[]);
}

#[test]
fn restart_with_lines_while_down() {
    let mut bed = following();
    bed.stop();
    bed.append("app.log", "two\nthree\n");
    bed.start();
    bed.then(&["two", "three"]);
    assert_eq!(bed.learned, ["old"], "nothing is learned twice");
}

#[test]
fn inode_reuse() {
    let mut bed = following();
    bed.stop();
    bed.remove("app.log");
    bed.append("app.log", "old\none\ntwo\n");
    bed.start();
    let lines = {
        bed.pass(7_000);
        bed.take()
    };
    // With a birth time it is known to be another file; without one it cannot be told from the old one.
    assert!(lines == ["old", "one", "two"] || lines == ["two"], "{lines:?}");
}

#[test]
fn born_late_and_moved_into_place() {
    let mut bed = bed(&["app.log", "other.log"]);
    bed.start();
    bed.then(&[]);
    bed.append("app.log", "one\n");
    bed.append("tmp", "two\n");
    bed.rename("tmp", "other.log");
    bed.then(&["one", "two"]);
}

#[test]
fn partial_line_then_its_rest() {
    let mut bed = following();
    bed.append("app.log", "hel");
    bed.then(&[]);
    bed.append("app.log", "lo\n");
    bed.then(&["hello"]);
}

#[test]
fn partial_line_over_a_restart_and_a_rotation() {
    let mut bed = following();
    bed.append("app.log", "hel");
    bed.then(&[]);
    bed.stop();
    bed.append("app.log", "lo\nwor");
    bed.start();
    bed.then(&["hello"]);
    bed.rename("app.log", "app.log.1");
    bed.append("app.log", "next\n");
    bed.then(&["next"]);
    bed.append("app.log.1", "ld\nrest");
    bed.then(&["world"]);
    bed.pass(70_000);
    bed.expect(&["rest (partial)"]);
}

#[test]
fn odd_bytes() {
    let mut bed = following();
    bed.append("app.log", b"\xff\xfe\na\0b\r\n\n\r\nc\rd\n\xc3");
    bed.pass(2_000);
    bed.append("app.log", b"\xa9\n");
    bed.then(&["\u{fffd}\u{fffd}", "a\0b", "", "", "c\rd", "é"]);
}

#[test]
fn a_writer_that_reserves_space_ahead() {
    let mut bed = following();
    let mut writer = OpenOptions::new().write(true).open(bed.path("app.log")).expect("to open it");
    bed.append("app.log", vec![0; 200_000]);
    bed.then(&[]);
    writer.seek(SeekFrom::Start(8)).expect("to seek");
    for line in ["two", "three"] {
        writer.write_all(format!("{line}\n").as_bytes()).expect("to write it");
        bed.then(&[line]);
    }
    bed.stop();
    writer.write_all(b"four\n").expect("to write it");
    bed.start();
    bed.then(&["four"]);
    assert_eq!(bed.gaps(), []);
}

#[test]
fn overlong_lines_are_cut_also_over_a_restart() {
    let mut bed = bed(&["*.log"]);
    bed.limits.max_line = 100_000;
    bed.limits.max_turn = 200_000;
    bed.append("app.log", "old\n");
    bed.start();
    bed.append("app.log", "x".repeat(3_000_000));
    bed.pass(7_000);
    let lines = bed.take();
    assert_eq!(lines, ["x".repeat(100_000) + " (cut)"]);
    bed.stop();
    bed.append("app.log", "x".repeat(1_000_000));
    bed.start();
    bed.then(&[]);
    bed.append("app.log", "xxx\nnext\n");
    bed.then(&["next"]);
    let skipped: u64 = bed
        .events
        .iter()
        .map(|event| match event {
            SourceEvent::Skipped { bytes, .. } => *bytes,
            _ => 0,
        })
        .sum();
    assert!(skipped > 0 && bed.gaps().is_empty());
}

#[test]
fn a_long_line_that_drips_is_whole() {
    let mut bed = following();
    for _ in 0..30 {
        bed.append("app.log", "x".repeat(10_000));
        bed.pass(1_000);
    }
    bed.append("app.log", "\nnext\n");
    bed.then(&[&"x".repeat(300_000), "next"]);
}

#[test]
fn a_dangling_link_and_a_looping_one() {
    let mut bed = bed(&["current.log", "loop.log"]);
    symlink(bed.path("data/0"), bed.path("current.log")).expect("to link it");
    symlink(bed.path("loop.log"), bed.path("loop.log")).expect("to link it");
    bed.start();
    bed.then(&[]);
    bed.then(&[]);
    let said = |bed: &Bed, unreadable: bool| {
        let is = |event: &&SourceEvent| match event {
            SourceEvent::Unreadable { .. } => unreadable,
            SourceEvent::Readable { .. } => !unreadable,
            _ => false,
        };
        bed.events.iter().filter(is).count()
    };
    assert_eq!((said(&bed, true), said(&bed, false)), (1, 0), "said once");
    bed.append("data/0", "one\n");
    bed.remove("loop.log");
    bed.append("loop.log", "two\n");
    bed.pass(7_000);
    let mut lines = bed.take();
    lines.sort();
    assert_eq!(lines, ["one", "two"]);
    assert_eq!((said(&bed, true), said(&bed, false)), (1, 1));
}

#[test]
fn hard_links_and_overlapping_globs_are_read_once() {
    let mut bed = bed(&["*.log", "app*", "app.log"]);
    bed.append("app.log", "old\n");
    fs::hard_link(bed.path("app.log"), bed.path("app2.log")).expect("to link it");
    bed.start();
    bed.append("app.log", "one\n");
    bed.then(&["one"]);
    assert_eq!(bed.learned, ["old"]);
}

#[test]
fn two_files_with_the_same_head() {
    let mut bed = bed(&["*.log"]);
    let banner = "the very same banner\n".repeat(60);
    bed.append("a.log", &banner);
    bed.append("b.log", &banner);
    bed.start();
    bed.append("a.log", "one\n");
    bed.append("b.log", "two\n");
    bed.append("c.log", format!("{banner}three\n"));
    bed.pass(7_000);
    let mut lines = bed.take();
    lines.retain(|line| line != "the very same banner");
    lines.sort();
    assert_eq!(lines, ["one", "three", "two"]);
}

#[test]
fn binary_files_are_left_alone() {
    let mut bed = bed(&[""]);
    bed.append("wtmp", b"\x02\0\0\0pts\0\0\0\0");
    bed.append("data", b"\x7fELF\0\0\0");
    bed.append("text", "old\n");
    bed.append("empty", "");
    bed.start();
    bed.append("empty", b"\x02\0\0\0pts/0\0\0\0\0\0\0\0");
    bed.append("data", b"\nline\n");
    bed.append("text", "one\n");
    bed.append("own/state", "ours\n");
    bed.then(&["one"]);
    assert_eq!(bed.learned, ["old"]);
}

#[test]
fn more_files_than_descriptors() {
    let mut bed = bed(&["*.log"]);
    bed.limits.max_open = 8;
    for number in 0..60 {
        bed.append(&format!("{number}x.log"), "old\n");
    }
    bed.start();
    assert_eq!(bed.learned.len(), 60);
    for round in 0..3 {
        for number in 0..60 {
            bed.append(&format!("{number}x.log"), format!("{round}\n"));
        }
        bed.pass(7_000);
        assert!(bed.open_files() <= 9);
        assert_eq!(bed.take().len(), 60);
    }
}

#[test]
fn a_new_include_teaches_and_a_new_file_is_live() {
    let mut bed = bed(&["a/*.log"]);
    bed.append("a/one.log", "old\n");
    bed.append("b/two.log", "old too\n");
    bed.start();
    bed.append("a/one.log", "one\n");
    // Longer than birth times may be wrong.
    std::thread::sleep(std::time::Duration::from_millis(600));
    bed.then(&["one"]);
    bed.pass(65_000);
    bed.stop();
    let more = format!("{}/b/*.log", bed.root().display()).parse().expect("a good pattern");
    bed.config.include.push(more);
    bed.append("a/new.log", "two\n");
    bed.start();
    bed.then(&["two"]);
    assert_eq!(bed.learned, ["old", "old too"]);
}

#[test]
fn a_cut_packed_file_is_read_as_far_as_it_goes() {
    let mut bed = bed(&["*.log"]);
    bed.append("x", "line\n".repeat(10_000));
    bed.gzip("x", "app.log.1.gz");
    let packed = fs::read(bed.path("app.log.1.gz")).expect("to read it");
    fs::write(bed.path("app.log.1.gz"), &packed[..packed.len() - 10]).expect("to write it");
    bed.append("app.log", "old\n");
    bed.start();
    assert!(bed.learned.len() > 1_000);
    assert_eq!(bed.gaps().len(), 1);
}
