//! Logs as programs write them, in pieces: which lines come out as one record.

use proptest::prelude::*;

use super::*;
use crate::model::{LineSpan, Origin, Place, Position};

fn block(name: &str, lines: &[&[u8]], at: u64) -> LineBlock {
    let mut bytes = Vec::new();
    let mut spans = Vec::new();
    for line in lines {
        let start = u32::try_from(bytes.len()).expect("short");
        bytes.extend_from_slice(line);
        let end = u32::try_from(bytes.len()).expect("short");
        spans.push(LineSpan { start, end, offset: at + u64::from(start), truncated: false, partial: false });
        bytes.push(b'\n');
    }
    let origin = Origin { name: name.into(), medium: Medium::File, format: None, written: None };
    let offset = at + bytes.len() as u64;
    let position = Some(Position { stream: name.into(), at: Place::StdinV1 { offset } });
    LineBlock { origin: Arc::new(origin), phase: Phase::Live, bytes, spans, position }
}

/// Records with ` / ` between their lines, and `@offset` for each position.
fn shown(messages: &[FromSource]) -> Vec<String> {
    let mut shown = Vec::new();
    for message in messages {
        match message {
            FromSource::Lines(block) => {
                for (line, span) in block.lines() {
                    let flag = if span.partial { " (partial)" } else { "" };
                    shown.push(String::from_utf8_lossy(line).replace('\n', " / ") + flag);
                }
                if let Some(Position { stream, at: Place::StdinV1 { offset } }) = &block.position {
                    shown.push(format!("@{stream}:{offset}"));
                }
            }
            FromSource::Event(event) => shown.push(format!("{event:?}")),
        }
    }
    shown
}

/// The records of `log`, its lines given in blocks of `size`.
fn records(log: &str, size: usize) -> Vec<String> {
    let lines: Vec<&[u8]> = log.lines().map(str::as_bytes).collect();
    let (mut joiner, mut out, mut at) = (Joiner::default(), Vec::new(), 0);
    for lines in lines.chunks(size) {
        let block = block("a", lines, at);
        at += block.bytes.len() as u64;
        joiner.feed(FromSource::Lines(block), Instant::now(), &mut out);
    }
    joiner.flush(&mut out);
    let shown = shown(&out);
    let end = format!("@a:{at}");
    assert_eq!(shown.last(), Some(&end), "the last position is out");
    shown.into_iter().filter(|record| !record.starts_with('@')).collect()
}

/// `expected` has one line for each record; ` / ` stands for a line break in it.
#[track_caller]
fn check(log: &str, expected: &[&str]) {
    for size in [1, 2, 3, 100] {
        let trimmed: Vec<String> = records(log, size);
        assert_eq!(trimmed, expected, "in blocks of {size}");
    }
}

#[test]
fn java() {
    check(
        "2026-11-22 05:55:40 ERROR [main] c.f.Foo - failed\n\
         java.lang.RuntimeException: boom\n\
         \tat a.B.c(B.java:1)\n\
         \t... 3 more\n\
         Caused by: java.io.IOException: gone\n\
         \tat a.B.d(B.java:2)\n\
         2026-11-22 05:55:41 INFO [main] c.f.Foo - on",
        &[
            "2026-11-22 05:55:40 ERROR [main] c.f.Foo - failed / java.lang.RuntimeException: boom / \tat a.B.c(B.java:1) / \
             \t... 3 more / Caused by: java.io.IOException: gone / \tat a.B.d(B.java:2)",
            "2026-11-22 05:55:41 INFO [main] c.f.Foo - on",
        ],
    );
    check(
        "Exception in thread \"main\" java.lang.Error: x\n\tat a.B.c(B.java:1)\nException in thread \"b\" java.lang.Error: y\nok",
        &[
            "Exception in thread \"main\" java.lang.Error: x / \tat a.B.c(B.java:1)",
            "Exception in thread \"b\" java.lang.Error: y",
            "ok",
        ],
    );
}

