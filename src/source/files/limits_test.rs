//! What happens at the limits of a process and a host: descriptors, watches, instances, memory, many files, a consumer
//! that stands still. Limits of a process are set in a child of its own: the same test, run once more.

use std::env;
use std::fs;
use std::process::Command;

use super::bed::Bed;
use super::live_test::{Live, append};
use super::tailer::Wake;

/// Tells a test that it is the child, and which way its limit came about.
const CHILD: &str = "LOGWREN_TEST_CHILD";

/// Runs `body` in a child, which the shell words `limit` start with its program and arguments behind them.
#[track_caller]
fn in_child(name: &str, limit: &str, body: impl FnOnce()) {
    if env::var_os(CHILD).is_some_and(|child| child == name) {
        return body();
    }
    let program = env::current_exe().expect("it has a path");
    let test = format!("source::files::limits_test::{name}");
    let output = Command::new("sh")
        .args(["-c", limit])
        .arg(program)
        .args(["--exact", &test, "--nocapture", "--test-threads=1"])
        .env(CHILD, name)
        .output()
        .expect("there is a shell");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
fn five_hundred_files_with_sixty_four_descriptors() {
    in_child("five_hundred_files_with_sixty_four_descriptors", "ulimit -n 64; exec \"$0\" \"$@\"", || {
        let mut live = Live::start(&["*.log"], true, 64);
        assert_eq!(live.lines(0), ["learn old"]);
        let path = |live: &Live, name: String| live.path(&name);
        for round in 0..2 {
            for number in 0..500 {
                append(&path(&live, format!("{number}x.log")), &format!("{round} {number}\n"));
            }
            assert_eq!(live.lines(500).len(), 500);
        }
        for number in 0..500 {
            let (log, rotated) = (path(&live, format!("{number}x.log")), path(&live, format!("{number}x.log.1")));
            append(&log, "before\n");
            fs::rename(&log, &rotated).expect("to rename it");
            append(&log, "after\n");
        }
        assert_eq!(live.lines(1_000).len(), 1_000);
    });
}

/// A user namespace has limits of its own; where there is none to be had, instances of our own user are used up.
const NO_INOTIFY: &str = r#"
if unshare -Ur true 2>/dev/null; then
  exec unshare -Ur sh -c 'echo WATCHES > /proc/sys/user/max_inotify_watches; echo INSTANCES > /proc/sys/user/max_inotify_instances; exec "$0" "$@"' "$0" "$@"
fi
exec env LOGWREN_TEST_EXHAUST=1 "$0" "$@"
"#;

fn without_inotify(watches: u32, instances: u32) {
    let mut held = Vec::new();
    if env::var_os("LOGWREN_TEST_EXHAUST").is_some() {
        while let Ok(instance) = rustix::fs::inotify::init(rustix::fs::inotify::CreateFlags::CLOEXEC) {
            held.push(instance);
        }
    } else {
        let read = |name: &str| fs::read_to_string(format!("/proc/sys/user/{name}")).expect("to read it");
        assert_eq!(read("max_inotify_watches").trim(), watches.to_string());
        assert_eq!(read("max_inotify_instances").trim(), instances.to_string());
    }
    let mut live = Live::start(&["app.log", "*.log", "a/*.log", "b/*.log", "c/*.log"], true, 64);
    assert_eq!(live.lines(0), ["learn old"]);
    for name in ["app.log", "new.log", "a/1.log", "b/2.log", "c/3.log"] {
        append(&live.path(name), "one\n");
    }
    assert_eq!(live.lines(5), ["one"; 5]);
    fs::rename(live.path("app.log"), live.path("app.log.1")).expect("to rename it");
    append(&live.path("app.log.1"), "two\n");
    append(&live.path("app.log"), "three\n");
    assert_eq!(live.lines(2), ["three", "two"]);
}

#[test]
fn without_an_inotify_instance() {
    let limit = NO_INOTIFY.replace("WATCHES", "65536").replace("INSTANCES", "0");
    in_child("without_an_inotify_instance", &limit, || without_inotify(65_536, 0));
}

#[test]
fn without_inotify_watches() {
    let limit = NO_INOTIFY.replace("WATCHES", "1").replace("INSTANCES", "128");
    in_child("without_inotify_watches", &limit, || without_inotify(1, 128));
}

#[test]
fn two_hundred_megabytes_without_a_newline_and_a_death_in_between() {
    in_child("two_hundred_megabytes_without_a_newline_and_a_death_in_between", "exec \"$0\" \"$@\"", || {
        let mut bed = Bed::new(&["*.log"]);
        bed.append("app.log", "old\n");
        bed.start();
        let piece = "x".repeat(10 << 20);
        for part in 0..20 {
            bed.append("app.log", &piece);
            bed.tick(&Wake::default());
            bed.tick(&Wake::default());
            if part == 10 {
                let store = bed.store.clone();
                bed.crash(store);
                bed.start();
            }
        }
        drop(piece);
        bed.pass(3_000);
        bed.append("app.log", "\nnext\n");
        bed.pass(3_000);
        let lengths: Vec<usize> = bed.take().iter().map(String::len).collect();
        assert_eq!(lengths, [(1 << 20) + " (cut)".len(), "next".len()]);
        let status = fs::read_to_string("/proc/self/status").expect("to read it");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it is there");
        let kib: u64 = peak.trim().trim_end_matches(" kB").parse().expect("a number");
        assert!(kib < 64 << 10, "{kib} KiB at most");
    });
}

#[test]
fn ten_thousand_files() {
    let mut bed = Bed::new(&["**/*.log"]);
    bed.limits.max_open = 500;
    let name = |number: usize| format!("d{}/{number}x.log", number % 100);
    for number in 0..10_000 {
        bed.append(&name(number), "old\n");
    }
    bed.start();
    assert_eq!(bed.learned.len(), 10_000);
    for number in 0..10_000 {
        bed.append(&name(number), format!("{number}\n"));
    }
    bed.pass(1_500);
    assert!(bed.open_files() <= 501, "{}", bed.open_files());
    let mut numbers: Vec<usize> = bed.take().iter().map(|line| line.parse().expect("a number")).collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..10_000));
}

#[test]
fn deleted_while_nobody_takes_the_lines() {
    let mut live = Live::start(&["*.log"], true, 1);
    assert_eq!(live.lines(0), ["learn old"]);
    for part in 0..20 {
        append(&live.path("app.log"), &format!("{part} {}\n", "x".repeat(1_000)).repeat(300));
    }
    append(&live.path("b.log"), "b\n");
    // Somewhere in the first blocks it waits, with the rest in hand.
    let first = live.lines(1).len();
    assert!(first < 2_000);
    fs::remove_file(live.path("app.log")).expect("to remove it");
    append(&live.path("app.log"), "born again\n");
    assert_eq!(live.lines(6_002 - first).len(), 6_002 - first);
}

#[test]
fn more_changes_than_the_kernel_remembers() {
    let mut live = Live::start(&["*.log"], true, 64);
    assert_eq!(live.lines(0), ["learn old"]);
    let mut files: Vec<fs::File> = ["app.log", "b.log"]
        .map(|name| fs::OpenOptions::new().create(true).append(true).open(live.path(name)).expect("to open it"))
        .into();
    // Alternating, so that the kernel cannot join them: twice what its queue holds.
    for number in 0..20_000 {
        for file in &mut files {
            std::io::Write::write_all(file, format!("{number}\n").as_bytes()).expect("to write it");
        }
    }
    append(&live.path("new.log"), "new\n");
    assert_eq!(live.lines(40_001).len(), 40_001);
}
