//! `redact`: what of some lines may leave this host, by the very redactor that everything outward passes. Sends nothing,
//! reads no state.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};

use crate::exit;
use crate::judge;
use crate::model::inert::one_line;
use crate::redact::{Batch, Explained, Lines, Redactor, injection_like};
use crate::source::MAX_LINE_BYTES;

use super::args::{Audience, Redact};
use super::{inputs, place};

/// So many different values have pseudonyms of their own before numbers begin anew: memory stays bounded.
const MAX_VALUES: usize = 100_000;

/// What was found over all lines.
#[derive(Default)]
struct Tally {
    lines: u64,
    /// Lines that leave as they are.
    untouched: u64,
    held_back: u64,
    /// Bytes of overlong lines that nobody looks at.
    dropped: u64,
    rules: BTreeMap<String, u64>,
}

pub fn run(asked: &Redact) -> anyhow::Result<u8> {
    let config = place::load(&asked.place)?;
    let redactor = crate::daemon::redactor(&config);
    let file = asked.file.clone().unwrap_or_else(|| "-".to_owned());
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut tally = Tally::default();
    for input in inputs::named(&[file])? {
        let mut lines = BufReader::with_capacity(128 << 10, input.open()?.bytes);
        let mut guard = Guard::new(&redactor);
        let mut line = Vec::new();
        while next_line(&mut lines, &mut line, &mut tally.dropped)? {
            tally.lines += 1;
            guard.show(&mut out, &String::from_utf8_lossy(&line), asked, &mut tally)?;
        }
    }
    out.flush()?;
    eprint!("{}", tally.said(asked.to));
    if asked.to == Audience::Model {
        eprintln!("{}", what_is_sent(&config.judge));
    }
    Ok(exit::OK)
}

/// The redactor on one input: pseudonyms and private keys go on from line to line.
struct Guard<'a> {
    model: Batch<'a>,
    people: Lines<'a>,
    why: Lines<'a>,
}

impl<'a> Guard<'a> {
    fn new(redactor: &'a Redactor) -> Guard<'a> {
        Guard { model: redactor.batch(), people: redactor.lines(), why: redactor.lines() }
    }

    fn show(&mut self, out: &mut impl Write, line: &str, asked: &Redact, tally: &mut Tally) -> io::Result<()> {
        let explained = self.why.explain(line);
        let people = self.people.for_people(line);
        if self.model.values() > MAX_VALUES {
            self.model.forget();
        }
        let model = self.model.text(line);
        let speaks = injection_like(line).filter(|_| asked.to == Audience::Model);
        tally.count(&explained, asked.to, speaks.is_some());
        let leaves = match (asked.to, speaks) {
            (Audience::Model, Some(pattern)) => format!("<HELD BACK:{pattern}>"),
            (Audience::Model, None) => model,
            (Audience::People, _) => people.as_str().to_owned(),
        };
        if !asked.explain {
            return writeln!(out, "{leaves}");
        }
        let found: Vec<_> = explained
            .found
            .iter()
            .filter(|found| asked.to == Audience::Model || found.class.hidden_from_people())
            .collect();
        if found.is_empty() && speaks.is_none() && !explained.whole {
            return Ok(());
        }
        writeln!(out, "line {}\n  leaves   {}", tally.lines, one_line(&leaves))?;
        if let Some(pattern) = speaks {
            writeln!(
                out,
                "  {pattern}: looks like an instruction to a model, is not sent, and is a finding of its own"
            )?;
        }
        if explained.whole {
            writeln!(out, "  could not be judged, so nothing of it leaves")?;
        }
        for found in found {
            let whom = if found.class.hidden_from_people() { "from everybody" } else { "from a model" };
            let at = explained.text.get(..found.range.start).map_or(0, |before| before.chars().count()) + 1;
            let length = explained.text.get(found.range.clone()).map_or(0, |value| value.chars().count());
            writeln!(
                out,
                "  {:<20} {length} characters at column {at}, a {}, hidden {whom}",
                found.rule,
                found.class.noun()
            )?;
        }
        Ok(())
    }
}

impl Tally {
    fn count(&mut self, explained: &Explained, to: Audience, held_back: bool) {
        let mut touched = held_back || explained.whole;
        self.held_back += u64::from(held_back);
        for found in &explained.found {
            if to == Audience::Model || found.class.hidden_from_people() {
                touched = true;
                *self.rules.entry(found.rule.clone()).or_default() += 1;
            }
        }
        self.untouched += u64::from(!touched);
    }

    fn said(&self, to: Audience) -> String {
        let mut text = format!("{} lines, {} of them leave as they are", self.lines, self.untouched);
        if self.held_back > 0 {
            text += &format!(", {} are held back: they speak to a model", self.held_back);
        }
        if self.dropped > 0 {
            text += &format!(", {} bytes beyond {} of a line were not looked at", self.dropped, MAX_LINE_BYTES);
        }
        text += "\n";
        if !self.rules.is_empty() {
            let rules: Vec<String> = self.rules.iter().map(|(rule, count)| format!("{rule} {count}")).collect();
            let whom = match to {
                Audience::Model => "a model",
                Audience::People => "people",
            };
            text += &format!("hidden from {whom}: {}\n", rules.join(", "));
        }
        text
    }
}

/// How much of such lines goes to a model with this config.
fn what_is_sent(config: &judge::Config) -> &'static str {
    match (config.mode, config.samples) {
        (judge::Mode::Off, _) => "with this config no model is asked: none of it leaves",
        (judge::Mode::Lines, _) => "with this config every line goes to the model like this",
        (judge::Mode::Templates, judge::Samples::Masked) => {
            "with this config only the template of each new kind of line goes to the model, and one sample with its \
             values masked: less than this"
        }
        (judge::Mode::Templates, judge::Samples::Redacted) => {
            "with this config the template of each new kind of line and one line like this go to the model"
        }
    }
}

/// The next line without its end; what is beyond the cap is skipped and counted. False at the end.
fn next_line(input: &mut impl BufRead, line: &mut Vec<u8>, dropped: &mut u64) -> io::Result<bool> {
    line.clear();
    if input.by_ref().take(MAX_LINE_BYTES as u64).read_until(b'\n', line)? == 0 {
        return Ok(false);
    }
    if line.last() != Some(&b'\n') {
        let mut rest = Vec::new();
        loop {
            rest.clear();
            let read = input.by_ref().take(64 << 10).read_until(b'\n', &mut rest)?;
            *dropped += read as u64;
            if read == 0 || rest.last() == Some(&b'\n') {
                break;
            }
        }
    }
    while line.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        line.pop();
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_and_counted() {
        let long = "x".repeat(MAX_LINE_BYTES + 3);
        let text = format!("one\r\n\n{long}\nlast");
        let mut input = BufReader::new(text.as_bytes());
        let (mut line, mut dropped, mut lengths) = (Vec::new(), 0, Vec::new());
        while next_line(&mut input, &mut line, &mut dropped).expect("from memory") {
            lengths.push(line.len());
        }
        assert_eq!((lengths, dropped), (vec![3, 0, MAX_LINE_BYTES, 4], 4));
    }
}
