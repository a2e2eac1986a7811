//! Bugs that users of other tailers live with, each as a test under its number there. None of them may happen here.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;

use crate::model::{FilePlace, Place, SourceEvent};

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

/// Changes every place in the store.
fn alter(bed: &mut Bed, change: impl Fn(&mut FilePlace)) {
    for position in bed.store.values_mut() {
        if let Place::FileV1(place) = &mut position.at {
            change(place);
        }
    }
}

fn sorted(bed: &mut Bed) -> Vec<String> {
    bed.pass(7_000);
    let mut lines = bed.take();
    lines.sort();
    lines
}

/// A checkpoint beyond the end of the file was never checked: the rolled file stayed unread for ever.
#[test]
fn vector_23076_checkpoint_beyond_the_end() {
    let mut bed = following();
    bed.append("app.log", "x\n".repeat(5_000));
    bed.pass(7_000);
    bed.take();
    bed.stop();
    bed.truncate("app.log");
    bed.append("app.log", "two\n");
    bed.start();
    bed.then(&["two"]);
    bed.stop();
    alter(&mut bed, |place| place.offset += 1_000);
    bed.start();
    bed.then(&["two"]);
}

/// Files with the same first line counted as one.
#[test]
fn vector_25079_files_that_start_alike() {
    let mut bed = Bed::new(&["*.csv"]);
    bed.start();
    for name in ["a", "b", "c"] {
        bed.append(&format!("{name}.csv"), format!("time,level,message\n{name}\n"));
    }
    assert_eq!(sorted(&mut bed), ["a", "b", "c", "time,level,message", "time,level,message", "time,level,message"]);
    bed.stop();
    bed.append("b.csv", "more\n");
    bed.start();
    bed.then(&["more"]);
}

/// What was rotated away while the agent was down stayed unread.
#[test]
fn vector_22954_rotated_files_over_a_restart() {
    for rotations in 1..=3 {
        let mut bed = following();
        bed.append("app.log", "two\n");
        bed.stop();
        for rotation in 0..rotations {
            for number in (1..=rotation).rev() {
                bed.rename(&format!("app.log.{number}"), &format!("app.log.{}", number + 1));
            }
            bed.rename("app.log", "app.log.1");
            bed.append("app.log", format!("born {rotation}\n"));
        }
        bed.start();
        bed.then(&["two", "born 0", "born 1", "born 2"][..=rotations]);
        assert_eq!(bed.gaps(), []);
    }
}

/// The first bytes of a file went missing when it was seen while it was being made.
#[test]
fn vector_10025_first_bytes_of_a_file() {
    let mut bed = following();
    let text = "# header\nfirst line\nsecond\n";
    for byte in text.bytes() {
        bed.append("new.log", [byte]);
        bed.poke();
    }
    bed.expect(&["# header", "first line", "second"]);
}

/// Deleted files were held open for ever, and the disk ran full.
#[test]
fn vector_22288_deleted_files_are_let_go() {
    let mut bed = following();
    for number in 0..20 {
        bed.append(&format!("{number}x.log"), "two\n");
    }
    bed.pass(7_000);
    for number in 0..20 {
        bed.remove(&format!("{number}x.log"));
    }
    bed.pass(70_000);
    assert_eq!(bed.open_files(), 1);
}

/// A generation that was read was read again once it was packed.
#[test]
fn vector_7990_alloy_3193_packed_files_are_not_read_again() {
    let mut bed = Bed::new(&["app.log*"]);
    bed.start();
    bed.append("app.log", "one\n");
    bed.then(&["one"]);
    bed.rename("app.log", "app.log.1");
    bed.append("app.log", "two\n");
    bed.then(&["two"]);
    bed.gzip("app.log.1", "app.log.1.gz");
    bed.then(&[]);
    bed.stop();
    bed.rename("app.log.1.gz", "app.log.2.gz");
    bed.gzip("app.log", "app.log.1.gz");
    bed.append("app.log", "three\n");
    bed.start();
    bed.then(&["three"]);
    assert_eq!(bed.gaps(), []);
}

