//! `eval`: how good is detection on logs somebody labelled? Runs the daemon's pipeline on the time of the lines and
//! compares. Writes nothing but the answer.

mod labels;
mod score;

use std::io::{self, BufWriter, Write};

use anyhow::Context as _;

use crate::driver::{Cost, Replay};
use crate::exit;
use crate::judge;
use crate::model::{Category, KindId, LineBlock, Phase, Severity, Snapshot, Verdict, VerdictRow, inert::one_line};
use crate::pipeline::Settings;

use super::args::Eval;
use super::inputs::{self, Input};
use super::{blocks, place};
use labels::Labels;
use score::{Answers, Report};

/// Lines that only delay novelty and rates where there is no baseline.
const WARM_UP: std::ops::RangeInclusive<u64> = 200..=100_000;

pub fn run(eval: &Eval) -> anyhow::Result<u8> {
    let inputs = inputs::named(&eval.inputs)?;
    let baseline = if eval.baseline.is_empty() { Vec::new() } else { inputs::named(&eval.baseline)? };
    let labels = Labels::read(&eval.labels, &inputs)?;
    let config = place::load(&eval.place)?;
    let settings = || -> anyhow::Result<Settings> {
        let mut settings = crate::daemon::settings(&config)?;
        // What a day may cost is no question here.
        settings.judge = judge::Config { daily_tokens: 0, daily_usd: 0.0, ..settings.judge };
        Ok(settings)
    };
    let at = Severity::ALL.into_iter().find(|severity| severity.as_str() == eval.at).unwrap_or(Severity::Medium);
    let passed = pass(settings()?, Snapshot::default(), &labels, &inputs, &baseline)?;
    let (answers, replay) = if eval.judge == "oracle" {
        let verdicts = passed.0.majorities().into_iter().map(|(kind, is_bad)| verdict(kind, is_bad)).collect();
        pass(settings()?, Snapshot { verdicts, ..Snapshot::default() }, &labels, &inputs, &baseline)?
    } else {
        passed
    };
    let report = answers.score(at, |id| replay.incident(id));
    // What it would cost is asked of a run that has no verdicts.
    let cost = replay.cost(crate::driver::now());
    let mut out = BufWriter::new(io::stdout().lock());
    let shown = if eval.json { json(&mut out, &report, cost) } else { text(&mut out, &report, cost) };
    match shown.and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        shown => shown.context("cannot write to standard output")?,
    }
    Ok(exit::OK)
}

/// Baseline and inputs through a pipeline of their own.
fn pass(
    settings: Settings,
    snapshot: Snapshot,
    labels: &Labels,
    inputs: &[Input],
    baseline: &[Input],
) -> anyhow::Result<(Answers, Replay)> {
    let now = crate::driver::now();
    let mut answers = Answers::new(labels.names(), labels.sessions());
    let mut replay = Replay::new(settings);
    replay.restore(snapshot, now);
    for input in baseline {
        each_block(input, Phase::Learn, |mut block| {
            labels.strip(&mut block, |_| {});
            replay.feed(&block);
            Ok(())
        })?;
    }
    if baseline.is_empty() {
        let mut lines = 0;
        for input in inputs {
            each_block(input, Phase::Live, |block| {
                lines += block.spans.len() as u64;
                Ok(())
            })?;
        }
        replay = replay.with_warm_up((lines / 10).clamp(*WARM_UP.start(), *WARM_UP.end()));
    } else {
        answers.take(replay.learned());
    }
    for (number, input) in inputs.iter().enumerate() {
        answers.begin_input(&input.name());
        let mut line = 0;
        each_block(input, Phase::Live, |mut block| {
            let mut truths = Vec::with_capacity(block.spans.len());
            labels.strip(&mut block, |first| truths.push(first));
            for ((bytes, span), first) in block.lines().zip(truths) {
                line += 1;
                answers.line(span.offset, labels.truth(number, line, first), labels.session(bytes));
            }
            let step = replay.feed(&block);
            answers.take(step);
            Ok(())
        })?;
    }
    answers.take(replay.finish());
    Ok((answers, replay))
}

