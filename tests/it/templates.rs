//! `logwren templates` on what nobody wrote for it: whatever comes in, every line is counted, the output parses, and
//! memory has an end.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::support::daemon::Home;

/// Peak resident memory for any input beside the code, of which an unoptimized build has ten times as much as is promised
/// for all of it together (tests/bench/memory.sh).
const MAX_KIB: u64 = 10 << 10;

/// What the command said of an input.
struct Said {
    report: Value,
    /// Template id of each line.
    assigned: Vec<String>,
    warnings: String,
    /// Peak resident memory when everything was read, in KiB, as [`peak_kib`] has it.
    peak: u64,
}

impl Said {
    fn lines(&self) -> u64 {
        self.report["lines"].as_u64().expect("a number")
    }

    fn templates(&self) -> &[Value] {
        self.report["templates"].as_array().expect("a list")
    }

    fn texts(&self) -> Vec<&str> {
        self.templates().iter().filter_map(|template| template["template"].as_str()).collect()
    }
}

/// Streams `bytes` through the command, twice, and checks what holds for any input.
#[track_caller]
fn said(bytes: &mut dyn Read) -> Said {
    let home = Home::new();
    let assignments = home.path("a.csv");
    let mut child = Command::new(env!("CARGO_BIN_EXE_logwren"))
        .args(["templates", "-", "--json", "--assignments"])
        .arg(&assignments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut input = child.stdin.take().expect("piped");
    let (mut newlines, mut last) = (0, b'\n');
    let mut buffer = vec![0; 1 << 16];
    loop {
        let length = bytes.read(&mut buffer).expect("from memory");
        let Some(read) = buffer.get(..length).filter(|read| !read.is_empty()) else { break };
        newlines += read.iter().filter(|byte| **byte == b'\n').count() as u64;
        last = read[length - 1];
        input.write_all(read).expect("the command reads to the end");
    }
    let peak = peak_kib(child.id());
    drop(input);
    let output = child.wait_with_output().expect("ends");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let said = checked(&output, &assignments, peak);
    assert_eq!(said.lines(), newlines + u64::from(last != b'\n'), "lines");
    said
}

fn checked(output: &Output, assignments: &Path, peak: u64) -> Said {
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let table = std::fs::read_to_string(assignments).expect("written");
    let mut rows = table.lines();
    assert_eq!(rows.next(), Some("line_number,template_id"));
    let assigned: Vec<String> = rows
        .zip(1..)
        .map(|(row, number)| {
            let (line, id) = row.split_once(',').expect("two columns");
            assert_eq!(line.parse(), Ok(number), "lines in order");
            id.to_owned()
        })
        .collect();
    let warnings = String::from_utf8_lossy(&output.stderr).into_owned();
    let said = Said { report, assigned, warnings, peak };
    assert_eq!(said.assigned.len() as u64, said.lines(), "a row for each line");
    let sum: u64 = said.templates().iter().filter_map(|template| template["count"].as_u64()).sum();
    assert_eq!(sum, said.lines(), "each line has one template");
    let mut assigned: Vec<&str> = said.assigned.iter().map(String::as_str).collect();
    assigned.sort_unstable();
    assigned.dedup();
    let mut listed: Vec<&str> = said.templates().iter().filter_map(|one| one["template_id"].as_str()).collect();
    listed.sort_unstable();
    assert_eq!(assigned, listed, "the ids of the lines are those of the list");
    said
}

/// Peak resident memory so far, without the pages of the program's file.
fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let number = |name: &str| -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("Linux says so");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    };
    number("VmHWM:") - number("RssFile:")
}

/// The input has so many lines and at most so many templates.
#[track_caller]
fn check(bytes: &[u8], lines: u64, templates: usize) {
    let said = said(&mut &bytes[..]);
    assert_eq!(said.lines(), lines);
    assert!(said.templates().len() <= templates, "{:#?}", said.texts());
}

#[test]
fn odd_files_are_lines_too() {
    check(b"", 0, 0);
    check(b"\n\n\n", 3, 1);
    check(b"\0\0\0\n", 1, 1);
    check(b"no newline at the end", 1, 1);
    check(b"\r\n\r\n", 2, 1);
    check(b"\xff\xfe\n\xff\xfd\n", 2, 2);
    check("\u{feff}first\nsecond\n".as_bytes(), 2, 2);
    let every_byte: Vec<u8> = (0..=255).cycle().take(256 * 40).collect();
    check(&every_byte, 41, 45);
    let each_alone: Vec<u8> = (0..=255).flat_map(|byte| [byte, b'\n']).collect();
    check(&each_alone, 257, 200);
}

