//! Where in the text of a config something stands, for mistakes that are found after reading. Best effort: a place that
//! cannot be found is the start of the file.

use std::ops::Range;

/// Where a quoted word stands inside a span; the span itself when it cannot be found.
pub fn within(text: &str, span: Range<usize>, word: &str) -> Range<usize> {
    // The span of a `[[routes]]` element is its header: look from there on.
    let rest = text.get(span.start..).unwrap_or_default();
    let found = [format!("\"{word}\""), format!("'{word}'")].iter().filter_map(|quoted| rest.find(quoted)).min();
    found.map_or(span.clone(), |at| span.start + at..span.start + at + word.len() + 2)
}

/// Where a name is given for the last time.
pub fn place_of(text: &str, name: &str) -> Range<usize> {
    [format!("\"{name}\""), format!("'{name}'")]
        .iter()
        .filter_map(|quoted| text.rfind(quoted).map(|at| at..at + quoted.len()))
        .next_back()
        .unwrap_or(0..0)
}

/// The second `name = "NAME"`: where a name is given again.
pub fn named(text: &str, name: &str) -> Range<usize> {
    let quoted = [format!("\"{name}\""), format!("'{name}'")];
    let mut places: Vec<Range<usize>> = quoted
        .iter()
        .flat_map(|quoted| text.match_indices(quoted.as_str()))
        .filter(|(at, _)| {
            let before = text.get(..*at).unwrap_or_default().trim_end();
            before.strip_suffix('=').is_some_and(|before| before.trim_end().ends_with("name"))
        })
        .map(|(at, quoted)| at..at + quoted.len())
        .collect();
    places.sort_by_key(|place| place.start);
    places.get(1).cloned().unwrap_or_else(|| place_of(text, name))
}

/// The `at`-th line that is this header.
pub fn header(text: &str, header: &str, at: usize) -> Range<usize> {
    let mut start = 0;
    text.split_inclusive('\n')
        .filter_map(|line| {
            let here = start;
            start += line.len();
            line.trim_start().starts_with(header).then_some(here..here + line.trim_end().len())
        })
        .nth(at)
        .unwrap_or(0..0)
}
