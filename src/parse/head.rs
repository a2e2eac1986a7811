//! What stood in front of the tag of a source's last syslog line: priority, stamp and host. The next line mostly repeats
//! it byte for byte but for the seconds, and then nothing of it is parsed again. Must never answer otherwise than the
//! parsers of the whole header would.

use std::borrow::Cow;

use crate::model::{Header, Level, Timestamp};

use super::host::Hosts;
use super::tail;

/// Longest start kept, in bytes: `<PRI>`, a stamp with a fraction and a zone.
const START_MAX: usize = 56;
/// Bytes compared at once.
const WORD: usize = 8;
/// Minutes, a colon and seconds.
const CLOCK: usize = 5;
/// The bytes of a clock in a word.
const CLOCK_BYTES: u64 = 0xff_ffff_ffff;

/// The start of the last line, and the hosts of the lines before it, in a source whose lines are syslog's.
#[derive(Clone, Debug, Default)]
pub(super) struct Heads {
    start: Start,
    hosts: Hosts,
}

/// What stands in front of the tag of a line that begins as those before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Front {
    /// Where it ends and the tag begins, in bytes from the start of the line.
    pub end: usize,
    /// Where the host stands.
    pub host: (usize, usize),
    pub time: Timestamp,
    /// What its priority says.
    pub level: Option<Level>,
    /// The year or the zone was guessed.
    pub guessed_time: bool,
    /// All that the parse of the tail depends on and that the shape of the tail does not tell.
    pub context: u64,
}

impl Heads {
    /// The front of a line that begins as those before it.
    #[inline]
    pub fn front(&mut self, line: &[u8], reference: i64) -> Option<Front> {
        let time = self.start.again(line, reference)?;
        let end = self.hosts.find(line, self.start.length)? + 1;
        self.with_tail(line, time, end)
    }

    /// The same where [`Heads::tail_at`] told the end, and no host came or went since.
    #[inline(always)]
    pub fn front_before(&mut self, line: &[u8], reference: i64, end: usize) -> Option<Front> {
        let time = self.start.again(line, reference)?;
        self.with_tail(line, time, end)
    }

    /// Which hosts are known.
    pub fn version(&self) -> u32 {
        self.hosts.version()
    }

    #[inline(always)]
    fn with_tail(&self, line: &[u8], time: Timestamp, end: usize) -> Option<Front> {
        let level = self.start.level.map_or(u64::MAX, |level| level as u64);
        Some(Front {
            end,
            host: (self.start.length, end - 1),
            time,
            level: self.start.level,
            guessed_time: self.start.guessed_time,
            context: level << 1 | u64::from(tail::has_uptime(line.get(end..)?)),
        })
    }

    /// Where the tag of a line begins if only the time of it is new. A guess: looks at the host alone.
    #[inline]
    pub fn tail_at(&mut self, line: &[u8]) -> Option<usize> {
        self.hosts.find(line, self.start.length).map(|end| end + 1)
    }

    /// Fills time, level and host of a line that begins as those before it, and returns where they end.
    #[inline]
    pub fn again<'a>(&mut self, line: &'a str, reference: i64, header: &mut Header<'a>) -> Option<usize> {
        let front = self.front(line.as_bytes(), reference)?;
        header.host = Some(Cow::Borrowed(line.get(front.host.0..front.host.1)?));
        header.time = Some(front.time);
        header.level = front.level;
        header.notes.guessed_time = front.guessed_time;
        Some(front.end)
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
        let Some(head) = line.len().checked_sub(behind_host.len()).and_then(|end| line.get(..end)) else { return };
        let Some(host) = header.host.as_deref().map(str::as_bytes) else { return };
        // One blank behind the host and one before it.
        let Some(start) = head.strip_suffix(b" ").and_then(|head| head.strip_suffix(host)) else { return };
        if !start.ends_with(b" ") || !Hosts::may_hold(host) || header.notes.odd_field {
            return;
        }
        let Some(start) = Start::of(start, reference, header, level) else { return };
        // What a word behind a stamp means may depend on how the stamp is written.
        if !start.is_written_as(&self.start) {
            self.hosts.clear();
        }
        self.start = start;
        self.hosts.put(host);
    }
}

/// The start of one line: all in front of the host.
#[derive(Clone, Copy, Debug)]
struct Start {
    bytes: [u8; START_MAX],
    /// Words to compare, from 0, the last one ending where the start does; and which of their bits.
    words: [(u64, u64); START_MAX / WORD],
    /// Bytes of the whole start, the blank in front of the host included. 0 when there is none.
    length: usize,
    /// Where the minutes stand.
    minutes_at: usize,
    /// Digits of the fraction and its mark; 0 without one.
    fraction: usize,
    /// Which quarter of the hour it was, and when that began, in microseconds. Years and zones are guessed for a whole
    /// quarter, so nothing else decides.
    quarter: u32,
    began: i64,
    /// The last clock seen in this quarter, as written, and what it means without its fraction, in microseconds.
    clock: u64,
    clock_micros: i64,
    /// What the guess was measured against.
    reference: i64,
    level: Option<Level>,
    guessed_time: bool,
}

impl Default for Start {
    fn default() -> Start {
        Start {
            bytes: [0; START_MAX],
            words: [(0, 0); START_MAX / WORD],
            length: 0,
            minutes_at: 0,
            fraction: 0,
            quarter: 0,
            began: 0,
            clock: 0,
            clock_micros: 0,
            reference: 0,
            level: None,
            guessed_time: false,
        }
    }
}