#[test]
fn a_program_is_no_log_but_is_read() {
    let bytes = std::fs::read(env!("CARGO_BIN_EXE_logwren")).expect("we run");
    let said = said(&mut &bytes[..bytes.len().min(2 << 20)]);
    assert!(said.lines() > 100 && said.warnings.contains("invalid UTF-8"), "{}", said.warnings);
}

#[test]
fn delimiters_are_words_of_nothing() {
    for unit in [" ", ":", "[", "\"", "=", "/", "' ", " :", "a=", "<", "::1 ", "\\", "http://", "é", "\u{a0}"] {
        check(unit.repeat((64 << 10) / unit.len()).as_bytes(), 1, 1);
    }
}

#[test]
fn a_token_said_over_and_over_is_one_line() {
    for token in ["a ", "1 ", "ab1 ", "x=1 ", "10.0.0.1 ", "\"", "(a) ", "é "] {
        let line = format!("{}\n", token.repeat((8 << 10) / token.len()).trim_end());
        check(line.repeat(30).as_bytes(), 30, 1);
    }
}

#[test]
fn a_huge_line_is_cut_and_the_next_one_is_read() {
    let huge = std::io::repeat(b'x').take(64 << 20);
    let said = said(&mut huge.chain(&b"\nNov 22 05:55:40 h sshd[1]: bye\n"[..]));
    assert_eq!(said.lines(), 2);
    assert_eq!(said.report["cut_lines"], 1);
    assert_eq!(said.report["dropped_bytes"], 63 << 20);
    assert!(said.texts().contains(&"bye"), "{:?}", said.texts());
    assert!(said.warnings.contains("1 lines were cut at 1 MiB"), "{}", said.warnings);
    assert!(said.peak < MAX_KIB, "{} KiB", said.peak);
}

/// Letters only, different for different numbers.
fn name(number: u64) -> String {
    // A bijection: an odd factor, then the digits to the base of 26.
    let mut rest = (number + 1).wrapping_mul(6_364_136_223_846_793_005);
    let mut name = String::new();
    while rest > 0 {
        name.push(char::from(b'a' + (rest % 26) as u8));
        rest /= 26;
    }
    name
}

/// Reads the lines that a function makes of their numbers.
struct Lines<F> {
    next: std::ops::Range<u64>,
    line: F,
    left: std::io::Cursor<Vec<u8>>,
}

impl<F: FnMut(u64) -> String> Lines<F> {
    fn new(lines: u64, line: F) -> Lines<F> {
        Lines { next: 0..lines, line, left: std::io::Cursor::default() }
    }
}

impl<F: FnMut(u64) -> String> Read for Lines<F> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.left.position() == self.left.get_ref().len() as u64 {
            let block = self.next.by_ref().take(100).map(|number| (self.line)(number) + "\n");
            self.left = std::io::Cursor::new(block.collect::<String>().into_bytes());
        }
        self.left.read(buffer)
    }
}

#[test]
fn names_without_end_are_one_place() {
    // By the million with an optimized build: tests/bench/memory.sh.
    let lines = 100_000;
    let said = said(&mut Lines::new(lines, |number| {
        format!("Nov 22 05:55:40 web-03 sshd[{number}]: Invalid user {} from 10.0.0.1", name(number))
    }));
    assert_eq!(said.texts(), ["Invalid user <*> from <IP>"]);
    assert!(said.peak < MAX_KIB, "{} KiB", said.peak);
}

/// Other lines stand between those of a source that has no end of words: the report names it.
#[track_caller]
fn check_explosion(line: impl FnMut(u64) -> String, templates: usize) {
    let said = said(&mut Lines::new(6_000, line));
    let exploded = said.report["exploded_inputs"].as_array().expect("a list");
    assert_eq!(exploded.len(), 1, "{:?}", said.warnings);
    assert_eq!(exploded[0]["input"], "-");
    assert!(said.warnings.contains("warning: standard input has no end of different lines"), "{}", said.warnings);
    assert!(said.templates().len() <= templates, "{} templates", said.templates().len());
    assert!(said.peak < MAX_KIB, "{} KiB", said.peak);
}

