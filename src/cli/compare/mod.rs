//! `compare`: what is new, gone, louder or quieter in one log against another? Two days, two hosts, before and after a
//! deploy, a passing and a failing run. Mines; detects nothing and asks no model.

mod counts;
mod weigh;

use std::io::{self, BufWriter, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, bail};

use crate::analysis::feed::{Feed, Inputs};
use crate::analysis::spool::Stdin;
use crate::exit::{self, UsageError};
use crate::model::{Level, clip, inert::one_line};
use crate::parse::{Context, Format};

use super::args::{Compare, Difference};
use super::inputs::{self, Input};

use counts::{Counts, Kind, Side};
use weigh::{Change, Scale, Weighed};

/// Longest template shown, in bytes.
const TEMPLATE_BYTES: usize = 160;

/// One difference.
struct Differs {
    kind: Kind,
    weighed: Weighed,
}

/// Everything that was found.
struct Comparison {
    names: [String; 2],
    lines: [u64; 2],
    scale: Scale,
    /// All but the same, strongest first.
    differ: Vec<Differs>,
    same: usize,
    crowded: u64,
    /// What could not be read to its end.
    problems: Vec<String>,
}

pub fn run(compare: &Compare) -> anyhow::Result<u8> {
    let level = compare.level.as_deref().map(level).transpose()?;
    let format = match compare.format.as_deref() {
        Some(name) => Format::from_config(name).map_err(|message| UsageError { message, hint: None })?,
        None => None,
    };
    let sides = [(Side::A, &compare.before), (Side::B, &compare.after)];
    if sides.iter().all(|(_, word)| *word == "-") {
        bail!(UsageError { message: "standard input cannot be both A and B".to_owned(), hint: None });
    }
    let context = Context { zone: jiff::tz::TimeZone::system(), host: crate::daemon::host_name() };
    let mut counts = Counts::new(context.clone(), fastrand::u64(..));
    let mut problems = Vec::new();
    for (side, word) in sides {
        let inputs = inputs::named(std::slice::from_ref(word))?;
        let needs_stdin = inputs.contains(&Input::Stdin);
        let stdin = needs_stdin.then(|| Stdin::new(Box::new(io::stdin()), Arc::<AtomicBool>::default())).transpose()?;
        let mut feed = Feed::new(Inputs {
            stdin,
            context: context.clone(),
            now: crate::driver::now(),
            format: format.map(|format| format.name().into()),
            sizes: Arc::new(inputs::sizes_of(inputs.iter())),
            read: Arc::default(),
            inputs: inputs.clone(),
        });
        while let Some(turn) = feed.next() {
            counts.add(side, &turn.chunk);
        }
        let name = |input: usize| inputs.get(input).map(Input::name).unwrap_or_default();
        problems.extend(feed.take_failed().into_iter().map(|(input, error)| format!("{}: {error}", name(input))));
        for (input, remarks) in feed.take_remarks() {
            problems.extend(remarks.problems.into_iter().map(|problem| format!("{}: {problem}", name(input))));
        }
    }
    let comparison = Comparison::of(counts, [compare.before.clone(), compare.after.clone()], level, problems);
    let mut out = BufWriter::new(io::stdout().lock());
    let shown = if compare.json { comparison.json(&mut out) } else { comparison.text(&mut out, compare.limit) };
    match shown.and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        shown => shown.context("cannot write to standard output")?,
    }
    for problem in &comparison.problems {
        eprintln!("warning: {}", one_line(problem));
    }
    let fails = |change: Change| compare.fail_on.iter().any(|difference| Change::from(*difference) == change);
    Ok(match comparison.problems.is_empty() {
        false => exit::FAILURE,
        true if comparison.differ.iter().any(|one| fails(one.weighed.change)) => exit::ANOMALIES,
        true => exit::OK,
    })
}

fn level(word: &str) -> anyhow::Result<Level> {
    let all = Level::ALL.map(Level::as_str).join(", ");
    let usage = || UsageError { message: format!("--level {word} is no level"), hint: Some(format!("one of {all}")) };
    Ok(Level::from_word(word).ok_or_else(usage)?)
}

impl From<Difference> for Change {
    fn from(difference: Difference) -> Change {
        match difference {
            Difference::New => Change::New,
            Difference::Gone => Change::Gone,
            Difference::Louder => Change::Louder,
            Difference::Quieter => Change::Quieter,
        }
    }
}

impl Change {
    /// In the order they are shown.
    const SHOWN: [Change; 4] = [Change::New, Change::Gone, Change::Louder, Change::Quieter];

    fn as_str(self) -> &'static str {
        match self {
            Change::New => "new",
            Change::Gone => "gone",
            Change::Louder => "louder",
            Change::Quieter => "quieter",
            Change::Same => "same",
        }
    }
}

