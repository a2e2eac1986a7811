//! Reads TOML into a serde type and reports every mistake at once, each with its place. Knows no key by name.
//!
//! serde stops at the first mistake. So: read, note the mistake, take the wrong item out of the tree, read again.

use std::ops::Range;
use std::path::Path;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, Deserializer};

/// One mistake in one file.
#[derive(Clone, PartialEq, Debug)]
pub struct Problem {
    pub file: String,
    /// 1-based.
    pub line: usize,
    /// 1-based, in characters.
    pub column: usize,
    /// Dotted path of the key, `notifiers.slack[0].url_env`; empty for syntax errors.
    pub key: String,
    /// What is wrong and what is allowed.
    pub message: String,
    /// The nearest thing that would be right.
    pub suggestion: Option<String>,
    /// The offending source line, drawn with carets.
    pub drawing: String,
}

/// A file read as far as it could be.
pub struct Reading<T> {
    /// `None` when not even the rest of the file made sense.
    pub value: Option<T>,
    pub problems: Vec<Problem>,
}

/// More mistakes than this are not told apart.
const MAX_PROBLEMS: usize = 50;

/// Reads `text` of `file`; every wrong item is reported and left out of `value`.
pub fn read<T: DeserializeOwned>(file: &str, text: &str) -> Reading<T> {
    let (root, syntax) = DeTable::parse_recoverable(text);
    let mut problems: Vec<Problem> = syntax
        .iter()
        .map(|error| problem(file, text, error.span().unwrap_or(0..0), String::new(), error.message()))
        .collect();
    if !problems.is_empty() {
        // What a broken parse left behind would only produce mistakes nobody made.
        return Reading { value: None, problems };
    }
    // Keys are named by where they stand in the file, whatever was taken out before.
    let whole = root.clone();
    let mut table = root;
    let mut removed: Vec<String> = Vec::new();
    loop {
        let error = match T::deserialize(Deserializer::from(table.clone())) {
            Ok(value) => return finished(Some(value), problems),
            Err(error) => error,
        };
        let span = error.span().unwrap_or(0..0);
        let (key, _) = take_out(whole.clone().get_mut(), &span, "");
        let (_, taken) = take_out(table.get_mut(), &span, "");
        let missing_after_removal =
            missing_field(error.message()).is_some_and(|field| removed.contains(&join(&key, field)));
        if !missing_after_removal {
            problems.push(problem(file, text, span, key.clone(), &plain(error.message())));
        }
        removed.push(key);
        if !taken || problems.len() >= MAX_PROBLEMS {
            return finished(None, problems);
        }
    }
}

/// The text of a file.
///
/// # Errors
/// Why it cannot be read, or where it is not UTF-8.
pub fn text(file: &Path) -> Result<String, Vec<Problem>> {
    let name = file.display().to_string();
    let bytes = std::fs::read(file)
        .map_err(|error| vec![problem(&name, "", 0..0, String::new(), &format!("cannot be read: {error}"))])?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        // What is right up to there stays as it is, so the place is the same.
        let shown = String::from_utf8_lossy(error.as_bytes());
        vec![problem(&name, &shown, at..at + 1, String::new(), "not UTF-8 text here; save the file as UTF-8")]
    })
}

/// A mistake found after reading, at a place that [`toml::Spanned`] kept.
pub fn problem(file: &str, text: &str, span: Range<usize>, key: String, message: &str) -> Problem {
    let start = text.floor_char_boundary(span.start.min(text.len()));
    let end = text.floor_char_boundary(span.end.clamp(start, text.len()));
    // A whole table as a place is too much to draw: its first line is enough.
    let end = text[start..end].find('\n').map_or(end, |newline| start + newline);
    let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
    let message = message.trim().replace('\n', " ");
    let drawing = Renderer::plain().render(&[Level::ERROR
        .primary_title(message.as_str())
        .element(Snippet::source(text).path(file).annotation(AnnotationKind::Primary.span(start..end.max(start))))]);
    Problem {
        file: file.to_owned(),
        line: text[..start].matches('\n').count() + 1,
        column: text[line_start..start].chars().count() + 1,
        suggestion: suggest(&message),
        key,
        message,
        drawing: drawing.to_string(),
    }
}