#[test]
fn python() {
    check(
        "before\nTraceback (most recent call last):\n  File \"a.py\", line 1, in <module>\n    f()\nValueError: no\nafter",
        &[
            "before",
            "Traceback (most recent call last): /   File \"a.py\", line 1, in <module> /     f() / ValueError: no",
            "after",
        ],
    );
    check(
        "Traceback (most recent call last):\n  File \"a.py\", line 1, in f\nKeyError: 'a'\n\n\
         During handling of the above exception, another exception occurred:\n\n\
         Traceback (most recent call last):\n  File \"a.py\", line 2, in g\nKeyboardInterrupt\n\nnext",
        &[
            "Traceback (most recent call last): /   File \"a.py\", line 1, in f / KeyError: 'a' /  / \
             During handling of the above exception, another exception occurred: /  / \
             Traceback (most recent call last): /   File \"a.py\", line 2, in g / KeyboardInterrupt",
            "",
            "next",
        ],
    );
    check(
        "2026-11-22 05:55:40,123 ERROR root failed\nTraceback (most recent call last):\n  File \"a.py\", line 1\nE: x\n2026-11-22 05:55:41 INFO b",
        &[
            "2026-11-22 05:55:40,123 ERROR root failed / Traceback (most recent call last): /   File \"a.py\", line 1 / E: x",
            "2026-11-22 05:55:41 INFO b",
        ],
    );
}

#[test]
fn go() {
    check(
        "panic: runtime error: index out of range [5] with length 3\n\ngoroutine 1 [running]:\nmain.f(...)\n\t/a/main.go:8\nmain.main()\n\
         \t/a/main.go:4 +0x1d\nexit status 2\n2026/11/22 05:55:41 up",
        &[
            "panic: runtime error: index out of range [5] with length 3 /  / goroutine 1 [running]: / main.f(...) / \t/a/main.go:8 / \
             main.main() / \t/a/main.go:4 +0x1d / exit status 2",
            "2026/11/22 05:55:41 up",
        ],
    );
    check(
        "2026/11/22 05:55:40 http: panic serving 10.0.0.1:80: boom\ngoroutine 34 [running]:\nnet/http.f()\n\t/a.go:1\n2026/11/22 05:55:41 up",
        &[
            "2026/11/22 05:55:40 http: panic serving 10.0.0.1:80: boom / goroutine 34 [running]: / net/http.f() / \t/a.go:1",
            "2026/11/22 05:55:41 up",
        ],
    );
}

#[test]
fn other_languages() {
    check(
        "Unhandled exception. System.InvalidOperationException: no\n ---> System.Exception: inner\n   at A.B() in /a.cs:line 1\n   --- End of inner exception stack trace ---\n   at A.Main()\nnext",
        &[
            "Unhandled exception. System.InvalidOperationException: no /  ---> System.Exception: inner /    at A.B() in /a.cs:line 1 /    \
             --- End of inner exception stack trace --- /    at A.Main()",
            "next",
        ],
    );
    check(
        "thread 'main' panicked at src/main.rs:2:5:\nindex out of bounds\nstack backtrace:\n   0: core::panic\n             at /rustc/x.rs:1:1\n\
         note: run with `RUST_BACKTRACE=full`\nnext",
        &[
            "thread 'main' panicked at src/main.rs:2:5: / index out of bounds / stack backtrace: /    0: core::panic /              \
             at /rustc/x.rs:1:1 / note: run with `RUST_BACKTRACE=full`",
            "next",
        ],
    );
    check(
        "app.rb:2:in `f': boom (RuntimeError)\n\tfrom app.rb:5:in `<main>'\nnext",
        &["app.rb:2:in `f': boom (RuntimeError) / \tfrom app.rb:5:in `<main>'", "next"],
    );
    check(
        "TypeError: x is not a function\n    at f (/a.js:1:7)\n    at node:internal/main:1:2\nnext",
        &["TypeError: x is not a function /     at f (/a.js:1:7) /     at node:internal/main:1:2", "next"],
    );
    check(
        "PHP Fatal error:  Uncaught Exception: no in /a.php:3\nStack trace:\n#0 /a.php(5): f()\n#1 {main}\n  thrown in /a.php on line 3\nnext",
        &[
            "PHP Fatal error:  Uncaught Exception: no in /a.php:3 / Stack trace: / #0 /a.php(5): f() / #1 {main} /   thrown in /a.php on line 3",
            "next",
        ],
    );
}

#[test]
fn indented_lines_go_on_with_a_stamped_one() {
    // Written at once, as programs do: nothing waits for a line that may follow a calm one.
    assert_eq!(
        records("2026-11-22 05:55:40 UTC [9] STATEMENT:  SELECT 1\n\tFROM a\n\n2026-11-22 05:55:41 UTC [9] LOG:  x", 9),
        ["2026-11-22 05:55:40 UTC [9] STATEMENT:  SELECT 1 / \tFROM a", "", "2026-11-22 05:55:41 UTC [9] LOG:  x"]
    );
    // Without a stamp they are lines of their own.
    check(
        "[  OK  ] Started a\n         Starting b\n         Starting c",
        &["[  OK  ] Started a", "         Starting b", "         Starting c"],
    );
    check("a\n\nb\n  c", &["a", "", "b", "  c"]);
    // Errors that follow one another are several.
    check("TypeError: a\nTypeError: b", &["TypeError: a", "TypeError: b"]);
    check(
        "Nov 22 05:55:40 h a: error\nNov 22 05:55:41 h a: b",
        &["Nov 22 05:55:40 h a: error", "Nov 22 05:55:41 h a: b"],
    );
}

