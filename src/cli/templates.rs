//! `templates`: mining alone. What kinds of lines are in here, how often, and which line is of which? Changes nothing.

use std::io::{self, BufWriter, Write};

use anyhow::Context as _;

use crate::exit;
use crate::mine;
use crate::model::inert::one_line;
use crate::parse::Context;

use super::args::Templates;
use super::assignments::Assignments;
use super::inputs;
use super::mining::Mining;

pub fn run(templates: &Templates) -> anyhow::Result<u8> {
    let inputs = inputs::named(&templates.inputs)?;
    let mut assignments = templates.assignments.as_deref().map(Assignments::create).transpose()?;
    // Times are of no interest here, so any zone does.
    let context = Context { zone: jiff::tz::TimeZone::UTC, host: crate::daemon::host_name() };
    let now = crate::driver::now();
    let threads = usize::from(templates.threads);
    let mut mining = Mining::new(&mine::Config::default(), fastrand::u64(..), context);
    let mut failed = None;
    // In the order of their numbers: what cannot be opened has none.
    let mut read = Vec::new();
    for input in &inputs {
        let passed = input.open().and_then(|opened| {
            read.push(input.name());
            let read = match &mut assignments {
                Some(assignments) => mining.read(opened, now, threads, |line, id| assignments.push(line, id)),
                None => mining.read(opened, now, threads, |_, _| Ok(())),
            };
            read.with_context(|| format!("cannot read {} to its end", input.name()))
        });
        // The other inputs are read all the same.
        if let Err(error) = passed {
            eprintln!("warning: {error:#}");
            failed = Some(error);
        }
    }
    if let Some(assignments) = assignments {
        let current = mining.has_merged().then_some(|id| mining.current(id));
        assignments.finish(current).context("cannot write the assignments")?;
    }
    let mut out = BufWriter::new(io::stdout().lock());
    let shown = if templates.json { json(&mut out, &mining, &read) } else { text(&mut out, &mining) };
    match shown.and_then(|()| out.flush()) {
        // Who pipes us into `head` has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        shown => shown.context("cannot write to standard output")?,
    }
    say_losses(&mining, &read);
    failed.map_or(Ok(exit::OK), Err)
}

fn text(out: &mut impl Write, mining: &Mining) -> io::Result<()> {
    writeln!(out, "{:>10} {:>10} {:>10}  {:<16}  template", "lines", "first", "last", "template_id")?;
    for (id, text, count) in mining.templates() {
        writeln!(out, "{:>10} {:>10} {:>10}  {id}  {}", count.lines, count.first, count.last, one_line(text))?;
    }
    Ok(())
}

fn json(out: &mut impl Write, mining: &Mining, inputs: &[String]) -> io::Result<()> {
    let totals = mining.totals();
    let mut merged = mining.merged_from();
    let exploded: Vec<serde_json::Value> = mining
        .exploded()
        .map(|(input, growth)| {
            serde_json::json!({"input": inputs.get(input), "templates_made": growth.born(), "detail": growth.detail()})
        })
        .collect();
    let templates: Vec<serde_json::Value> = mining
        .templates()
        .into_iter()
        .map(|(id, text, count)| {
            serde_json::json!({
                "template_id": id,
                "template": text,
                "merged_from": merged.remove(&id).unwrap_or_default(),
                "count": count.lines,
                "first_line": count.first,
                "last_line": count.last,
            })
        })
        .collect();
    let report = serde_json::json!({
        "lines": totals.lines,
        "bytes": totals.bytes,
        "lossy_lines": totals.lossy,
        "cut_lines": totals.cut,
        "dropped_bytes": totals.dropped,
        "coarsened_shapes": mining.health().coarsened,
        "exploded_inputs": exploded,
        "templates": templates,
    });
    serde_json::to_writer_pretty(&mut *out, &report)?;
    writeln!(out)
}

/// What was not looked at, or not as it should be. Nothing on a good day.
fn say_losses(mining: &Mining, inputs: &[String]) {
    let (totals, health) = (mining.totals(), mining.health());
    if totals.lossy > 0 {
        eprintln!("note: {} lines had invalid UTF-8, which was replaced", totals.lossy);
    }
    if totals.cut > 0 {
        eprintln!("note: {} lines were cut at 1 MiB; {} bytes were not looked at", totals.cut, totals.dropped);
    }
    let merged: usize = mining.merged_from().values().map(Vec::len).sum();
    if merged > 0 {
        eprintln!("note: {merged} templates became part of others; --json names them (merged_from)");
    }
    for (input, growth) in mining.exploded() {
        let name = match inputs.get(input).map(String::as_str) {
            Some("-") => "standard input",
            Some(name) => name,
            None => "an input",
        };
        eprintln!(
            "warning: {name} has no end of different lines: {} templates so far, and new lines are told apart by {} only",
            growth.born(),
            growth.detail()
        );
        eprintln!("  hint: is it a text log, one line a message? Other inputs are not touched");
    }
    if health.crowded {
        eprintln!(
            "warning: there are {} templates and no room for more: {} kinds of lines went to a similar one or to one that \
             takes everything",
            health.templates, health.coarsened
        );
    }
}