/// A last line without a newline never came, also when nobody could finish it any more.
#[test]
fn vector_11284_last_line_without_newline() {
    let mut bed = following();
    bed.append("app.log", "last words");
    bed.then(&[]);
    bed.remove("app.log");
    bed.pass(70_000);
    bed.expect(&["last words (partial)"]);
}

/// The same warning at every look.
#[test]
fn vector_16743_a_warning_is_given_once() {
    let mut bed = following();
    bed.append("b.log", "two\n");
    bed.allow("b.log", 0);
    bed.pass(120_000);
    let warnings = bed.events.iter().filter(|event| matches!(event, SourceEvent::Unreadable { .. }));
    assert_eq!(warnings.count(), 1);
}

/// Files of less than 1024 bytes were not read.
#[test]
fn beats_44780_50116_small_files_are_read() {
    let mut bed = following();
    bed.append("tiny.log", "x\n");
    bed.then(&["x"]);
}

/// Each copytruncate sent the whole log again, from the copy.
#[test]
fn beats_39731_copytruncate_repeats_nothing() {
    let mut bed = Bed::new(&["app.log*"]);
    bed.append("app.log", "old\n");
    bed.start();
    for round in 0..5 {
        let lines: Vec<String> = (0..50).map(|line| format!("round {round} line {line}")).collect();
        bed.append("app.log", lines.join("\n") + "\n");
        if round % 2 == 0 {
            bed.poke();
        }
        for number in (1..=round).rev() {
            bed.rename(&format!("app.log.{number}"), &format!("app.log.{}", number + 1));
        }
        bed.copy("app.log", "app.log.1");
        bed.truncate("app.log");
        bed.pass(7_000);
        assert_eq!(bed.take(), lines);
    }
}

/// A file that was closed for being idle and then renamed lost what had been written meanwhile.
#[test]
fn beats_39732_renamed_after_it_was_closed() {
    let mut bed = Bed::new(&["*.log"]);
    bed.limits.max_open = 4;
    for number in 0..12 {
        bed.append(&format!("{number}x.log"), "old\n");
    }
    bed.start();
    bed.then(&[]);
    for number in 0..12 {
        bed.append(&format!("{number}x.log"), format!("{number:02}\n"));
        bed.rename(&format!("{number}x.log"), &format!("{number}x.log.1"));
    }
    let expected: Vec<String> = (0..12).map(|number| format!("{number:02}")).collect();
    assert_eq!(sorted(&mut bed), expected);
}

/// Stopped before the end of a file, the rest was never read.
#[test]
fn beats_40447_stopped_before_the_end() {
    let mut bed = Bed::new(&["*.log"]);
    bed.limits.max_turn = 1;
    bed.append("app.log", "old\n");
    bed.start();
    let lines: Vec<String> = (0..30_000).map(|line| format!("line {line}")).collect();
    bed.append("app.log", lines.join("\n") + "\n");
    let mut restarts = 0;
    while bed.lines.len() < lines.len() && restarts < 100 {
        bed.tick(&Wake::default());
        bed.stop();
        bed.start();
        restarts += 1;
    }
    assert!(restarts > 2);
    assert_eq!(bed.take(), lines);
}

/// Device numbers change over a reboot (LVM, ZFS, NFS), and everything was read again.
#[test]
fn beats_5876_34419_device_numbers_change() {
    let mut bed = following();
    bed.append("app.log", "two\n");
    bed.stop();
    alter(&mut bed, |place| place.device += 7);
    bed.start();
    bed.then(&["two"]);
    assert_eq!(bed.gaps(), []);
}

/// Truncated while the agent was down, a log stayed unread until it had grown past its old size; or was read from the
/// middle of a line.
#[test]
fn beats_38070_truncated_while_down() {
    for text in ["two\n", "a line much longer than all there was before\nthree\n"] {
        let mut bed = following();
        bed.stop();
        bed.truncate("app.log");
        bed.append("app.log", text);
        bed.start();
        let lines: Vec<&str> = text.lines().collect();
        bed.then(&lines);
    }
}

