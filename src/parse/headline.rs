//! What a record of many lines is called: its first line, and the line that names the exception. So that one trace is one
//! kind, whatever its frames; the whole stays the evidence. Knows messages, not files.

use std::borrow::Cow;

/// Longest line that may name an exception, in bytes; longer ones are cut.
const CAUSE_MAX: usize = 300;
/// Lines of one record looked at, from its end.
const LINES_MAX: usize = 600;

/// The part of `message` that its kind depends on. Borrowed, and the whole, for a message of one line.
pub fn headline(message: &str) -> Cow<'_, str> {
    let Some(end) = memchr::memchr(b'\n', message.as_bytes()) else { return Cow::Borrowed(message) };
    let (first, rest) = message.split_at(end);
    let first = first.trim_ascii_end();
    match cause(first, rest) {
        Some(cause) => Cow::Owned(format!("{first} {}", crate::model::clip(cause, CAUSE_MAX))),
        None => Cow::Borrowed(first),
    }
}

/// Whether a record of many lines is a stack trace of its own: its writer said that something broke, in as many words.
pub(super) fn is_trace(text: &[u8]) -> bool {
    const STARTS: [&[u8]; 7] = [
        b"Traceback (most",
        b"panic: ",
        b"fatal error: ",
        b"Exception in thread ",
        b"Unhandled exception",
        b"thread '",
        b"PHP Fatal error: ",
    ];
    let Some(end) = memchr::memchr(b'\n', text) else { return false };
    let first = text.get(..end).unwrap_or_default();
    let name = first.split(|byte| matches!(byte, b':' | b' ')).next().unwrap_or_default();
    STARTS.iter().any(|start| first.starts_with(start))
        || [&b"Exception"[..], b"Error"].iter().any(|end| name.ends_with(end))
}

/// The last line that names an exception: the root cause in Java, the exception in Python.
fn cause<'a>(first: &str, rest: &'a str) -> Option<&'a str> {
    if first.starts_with("thread '") {
        // Rust says in the next line why it panicked.
        return rest.lines().map(str::trim_ascii).find(|line| !line.is_empty());
    }
    if first.starts_with("panic: ") || first.starts_with("fatal error: ") || first.contains("http: panic serving ") {
        return None;
    }
    let is_python = first.starts_with("Traceback (most") || rest.contains("\nTraceback (most");
    let named = |line: &&str| {
        let name = line.strip_prefix("Caused by: ").unwrap_or(line);
        let name = name.split([':', ' ']).next().unwrap_or_default();
        let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'$'));
        let is_exception = ["Exception", "Error", "Throwable"].iter().any(|end| name.ends_with(end));
        // Python's exceptions need no such name: whatever ends a traceback is one.
        is_name && !name.is_empty() && (is_exception || is_python && !line.starts_with([' ', '\t']))
    };
    rest.lines().rev().take(LINES_MAX).find(named).map(str::trim_ascii_end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(message: &str, expected: &str) {
        assert_eq!(headline(message), expected);
    }

    #[test]
    fn traces() {
        assert!(is_trace(b"TypeError: x\n    at f"));
        assert!(is_trace(b"panic: x\n"));
        assert!(!is_trace(b"TypeError: x"));
        assert!(!is_trace(b"started\n  at noon"));
    }

    #[test]
    fn one_trace_is_one_kind() {
        check("plain", "plain");
        check("", "");
        check("\n", "");
        check("first\n  second", "first");
        check(
            "failed\njava.lang.RuntimeException: boom 42\n\tat a.B.c(B.java:1)\nCaused by: java.lang.OutOfMemoryError: heap\n\t... 12 more",
            "failed Caused by: java.lang.OutOfMemoryError: heap",
        );
        check("java.lang.RuntimeException: boom\n\tat a.B.c(B.java:1)", "java.lang.RuntimeException: boom");
        check(
            "Traceback (most recent call last):\n  File \"a.py\", line 1, in f\n    g()\nValueError: no",
            "Traceback (most recent call last): ValueError: no",
        );
        check("oops\nTraceback (most recent call last):\n  File \"a.py\", line 1\nTimeout: 3", "oops Timeout: 3");
        check("panic: boom\n\ngoroutine 1 [running]:\nmain.main()\n\t/a.go:1", "panic: boom");
        check(
            "thread 'main' panicked at src/main.rs:2:5:\nindex out of bounds\nstack backtrace:",
            "thread 'main' panicked at src/main.rs:2:5: index out of bounds",
        );
    }
}