/// serde meets keys in its own order; people read files from the top.
fn finished<T>(value: Option<T>, mut problems: Vec<Problem>) -> Reading<T> {
    problems.sort_by_key(|problem| (problem.line, problem.column));
    Reading { value, problems }
}

/// Removes the smallest item whose key or value is at `span`. Gives its dotted path and whether something was removed.
fn take_out(table: &mut DeTable<'_>, span: &Range<usize>, path: &str) -> (String, bool) {
    let hit = table.iter_mut().find_map(|(key, value)| {
        let here = join(path, key.get_ref());
        let name = key.get_ref().clone().into_owned();
        if key.span() == *span {
            return Some((name, here, false));
        }
        if !holds(value, span) {
            return None;
        }
        let (deeper, taken) = descend(value, span, &here);
        Some((name, deeper, taken))
    });
    match hit {
        None => (path.to_owned(), false),
        Some((_, deeper, true)) => (deeper, true),
        Some((name, deeper, false)) => (deeper, table.remove(name.as_str()).is_some()),
    }
}

/// Looks for the place inside one value; `false` means the value itself is what has to go.
fn descend(value: &mut Spanned<DeValue<'_>>, span: &Range<usize>, here: &str) -> (String, bool) {
    let whole = value.span() == *span;
    match value.get_mut() {
        DeValue::Table(_) if whole => (here.to_owned(), false),
        DeValue::Table(inner) => take_out(inner, span, here),
        // `[[list]]` and its first element share a span: the element is meant.
        DeValue::Array(items) => {
            let Some(index) = items.iter().position(|item| holds(item, span)) else { return (here.to_owned(), false) };
            let element = format!("{here}[{index}]");
            let mut deeper = (element, false);
            let mut kept = DeArray::new();
            for (at, mut item) in std::mem::replace(items, DeArray::new()).into_iter().enumerate() {
                if at == index {
                    deeper = descend(&mut item, span, &deeper.0);
                    if !deeper.1 {
                        continue;
                    }
                }
                kept.push(item);
            }
            *items = kept;
            (deeper.0, true)
        }
        DeValue::String(_) | DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {
            (here.to_owned(), false)
        }
    }
}