/// A new file with the inode of an old one was taken for it.
#[test]
fn beats_1341_fluent_bit_8025_4895_inode_reuse() {
    let mut bed = following();
    for round in 0..20 {
        bed.stop();
        bed.remove("app.log");
        bed.append("app.log", format!("another file, {round}, longer than the one before\n"));
        bed.start();
        bed.then(&[&format!("another file, {round}, longer than the one before")]);
    }
}

/// Whole files came again after a restart.
#[test]
fn beats_36541_restarts_repeat_nothing() {
    let mut bed = Bed::new(&["**/*.log*"]);
    bed.start();
    for name in ["app.log", "app.log.1", "sub/app.log", "app.log-20260101"] {
        bed.append(name, format!("{name}\n"));
    }
    assert_eq!(sorted(&mut bed).len(), 4);
    for _ in 0..5 {
        bed.stop();
        bed.start();
        bed.then(&[]);
    }
}

/// A removed file was closed before its end.
#[test]
fn beats_38523_43978_removed_before_its_end() {
    let mut bed = Bed::new(&["*.log"]);
    bed.limits.max_turn = 1;
    bed.start();
    bed.append("app.log", "a line of some length\n".repeat(20_000));
    bed.tick(&Wake { scan: true, ..Wake::default() });
    assert!(bed.lines.len() < 20_000);
    bed.remove("app.log");
    bed.pass(7_000);
    assert_eq!(bed.take().len(), 20_000);
    assert_eq!(bed.gaps(), []);
}

/// A line that was half there when the agent stopped was cut in two, or lost.
#[test]
fn fluent_bit_11265_partial_survives_a_restart() {
    let mut bed = following();
    bed.append("app.log", "hel");
    bed.then(&[]);
    let store = bed.store.clone();
    bed.crash(store);
    bed.append("app.log", "lo\n");
    bed.start();
    bed.then(&["hello"]);
}

/// After a rotation at midnight the place was behind the end of the new file.
#[test]
fn fluent_bit_11455_place_behind_the_end_after_rotation() {
    let mut bed = following();
    bed.append("app.log", "x\n".repeat(5_000));
    bed.pass(7_000);
    bed.take();
    bed.rename("app.log", "app.log-20260101");
    bed.append("app.log", "two\n");
    bed.stop();
    bed.start();
    bed.then(&["two"]);
    bed.append("app.log", "three\n");
    bed.then(&["three"]);
}

/// One long line made it give up the file.
#[test]
fn fluent_bit_10435_a_long_line_stops_nothing() {
    let mut bed = following();
    bed.append("app.log", "x".repeat(3 << 20) + "\ntwo\n");
    bed.pass(7_000);
    let lines = bed.take();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].ends_with(" (cut)") && lines[1] == "two");
}

/// Containers log behind a link; the file it leads to is rotated under a date, then packed.
#[test]
fn fluent_bit_2110_rotation_behind_a_link() {
    let mut bed = Bed::new(&["containers/*.log"]);
    fs::create_dir_all(bed.path("containers")).expect("to make it");
    bed.start();
    bed.append("pods/app/0.log", "one\n");
    symlink("../pods/app/0.log", bed.path("containers/app.log")).expect("to link it");
    bed.then(&["one"]);
    bed.append("pods/app/0.log", "two\n");
    bed.rename("pods/app/0.log", "pods/app/0.log.20260101-082034");
    bed.append("pods/app/0.log", "three\n");
    bed.then(&["two", "three"]);
    bed.append("pods/app/0.log", "four\n");
    bed.stop();
    bed.gzip("pods/app/0.log.20260101-082034", "pods/app/0.log.20260101-082034.gz");
    bed.rename("pods/app/0.log", "pods/app/0.log.20260101-092034");
    bed.append("pods/app/0.log", "five\n");
    bed.start();
    bed.then(&["four", "five"]);
    assert_eq!(bed.gaps(), []);
}

