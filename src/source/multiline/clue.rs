//! What a line tells about the lines around it: the start of a stack trace, a frame of one, or nothing. Looks at the first
//! bytes first, so that a line of a log without traces costs next to nothing. Joins nothing itself.

use memchr::memmem;

/// How far a stamp is looked for, in bytes.
const STAMP_WITHIN: usize = 72;
/// How long the name of an exception may be, in bytes.
const EXCEPTION_MAX: usize = 160;

/// What a line says about itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Clue {
    /// Nothing.
    None,
    Blank,
    /// Goes on with a stamped line, or with a trace.
    Indented,
    /// Goes on with whatever line stands in front.
    Frame,
    /// Begins a trace, or goes on with a stamped line.
    Begins(Trace),
}

/// What sort of lines make up a group so far, and so which may come next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Trace {
    /// A line that may stay alone.
    Line,
    /// Java, .NET, Node, Ruby, PHP: frames and causes.
    Frames,
    /// Python between `Traceback` and the exception, which is not indented.
    Python,
    /// Python behind the exception: only a chained one may follow.
    PythonEnd,
    /// Go prints what it knows of every goroutine, with blank lines between, until something else says a word.
    Go,
    /// The message of a panic stands in the next line, whatever it looks like.
    RustHead,
    Rust,
}

impl Clue {
    pub fn of(line: &[u8]) -> Clue {
        match line.first() {
            None => Clue::Blank,
            Some(b' ' | b'\t') => indented(line),
            // Docker's lines are looked at as they are written: with a backslash and a letter.
            Some(b'\\') if line.starts_with(b"\\t") => indented(line),
            Some(b'#') if line.get(1).is_some_and(u8::is_ascii_digit) && memmem::find(line, b"): ").is_some() => {
                Clue::Frame
            }
            Some(b'#') if line.ends_with(b" {main}") => Clue::Frame,
            Some(b'A'..=b'Z' | b'a'..=b'z') => word(line),
            Some(_) => Clue::None,
        }
    }
}

impl Trace {
    /// What a group is that begins with this line.
    pub fn begun_by(line: &[u8], clue: Clue) -> Trace {
        match clue {
            Clue::Begins(trace) => trace,
            Clue::Frame => Trace::Frames,
            Clue::None | Clue::Blank | Clue::Indented if memmem::find(line, b"http: panic serving ").is_some() => {
                Trace::Go
            }
            Clue::None | Clue::Blank | Clue::Indented => Trace::Line,
        }
    }

    /// What the group is with this line, if it belongs to it. `head` is the first line of the group, `after_blank` says
    /// that blank lines stand between.
    pub fn with(self, head: &[u8], line: &[u8], clue: Clue, after_blank: bool) -> Option<Trace> {
        if after_blank && !self.goes_on_after_blank(line, clue) {
            return None;
        }
        match (self, clue) {
            (_, Clue::Blank) => None,
            (Trace::RustHead, _) => (!is_stamped(line)).then_some(Trace::Rust),
            (Trace::Go, _) if is_stamped(line) || matches!(line.first(), Some(b'{' | b'<' | b'[')) => {
                line.starts_with(b"[signal ").then_some(Trace::Go)
            }
            (Trace::Go, _) => Some(Trace::Go),
            (Trace::Line, Clue::Frame) => Some(frames_of(line)),
            (Trace::Line, Clue::Indented) => is_stamped(head).then_some(Trace::Line),
            // A trace behind the line that announces it. What begins alone was not announced.
            (Trace::Line, Clue::Begins(trace)) => {
                (is_stamped(head) || head.ends_with(b":")).then_some(trace).filter(|_| !is_stamped(line))
            }
            (Trace::Python, Clue::Indented | Clue::Frame) => Some(Trace::Python),
            (Trace::Python, Clue::Begins(Trace::Python)) => Some(Trace::Python),
            (Trace::Python, Clue::None | Clue::Begins(_)) => (!is_stamped(line)).then_some(Trace::PythonEnd),
            (Trace::PythonEnd, Clue::Frame) if is_python_chain(line) => Some(Trace::PythonEnd),
            (Trace::PythonEnd, Clue::Begins(Trace::Python)) if after_blank => Some(Trace::Python),
            // An exception of many lines.
            (Trace::PythonEnd, Clue::Indented) => Some(Trace::PythonEnd),
            (Trace::PythonEnd, Clue::None | Clue::Frame | Clue::Begins(_)) => None,
            (Trace::Frames | Trace::Rust, Clue::Frame | Clue::Indented) => Some(self),
            (Trace::Frames | Trace::Rust | Trace::Line, Clue::None) => None,
            (Trace::Frames | Trace::Rust, Clue::Begins(_)) => None,
        }
    }