#[test]
fn parts_of_container_lines() {
    let cri = |stream: &str, tag: &str, text: &str| format!("2026-11-22T05:55:40.123456789Z {stream} {tag} {text}");
    let log = [
        cri("stdout", "P", "one "),
        cri("stderr", "F", "apart"),
        cri("stdout", "P", "two "),
        cri("stdout", "F", "three"),
        cri("stdout", "F", "four"),
    ];
    for size in [1, 2, 9] {
        let mut found = records(&log.join("\n"), size);
        // Each stream is in order; the two may change places.
        found.sort_by_key(|line| line.contains("stdout"));
        assert_eq!(
            found,
            [cri("stderr", "F", "apart"), cri("stdout", "P", "one two three"), cri("stdout", "F", "four")]
        );
    }
    let docker = |log: &str| format!("{{\"log\":\"{log}\",\"stream\":\"stdout\",\"time\":\"2026-11-22T05:55:40Z\"}}");
    let log = [
        docker("one "),
        docker("\\\"two\\\"\\n"),
        docker("TypeError: x\\n"),
        docker("    at f (a.js:1)\\n"),
        docker("next\\n"),
    ];
    check(
        &log.join("\n"),
        &[&docker("one \\\"two\\\"\\n"), &docker("TypeError: x\\n    at f (a.js:1)\\n"), &docker("next\\n")],
    );
    // A trace inside a container, one of its lines in parts.
    let log = [
        cri("stderr", "F", "java.lang.Error: x"),
        cri("stderr", "P", "\tat a.B"),
        cri("stderr", "F", ".c(B.java:1)"),
        cri("stderr", "F", "next"),
    ];
    check(
        &log.join("\n"),
        &[
            "2026-11-22T05:55:40.123456789Z stderr F java.lang.Error: x / \tat a.B.c(B.java:1)",
            &cri("stderr", "F", "next"),
        ],
    );
}

#[test]
fn a_part_without_its_end_is_flushed() {
    let (mut joiner, mut out, now) = (Joiner::default(), Vec::new(), Instant::now());
    joiner.feed(FromSource::Lines(block("a", &[b"2026-11-22T05:55:40Z stdout P one"], 0)), now, &mut out);
    assert_eq!(shown(&out), [""; 0]);
    joiner.flush_due(now + LONGEST, &mut out);
    assert_eq!(shown(&out), ["2026-11-22T05:55:40Z stdout P one (partial)", "@a:34"]);
}

#[test]
fn positions_wait_for_what_is_put_together() {
    let (mut joiner, now) = (Joiner::default(), Instant::now());
    let mut feed = |lines: &[&[u8]], at: u64| {
        let mut out = Vec::new();
        joiner.feed(FromSource::Lines(block("a", lines, at)), now, &mut out);
        shown(&out)
    };
    assert_eq!(feed(&[b"calm"], 0), ["calm", "@a:5"]);
    assert_eq!(feed(&[b"one", b"TypeError: x"], 100), ["one"]);
    assert_eq!(feed(&[b"  at f (a.js:1)"], 200), [""; 0]);
    // The first is complete: what came up to its last block may be committed, but not what begins in this one.
    assert_eq!(feed(&[b"two", b"TypeError: y"], 300), ["TypeError: x /   at f (a.js:1)", "two", "@a:216"]);
    assert_eq!(feed(&[], 400), [""; 0]);
    assert_eq!(feed(&[b"three"], 500), ["TypeError: y", "three", "@a:506"]);
}

#[test]
fn goes_on_in_the_file_after_a_rotation() {
    let (mut joiner, mut out, now) = (Joiner::default(), Vec::new(), Instant::now());
    joiner.feed(FromSource::Lines(block("app.log", &[b"TypeError: x"], 0)), now, &mut out);
    let mut next = block("app.log", &[b"    at f (a.js:1)", b"next"], 0);
    next.position = Some(Position { stream: "second".into(), at: Place::StdinV1 { offset: 23 } });
    joiner.feed(FromSource::Lines(next), now, &mut out);
    assert_eq!(shown(&out), ["TypeError: x /     at f (a.js:1)", "next", "@app.log:13", "@second:23"]);
}

