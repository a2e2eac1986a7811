//! What stood in front of the tag of a source's last syslog line: priority, stamp and host. The next line mostly repeats
//! it byte for byte but for the seconds, and then nothing of it is parsed again. Must never answer otherwise than the
//! parsers of the whole header would.

use std::borrow::Cow;

use crate::model::{Header, Level, Timestamp};

/// Longest head kept, in bytes: `<PRI>`, a stamp with a zone and a host of 60.
const HEAD_MAX: usize = 104;
/// Minutes, a colon and seconds.
const CLOCK: usize = 5;

/// Hosts whose lines may interleave.
const HEADS: usize = 4;

/// The heads of the last lines, in a source whose lines are syslog's.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Heads {
    heads: [Head; HEADS],
    /// Which one the last line had.
    last: usize,
}

impl Heads {
    /// Fills time, level and host of a line that begins as one of the last did, and returns where they end.
    #[inline]
    pub fn again<'a>(&mut self, line: &'a str, reference: i64, header: &mut Header<'a>) -> Option<usize> {
        if let Some(end) = self.heads.get(self.last)?.again(line, reference, header) {
            return Some(end);
        }
        let mut others = self.heads.iter().enumerate();
        let (number, end) = others.find_map(|(number, head)| Some((number, head.again(line, reference, header)?)))?;
        self.last = number;
        Some(end)
    }

    /// Remembers the head of a line that was parsed in full. `level` is what its priority said, `behind_host` what
    /// stands behind host and blanks.
    pub fn remember(
        &mut self,
        line: &[u8],
        reference: i64,
        header: &Header<'_>,
        level: Option<Level>,
        behind_host: &[u8],
    ) {
        let Some(head) = Head::of(line, reference, header, level, behind_host) else { return };
        // The same host in another quarter, or the oldest.
        let same = self.heads.iter().position(|known| known.host_text() == head.host_text());
        self.last = same.unwrap_or((self.last + 1) % HEADS);
        if let Some(place) = self.heads.get_mut(self.last) {
            *place = head;
        }
    }
}

/// The head of one line.
#[derive(Clone, Copy, Debug)]
struct Head {
    bytes: [u8; HEAD_MAX],
    /// Where the minutes stand.
    minutes_at: usize,
    /// Digits of the fraction and its mark; 0 without one.
    fraction: usize,
    /// Where the host stands, from the end of the clock and the fraction.
    host: (usize, usize),
    /// Bytes of the whole head, the blanks behind the host included. 0 when there is none.
    length: usize,
    /// Which quarter of the hour it was, and when that began, in microseconds. Years and zones are guessed for a whole
    /// quarter, so nothing else decides.
    quarter: u32,
    began: i64,
    /// What the guess was measured against.
    reference: i64,
    level: Option<Level>,
    guessed_time: bool,
}

impl Default for Head {
    fn default() -> Head {
        Head {
            bytes: [0; HEAD_MAX],
            minutes_at: 0,
            fraction: 0,
            host: (0, 0),
            length: 0,
            quarter: 0,
            began: 0,
            reference: 0,
            level: None,
            guessed_time: false,
        }
    }
}

