//! What somebody says is odd: in the first column of each line, by line number, or by session. Reads and checks; scores
//! nothing.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, bail};

use crate::exit::UsageError;
use crate::model::LineBlock;

use super::super::inputs::Input;

/// The truth about some inputs.
pub enum Labels {
    /// The first word of each line, `-` for a normal one.
    FirstColumn,
    /// Odd lines of each input by number, from 1.
    Lines(Vec<HashMap<u64, String>>),
    /// Sessions by id, and whether they are odd.
    Sessions(HashMap<Vec<u8>, u32>, Vec<bool>),
}

impl Labels {
    /// Reads `first-column` or the labels of a file.
    ///
    /// # Errors
    /// When the file cannot be read or is no labels.
    pub fn read(word: &str, inputs: &[Input]) -> anyhow::Result<Labels> {
        if word == "first-column" {
            return Ok(Labels::FirstColumn);
        }
        let mut reader = csv::ReaderBuilder::new()
            .flexible(true)
            .from_path(word)
            .with_context(|| format!("cannot read the labels in {word}"))?;
        let columns: Vec<String> = reader
            .headers()
            .with_context(|| format!("cannot read the labels in {word}"))?
            .iter()
            .map(str::to_ascii_lowercase)
            .collect();
        let column = |names: &[&str]| columns.iter().position(|column| names.contains(&column.as_str()));
        let line = column(&["line", "line_number"]);
        let input = column(&["input", "file"]);
        let label = column(&["label", "labels"]);
        let mut lines = vec![HashMap::new(); inputs.len()];
        let (mut ids, mut odd) = (HashMap::new(), Vec::new());
        for record in reader.records() {
            let record = record.with_context(|| format!("cannot read the labels in {word}"))?;
            let label = label.and_then(|at| record.get(at)).unwrap_or("odd");
            match line {
                Some(at) => {
                    let number: u64 = record
                        .get(at)
                        .and_then(|number| number.trim().parse().ok())
                        .with_context(|| format!("{word} has a line that is no number"))?;
                    let of = match input.and_then(|at| record.get(at)) {
                        Some(name) => inputs.iter().position(|input| is_named(input, name)),
                        None => input_of(word, inputs),
                    };
                    let Some(lines) = of.and_then(|of| lines.get_mut(of)) else {
                        bail!(UsageError {
                            message: format!("{word} does not say which input its lines are in"),
                            hint: Some("give it an `input` column, or name it after its input: LOG.labels.csv".into()),
                        })
                    };
                    lines.insert(number, label.to_owned());
                }
                None => {
                    let id = record.get(0).unwrap_or_default().as_bytes().to_vec();
                    if let std::collections::hash_map::Entry::Vacant(entry) = ids.entry(id) {
                        entry.insert(u32::try_from(odd.len()).unwrap_or(u32::MAX));
                        odd.push(!matches!(label.to_ascii_lowercase().as_str(), "normal" | "-" | "0" | "false"));
                    }
                }
            }
        }
        Ok(if line.is_some() { Labels::Lines(lines) } else { Labels::Sessions(ids, odd) })
    }

    /// Takes the labels out of the lines; `each` is told the first column of each, or nothing.
    pub fn strip(&self, block: &mut LineBlock, mut each: impl FnMut(Option<String>)) {
        for span in &mut block.spans {
            if !matches!(self, Labels::FirstColumn) {
                each(None);
                continue;
            }
            let line = block.bytes.get(span.start as usize..span.end as usize).unwrap_or_default();
            let end = line.iter().position(|byte| *byte == b' ' || *byte == b'\t').unwrap_or(line.len());
            each(Some(String::from_utf8_lossy(line.get(..end).unwrap_or_default()).into_owned()));
            span.start = span.end.min(span.start.saturating_add(u32::try_from(end).unwrap_or(u32::MAX) + 1));
        }
    }

    /// The label of an odd line; `first` is its first column.
    pub fn truth(&self, input: usize, line: u64, first: Option<String>) -> Option<String> {
        match self {
            Labels::FirstColumn => first.filter(|first| first != "-"),
            Labels::Lines(inputs) => inputs.get(input)?.get(&line).cloned(),
            Labels::Sessions(..) => None,
        }
    }

    /// The first session whose id the line holds as a word.
    pub fn session(&self, line: &[u8]) -> Option<u32> {
        let Labels::Sessions(ids, _) = self else { return None };
        let is_id = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        line.split(|byte| !is_id(byte)).find_map(|word| ids.get(word).copied())
    }

    /// Whether each session is odd.
    pub fn sessions(&self) -> &[bool] {
        match self {
            Labels::Sessions(_, odd) => odd,
            Labels::FirstColumn | Labels::Lines(_) => &[],
        }
    }

    /// Lines have labels of their own.
    pub fn names(&self) -> bool {
        !matches!(self, Labels::Sessions(..))
    }
}

fn is_named(input: &Input, name: &str) -> bool {
    let full = input.name();
    full == name || Path::new(&full).file_name().is_some_and(|file| file.to_string_lossy() == name)
}

/// The input that a file of labels is named after, or the only one.
fn input_of(labels: &str, inputs: &[Input]) -> Option<usize> {
    let labels = Path::new(labels).file_name()?.to_string_lossy();
    let named = inputs.iter().position(|input| {
        let name = input.name();
        let file = Path::new(&name).file_name().map(|file| file.to_string_lossy().into_owned());
        file.is_some_and(|file| labels.strip_prefix(&file).is_some_and(|rest| rest.starts_with('.')))
    });
    named.or((inputs.len() == 1).then_some(0))
}