#[test]
fn waits_only_where_something_may_follow_and_not_for_long() {
    let (mut joiner, mut out, now) = (Joiner::default(), Vec::new(), Instant::now());
    joiner.feed(FromSource::Lines(block("a", &[b"2026-11-22 05:55:40 calm"], 0)), now, &mut out);
    assert_eq!((out.len(), joiner.deadline()), (1, None), "at once");
    joiner.feed(FromSource::Lines(block("a", &[b"2026-11-22 05:55:40 ERROR x"], 0)), now, &mut out);
    assert_eq!(joiner.deadline(), Some(now + QUIET_LINE));
    // A trace that never ends is cut by the clock.
    for step in 1..20 {
        let now = now + QUIET_LINE * step / 2;
        joiner.feed(FromSource::Lines(block("a", &[b"\tat a.B.c(B.java:1)"], 0)), now, &mut out);
    }
    assert_eq!(joiner.deadline(), Some(now + QUIET_LINE * 19 / 2 + QUIET));
    joiner.flush_due(now + LONGEST, &mut out);
    assert_eq!((out.len(), joiner.deadline()), (2, None));
}

#[test]
fn a_trace_without_end_is_one_record_with_a_marker() {
    let mut log = "TypeError: x\n".to_owned();
    for number in 0..10_000 {
        log.push_str(&format!("    at f (a.js:{number})\n"));
    }
    let (mut joiner, mut out) = (Joiner::default(), Vec::new());
    let lines: Vec<&[u8]> = log.lines().map(str::as_bytes).collect();
    for lines in lines.chunks(700) {
        joiner.feed(FromSource::Lines(block("a", lines, 0)), Instant::now(), &mut out);
    }
    joiner.flush(&mut out);
    let shown = shown(&out);
    assert_eq!(shown.len(), 3, "{:?}", shown.get(1..));
    assert!(shown[0].ends_with("(a.js:498) / [9501 more lines left out]"), "{}", &shown[0][shown[0].len() - 80..]);
    assert!(shown[2].contains("Skipped"), "{}", shown[2]);
}

#[test]
fn many_streams_hold_little() {
    let (mut joiner, mut out, now) = (Joiner::default(), Vec::new(), Instant::now());
    let long = vec![b'x'; 200 << 10];
    let line = [b"TypeError: ", long.as_slice()].concat();
    for number in 0..1_000 {
        joiner.feed(FromSource::Lines(block(&format!("f{number}"), &[&line], 0)), now, &mut out);
    }
    let held: usize = joiner.streams.values().map(Stream::held).sum();
    assert!(held <= HELD_MAX && joiner.streams.len() <= STREAMS_MAX, "{held} bytes in {}", joiner.streams.len());
    joiner.flush(&mut out);
    assert_eq!(out.len(), 1_000);
}

const PIECES: &[&str] = &[
    "",
    "a",
    "  b",
    "\tat c",
    "TypeError: d",
    "panic: e",
    "goroutine 1:",
    "Traceback (most recent call last):",
    "2026-11-22 05:55:40 ERROR",
    "thread 'm' panicked at",
    "Caused by: x",
    "\u{e9}",
    "During handling of the above exception",
    "#1 {main}",
];

proptest! {
    /// Whatever is fed in whatever pieces: every byte of every line comes out once, in order, and the last position too.
    #[test]
    fn nothing_is_lost(lines in proptest::collection::vec(proptest::sample::select(PIECES), 1..60), size in 1usize..9) {
        let lines: Vec<&[u8]> = lines.into_iter().map(str::as_bytes).collect();
        let (mut joiner, mut out, now) = (Joiner::default(), Vec::new(), Instant::now());
        let mut at = 0;
        for lines in lines.chunks(size) {
            let block = block("a", lines, at);
            at += block.bytes.len() as u64;
            joiner.feed(FromSource::Lines(block), now, &mut out);
        }
        joiner.flush(&mut out);
        let mut bytes = Vec::new();
        let mut last = None;
        for message in &out {
            let FromSource::Lines(block) = message else { panic!("{message:?}") };
            for (line, _) in block.lines() {
                bytes.extend_from_slice(line);
                bytes.push(b'\n');
            }
            last = block.position.clone().or(last);
        }
        let all: Vec<u8> = lines.iter().flat_map(|line| [line, &b"\n"[..]].concat()).collect();
        prop_assert_eq!(String::from_utf8_lossy(&bytes), String::from_utf8_lossy(&all));
        prop_assert_eq!(last.map(|position| position.at), Some(Place::StdinV1 { offset: at }));
    }
}