fn each_block(input: &Input, phase: Phase, each: impl FnMut(LineBlock) -> io::Result<()>) -> anyhow::Result<()> {
    let name = input.name();
    let opened = input.open()?;
    blocks::read(opened, &name, phase, crate::driver::now(), each)
        .with_context(|| format!("cannot read {name} to its end"))?;
    Ok(())
}

/// What somebody who knows the labels says of a kind.
fn verdict(kind: KindId, is_bad: bool) -> VerdictRow {
    VerdictRow {
        kind,
        verdict: if is_bad { Verdict::Anomalous } else { Verdict::Normal },
        severity: if is_bad { Severity::High } else { Severity::Low },
        category: Category::Other,
        confidence: 1.0,
        reason: "most lines of this kind are labelled so".to_owned(),
        remediation: vec!["Read the line.".to_owned()],
        model: "oracle".to_owned(),
        prompt_version: judge::PROMPT_VERSION,
        judged_at: crate::driver::now(),
        not_before: None,
    }
}

fn text(out: &mut impl Write, report: &Report, cost: Cost) -> io::Result<()> {
    writeln!(
        out,
        "{:<12} {:>9} {:>9} {:>9}   {:>9} {:>9} {:>9}",
        "", "precision", "recall", "F1", "flagged", "odd", "of"
    )?;
    let mut rows = vec![("lines", Some(report.lines)), ("sessions", report.sessions)];
    rows.push(("incidents", Some(report.incidents)));
    for (name, row) in rows {
        let Some(row) = row else { continue };
        let (flagged, odd) = (row.hits + row.false_alarms, row.found.unwrap_or(row.hits) + row.missed);
        let all = row.all;
        writeln!(
            out,
            "{name:<12} {:>9.3} {:>9.3} {:>9.3}   {flagged:>9} {odd:>9} {all:>9}",
            row.precision(),
            row.recall(),
            row.f1()
        )?;
    }
    for label in &report.labels {
        writeln!(out, "label {}: {} of {} lines flagged", one_line(&label.name), label.found, label.lines)?;
    }
    writeln!(out, "incidents at {} and above:", report.at)?;
    for one in &report.flagged {
        writeln!(
            out,
            "  {:<8} {:>7} lines, {:>7} odd  {:<22} {} | {}",
            one.severity.as_str(),
            one.lines,
            one.odd_lines,
            one.judged_by,
            one_line(&one.title),
            one_line(&one.subject)
        )?;
    }
    writeln!(
        out,
        "a model would be asked {} questions in {} calls, about {} tokens in and {} out",
        cost.questions, cost.calls, cost.input_tokens, cost.output_tokens
    )
}

fn json(out: &mut impl Write, report: &Report, cost: Cost) -> io::Result<()> {
    let row = |row: &score::Row| {
        serde_json::json!({
            "precision": row.precision(), "recall": row.recall(), "f1": row.f1(),
            "hits": row.hits, "false_alarms": row.false_alarms, "missed": row.missed, "all": row.all,
        })
    };
    let labels: Vec<serde_json::Value> = report
        .labels
        .iter()
        .map(|label| serde_json::json!({"label": label.name, "lines": label.lines, "found": label.found}))
        .collect();
    let flagged: Vec<serde_json::Value> = report
        .flagged
        .iter()
        .map(|one| {
            serde_json::json!({
                "id": one.id, "severity": one.severity, "judged_by": one.judged_by, "title": one.title,
                "subject": one.subject, "lines": one.lines, "odd_lines": one.odd_lines,
            })
        })
        .collect();
    let report = serde_json::json!({
        "at": report.at,
        "lines": row(&report.lines),
        "sessions": report.sessions.as_ref().map(row),
        "incidents": row(&report.incidents),
        "labels": labels,
        "flagged_incidents": flagged,
        "judge": {
            "questions": cost.questions, "calls": cost.calls,
            "input_tokens": cost.input_tokens, "output_tokens": cost.output_tokens,
        },
    });
    serde_json::to_writer_pretty(&mut *out, &report)?;
    writeln!(out)
}
