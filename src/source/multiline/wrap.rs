//! What a container runtime wrote around a line: where the program's own text is, whether the line goes on in the next
//! one, and how several are written as one. Reads no time and decodes nothing.

use std::ops::Range;

/// Streams of one container are apart: stdout, stderr; what has no wrapping is a third.
pub(super) const LANES: usize = 3;

/// How far the tag of a CRI line may be from its start, in bytes.
const CRI_HEAD_MAX: usize = 48;
/// How much may stand behind the text of a Docker line, in bytes.
const DOCKER_TAIL_MAX: usize = 512;

/// The parts of a line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Wrap {
    pub style: Style,
    /// The program's own text.
    pub text: Range<usize>,
    /// The text goes on in the next line of its stream.
    pub goes_on: bool,
    /// Which of the [`LANES`].
    pub lane: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Style {
    None,
    /// `2026-11-22T05:55:40.123456789Z stdout F text`
    Cri,
    /// `{"log":"text\n","stream":"stdout","time":"2026-11-22T05:55:40.123456789Z"}`
    Docker,
}

impl Wrap {
    pub fn of(line: &[u8]) -> Wrap {
        let wrap = match line.first() {
            Some(b'0'..=b'9') => cri(line),
            Some(b'{') => docker(line),
            Some(_) | None => None,
        };
        wrap.unwrap_or(Wrap { style: Style::None, text: 0..line.len(), goes_on: false, lane: 0 })
    }
}

impl Style {
    /// How a line break inside a text of this style is written.
    pub fn line_break(self) -> &'static [u8] {
        match self {
            Style::None | Style::Cri => b"\n",
            Style::Docker => b"\\n",
        }
    }
}

fn cri(line: &[u8]) -> Option<Wrap> {
    if line.get(10) != Some(&b'T') {
        return None;
    }
    let head = line.get(..CRI_HEAD_MAX).unwrap_or(line);
    let blank = memchr::memchr(b' ', head)?;
    let rest = line.get(blank + 1..)?;
    let lane = match rest {
        _ if rest.starts_with(b"stdout ") => 1,
        _ if rest.starts_with(b"stderr ") => 2,
        _ => return None,
    };
    let tags = rest.get(7..)?;
    let end = memchr::memchr(b' ', tags).unwrap_or(tags.len());
    let goes_on = match tags.get(..end)?.split(|byte| *byte == b':').next()? {
        b"P" => true,
        b"F" => false,
        _ => return None,
    };
    let start = (blank + 1 + 7 + end + 1).min(line.len());
    Some(Wrap { style: Style::Cri, text: start..line.len(), goes_on, lane })
}

fn docker(line: &[u8]) -> Option<Wrap> {
    const HEAD: &[u8] = b"{\"log\":\"";
    if !line.starts_with(HEAD) {
        return None;
    }
    let tail_from = line.len().saturating_sub(DOCKER_TAIL_MAX).max(HEAD.len());
    let tail = line.get(tail_from..)?;
    // The last one: a text cannot hold an unescaped quote.
    let is_end = |at: &usize| tail.get(*at..).is_some_and(|rest| rest.starts_with(b"\",\"stream\":\"std"));
    let end = tail_from + memchr::memrchr_iter(b'"', tail).find(is_end)?;
    let lane = match line.get(end + 15..end + 18)? {
        b"out" => 1,
        b"err" => 2,
        _ => return None,
    };
    let text = line.get(HEAD.len()..end)?;
    let ended = text.strip_suffix(b"\\n").filter(|rest| {
        // An even number of backslashes in front: the break is no escaped backslash and a letter.
        rest.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 0
    });
    let length = ended.map_or(text.len(), |rest| rest.strip_suffix(b"\\r").unwrap_or(rest).len());
    Some(Wrap { style: Style::Docker, text: HEAD.len()..HEAD.len() + length, goes_on: ended.is_none(), lane })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: (Style, &str, bool, usize)) {
        let Wrap { style, text, goes_on, lane } = Wrap::of(line.as_bytes());
        assert_eq!((style, &line[text], goes_on, lane), expected, "{line}");
    }

    #[test]
    fn wraps() {
        check("plain", (Style::None, "plain", false, 0));
        check("", (Style::None, "", false, 0));
        check("2026-11-22T05:55:40.123456789Z stdout F a b", (Style::Cri, "a b", false, 1));
        check("2026-11-22T05:55:40.123456789+01:00 stderr P a ", (Style::Cri, "a ", true, 2));
        check("2026-11-22T05:55:40Z stdout P:x a", (Style::Cri, "a", true, 1));
        check("2026-11-22T05:55:40Z stdout F", (Style::Cri, "", false, 1));
        check("2026-11-22T05:55:40Z stdout X a", (Style::None, "2026-11-22T05:55:40Z stdout X a", false, 0));
        check("2026-11-22T05:55:40Z host sshd: a", (Style::None, "2026-11-22T05:55:40Z host sshd: a", false, 0));
        let docker = |log: &str, stream: &str| format!("{{\"log\":\"{log}\",\"stream\":\"{stream}\",\"time\":\"t\"}}");
        check(&docker("a\\n", "stdout"), (Style::Docker, "a", false, 1));
        check(&docker("a\\r\\n", "stdout"), (Style::Docker, "a", false, 1));
        check(&docker("a", "stderr"), (Style::Docker, "a", true, 2));
        check(&docker("C:\\\\n", "stdout"), (Style::Docker, "C:\\\\n", true, 1));
        check(&docker("", "stdout"), (Style::Docker, "", true, 1));
        check("{\"log\":\"a\"}", (Style::None, "{\"log\":\"a\"}", false, 0));
    }
}
