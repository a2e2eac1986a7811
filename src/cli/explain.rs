//! `explain`: every room's view of one line. Reads the store when there is one; changes nothing.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use anyhow::{Context, bail};

use crate::exit::{self, UsageError};
use crate::model::Medium;
use crate::model::inert::one_line;
use crate::parse::Format;
use crate::pipeline::{Effects, Explanation, Pipeline};
use crate::store::Reader;

use super::args::Explain;
use super::place;

pub fn run(explain: &Explain) -> anyhow::Result<u8> {
    let config = place::load(&explain.place)?;
    let format = match &explain.format {
        Some(name) => Format::from_config(name).map_err(|message| UsageError { message, hint: None })?,
        None => None,
    };
    let (line, first) = match (&explain.line, &explain.file, explain.number) {
        (Some(line), _, _) => (line.clone().into_bytes(), Vec::new()),
        (None, Some(file), Some(number)) => nth_line(file, number)?,
        (None, _, _) => bail!(UsageError { message: "which line?".to_owned(), hint: None }),
    };
    let settings = crate::daemon::settings(&config)?;
    let mut pipeline = Pipeline::new(settings);
    let mut out = std::io::stdout().lock();
    match Reader::open(&config.state_dir).and_then(|reader| reader.load()) {
        Ok(snapshot) => {
            pipeline.restore(snapshot, crate::driver::now(), &mut Effects::default());
        }
        Err(error) => writeln!(out, "state      none ({error}): every line is new here")?,
    }
    let explanation = pipeline.explain(&line, &first, Medium::File, format, crate::driver::now());
    let how = match (&explain.file, format) {
        (_, Some(_)) => Some("forced by --format"),
        (Some(_), None) => Some("by vote of the file's first lines"),
        (None, None) => None,
    };
    show(&mut out, &explanation, how)?;
    Ok(exit::OK)
}

fn show(out: &mut impl Write, explanation: &Explanation<'_>, how: Option<&str>) -> std::io::Result<()> {
    let Explanation {
        header,
        plan,
        masked,
        template,
        kind,
        known,
        views,
        verdict,
        settled,
        answers,
        incident,
        for_model,
        for_people,
    } = explanation;
    let mut say = |label: &str, text: &str| writeln!(out, "{label:<10} {}", one_line(text));
    say("format", header.format)?;
    if let (Some(plan), Some(how)) = (plan, how) {
        say("plan", &format!("{plan}, {how}"))?;
    }
    let time = header.time.map_or_else(|| "none in the line".to_owned(), |time| time.to_string());
    let guessed = if header.notes.guessed_time { " (year or zone guessed)" } else { "" };
    say("time", &format!("{time}{guessed}"))?;
    say(
        "level",
        &header.level.map_or_else(|| "none in the line, taken as info".to_owned(), |level| level.to_string()),
    )?;
    say("host", header.host.as_deref().unwrap_or("none in the line, taken as ours"))?;
    say("program", if header.program.is_empty() { "none in the line" } else { &header.program })?;
    if let Some(pid) = header.pid {
        say("pid", &pid.to_string())?;
    }
    if let Some(unit) = &header.unit {
        say("unit", unit)?;
    }
    say("message", &header.message)?;
    if header.notes.lossy {
        say("note", "invalid UTF-8 was replaced")?;
    }
    if header.notes.fallback {
        say("note", "did not match the format of its source; taken as plain text")?;
    }
    say("masked", masked)?;
    say("template", &format!("{} {template}", kind.template))?;
    let seen = if *known == 0 { "never seen before".to_owned() } else { format!("seen {known} times") };
    say("kind", &format!("{} ({seen})", kind.id()))?;
    for view in views {
        say(view.detector, &format!("{}{}", if view.finds { "FINDS: " } else { "" }, view.says))?;
    }
    match verdict {
        Some(row) => say(
            "verdict",
            &format!(
                "{} ({}, confidence {:.2}) by {}{}: {}",
                row.verdict.as_str(),
                row.severity,
                row.confidence,
                row.model,
                if *settled { ", so being new, seldom or logged as an error makes it no more than low" } else { "" },
                row.reason
            ),
        )?,
        None => say("verdict", "none yet")?,
    }
    if let Some(incident) = incident {
        say(
            "incident",
            &format!("{} ({}, {}): {}", incident.id, incident.severity, incident.state.as_str(), incident.title),
        )?;
    }
    for answer in answers {
        let until = answer.until.map_or_else(|| "without an end by time".to_owned(), |until| format!("until {until}"));
        let (word, noun, id) = (answer.word.as_str(), answer.about.noun(), answer.about.id());
        let host = answer.host.as_deref().unwrap_or("every host");
        say("answer", &format!("{word} {noun} {id} on {host} {until}, said by {}: {}", answer.by, answer.reason))?;
    }
    say("to model", for_model)?;
    say("to people", for_people)
}

/// Lines that vote for the format of a file.
const VOTERS: usize = 96;

/// The line, and the first ones of its file.
fn nth_line(file: &Path, number: u64) -> anyhow::Result<(Vec<u8>, Vec<Vec<u8>>)> {
    let opened = std::fs::File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut lines = BufReader::new(opened);
    let mut line = Vec::new();
    let mut first = Vec::new();
    for at in 1..=number {
        line.clear();
        if lines.read_until(b'\n', &mut line).with_context(|| format!("cannot read {}", file.display()))? == 0 {
            bail!("{} has only {} lines", file.display(), at - 1);
        }
        if first.len() < VOTERS {
            first.push(without_end(line.clone()));
        }
    }
    // The vote is the file's, also where the line is one of its first.
    while first.len() < VOTERS {
        let mut next = Vec::new();
        if lines.read_until(b'\n', &mut next).with_context(|| format!("cannot read {}", file.display()))? == 0 {
            break;
        }
        first.push(without_end(next));
    }
    Ok((without_end(line), first))
}

fn without_end(mut line: Vec<u8>) -> Vec<u8> {
    while line.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        line.pop();
    }
    line
}