impl Start {
    /// The time of a line that starts so.
    #[inline]
    fn again(&mut self, line: &[u8], reference: i64) -> Option<Timestamp> {
        let start = line.get(..self.length)?;
        if self.reference != reference || self.length == 0 {
            return None;
        }
        let (whole, _) = start.as_chunks::<WORD>();
        let mut differ = 0;
        let mut expected = self.words.iter();
        for (word, (same, mask)) in whole.iter().zip(expected.by_ref()) {
            differ |= (u64::from_le_bytes(*word) ^ same) & mask;
        }
        if let Some((same, mask)) = expected.next() {
            differ |= (u64::from_le_bytes(*start.last_chunk()?) ^ same) & mask;
        }
        let clock = u64::from_le_bytes(*line.get(self.minutes_at..)?.first_chunk()?) & CLOCK_BYTES;
        if differ != 0 {
            return None;
        }
        if clock != self.clock {
            self.clock_micros = self.micros(clock)?;
            self.clock = clock;
        }
        let mut micros = self.clock_micros;
        if self.fraction > 0 {
            let at = self.minutes_at + CLOCK;
            micros += i64::from(fraction(start.get(at..at + self.fraction)?)?);
        }
        Some(Timestamp::from_micros(micros))
    }

    /// What a clock of the same quarter means.
    fn micros(&self, clock: u64) -> Option<i64> {
        let (minute, second) = minute_and_second(clock)?;
        let within = i64::from(minute % 15) * 60 + i64::from(second);
        (minute / 15 == self.quarter).then_some(self.began + within * 1_000_000)
    }

    /// `None` for a start that could not be read back the same.
    fn of(whole: &[u8], reference: i64, header: &Header<'_>, level: Option<Level>) -> Option<Start> {
        let mut start = Start { length: whole.len(), reference, level, ..Start::default() };
        start.bytes.get_mut(..whole.len())?.copy_from_slice(whole);
        // The first colon stands behind the hour.
        start.minutes_at = memchr::memchr(b':', whole)? + 1;
        let behind = whole.get(start.minutes_at..)?;
        let clock = u64::from_le_bytes(*behind.first_chunk::<WORD>().or(whole.last_chunk())?);
        // A word from the minutes on must lie within the shortest line.
        let clock = if behind.len() >= WORD { clock } else { clock >> (WORD * (WORD - behind.len())) } & CLOCK_BYTES;
        let (minute, second) = minute_and_second(clock)?;
        let after = behind.get(CLOCK..)?;
        let digits = match after {
            [b'.' | b',', digits @ ..] => digits.iter().take_while(|byte| byte.is_ascii_digit()).count(),
            _ => 0,
        };
        start.fraction = if digits > 0 { 1 + digits } else { 0 };
        let micros = if digits > 0 { fraction(after.get(..start.fraction)?)? } else { 0 };
        start.quarter = minute / 15;
        let within = i64::from(minute % 15) * 60 + i64::from(second);
        start.clock = clock;
        start.clock_micros = header.time?.as_micros() - i64::from(micros);
        start.began = start.clock_micros - within * 1_000_000;
        start.guessed_time = header.notes.guessed_time;
        // The mark of a fraction stays as it is.
        let varies = |at: usize| {
            let fraction_at = start.minutes_at + CLOCK;
            (start.minutes_at..fraction_at).contains(&at)
                || (fraction_at + 1..fraction_at + start.fraction).contains(&at)
        };
        for (index, word) in start.words.iter_mut().enumerate().take(whole.len().div_ceil(WORD)) {
            let at = (index * WORD).min(whole.len().checked_sub(WORD)?);
            let bytes = *whole.get(at..)?.first_chunk::<WORD>()?;
            let mask: [u8; WORD] = std::array::from_fn(|byte| if varies(at + byte) { 0 } else { u8::MAX });
            *word = (u64::from_le_bytes(bytes), u64::from_le_bytes(mask));
        }
        Some(start)
    }

    /// Whether the two differ in nothing but digits in front of the minutes, and in clock and fraction.
    fn is_written_as(&self, other: &Start) -> bool {
        let plain = |byte: &u8| if byte.is_ascii_digit() { b'0' } else { *byte };
        let after = |start: &Start| start.minutes_at + CLOCK + start.fraction;
        (self.length, self.minutes_at, self.fraction) == (other.length, other.minutes_at, other.fraction)
            && self.bytes.iter().take(self.minutes_at).map(plain).eq(other
                .bytes
                .iter()
                .take(other.minutes_at)
                .map(plain))
            && self.bytes.get(after(self)..) == other.bytes.get(after(other)..)
    }
}

/// `05:40`, both below 60: leap seconds are for the parsers.
#[inline]
fn minute_and_second(clock: u64) -> Option<(u32, u32)> {
    let [tens, ones, b':', second_tens, second_ones, ..] = clock.to_le_bytes() else { return None };
    let digit = |byte: u8| byte.wrapping_sub(b'0');
    let (tens, ones, second_tens, second_ones) = (digit(tens), digit(ones), digit(second_tens), digit(second_ones));
    (tens < 6 && ones < 10 && second_tens < 6 && second_ones < 10)
        .then(|| (u32::from(tens * 10 + ones), u32::from(second_tens * 10 + second_ones)))
}

/// `.746959` behind its mark, in microseconds.
#[inline]
fn fraction(written: &[u8]) -> Option<u32> {
    let (_, digits) = written.split_first()?;
    let mut micros = 0;
    let mut unit = 100_000;
    let mut wrong = false;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        wrong |= digit > 9;
        micros += u32::from(digit) * unit;
        unit /= 10;
    }
    (!wrong).then_some(micros)
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