impl Head {
    #[inline]
    fn again<'a>(&self, text: &'a str, reference: i64, header: &mut Header<'a>) -> Option<usize> {
        let line = text.as_bytes();
        if self.length == 0 || self.reference != reference {
            return None;
        }
        let (before, rest) = line.split_at_checked(self.minutes_at)?;
        let (clock, mut rest) = rest.split_first_chunk::<CLOCK>()?;
        if before != self.bytes.get(..self.minutes_at)? {
            return None;
        }
        let mut micros = 0;
        if self.fraction > 0 {
            let (written, behind) = rest.split_at_checked(self.fraction)?;
            micros = fraction(written, *self.bytes.get(self.minutes_at + CLOCK)?)?;
            rest = behind;
        }
        let after_at = self.minutes_at + CLOCK + self.fraction;
        let after = self.bytes.get(after_at..self.length)?;
        let (same, behind) = rest.split_at_checked(after.len())?;
        // More blanks, brackets and an end of the line change what the host is.
        if same != after || matches!(behind.first(), None | Some(b' ' | b'\t' | b'[')) {
            return None;
        }
        let (minute, second) = minute_and_second(*clock)?;
        if minute / 15 != self.quarter {
            return None;
        }
        let within = i64::from(minute % 15) * 60 + i64::from(second);
        header.host = Some(Cow::Borrowed(text.get(after_at + self.host.0..after_at + self.host.1)?));
        header.time = Some(Timestamp::from_micros(self.began + within * 1_000_000 + i64::from(micros)));
        header.level = self.level;
        header.notes.guessed_time = self.guessed_time;
        Some(self.length)
    }

    fn host_text(&self) -> Option<&[u8]> {
        let after_at = self.minutes_at + CLOCK + self.fraction;
        self.bytes.get(after_at + self.host.0..after_at + self.host.1).filter(|_| self.length > 0)
    }

    /// `None` for a head that could not be read back the same.
    fn of(line: &[u8], reference: i64, header: &Header<'_>, level: Option<Level>, behind_host: &[u8]) -> Option<Head> {
        let length = line.len().checked_sub(behind_host.len())?;
        let whole = line.get(..length)?;
        let mut bytes = [0; HEAD_MAX];
        bytes.get_mut(..length)?.copy_from_slice(whole);
        // The first colon stands behind the hour.
        let minutes_at = memchr::memchr(b':', whole)? + 1;
        let (clock, after) = whole.get(minutes_at..)?.split_first_chunk::<CLOCK>()?;
        let (minute, second) = minute_and_second(*clock)?;
        let fraction = match after {
            [b'.' | b',', digits @ ..] => 1 + digits.iter().take_while(|byte| byte.is_ascii_digit()).count(),
            _ => 0,
        };
        let fraction = if fraction > 1 { fraction } else { 0 };
        let micros = match after.get(..fraction)? {
            [] => 0,
            written => self::fraction(written, *after.first()?)?,
        };
        let after = after.get(fraction..)?;
        let host = header.host.as_deref()?.as_bytes();
        let blanks = after.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let host_end = after.len().checked_sub(blanks).filter(|_| blanks > 0)?;
        let host_start = host_end.checked_sub(host.len())?;
        // `last message repeated` has no host, whoever had that name before.
        let is_plain = host.is_ascii() && host != b"last" && host != b"message";
        if !is_plain || after.get(host_start..host_end)? != host || after.get(host_start.checked_sub(1)?)? != &b' ' {
            return None;
        }
        let within = i64::from(minute % 15) * 60 + i64::from(second);
        let head = Head {
            bytes,
            minutes_at,
            fraction,
            host: (host_start, host_end),
            length,
            quarter: minute / 15,
            began: header.time?.as_micros() - within * 1_000_000 - i64::from(micros),
            reference,
            level,
            guessed_time: header.notes.guessed_time,
        };
        let mut again = Header::default();
        let end = head.again(std::str::from_utf8(line).ok()?, reference, &mut again)?;
        let is_same = end == length && (again.time, &again.host) == (header.time, &header.host);
        (is_same && !header.notes.odd_field).then_some(head)
    }
}

/// `05:40`, both below 60: leap seconds are for the parsers.
#[inline]
fn minute_and_second(clock: [u8; CLOCK]) -> Option<(u32, u32)> {
    let [tens, ones, b':', second_tens, second_ones] = clock else { return None };
    let digit = |byte: u8| byte.wrapping_sub(b'0');
    let (tens, ones, second_tens, second_ones) = (digit(tens), digit(ones), digit(second_tens), digit(second_ones));
    (tens < 6 && ones < 10 && second_tens < 6 && second_ones < 10)
        .then(|| (u32::from(tens * 10 + ones), u32::from(second_tens * 10 + second_ones)))
}

