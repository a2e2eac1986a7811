//! Measures the miner: grouping accuracy on labeled logs and speed on large ones. Measures only: data stays outside.
//!
//! ```sh
//! cargo bench --bench mine -- accuracy DIRECTORY     # DIRECTORY/*/*_structured.csv with Content and EventId
//! cargo bench --bench mine -- accuracy --raw DIRECTORY   # whole lines of *.log beside it, headers parsed away
//! cargo bench --bench mine -- accuracy --dressed DIRECTORY [STYLE...]   # the Content behind headers of many styles
//! cargo bench --bench mine -- misread --dressed DIRECTORY STYLE     # lines of a style whose message is not the Content
//! cargo bench --bench mine -- misread FILE           # lines of a *_structured.csv whose message is not the Content
//! cargo bench --bench mine -- speed FILE             # every line as one message
//! cargo bench --bench mine -- templates FILE
//! cargo bench --bench mine -- novelty DIRECTORY      # syslog.log with its labels: are injected lines seen to be new?
//! ```
//!
//! GA is the share of lines whose group is exactly a true group; FGA is the F1 of exactly found groups. The messages are
//! the Content column, or with `--raw` what the parser leaves of the line. Run without arguments (as by `cargo test --benches`) it does
//! nothing.

#[path = "mine/dressed.rs"]
mod dressed;
#[path = "mine/facts.rs"]
mod facts;
#[path = "mine/novelty.rs"]
mod novelty;
#[path = "mine/styles.rs"]
mod styles;

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use logwren::mine::{Change, Config, Merge, Mined, Miner};
use logwren::model::{TemplateId, TemplateRow, Timestamp};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["accuracy", directory] => accuracy(Path::new(directory), false),
        ["accuracy", "--raw", directory] => accuracy(Path::new(directory), true),
        ["accuracy", "--dressed", directory, styles @ ..] => dressed::accuracy(Path::new(directory), styles),
        ["misread", "--dressed", directory, style] => dressed::misread(Path::new(directory), style, 12),
        ["misread", file] => misread(Path::new(file)),
        ["speed", file] => speed(&read(Path::new(file))?),
        ["templates", file] => templates(&read(Path::new(file))?),
        ["novelty", directory] => novelty::novelty(Path::new(directory)),
        [] => Ok(()),
        _ => bail!(
            "usage: accuracy [--raw] DIRECTORY | accuracy --dressed DIRECTORY [STYLE...] | misread FILE | \
             misread --dressed DIRECTORY STYLE | speed FILE | templates FILE | novelty DIRECTORY"
        ),
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn new_miner() -> Miner {
    Miner::new(&Config::default(), 42)
}

/// GA and FGA of every set below a directory, and how many lines keep their id over a restart.
fn accuracy(directory: &Path, raw: bool) -> anyhow::Result<()> {
    let files = sets(directory)?;
    println!("{:<40} {:>6} {:>6} {:>7} {:>6} {:>8}", "set", "GA", "FGA", "groups", "truth", "restart");
    let (mut all_ga, mut all_fga) = (0.0, 0.0);
    for file in &files {
        let (mut messages, truth) = labeled(file)?;
        if raw {
            messages = parsed(file)?;
            anyhow::ensure!(messages.len() == truth.len(), "{}: not one line for each label", file.display());
        }
        let mut miner = new_miner();
        let (groups, merges) = mine(&mut miner, &messages);
        let (ga, fga) = agreement(&groups, &truth);
        let mut restarted = Miner::new(&Config::default(), 7);
        restarted.restore(&rows(&miner, &merges));
        let (again, _) = mine(&mut restarted, &messages);
        let same = groups.iter().zip(&again).filter(|(before, after)| before == after).count();
        let name = file.file_stem().and_then(OsStr::to_str).unwrap_or_default();
        let kept = same as f64 / messages.len().max(1) as f64;
        println!("{name:<40} {ga:>6.3} {fga:>6.3} {:>7} {:>6} {kept:>8.4}", distinct(&groups), distinct(&truth));
        all_ga += ga;
        all_fga += fga;
    }
    let count = files.len().max(1) as f64;
    println!("{:<40} {:>6.4} {:>6.4}", "mean", all_ga / count, all_fga / count);
    Ok(())
}

/// The labeled sets below a directory.
fn sets(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = walkdir::WalkDir::new(directory)
        .into_iter()
        .filter_map(|entry| Some(entry.ok()?.into_path()))
        .filter(|path| path.file_name().and_then(OsStr::to_str).is_some_and(|name| name.ends_with("_structured.csv")))
        .collect();
    files.sort();
    anyhow::ensure!(!files.is_empty(), "{}: no *_structured.csv below", directory.display());
    Ok(files)
}

/// The Content and EventId columns.
fn labeled(file: &Path) -> anyhow::Result<(Vec<String>, Vec<String>)> {
    let text = read(file)?;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let headers = reader.headers()?.clone();
    let column = |name: &str| {
        headers
            .iter()
            .position(|header| header == name)
            .with_context(|| format!("{}: no column {name}", file.display()))
    };
    let (content, event) = (column("Content")?, column("EventId")?);
    let mut messages = Vec::new();
    let mut truth = Vec::new();
    for record in reader.records() {
        let record = record?;
        messages.push(record.get(content).unwrap_or_default().to_owned());
        truth.push(record.get(event).unwrap_or_default().to_owned());
    }
    Ok((messages, truth))
}

