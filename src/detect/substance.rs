//! Does a kind of line tell of something that happened, or does it only state a value, or refuse what somebody asked for?
//! Looks at template text; a level alone does not tell: registers are dumped at `crit`, and a missing file is an `err`.

/// What a template is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Substance {
    /// Something happened, as far as the text tells.
    Event,
    /// A name and its value, as in `instruction address: <HEX>`: a detail of what the lines around it tell.
    Detail,
    /// Somebody asked for what is not there or not theirs: the fault is in the request, not in the machine.
    Request,
}

/// Words that make any text an event.
const FAULTS: [&str; 20] = [
    "fail",
    "error",
    "panic",
    "fault",
    "lost",
    "timed out",
    "timeout",
    "kill",
    "abort",
    "corrupt",
    "refused",
    "dead",
    "died",
    "crash",
    "unable",
    "cannot",
    "could not",
    "terminated",
    "bad ",
    "out of",
];

/// What the kernel answers to a wrong request (errno texts of ENOENT, EACCES, EPERM, ENOEXEC, ENOTDIR, EISDIR).
const REQUESTS: [&str; 6] = [
    "no such file or directory",
    "permission denied",
    "operation not permitted",
    "exec format error",
    "not a directory",
    "is a directory",
];

/// Words of a name that has a value.
const NAME_WORDS: usize = 10;

pub fn of(template: &str) -> Substance {
    let lower = template.to_ascii_lowercase();
    if REQUESTS.iter().any(|text| lower.trim_end_matches([')', '.', '"', '\'']).ends_with(text)) {
        return Substance::Request;
    }
    if has_leader(template) {
        return Substance::Detail;
    }
    if FAULTS.iter().any(|word| lower.contains(word)) {
        return Substance::Event;
    }
    if is_detail(template) { Substance::Detail } else { Substance::Event }
}

/// A name, dots that lead the eye, and values: `machine check enable.............<NUM>`.
fn has_leader(template: &str) -> bool {
    let (before, values) = without_values(template.trim_end());
    values > 0 && before.trim_end().ends_with("...")
}

/// A few words, then `:`, `=` or dots, then nothing but values.
fn is_detail(template: &str) -> bool {
    let mut names = 0;
    let mut rest = template.trim_end();
    if rest.ends_with(':') {
        // The heading of a list.
        return rest.split_whitespace().count() <= NAME_WORDS && !rest.contains('<');
    }
    // From the end: each value stands behind a mark, or behind another value.
    loop {
        let (before, values) = without_values(rest);
        if values == 0 {
            break;
        }
        let before = before.trim_end();
        if before.is_empty() {
            // Nothing but values.
            return names > 0;
        }
        let name = before.trim_end_matches([':', '=', '.']);
        if name.len() == before.len() {
            return false;
        }
        names += 1;
        // One more pair, `lr:<HEX> cr:<NUM>`, or the name of the only one.
        let name = name.trim_end();
        match name.rsplit_once(' ') {
            Some((head, _)) if head.ends_with('>') => rest = head,
            Some(_) | None => return name.split_whitespace().count() <= NAME_WORDS,
        }
    }
    false
}

/// The text without the placeholders at its end, and how many these were.
fn without_values(text: &str) -> (&str, usize) {
    let mut rest = text;
    let mut values = 0;
    loop {
        let trimmed = rest.trim_end_matches([' ', '(', ')', '[', ']', ',', 'x']);
        let Some(start) = trimmed.strip_suffix('>').and_then(|inside| inside.rfind('<')) else { return (rest, values) };
        rest = trimmed.get(..start).unwrap_or_default();
        values += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(template: &str, expected: Substance) {
        assert_eq!(of(template), expected, "{template}");
    }

    #[test]
    fn details_are_names_with_values() {
        check("instruction address: <HEX>", Substance::Detail);
        check("program interrupt: illegal instruction......<NUM>", Substance::Detail);
        check("RAX: <HEX> RBX: <HEX> RCX: <HEX>", Substance::Detail);
        check("lr:<HEX> cr:<NUM> xer:<NUM>", Substance::Detail);
        check("r<NUM>=<HEX>", Substance::Detail);
        check("Call Trace:", Substance::Detail);
        check("data write error..............<NUM>", Substance::Detail);
        check("cache <NUM> size ........<NUM> (<SIZE>)", Substance::Detail);
        check("<NUM>", Substance::Event);
        check("", Substance::Event);
        check("link is down on port <NUM>", Substance::Event);
        check("disk failed, code: <NUM>", Substance::Event);
        check("kernel terminated for reason <NUM>", Substance::Event);
        check("rts panic! - stopping execution", Substance::Event);
        check("data TLB interrupt", Substance::Event);
    }

    #[test]
    fn requests_end_in_what_the_kernel_answers() {
        check("open() <PATH> failed (<NUM>: No such file or directory)", Substance::Request);
        check("cannot stat <PATH>: Permission denied", Substance::Request);
        check("write <PATH>: Input/output error", Substance::Event);
        check("no such file or directory is what it said before the panic", Substance::Event);
    }

    proptest! {
        #[test]
        fn any_text(text in "(?s).{0,300}|(<[A-Z]{1,4}>[ .:=()]{0,2}){0,200}") {
            of(&text);
        }
    }
}
