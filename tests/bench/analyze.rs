//! Measures batch analysis as a whole process, against mining alone and against other tools: CPU, memory, first finding.
//! Measures only: what must hold on every machine is in the tests.
//!
//! ```sh
//! cargo bench --bench analyze                      # everything
//! cargo bench --bench analyze -- --short           # everything, once, on a tenth of the lines
//! cargo bench --bench analyze -- cost peers big
//! ```
//!
//! `LOGWREN_BINARY=/usr/bin/logwren` measures that build instead of this one, `LOGWREN_CORPUS=FILE` reads that log instead
//! of one of our own making, and `LOGWREN_PEERS=DIRECTORY` is where tests/bench/peers.sh put the other tools (those on PATH
//! are found without). What is not there is named, not measured.
//!
//! The programs take turns, A B C A B C, and medians are compared, so that a busy machine slows all of them: trust CPU and
//! ratios, and wall time only when nothing else runs. Without `--bench` (as by `cargo test --benches`) it does nothing.

#[expect(dead_code, reason = "shared with the bench of the daemon, which uses all of it")]
mod gauge;
#[expect(dead_code, reason = "shared with the bench of the daemon, which uses all of it")]
mod lines;
mod wanted;
#[path = "analyze/corpus.rs"]
mod corpus;
#[path = "analyze/peers.rs"]
mod peers;
#[path = "analyze/run.rs"]
mod run;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::Command;

use corpus::Corpus;
use gauge::{Target, row};
use peers::Peer;
use run::Cost;
use wanted::Wanted;

/// CPU of an analysis with all reports, against mining alone.
const AGAINST_MINING: f64 = 3.0;
/// In MiB, whatever the size of the input.
const PEAK: f64 = 64.0;
/// CPU of two threads against one.
const TWO_THREADS: f64 = 1.2;
/// In seconds, whatever the size of the input.
const FIRST_FINDING: f64 = 1.0;

const MINING: &str = "templates";
const MINING_TWO: &str = "templates, two threads";
const ANALYZE: &str = "analyze, all three reports";
const ANALYZE_TWO: &str = "analyze, all three reports, two threads";
const NO_REPORTS: &str = "analyze, no report";

fn main() {
    let Some(wanted) = Wanted::of(&["cost", "peers", "big"]) else { return };
    let short = wanted.short;
    let corpus = Corpus::new(if short { 100_000 } else { 1_000_000 });
    println!("{} lines, {} MB", corpus.lines, corpus.bytes / 1_000_000);
    if wanted.has("cost") || wanted.has("peers") {
        paired(&corpus, short, wanted.has("cost"), wanted.has("peers"));
    }
    if wanted.has("big") {
        big(&corpus);
    }
}

/// A program that takes turns with the others, and what its runs cost.
struct Program {
    name: String,
    command: Command,
    costs: Vec<Cost>,
}

impl Program {
    fn new(name: impl Into<String>, command: Command) -> Program {
        Program { name: name.into(), command, costs: Vec::new() }
    }
}

/// Everything that is compared, in one interleaved run.
fn paired(corpus: &Corpus, short: bool, cost: bool, peers: bool) {
    let reports = [OsStr::new("--out"), corpus.path("reports").as_os_str()].map(OsStr::to_owned);
    let mut programs = vec![Program::new(ANALYZE, analyze([&corpus.log], &reports))];
    if cost {
        programs.push(Program::new(MINING, templates(corpus, "1")));
        programs.push(Program::new(MINING_TWO, templates(corpus, "2")));
        programs.push(Program::new(NO_REPORTS, analyze([&corpus.log], &[])));
        if has_threads("analyze") {
            let two = [&reports[..], &["--threads".into(), "2".into()]].concat();
            programs.push(Program::new(ANALYZE_TWO, analyze([&corpus.log], &two)));
        } else {
            println!("analyze has no --threads: two threads are not measured");
        }
    }
    let mut sizes = Vec::new();
    if peers {
        let (found, missing) = peers::found(corpus, if short { 10 } else { 1 });
        for name in missing {
            println!("not here, so not measured: {name}");
        }
        for Peer { name, lines, full, start } in found {
            sizes.push((name, lines));
            programs.push(Program::new(name, full));
            programs.push(Program::new(started(name), start));
        }
    }
    let rounds = if short { 1 } else { 3 };
    for round in 1..=rounds {
        for program in &mut programs {
            let (cost, _) = run::run(&mut program.command);
            eprintln!("round {round} of {rounds}: {}: {:.2} CPU-s, {:.1} s", program.name, cost.cpu, cost.wall);
            program.costs.push(cost);
        }
    }
    if cost {
        say_cost(corpus, &programs);
    }
    for (name, lines) in sizes {
        say_peer(corpus, &programs, name, lines);
    }
    println!("load at the end: {}", load());
}

