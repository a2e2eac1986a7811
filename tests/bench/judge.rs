//! Measures what a language model costs on one large file: requests and tokens over the wire, twice with one state, and
//! whether the model was shown every kind of anomalous line. Measures only: what must hold on every machine is in the tests.
//!
//! ```sh
//! cargo bench --bench judge                                        # a small file of its own
//! LOGWREN_CORPUS=big.log LOGWREN_BINARY=/usr/bin/logwren cargo bench --bench judge
//! ```
//!
//! Beside a corpus `F` lie `F.labels`, two bytes for each line (little endian), and `F.labels.names`, what each number stands for,
//! one a line; lines of a label that begins with `novel` are the anomalous ones. A small corpus has as many kinds as a large one and
//! so misses the share of tokens. Without `--bench` it does nothing.

#[allow(dead_code, reason = "shared with the tests, which use all of it")]
#[path = "../it/support/mod.rs"]
mod support;
#[allow(dead_code, reason = "shared with the bench of the daemon, which uses all of it")]
mod gauge;
#[allow(dead_code, reason = "shared with the bench of the daemon, which uses all of it")]
mod lines;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use gauge::{Target, row};
use jiff::Timestamp;
use lines::Generator;
use serde_json::{Value, json};
use support::daemon::Home;
use support::gemini::FakeGemini;

/// What the original system asked with every so many lines, in tokens.
const ORIGINAL_PROMPT: f64 = 600.0;
const ORIGINAL_LINES: f64 = 50.0;
const BYTES_PER_TOKEN: f64 = 4.0;

fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let home = Home::new();
    let corpus = std::env::var_os("LOGWREN_CORPUS").map_or_else(|| small(&home), PathBuf::from);
    let (lines, anomalous) = labelled(&corpus);
    let bytes = std::fs::metadata(&corpus).expect("a corpus").len();
    row("corpus", bytes as f64 / 1e6, "MB", Target::None);
    row("corpus: anomalous lines", anomalous.iter().map(|line| line.1).sum::<u64>() as f64, "lines", Target::None);

    let shown = Arc::new(Mutex::new(BTreeSet::new()));
    let gemini = FakeGemini::start();
    let (known, seen) = (anomalous.clone(), Arc::clone(&shown));
    gemini.oracle(move |item| Some(verdict(item, &known, &mut seen.lock().expect("no panic"))));
    let key = home.secret("key", FakeGemini::KEY);
    let config = home.config(&format!(
        "[llm.gemini]\nbase_url = '{}'\napi_key_file = {key:?}\nrequests_per_minute = 0\n",
        gemini.url()
    ));

    let first = analyze(&home, &corpus, &config, "first");
    let requests = gemini.requests();
    let sent: usize = requests.iter().map(|request| request.body.len()).sum();
    let items: usize = requests.iter().map(|request| request.document()["items"].as_array().map_or(0, Vec::len)).sum();
    let alone =
        requests.iter().filter(|request| request.document()["items"].as_array().map_or(0, Vec::len) == 3).count();
    let metric = |report: &Value, name: &str| report["processing_metrics"][name].as_f64().expect("a number");
    let tokens = metric(&first, "tokens_in") + metric(&first, "tokens_out");
    let original = bytes as f64 / BYTES_PER_TOKEN + lines as f64 / ORIGINAL_LINES * ORIGINAL_PROMPT;
    row("first pass: requests", requests.len() as f64, "requests", Target::Below(60.0));
    row("first pass: requests of a single item", alone as f64, "requests", Target::None);
    row("first pass: kinds asked about", (items - 2 * requests.len()) as f64, "kinds", Target::None);
    row("first pass: sent", sent as f64 / 1e3, "kB", Target::None);
    row("first pass: tokens as billed", tokens, "tokens", Target::Below(original / 500.0));
    row("first pass: the original system's tokens for one", original / tokens, "tokens", Target::AtLeast(500.0));
    let lines_of = |index: &usize| anomalous.get(*index).map_or(0, |line| line.1);
    let all: u64 = anomalous.iter().map(|line| line.1).sum();
    let seen: u64 = shown.lock().expect("no panic").iter().map(lines_of).sum();
    row(
        "anomalous lines whose kind the model was shown",
        100.0 * seen as f64 / all as f64,
        "%",
        Target::AtLeast(100.0),
    );
    row("anomalies in the report", metric_or(&first, "/total_anomalies"), "rows", Target::None);

    let second = analyze(&home, &corpus, &config, "second");
    row("second pass: requests", (gemini.calls() - requests.len()) as f64, "requests", Target::Below(0.0));
    row("second pass: anomalies in the report", metric_or(&second, "/total_anomalies"), "rows", Target::None);
}