/// `.746959` behind the same mark, in microseconds.
fn fraction(written: &[u8], mark: u8) -> Option<u32> {
    let (first, digits) = written.split_first()?;
    let mut micros = 0;
    let mut unit = 100_000;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        micros += u32::from(digit) * unit;
        unit /= 10;
    }
    (*first == mark).then_some(micros)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::model::Medium;
    use crate::parse::{Context, Format, Plan};

    use super::*;

    /// Each line as the plan of all lines before reads it, and as one reads it that knows no line.
    fn check(format: Format, lines: &[Vec<u8>]) {
        let context = Context { zone: jiff::tz::TimeZone::get("Europe/Berlin").expect("a zone"), host: "own".into() };
        let mut plan = Plan::new(Medium::File, Some(format));
        for (number, line) in lines.iter().enumerate() {
            // The reference moves on now and then, over a change of the year too.
            let reference = Timestamp::from_seconds(1_798_750_000 + number as i64 / 7 * 40_000);
            let with = plan.parse(line, reference, &context);
            let without = Plan::new(Medium::File, Some(format)).parse(line, reference, &context);
            assert_eq!(with, without, "{}", String::from_utf8_lossy(line));
        }
    }

    fn rest() -> impl Strategy<Value = String> {
        prop_oneof![
            Just("combo sshd[42]: bye".to_owned()),
            Just("combo  sshd[42]: bye".to_owned()),
            Just("combo [42]: bye".to_owned()),
            Just("combo".to_owned()),
            Just("combo ".to_owned()),
            Just("own".to_owned()),
            Just("last message repeated 2 times".to_owned()),
            Just("message repeated 2 times".to_owned()),
            Just("last sshd: bye".to_owned()),
            Just("2026 combo sshd: bye".to_owned()),
            Just("2026 last sshd: bye".to_owned()),
            Just("UTC 2026 a: bye".to_owned()),
            Just("UTC x".to_owned()),
            Just("CEST: x".to_owned()),
            Just("sshd: bye".to_owned()),
            Just("caf\u{e9} sshd: bye".to_owned()),
            Just("AM combo cron: x".to_owned()),
            Just("+0100 combo cron: x".to_owned()),
            "[a-c]{1,2}[ \t\\[\\]:]{0,3}[a-c\u{e9}]{0,3}[:\\[ ]{0,2}[a-z0-9]{0,4}",
        ]
    }

    fn stamp() -> impl Strategy<Value = String> {
        (
            0..4_u8,
            54..62_u8,
            0..62_u8,
            prop_oneof![Just(""), Just("."), Just(".5"), Just(".746959"), Just(",12"), Just(".1234567890")],
        )
            .prop_map(|(hour, minute, second, fraction)| format!("{hour:02}:{minute:02}:{second:02}{fraction}"))
    }

    proptest! {
        #[test]
        fn what_is_remembered_changes_no_line(
            lines in proptest::collection::vec((0..3_usize, stamp(), rest()), 1..30),
            odd in any::<[u8; 4]>(),
        ) {
            let starts = ["Dec 31 ", "<34>Dec 31 ", "Jan  1 "];
            let bsd: Vec<Vec<u8>> = lines
                .iter()
                .map(|(start, stamp, rest)| format!("{}{stamp} {rest}", starts[*start]).into_bytes())
                .collect();
            check(Format::Rfc3164, &bsd);
            let zones = ["Z", "+01:00", ""];
            let mut iso: Vec<Vec<u8>> = lines
                .iter()
                .map(|(zone, stamp, rest)| format!("2026-12-31T{stamp}{} {rest}", zones[*zone]).into_bytes())
                .collect();
            if let Some(last) = iso.last_mut() {
                last.extend(odd);
            }
            check(Format::Rfc3339, &iso);
        }
    }

    #[test]
    fn a_line_like_the_last_is_read_from_memory() {
        let time = Some(Timestamp::from_seconds(340));
        let mut header = Header { time, host: Some("h1".into()), ..Header::default() };
        let mut heads = Heads::default();
        heads.remember(b"Jan  1 00:05:40 h1 a: b", 0, &header, None, b"a: b");
        header.host = Some("h2".into());
        heads.remember(b"Jan  1 00:05:40 h2 a: b", 0, &header, None, b"a: b");
        let line = "Jan  1 00:14:59 h1 cron[7]: c";
        assert_eq!(heads.again(line, 0, &mut header), Some(19));
        assert_eq!((header.time, header.host.as_deref()), (Some(Timestamp::from_seconds(899)), Some("h1")));
        for other in
            ["Jan  1 00:15:00 h1 a: b", "Jan  1 00:05:40 h3 a: b", "Jan  1 00:05:40 h1 [7]: b", "Jan  1 00:05:40 h1 "]
        {
            assert_eq!(heads.again(other, 0, &mut header), None, "{other}");
        }
        assert_eq!(heads.again(line, 900, &mut header), None);
    }
}