/// What the parser leaves of the lines of the log beside a set, read as a source of their own. Sets that are labeled in
/// their first column (`-` or the name of an alert) lose it: it is no part of the log.
fn parsed(file: &Path) -> anyhow::Result<Vec<String>> {
    let name = file.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let log = file.with_file_name(name.trim_end_matches("_structured.csv"));
    let bytes = std::fs::read(&log).with_context(|| format!("cannot read {}", log.display()))?;
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let is_labeled = ["BGL", "Thunderbird", "Spirit"].iter().any(|set| name.starts_with(set));
    let lines: Vec<&[u8]> = bytes
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .map(|line| match line.iter().position(|byte| *byte == b' ').filter(|_| is_labeled) {
            Some(label) => line.get(label + 1..).unwrap_or_default(),
            None => line,
        })
        .collect();
    Ok(parse(&lines))
}

/// What the parser takes for the messages of a source of its own.
fn parse(lines: &[&[u8]]) -> Vec<String> {
    let context = logwren::parse::Context { zone: jiff::tz::TimeZone::UTC, host: "localhost".into() };
    let mut plan = logwren::parse::Plan::new(logwren::model::Medium::File, None);
    let reference = Timestamp::from_seconds(1_780_000_000);
    plan.prime(lines.iter().copied(), reference, &context);
    lines.iter().map(|line| plan.parse(line, reference, &context).message.into_owned()).collect()
}

/// Where the parser's idea of a message is not the labelers'.
fn misread(file: &Path) -> anyhow::Result<()> {
    let (contents, _) = labeled(file)?;
    let messages = parsed(file)?;
    let differ = contents.iter().zip(&messages).filter(|(content, message)| content.trim() != message.trim());
    let mut count = 0;
    for (content, message) in differ {
        count += 1;
        println!("- {content}\n+ {message}");
    }
    println!("{count} of {} differ", contents.len());
    Ok(())
}

fn mine(miner: &mut Miner, messages: &[String]) -> (Vec<TemplateId>, Vec<Merge>) {
    let mut merges = Vec::new();
    let mut groups = Vec::new();
    for message in messages {
        let Mined { template, change, .. } = miner.mine(message);
        if let Some(Change::Merged { gone }) = change {
            merges.push(Merge { gone, into: template });
            merges.extend_from_slice(miner.further_merges());
        }
        groups.push(template);
    }
    let groups = groups.into_iter().map(|id| miner.current(id).unwrap_or(id)).collect();
    (groups, merges)
}

/// What the store would hand back.
fn rows(miner: &Miner, merges: &[Merge]) -> Vec<TemplateRow> {
    let at = Timestamp::EPOCH;
    let row = |id, text: &str, merged_into| TemplateRow {
        id,
        text: text.to_owned(),
        count: 0,
        first_seen: at,
        last_seen: at,
        merged_into,
    };
    let live = miner.templates().map(|(id, text)| row(id, text, None));
    live.chain(merges.iter().map(|merge| row(merge.gone, "", Some(merge.into)))).collect()
}

fn agreement(groups: &[TemplateId], truth: &[String]) -> (f64, f64) {
    let mut sizes: HashMap<&str, usize> = HashMap::new();
    let mut found: HashMap<TemplateId, HashMap<&str, usize>> = HashMap::new();
    for (group, event) in groups.iter().zip(truth) {
        *sizes.entry(event).or_default() += 1;
        *found.entry(*group).or_default().entry(event).or_default() += 1;
    }
    let exact: Vec<usize> = found
        .values()
        .filter_map(|events| match events.iter().collect::<Vec<_>>().as_slice() {
            [(event, count)] if sizes.get(*event) == Some(count) => Some(**count),
            _ => None,
        })
        .collect();
    let ga = exact.iter().sum::<usize>() as f64 / groups.len().max(1) as f64;
    let fga = 2.0 * exact.len() as f64 / (found.len() + sizes.len()).max(1) as f64;
    (ga, fga)
}

fn distinct<T: Eq + std::hash::Hash>(values: &[T]) -> usize {
    values.iter().collect::<std::collections::HashSet<_>>().len()
}

/// Lines a second of CPU, mining alone: the best of five rounds, each with an empty miner.
fn speed(text: &str) -> anyhow::Result<()> {
    let lines: Vec<&str> = text.lines().collect();
    let mut best = u64::MAX;
    let mut health = None;
    for _ in 0..5 {
        let mut miner = new_miner();
        let start = cpu_nanoseconds()?;
        for line in &lines {
            std::hint::black_box(miner.mine(line));
        }
        best = best.min(cpu_nanoseconds()? - start);
        health = Some(miner.health());
    }
    let rate = |amount: usize| amount as f64 * 1e3 / best as f64;
    println!("{} lines, {} bytes", lines.len(), text.len());
    println!("{:.2} M lines/CPU-s, {:.0} MB/CPU-s", rate(lines.len()), rate(text.len()));
    println!("{health:?}");
    Ok(())
}

/// CPU time of this thread so far.
fn cpu_nanoseconds() -> anyhow::Result<u64> {
    let path = "/proc/thread-self/schedstat";
    let line = std::fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    Ok(line.split(' ').next().unwrap_or_default().parse()?)
}

fn templates(text: &str) -> anyhow::Result<()> {
    let mut miner = new_miner();
    for line in text.lines() {
        miner.mine(line);
    }
    for (id, text) in miner.templates() {
        println!("{id} {text}");
    }
    Ok(())
}