fn metric_or(report: &Value, pointer: &str) -> f64 {
    report.pointer(pointer).and_then(Value::as_f64).unwrap_or(f64::NAN)
}

fn analyze(home: &Home, corpus: &Path, config: &Path, name: &str) -> Value {
    let binary = std::env::var_os("LOGWREN_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_logwren").into());
    let report = home.path(&format!("{name}.json"));
    let output = Command::new(binary)
        .args(["analyze", "--judge", "templates", "--config"])
        .arg(config)
        .arg("--json")
        .arg(&report)
        .arg(corpus)
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code().is_some_and(|code| code < 2), "{said}");
    for line in said.lines().filter(|line| line.contains("budget") || line.contains("warn")) {
        println!("  {line}");
    }
    serde_json::from_slice(&std::fs::read(report).expect("a report")).expect("JSON")
}

/// Anomalous for kinds of labelled lines, which are noted; normal for everything else.
fn verdict(item: &Value, anomalous: &[(String, u64)], shown: &mut BTreeSet<usize>) -> Value {
    let template = item["template"].as_str().unwrap_or_default();
    let is_canary = ["kernel panic", "out of memory", "corrupt"].iter().any(|word| item.to_string().contains(word));
    let fitting: Vec<usize> =
        anomalous.iter().enumerate().filter(|(_, (line, _))| fits(template, line)).map(|(at, _)| at).collect();
    if fitting.is_empty() && !is_canary {
        return json!({"verdict": "normal", "confidence": 0.9});
    }
    shown.extend(fitting);
    json!({"verdict": "anomalous", "confidence": 0.9, "severity": "high", "category": "application",
        "reason": "It is labelled so.", "remediation": ["Read the line."]})
}

/// Whether the constant words of a template stand in a line in this order; a template without any fits nothing.
fn fits(template: &str, line: &str) -> bool {
    let (mut rest, mut letters) = (line, 0);
    for (at, piece) in template.split('<').enumerate() {
        let literal = if at == 0 { piece } else { piece.split_once('>').map_or(piece, |(_, literal)| literal) };
        for word in literal.split_whitespace() {
            let Some(found) = rest.find(word) else { return false };
            letters += word.len();
            rest = &rest[found + word.len()..];
        }
    }
    letters >= 8
}

/// Number of lines, and the anomalous ones with how often each shape of them is there.
fn labelled(corpus: &Path) -> (u64, Vec<(String, u64)>) {
    let beside = |ending: &str| PathBuf::from(format!("{}.{ending}", corpus.display()));
    let names = std::fs::read_to_string(beside("labels.names")).expect("names of labels");
    let novel: BTreeSet<u16> =
        (0u16..).zip(names.lines()).filter(|(_, name)| name.starts_with("novel")).map(|(label, _)| label).collect();
    let labels = std::fs::read(beside("labels")).expect("labels");
    let mut labels = labels.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    let mut found: BTreeMap<String, u64> = BTreeMap::new();
    let (mut lines, mut line) = (0, Vec::new());
    let mut reader = BufReader::with_capacity(1 << 20, File::open(corpus).expect("a corpus"));
    while reader.read_until(b'\n', &mut line).expect("readable") > 0 {
        lines += 1;
        if labels.next().is_some_and(|label| novel.contains(&label)) {
            *found.entry(String::from_utf8_lossy(&line).trim_end().to_owned()).or_default() += 1;
        }
        line.clear();
    }
    (lines, found.into_iter().collect())
}

/// A hundred thousand lines, and in their second half some that only a reader knows to be bad.
fn small(home: &Home) -> PathBuf {
    const NOVEL: &[&str] = &["escrow ledger drifted by", "turbine vane spalled near", "quorum witness abdicated at"];
    let path = home.path("corpus");
    let text = Generator::new(9).backlog(100_000, Timestamp::now(), 10_000);
    let (mut out, mut labels) = (String::with_capacity(text.len()), Vec::new());
    for (number, line) in text.lines().enumerate() {
        out.push_str(line);
        out.push('\n');
        labels.extend(0u16.to_le_bytes());
        if number > 50_000 && number % 5_000 == 0 {
            let what = NOVEL[number / 5_000 % NOVEL.len()];
            out.push_str(&format!("{} web-03 vault[77]: {what} {number}\n", Timestamp::now()));
            labels.extend(1u16.to_le_bytes());
        }
    }
    std::fs::write(&path, out).expect("written");
    std::fs::write(home.path("corpus.labels"), labels).expect("written");
    std::fs::write(home.path("corpus.labels.names"), "known\nnovel\n").expect("written");
    path
}