impl Differs {
    /// The side whose lines show it.
    fn side(&self) -> Side {
        match self.weighed.change {
            Change::Gone | Change::Quieter => Side::A,
            Change::New | Change::Louder | Change::Same => Side::B,
        }
    }
}

impl Comparison {
    fn of(counts: Counts, names: [String; 2], level: Option<Level>, problems: Vec<String>) -> Comparison {
        let (lines, crowded) = (counts.lines, counts.crowded);
        let kinds = counts.kinds();
        let pairs: Vec<(u64, u64)> = kinds.iter().map(|kind| (kind.sides.counts[0], kind.sides.counts[1])).collect();
        let scale = Scale::of(&pairs);
        let of_interest = kinds.into_iter().filter(|kind| level.is_none_or(|level| kind.level <= level));
        let all: Vec<Differs> = of_interest
            .map(|kind| Differs { weighed: scale.weigh(kind.sides.counts[0], kind.sides.counts[1]), kind })
            .collect();
        let (same, mut differ): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| one.weighed.change == Change::Same);
        // A new error is worth more than many new remarks; behind that, the least likely comes first.
        differ.sort_by(|one, other| {
            let rank = |one: &Differs| one.kind.level.min(Level::Notice);
            let by_level = rank(one).cmp(&rank(other));
            let by_strength = other.weighed.strength.total_cmp(&one.weighed.strength);
            by_level.then(by_strength).then_with(|| one.kind.text.cmp(&other.kind.text))
        });
        Comparison { names, lines, scale, differ, same: same.len(), crowded, problems }
    }

    fn each(&self, change: Change) -> impl Iterator<Item = &Differs> {
        self.differ.iter().filter(move |one| one.weighed.change == change)
    }

    fn text(&self, out: &mut impl Write, limit: usize) -> io::Result<()> {
        let [a, b] = &self.names;
        writeln!(out, "A {}: {} lines", one_line(a), self.lines[0])?;
        writeln!(
            out,
            "B {}: {} lines, {:.2} times A by the kinds both have",
            one_line(b),
            self.lines[1],
            self.scale.ratio
        )?;
        let count = |change| self.each(change).count();
        writeln!(
            out,
            "{} new, {} gone, {} louder, {} quieter, {} the same",
            count(Change::New),
            count(Change::Gone),
            count(Change::Louder),
            count(Change::Quieter),
            self.same
        )?;
        for change in Change::SHOWN {
            let many = count(change);
            if many == 0 {
                continue;
            }
            writeln!(out, "\n{} in B\n{:>9} {:>9} {:>8} {:>8}  kind", change.as_str(), "A", "B", "times", "strength")?;
            for Differs { kind, weighed } in self.each(change).take(limit) {
                let times = if weighed.ratio.is_finite() { format!("{:.2}", weighed.ratio) } else { "-".to_owned() };
                writeln!(
                    out,
                    "{:>9} {:>9} {times:>8} {:>8.1}  {} {}: {}",
                    kind.sides.counts[0],
                    kind.sides.counts[1],
                    weighed.strength,
                    kind.level.as_str(),
                    one_line(&kind.program),
                    clip(&one_line(&kind.text), TEMPLATE_BYTES)
                )?;
            }
            if many > limit {
                writeln!(out, "{:>9} more; --limit {many} lists them", many - limit)?;
            }
        }
        if self.crowded > 0 {
            writeln!(out, "note: {} lines of too many programs were counted under (others)", self.crowded)?;
        }
        Ok(())
    }

    fn json(&self, out: &mut impl Write) -> io::Result<()> {
        let row = |one: &Differs| {
            let Differs { kind, weighed } = one;
            let seen = kind.sides.seen[one.side().index()].as_ref();
            let finite = |number: f64| number.is_finite().then_some((number * 1e3).round() / 1e3);
            serde_json::json!({
                "program": kind.program, "level": kind.level.as_str(), "template_id": kind.template,
                "template": kind.text, "a": kind.sides.counts[0], "b": kind.sides.counts[1],
                "ratio": finite(weighed.ratio), "strength": finite(weighed.strength),
                "first_seen": seen.and_then(|seen| seen.first), "last_seen": seen.and_then(|seen| seen.last),
                "input": seen.map(|seen| &seen.input), "line_number": seen.map(|seen| seen.line_number),
                "example": seen.map(|seen| &seen.example),
            })
        };
        let rows = |change| self.each(change).map(row).collect::<Vec<_>>();
        let report = serde_json::json!({
            "a": {"input": self.names[0], "lines": self.lines[0]},
            "b": {"input": self.names[1], "lines": self.lines[1]},
            "scale": self.scale.ratio, "dispersion": self.scale.dispersion,
            "new": rows(Change::New), "gone": rows(Change::Gone),
            "louder": rows(Change::Louder), "quieter": rows(Change::Quieter),
            "same": self.same, "problems": self.problems,
        });
        serde_json::to_writer_pretty(&mut *out, &report)?;
        writeln!(out)
    }
}