    /// Whether blank lines may belong to the group: it depends on what follows.
    pub fn takes_blanks(self) -> bool {
        match self {
            Trace::PythonEnd | Trace::Go => true,
            Trace::Line | Trace::Frames | Trace::Python | Trace::RustHead | Trace::Rust => false,
        }
    }

    fn goes_on_after_blank(self, line: &[u8], clue: Clue) -> bool {
        match self {
            Trace::PythonEnd => is_python_chain(line) || clue == Clue::Begins(Trace::Python),
            Trace::Go => [&b"goroutine "[..], b"[signal ", b"runtime stack:", b"rax ", b"exit status ", b"main."]
                .iter()
                .any(|start| line.starts_with(start)),
            Trace::Line | Trace::Frames | Trace::Python | Trace::RustHead | Trace::Rust => false,
        }
    }
}

/// Whether there is a time of day in the first bytes: lines of a trace have none.
pub(super) fn is_stamped(line: &[u8]) -> bool {
    let start = line.get(..STAMP_WITHIN).unwrap_or(line);
    start.windows(8).any(|window| match window {
        [a, b, b':', c, d, b':', e, f] => [a, b, c, d, e, f].iter().all(|byte| byte.is_ascii_digit()),
        _ => false,
    })
}

/// Whether a trace may follow a line that says so: worth a short wait when it is the last one there is.
pub(super) fn may_go_on(line: &[u8]) -> bool {
    const WORDS: [&[u8]; 8] = [b"rror", b"RROR", b"xception", b"FATAL", b"Fatal", b"anic", b"SEVERE", b"CRITICAL"];
    let start = line.get(..512).unwrap_or(line);
    WORDS.iter().any(|word| memmem::find(start, word).is_some())
}

fn indented(line: &[u8]) -> Clue {
    let text = line.strip_prefix(b"\\t").unwrap_or(line).trim_ascii_start();
    if text.is_empty() {
        return Clue::Blank;
    }
    let starts = |start: &[u8]| text.starts_with(start);
    let is_frame = match text.first() {
        Some(b'a') => starts(b"at "),
        Some(b'f') => starts(b"from "),
        Some(b'F') => starts(b"File \"") || starts(b"File \\\""),
        Some(b'.') => starts(b"... ") && (text.ends_with(b" more") || text.ends_with(b" common frames omitted")),
        Some(b'-') => starts(b"--- End of ") || starts(b"---> "),
        Some(b'S') => starts(b"Suppressed: "),
        Some(b'C') => starts(b"Caused by: "),
        // Rust's backtraces: `  12: core::panicking::panic`
        Some(b'0'..=b'9') => {
            let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
            digits < 5 && text.get(digits..).is_some_and(|rest| rest.starts_with(b": "))
        }
        _ => false,
    };
    if is_frame { Clue::Frame } else { Clue::Indented }
}

/// A line that begins with a letter.
fn word(line: &[u8]) -> Clue {
    // `Nov 22 ...`: most lines of most hosts.
    if line.get(3) == Some(&b' ') && !line.starts_with(b"The above ") {
        return Clue::None;
    }
    let starts = |start: &[u8]| line.starts_with(start);
    let found = match line.first() {
        Some(b'C') if starts(b"Caused by: ") => Clue::Frame,
        Some(b'D') if starts(b"During handling of the above exception") => Clue::Frame,
        Some(b'T') if starts(b"The above exception was the direct cause") => Clue::Frame,
        Some(b'T') if starts(b"Traceback (most recent call last)") => Clue::Begins(Trace::Python),
        Some(b'p') if starts(b"panic: ") => Clue::Begins(Trace::Go),
        Some(b'f') if starts(b"fatal error: ") => Clue::Begins(Trace::Go),
        Some(b'g') if starts(b"goroutine ") && line.ends_with(b":") => Clue::Begins(Trace::Go),
        Some(b't') if starts(b"thread '") && memmem::find(line, b" panicked at ").is_some() => {
            Clue::Begins(Trace::RustHead)
        }
        Some(b's') if starts(b"stack backtrace:") => Clue::Frame,
        Some(b'n') if starts(b"note: run with `RUST_BACKTRACE") || starts(b"note: Some details are omitted") => {
            Clue::Frame
        }
        Some(b'S') if starts(b"Stack trace:") => Clue::Frame,
        Some(b'U') if starts(b"Unhandled exception") => Clue::Begins(Trace::Frames),
        Some(b'E') if starts(b"Exception in thread ") => Clue::Begins(Trace::Frames),
        Some(b'P') if starts(b"PHP Fatal error: ") => Clue::Begins(Trace::Frames),
        _ => Clue::None,
    };
    if found == Clue::None && is_exception(line) { Clue::Begins(Trace::Frames) } else { found }
}