fn say_cost(corpus: &Corpus, programs: &[Program]) {
    for program in programs {
        if [MINING, MINING_TWO, ANALYZE, ANALYZE_TWO, NO_REPORTS].contains(&program.name.as_str()) {
            let cost = median(&program.costs);
            let rate = corpus.lines as f64 / cost.cpu / 1e3;
            row(&program.name, cost.cpu, "CPU-s", Target::None);
            row(&format!("{}: rate", program.name), rate, "k lines/CPU-s", Target::None);
            row(&format!("{}: wall", program.name), cost.wall, "s", Target::None);
            row(&format!("{}: RSS peak", program.name), cost.peak, "MB", Target::Below(PEAK));
        }
    }
    let cpu = |name: &str| cost_of(programs, name).map(|cost| cost.cpu);
    let ratio = |what: &str, one: &str, other: &str, target| {
        if let Some((one, other)) = cpu(one).zip(cpu(other)) {
            row(what, one / other, "x the CPU", target);
        }
    };
    ratio("analyze with all three reports, against templates", ANALYZE, MINING, Target::Below(AGAINST_MINING));
    ratio("analyze without a report, against templates", NO_REPORTS, MINING, Target::None);
    ratio("the three reports", ANALYZE, NO_REPORTS, Target::None);
    ratio("templates: two threads against one", MINING_TWO, MINING, Target::Below(TWO_THREADS));
    ratio("analyze: two threads against one", ANALYZE_TWO, ANALYZE, Target::Below(TWO_THREADS));
}

/// A tool against `analyze` with all reports, by the line: its start is left out, ours is not.
fn say_peer(corpus: &Corpus, programs: &[Program], name: &str, lines: usize) {
    let ours = cost_of(programs, ANALYZE).expect("it ran").cpu / corpus.lines as f64;
    let full = cost_of(programs, name).expect("it ran");
    let start = cost_of(programs, &started(name)).expect("it ran").cpu;
    // Too few lines to tell from its start: no rate is better than a wrong one.
    if full.cpu - start < 0.05 {
        println!("{name}: {lines} lines cost no more than its start of {start:.2} CPU-s");
        return;
    }
    let theirs = (full.cpu - start) / lines as f64;
    row(&format!("{name}: {lines} lines"), theirs * 1e6, "CPU-s/M lines", Target::None);
    row(&format!("{name}: start"), start, "CPU-s", Target::None);
    row(&format!("{name}: RSS peak"), full.peak, "MB", Target::None);
    row(&format!("{name}: against analyze"), theirs / ours, "x the CPU a line", Target::AtLeast(1.0));
}

/// Memory and the first finding, on the log and on ten times as much. Of the reports those that do not grow with the input.
fn big(corpus: &Corpus) {
    let (json, html) = (corpus.path("big.json").into_os_string(), corpus.path("big.html").into_os_string());
    let reports = ["--json".into(), json, "--html".into(), html];
    let (one, first_of_one) = run::run(&mut analyze([&corpus.log], &reports));
    let parts = corpus.tenfold();
    let (ten, first) = run::run(&mut analyze(&parts, &reports));
    let megabytes = corpus.bytes / 1_000_000;
    row(&format!("{megabytes} MB: RSS peak"), one.peak, "MB", Target::Below(PEAK));
    row(&format!("{} MB: RSS peak", megabytes * parts.len() as u64), ten.peak, "MB", Target::Below(PEAK));
    row("ten times as much: RSS peak", ten.peak / one.peak, "x", Target::None);
    row("ten times as much: CPU", ten.cpu / one.cpu, "x", Target::None);
    for (input, first) in [("one file", first_of_one), ("ten files", first)] {
        let Some(first) = first else {
            println!("nothing was found in {input}");
            continue;
        };
        row(&format!("first finding, {input}"), first.wall, "s", Target::Below(FIRST_FINDING));
        row(&format!("first finding, {input}: CPU until then"), first.cpu, "CPU-s", Target::None);
    }
    println!("load at the end: {}", load());
}

fn analyze<'a>(inputs: impl IntoIterator<Item = &'a PathBuf>, options: &[OsString]) -> Command {
    let mut command = logwren();
    command.arg("analyze").args(inputs).args(["--judge", "off"]).args(options);
    command
}

fn templates(corpus: &Corpus, threads: &str) -> Command {
    let mut command = logwren();
    command.arg("templates").arg(&corpus.log).args(["--threads", threads]);
    command
}

/// Another build than this one's can be measured.
fn logwren() -> Command {
    let mut command =
        Command::new(std::env::var_os("LOGWREN_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_logwren").into()));
    // A config of the host's, or a key, would make it another run.
    command.env_clear().env("TZ", "UTC").env("TMPDIR", std::env::temp_dir());
    command
}

fn has_threads(name: &str) -> bool {
    let output = logwren().args([name, "--help"]).output().expect("the binary starts");
    String::from_utf8_lossy(&output.stdout).contains("--threads")
}

fn started(name: &str) -> String {
    format!("{name}: start")
}

fn cost_of(programs: &[Program], name: &str) -> Option<Cost> {
    programs.iter().find(|program| program.name == name).map(|program| median(&program.costs))
}

/// Each figure by itself.
fn median(costs: &[Cost]) -> Cost {
    let middle = |figure: fn(&Cost) -> f64| {
        let mut figures: Vec<f64> = costs.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures[figures.len() / 2]
    };
    Cost { cpu: middle(|cost| cost.cpu), wall: middle(|cost| cost.wall), peak: middle(|cost| cost.peak) }
}

fn load() -> String {
    std::fs::read_to_string("/proc/loadavg").unwrap_or_default().split(' ').next().unwrap_or_default().to_owned()
}