/// True when the place is inside this value. A table written over several headers has the span of its first header,
/// so its members are asked too.
fn holds(value: &Spanned<DeValue<'_>>, span: &Range<usize>) -> bool {
    let own = value.span();
    if own.start <= span.start && span.end <= own.end {
        return true;
    }
    match value.get_ref() {
        DeValue::Table(inner) => inner.iter().any(|(key, value)| key.span() == *span || holds(value, span)),
        DeValue::Array(items) => items.iter().any(|item| holds(item, span)),
        DeValue::String(_) | DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {
            false
        }
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn missing_field(message: &str) -> Option<&str> {
    message.strip_prefix("missing field `")?.split('`').next()
}

/// serde speaks of Rust; a config is read by people.
fn plain(message: &str) -> String {
    const WORDS: &[(&str, &str)] = &[
        ("unknown field", "unknown key"),
        ("missing field", "missing key"),
        ("unknown variant", "unknown value"),
        ("expected path string", "expected a path in quotes"),
        ("expected a sequence", "expected a list in brackets"),
        ("expected a string", "expected text in quotes"),
        ("expected a boolean", "expected true or false"),
        ("expected a map", "expected a table"),
        ("expected usize", "expected a whole number, 0 or more"),
        ("expected u64", "expected a whole number, 0 or more"),
        ("expected u32", "expected a whole number, 0 or more"),
        ("expected u16", "expected a whole number, 0 or more"),
        ("expected f64", "expected a number"),
        ("expected f32", "expected a number"),
    ];
    let found = WORDS.iter().find(|(rust, _)| message.starts_with(rust) || message.ends_with(rust));
    let said = found.map_or_else(|| message.to_owned(), |(rust, people)| message.replacen(rust, people, 1));
    match said.split_once("expected struct ") {
        Some((before, _)) => format!("{before}expected a table"),
        None => said,
    }
}

/// serde names the wrong word first and the allowed ones after "expected": the nearest of those, if near at all.
fn suggest(message: &str) -> Option<String> {
    let (wrong, expected) = message.split_once("expected")?;
    let wrong = wrong.split('`').nth(1)?;
    expected
        .split('`')
        .skip(1)
        .step_by(2)
        .map(|word| (strsim::damerau_levenshtein(wrong, word), word))
        .filter(|(distance, word)| *distance <= 1 + word.len() / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word.to_owned())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize, Debug, Default)]
    #[serde(deny_unknown_fields, default)]
    struct Top {
        size: u32,
        name: String,
        inner: Inner,
        list: Vec<Item>,
    }

    #[derive(Deserialize, Debug, Default)]
    #[serde(deny_unknown_fields, default)]
    struct Inner {
        timeout: u32,
    }

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether it reads matters")]
    struct Item {
        url: String,
        count: Option<u32>,
    }

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let reading = read::<Top>("c.toml", text);
        let said: Vec<String> = reading
            .problems
            .iter()
            .map(|p| {
                let hint = p.suggestion.as_ref().map(|s| format!(" -> {s}")).unwrap_or_default();
                format!("{}:{} {}: {}{hint}", p.line, p.column, p.key, p.message)
            })
            .collect();
        assert_eq!(said, expected);
    }

    #[test]
    fn every_mistake_at_once_with_its_place() {
        check("size = 3\n[inner]\ntimeout = 2\n[[list]]\nurl = 'x'\n", &[]);
        check(
            "siez = 3\nname = 5\n[inner]\ntimeot = 1\n[[list]]\nurl = 'x'\ncount = 'many'\n[[list]]\nurl = 3\n",
            &[
                "1:1 siez: unknown key `siez`, expected one of `size`, `name`, `inner`, `list` -> size",
                "2:8 name: invalid type: integer `5`, expected text in quotes",
                "4:1 inner.timeot: unknown key `timeot`, expected `timeout` -> timeout",
                "7:9 list[0].count: invalid type: string \"many\", expected a whole number, 0 or more",
                "9:7 list[1].url: invalid type: integer `3`, expected text in quotes",
            ],
        );
        check("[[list]]\ncount = 3\n", &["1:1 list[0]: missing key `url`"]);
        // What is missing in one place is not hidden by what was wrong in another, and places keep their numbers.
        check(
            "[[list]]\nurl = 3\n[[list]]\ncount = 1\n[[list]]\nurl = 4\n",
            &[
                "2:7 list[0].url: invalid type: integer `3`, expected text in quotes",
                "3:1 list[1]: missing key `url`",
                "6:7 list[2].url: invalid type: integer `4`, expected text in quotes",
            ],
        );
        check("inner = 3\n", &["1:9 inner: invalid type: integer `3`, expected a table"]);
    }

    #[test]
    fn syntax_errors_have_a_place_too() {
        let problems = read::<Top>("c.toml", "size = \n[inner\n").problems;
        assert!(problems.len() >= 2, "{problems:?}");
        assert!(problems.iter().any(|p| p.line == 2) && problems.iter().all(|p| p.key.is_empty()));
        assert!(problems[0].drawing.contains("c.toml:2"), "{}", problems[0].drawing);
    }

    #[test]
    fn odd_files_do_not_panic() {
        for text in
            ["", "\u{feff}size=1", "é = 1", "a.b.c = 1\n[a]\nx=1", "[[list]]\n[list.url]\nx = 1\n", "list = [[1], 2]"]
        {
            let _ = read::<Top>("c.toml", text);
        }
    }
}