#[test]
fn words_without_end_are_an_explosion_that_has_one() {
    check_explosion(|number| format!("{} {}", name(3 * number), name(3 * number + 1)), 3_600);
    check_explosion(name, 1_300);
    check_explosion(|number| format!("{} ", name(number)).repeat(1 + number as usize % 40), 3_600);
    // Base64 without a digit, and names of things in groups of letters.
    check_explosion(|number| format!("{}/{}+{}==", name(number), name(number + 7), name(number * 5)), 3_600);
    check_explosion(|number| format!("{}-{}-{}", name(number), name(number + 7), name(number * 5)), 3_600);
}

#[test]
fn one_input_that_explodes_leaves_the_others_alone() {
    let home = Home::new();
    let junk: String = (0..6_000).map(|number| format!("{} {}\n", name(2 * number), name(2 * number + 1))).collect();
    let calm: String = (0..1_000)
        .map(|number| {
            format!(
                "Nov 22 05:55:40 h app[1]: part {} of plan {}\n",
                number % 7,
                ["alpha", "beta", "gamma"][number % 3]
            )
        })
        .collect();
    // In both, at the end of what exploded and in the middle of what did not.
    let shared = "Nov 22 05:55:40 h app[1]: both inputs say this line alike\n";
    let junk = format!("{junk}{shared}{shared}");
    let calm = format!("{calm}{shared}{calm}");
    let [junk, calm] = [home.write("junk.log", &junk), home.write("calm.log", &calm)];
    let templates = |inputs: &[&Path]| {
        let path = home.path("a.csv");
        let output = Command::new(env!("CARGO_BIN_EXE_logwren"))
            .args(["templates", "--json", "--assignments"])
            .arg(&path)
            .args(inputs)
            .output()
            .expect("runs");
        assert_eq!(output.status.code(), Some(0));
        checked(&output, &path, 0)
    };
    let alone = templates(&[&calm]);
    let after = templates(&[&junk, &calm]);
    assert_eq!(after.assigned.get(6_002..), Some(&alone.assigned[..]));
    let exploded = after.report["exploded_inputs"].as_array().expect("a list");
    assert_eq!(exploded.len(), 1);
    assert_eq!(exploded[0]["input"].as_str(), junk.to_str());
}

#[test]
fn templates_that_merge_are_named() {
    let names = ["anna", "bert", "cleo", "dora", "emil", "fred"];
    let lines: String = names.iter().map(|name| format!("the door was opened by {name} again\n")).collect();
    let said = said(&mut lines.as_bytes());
    assert_eq!(said.texts(), ["the door was opened by <*> again"]);
    let merged = said.templates()[0]["merged_from"].as_array().expect("a list");
    assert_eq!(merged.len(), 3);
    assert!(said.warnings.contains("note: 3 templates became part of others"), "{}", said.warnings);
    // The id is that of the oldest, and every row has it.
    assert!(!merged.contains(&said.templates()[0]["template_id"]));
    assert!(said.assigned.iter().all(|id| *id == said.assigned[0]));
}

/// Ids are in reports, mutes and other people's scripts: a version that changes one of these breaks them.
#[test]
fn ids_are_the_same_in_every_version() {
    let lines = [
        ("Nov 22 05:55:40 h sshd[1]: Failed password for root from 10.0.0.1 port 22 ssh2", "c4f25f42b5784519"),
        ("Nov 22 05:55:40 h kernel: eth0: link up, 1000Mbps", "0b54f5969c945ada"),
        ("Nov 22 05:55:40 h app: read /etc/passwd in 12ms", "e4c8d85b2f06c3e9"),
    ];
    let text: String = lines.iter().map(|(line, _)| format!("{line}\n")).collect();
    let said = said(&mut text.as_bytes());
    let expected: Vec<&str> = lines.iter().map(|(_, id)| *id).collect();
    assert_eq!(said.assigned, expected);
}

/// Words that collide where nothing is keyed: permutations of letters, of words, and digits of one length.
#[test]
fn texts_made_to_collide_stay_apart() {
    // Each pair is equal to the sum, the product and the exclusive or of its bytes or of its words.
    let twins =
        ["ab cd", "cd ab", "ba dc", "dc ba", "abcd efgh", "efgh abcd", "ehgf badc", "AaAa", "BBBB", "AaBB", "BBAa"];
    let text: String = twins.iter().map(|line| format!("{line}\n")).collect();
    let said = said(&mut text.as_bytes());
    assert_eq!(said.templates().len(), twins.len(), "{:?}", said.texts());
    // Digits of one length are one shape, whatever they are.
    check_digits();
}

#[track_caller]
fn check_digits() {
    let lines = Lines::new(50_000, |number| format!("id {:020} done", number.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    let said = said(&mut { lines });
    assert_eq!(said.texts(), ["id <NUM> done"]);
}