/// `echo > file` in place of a rotation: truncated and written again at once, over and over.
#[test]
fn fluent_bit_9580_overwritten_in_place() {
    let mut bed = following();
    let mut expected = Vec::new();
    for number in 0..50 {
        if number % 10 == 0 {
            fs::write(bed.path("app.log"), format!("overwrite {number}\n")).expect("to write it");
            expected.push(format!("overwrite {number}"));
        } else {
            bed.append("app.log", format!("append {number}\n"));
            expected.push(format!("append {number}"));
        }
        bed.poke();
    }
    bed.pass(7_000);
    assert_eq!(bed.take(), expected);
}

/// Of a thousand files that were born at once one lacked its first hundred lines.
#[test]
fn rsyslog_3758_first_lines_of_many_files() {
    let mut bed = following();
    for number in 0..1_000 {
        let lines: String = (0..100).map(|line| format!("{number} {line}\n")).collect();
        bed.append(&format!("f{number}x.log"), lines);
        if number % 100 == 0 {
            bed.tick(&Wake { scan: true, ..Wake::default() });
        }
    }
    bed.pass(7_000);
    assert_eq!(bed.take().len(), 100_000);
}

/// Log4j's rollover under a pattern that matches every generation: lines missing, lines twice.
#[test]
fn alloy_3931_loki_2353_pattern_that_matches_the_rotated() {
    let mut bed = Bed::new(&["app.log*"]);
    bed.start();
    let mut expected = Vec::new();
    for round in 0..12 {
        for line in 0..10 {
            bed.append("app.log", format!("{round} {line}\n"));
            expected.push(format!("{round} {line}"));
        }
        if round % 3 == 0 {
            bed.poke();
        }
        for number in (1..5).rev() {
            if bed.path(&format!("app.log.{number}")).exists() {
                bed.rename(&format!("app.log.{number}"), &format!("app.log.{}", number + 1));
            }
        }
        bed.rename("app.log", "app.log.1");
    }
    bed.pass(7_000);
    assert_eq!(bed.take(), expected);
}

/// The first lines of a new hourly file were skipped, as if what was in it when it was found were old.
#[test]
fn alloy_6910_first_lines_of_a_new_file() {
    let mut bed = following();
    for hour in 0..24 {
        bed.append(&format!("app-2026010100{hour:02}.log"), format!("first of {hour}\nsecond\n"));
        bed.then(&[&format!("first of {hour}"), "second"]);
    }
}

/// Every generation starts with the same header, so a truncated log passed for the old one.
#[test]
fn otel_43693_copytruncate_with_the_same_head() {
    let header = "# a header of more than a thousand bytes\n".repeat(30);
    let mut bed = Bed::new(&["*.log"]);
    bed.append("app.log", &header);
    bed.start();
    for round in 0..4 {
        bed.append("app.log", format!("line {round}\n"));
        bed.pass(7_000);
        assert_eq!(bed.take().last(), Some(&format!("line {round}")));
        bed.copy("app.log", &format!("app.log.{}", 9 - round));
        bed.truncate("app.log");
        bed.append("app.log", &header);
    }
}

/// A line of broken UTF-8 ended the reading, and its neighbors went with it.
#[test]
fn linemux_70_broken_utf8() {
    let mut bed = following();
    bed.append("app.log", b"two\n\xff\xfe bad\nthree\n");
    bed.then(&["two", "\u{fffd}\u{fffd} bad", "three"]);
}

/// Wind back after a copy: the writer without O_APPEND leaves a hole of NULs, and they came as one huge line.
#[test]
fn logstash_and_others_nul_line_after_copytruncate() {
    let mut bed = following();
    let mut writer = OpenOptions::new().write(true).open(bed.path("app.log")).expect("to open it");
    let end = fs::metadata(bed.path("app.log")).expect("it is there").len();
    writer.set_len(0).expect("to truncate it");
    std::io::Seek::seek(&mut writer, std::io::SeekFrom::Start(end)).expect("to seek");
    writer.write_all(b"two\n").expect("to write it");
    bed.then(&["two"]);
}