/// `java.lang.IllegalStateException: ...`, `TypeError: ...`, `System.IO.IOException`
fn is_exception(line: &[u8]) -> bool {
    let start = line.get(..EXCEPTION_MAX).unwrap_or(line);
    // First words are short: a loop is over before a search would have begun.
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'$');
    let end = start.iter().position(|byte| !is_part(byte)).unwrap_or(start.len());
    let name = start.get(..end).unwrap_or_default();
    let is_name = matches!(name.last(), Some(b'n' | b'r' | b'e'))
        && [&b"Exception"[..], b"Error", b"Throwable"].iter().any(|end| name.ends_with(end));
    let is_whole = match line.get(name.len()..) {
        Some([]) => name.len() > b"Error".len(),
        Some([b':', b' ', ..]) => true,
        Some(_) | None => false,
    };
    is_name && is_whole
}

fn frames_of(line: &[u8]) -> Trace {
    let text = line.strip_prefix(b"\\t").unwrap_or(line).trim_ascii_start();
    match text {
        _ if text.starts_with(b"File ") => Trace::Python,
        _ if text.starts_with(b"stack backtrace:") => Trace::Rust,
        _ => Trace::Frames,
    }
}

fn is_python_chain(line: &[u8]) -> bool {
    line.starts_with(b"During handling of the above") || line.starts_with(b"The above exception was")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Clue) {
        assert_eq!(Clue::of(line.as_bytes()), expected, "{line}");
    }

    #[test]
    fn clues() {
        check("", Clue::Blank);
        check("   ", Clue::Blank);
        check("\tat a.b.C.d(C.java:1)", Clue::Frame);
        check("    at Object.<anonymous> (/app/x.js:1:7)", Clue::Frame);
        check("\t... 12 more", Clue::Frame);
        check("  File \"/app/x.py\", line 3, in f", Clue::Frame);
        check("    return f(x)", Clue::Indented);
        check("\tfrom app.rb:5:in `<main>'", Clue::Frame);
        check("  12: core::panicking::panic", Clue::Frame);
        check("  12:30 lunch", Clue::Indented);
        check("#0 /app/x.php(12): f()", Clue::Frame);
        check("#1 {main}", Clue::Frame);
        check("# comment", Clue::None);
        check("Caused by: java.io.IOException: gone", Clue::Frame);
        check("java.lang.IllegalStateException: no", Clue::Begins(Trace::Frames));
        check("TypeError: x is not a function", Clue::Begins(Trace::Frames));
        check("KeyboardInterrupt", Clue::None);
        check("Error: no", Clue::Begins(Trace::Frames));
        check("Error", Clue::None);
        check("The above exception was the direct cause of the following exception:", Clue::Frame);
        check("Error reading file", Clue::None);
        check("Traceback (most recent call last):", Clue::Begins(Trace::Python));
        check("panic: runtime error: index out of range", Clue::Begins(Trace::Go));
        check("thread 'main' panicked at src/main.rs:2:5:", Clue::Begins(Trace::RustHead));
        check("thread 'main' started", Clue::None);
        check("Nov 22 05:55:40 host sshd[42]: error: no", Clue::None);
        check("2026-11-22 05:55:40 ERROR x", Clue::None);
    }

    #[test]
    fn stamps() {
        for (line, expected) in [
            ("Nov 22 05:55:40 host a: b", true),
            ("2026-11-22T05:55:40.123Z a", true),
            ("[Sun Nov 22 05:55:40 2026] [error] a", true),
            ("src/main.rs:12:15", false),
            ("10.0.0.11:8080 a", false),
            ("java.lang.Exception: x", false),
        ] {
            assert_eq!(is_stamped(line.as_bytes()), expected, "{line}");
        }
    }
}
